"""From an act to the row that a meter would book for it: tags, owner, price, and what was heard of its usage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.context import missing_tags
from spendgraph.hooks.places import OpenStep, Place, Task
from spendgraph.hooks.rows import Ending, StepRows
from spendgraph.hooks.tools import ToolRegistry
from spendgraph.ledger.holds import UNHEARD
from spendgraph.ledger.records import TOKEN_KINDS
from spendgraph.pricing import CostHistory, Reported, Usage

if TYPE_CHECKING:
    from spendgraph.context import CostContext
    from spendgraph.ledger import StepRow
    from spendgraph.policy import Policy
    from spendgraph.pricing import Price, PriceBook
    from spendgraph_demo.history.acts import Act, PlannedTask

_QUANTILE: Final = 0.95
_DEFAULT_OUTPUT: Final = 1_000
_UNKNOWN: Final = 1
_RESPONSES: Final = {"openai": "chatcmpl-", "anthropic": "msg_"}


def _error(name: str) -> BaseException:
    kind: type[Exception] = type(name, (Exception,), {})
    return kind()


_ERRORS: Final = {
    name: _error(name) for name in ("RateLimitError", "TimeoutError", "ValueError", "CancelledError")
}


class Expected(NamedTuple):
    """What a call is expected to cost, in nano-USD, and how many tokens it may take."""

    nanousd: int
    tokens: int


class Rows:
    """Makes the rows of a history as the hooks would.

    Args:
        policy: Required tags, owners and prices of tools.
        prices: The price book.
    """

    def __init__(self, policy: Policy, prices: PriceBook) -> None:
        self._attribution = policy.attribution
        self._prices = prices
        self._rows = StepRows(policy, prices)
        self._tools = ToolRegistry(policy)
        self._history = CostHistory()
        self._missing: dict[str, str] = {}
        self._contexts: dict[tuple[str, str], CostContext] = {}

    def context(self, task: PlannedTask, act: Act) -> CostContext:
        """Who pays for an act: the task's tags, with the act's own prompt."""
        own, name = task.context, act.template
        if not name or name == own.template:
            return own
        key = own.context_id, name
        known = self._contexts.get(key)
        if known is None:
            if len(self._contexts) > 50_000:
                self._contexts.clear()
            known = self._contexts[key] = own.replace(template=name, template_version="t1")
        return known

    def expected(self, context: CostContext, act: Act) -> Expected:
        """What a call is expected to cost before it is made: what such calls have cost so far, or what its request says."""
        if act.heard == "cache_hit":
            return Expected(0, 0)
        if act.kind not in TOKEN_KINDS:
            is_priced, known = self._tools.upfront(act.name)
            if not is_priced:
                return Expected(0, 0)
            seen = self._history.quantile(context.feature, act.name, _QUANTILE) if known is None else known
            return Expected(_UNKNOWN if seen is None else seen, 0)
        sent = 0 if act.usage is None else act.usage.input_tokens
        answered = _DEFAULT_OUTPUT if act.kind == "model" else 0
        price = self._prices.price(act.provider, act.model, act.started_us, act.tier)
        seen = self._history.quantile(context.feature, act.model, _QUANTILE)
        if price is None:
            return Expected(_UNKNOWN, sent + answered)
        if seen is None:
            return Expected(price.cost(Usage(sent, answered)), sent + answered)
        return Expected(max(seen, price.cost(Usage(sent))), sent + answered)

    def row(
        self, task: Task, context: CostContext, act: Act, ids: tuple[str, str | None], expected: Expected
    ) -> tuple[StepRow, Price | None]:
        """The row of an act and the price it was charged at.

        Args:
            task: Its task.
            context: Who pays.
            act: The act.
            ids: Its step's id, and that of the step it ran in.
            expected: What it was expected to cost.
        """
        step_id = ids[0]
        step = OpenStep(
            step_id,
            self._place(task, context, act, ids),
            act.kind,
            act.name,
            provider=act.provider,
            model=act.model,
            inputs=None,
            started_us=act.started_us,
            is_replay=act.is_replay,
        )
        step.estimate_nanousd = step.reserved_nanousd = expected.nanousd
        error = _ERRORS[act.error] if act.error else None
        recorded_us = act.ended_us + act.late_us + 3_000
        ending = Ending(act.ended_us, act.status, error, recorded_us=recorded_us)
        if act.kind in TOKEN_KINDS:
            heard, ending = _heard(act, step_id, ending)
            row, price = self._rows.counted(step, heard, ending)
        else:
            charge = (
                self._tools.charge(act.name, None)
                if act.quantity is None
                else self._tools.charge_units(act.name, act.quantity)
            )
            row = self._rows.plain(
                step,
                charge.cost_nanousd,
                ending._replace(owner=charge.owner, basis=charge.basis, note=charge.note),
                None,
                quantity=charge.quantity,
                unit=charge.unit,
            )
            price = None
        if act.status == "ok" and row.cost_basis in ("reported", "configured", "estimated"):
            self._history.add(context.feature, act.model or act.name, row.cost_nanousd)
        return row, price

    def _place(self, task: Task, context: CostContext, act: Act, ids: tuple[str, str | None]) -> Place:
        step_id, parent_id = ids
        place = Place(
            task,
            context,
            parent_step_id=parent_id,
            thread_id=task.thread_id,
            graph=task.graph,
            node=act.node,
            path=act.node,
            checkpoint_ns=f"{act.node}:{step_id[-12:]}" if act.node else "",
            attempt=act.attempt,
        )
        missing = self._missing.get(context.context_id)
        if missing is None:
            found = missing_tags(context, self._attribution)
            missing = self._missing[context.context_id] = ",".join(each.tag for each in found)
        place.missing = missing
        return place


def _heard(act: Act, step_id: str, ending: Ending) -> tuple[Reported, Ending]:
    """What the meter hears of a call, and how it ends for it."""
    usage = act.usage or Usage()
    response_id = _RESPONSES.get(act.provider, "") + step_id.replace("-", "")[-24:] if act.answered else ""
    reported = Reported(usage, act.provider, act.answered, response_id, act.tier)
    if act.heard == "cache_hit":
        return replace(reported, cache_hit=True, response_id=""), ending
    if act.heard == "estimated":
        # A fixed error that depends on the call alone: texts are counted by their bytes.
        off = 0.82 + int(step_id[-4:], 16) / 0xFFFF * 0.3
        guessed = Usage(round(usage.input_tokens * off), round(usage.output_tokens * off))
        return replace(reported, usage=guessed, estimated=True, response_id=""), ending
    if act.heard == "upper_bound":
        most = Usage(usage.input_tokens, max(4_096, usage.output_tokens))
        return replace(reported, usage=most, response_id=""), ending._replace(
            basis="upper_bound", note=UNHEARD
        )
    return reported, ending
