"""What a call may cost, in which budgets it counts, and how much of them it needs: decisions, no exceptions.

The room itself is taken in the ledger, in one transaction over every window; see `spendgraph.ledger.holds`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from spendgraph.budgets.matching import counters_of
from spendgraph.budgets.windows import Window, window_at
from spendgraph.ledger.budgets import BudgetRow
from spendgraph.ledger.holds import Shortfall, Want
from spendgraph.pricing import (
    CostHistory,
    Usage,
    expected_input,
    expected_output,
    input_ceiling,
    output_ceiling,
)

if TYPE_CHECKING:
    from spendgraph.budgets.matching import Counter
    from spendgraph.context import CostContext
    from spendgraph.ledger import Ledger
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import PriceBook

_MOST_KEPT = 10_000
_UNKNOWN_COST = 1
"""Nano-USD asked for a call whose cost nobody knows: a budget that is spent refuses it, zero would not."""


class Call(NamedTuple):
    """A call that wants to go out.

    Attributes:
        context: Who pays.
        task_id: The task it belongs to.
        thread_id: The thread, or empty.
        kind: The step's kind.
        name: The step's name.
        provider: Who answers.
        model: The model asked for, or empty for what is not counted in tokens.
        inputs: What is sent.
        parameters: The request's other parameters.
        max_output_tokens: The most the answer may hold, if the request says.
        fixed_nanousd: What it costs at most, where that is known; `None` where it depends on the answer.
        started_us: When.
        caps: Counters of the blocks around it, beside the policy's.
        is_spent: The money is gone already: it counts, and there is no limit to it.
    """

    context: CostContext
    task_id: str
    thread_id: str
    kind: str
    name: str
    provider: str
    model: str
    inputs: object
    parameters: object
    max_output_tokens: int | None
    fixed_nanousd: int | None
    started_us: int
    caps: tuple[Counter, ...] = ()
    is_spent: bool = False


class Need(NamedTuple):
    """The room a call needs.

    Attributes:
        wants: The windows it counts in.
        nanousd: Money to be held.
        tokens: Tokens to be held.
        estimate_nanousd: What the call is expected to cost.
        budgets: The budget of each window, in order.
    """

    wants: tuple[Want, ...]
    nanousd: int
    tokens: int
    estimate_nanousd: int
    budgets: tuple[Budget, ...]


class Unbounded(NamedTuple):
    """A strict budget admits only calls with a proven ceiling, and this one has none."""

    counter: Counter
    missing: str


class TooDear(NamedTuple):
    """A single call may not cost as much as this one may."""

    budget: Budget
    shortfall: Shortfall


class BudgetAuthority:
    """The budgets of one policy on one ledger.

    Args:
        ledger: Where the windows are; it gets a new version of every budget that has changed.
        policy: The budgets.
        prices: The price book.

    Raises:
        LedgerUnavailable: The ledger cannot be written.
    """

    def __init__(self, ledger: Ledger, policy: Policy, prices: PriceBook) -> None:
        self.budgets = policy.budgets
        self.history = CostHistory()
        self._prices = prices
        self._default_output = policy.estimates.default_output_tokens
        self._counters: dict[tuple[str, str, str], tuple[Counter, ...]] = {}
        self._windows: dict[str, Window] = {}
        ledger.register([_row(budget) for budget in self.budgets])

    def need(self, call: Call) -> Need | Unbounded | TooDear | None:
        """How much room a call needs, and where; `None` where no budget is about it."""
        counters = (*self._counters_of(call), *call.caps)
        if not counters:
            return None
        strict = next((counter for counter in counters if counter.budget.reserve == "strict"), None)
        if call.model and call.fixed_nanousd is None:
            sized = self._of_tokens(call, counters, strict)
            if isinstance(sized, Unbounded):
                return sized
            estimate, nanousd, tokens = sized
        else:
            fixed = call.fixed_nanousd
            if fixed is None:
                if strict is not None:
                    return Unbounded(strict, "a price that is known before the call")
                fixed = self.history.quantile(call.context.feature, call.name, _quantile(counters))
            estimate = nanousd = _UNKNOWN_COST if fixed is None else fixed
            tokens = 0
        wants: list[Want] = []
        budgets: list[Budget] = []
        for counter in counters:
            want = self._want(counter, call, is_free=nanousd == 0)
            if "call" not in counter.budget.per:
                wants.append(want)
                budgets.append(counter.budget)
                continue
            asked = nanousd if want.unit == "nanousd" else tokens if want.unit == "tokens" else 1
            if want.limit is not None and asked > want.limit:
                return TooDear(counter.budget, Shortfall(want, 0, 0, asked))
        return Need(tuple(wants), nanousd, tokens, estimate, tuple(budgets))

    def windows(self, call: Call) -> tuple[tuple[Counter, Want], ...]:
        """The counters a call counts against and their windows; for a budget per call there is none to reserve in."""
        counters = (*self._counters_of(call), *call.caps)
        return tuple((counter, self._want(counter, call, is_free=False)) for counter in counters)

    def learn(self, feature: str, what: str, cost_nanousd: int) -> None:
        """Remember what a call of a model or tool cost."""
        self.history.add(feature, what, cost_nanousd)

    def _counters_of(self, call: Call) -> tuple[Counter, ...]:
        key = (call.context.context_id, call.task_id, call.thread_id)
        counters = self._counters.get(key)
        if counters is None:
            if len(self._counters) >= _MOST_KEPT:
                self._counters.clear()
            counters = counters_of(self.budgets, call.context, call.task_id, call.thread_id)
            self._counters[key] = counters
        return counters

    def _of_tokens(
        self, call: Call, counters: tuple[Counter, ...], strict: Counter | None
    ) -> tuple[int, int, int] | Unbounded:
        """What a model call is expected to cost, and the money and tokens to hold for it."""
        price = self._prices.price(call.provider, call.model, call.started_us)
        sent = expected_input(call.inputs, call.parameters)
        answered_about = expected_output(call.max_output_tokens, self._default_output)
        seen = self.history.quantile(call.context.feature, call.model, _quantile(counters))
        if price is None:
            estimate = _UNKNOWN_COST
        elif seen is None:
            estimate = price.cost(Usage(input_tokens=sent, output_tokens=answered_about))
        else:  # a long input is no secret, however short those before it were
            estimate = max(seen, price.cost(Usage(input_tokens=sent)))
        if not estimate and price is not None and not price.is_free:
            estimate = _UNKNOWN_COST  # less than a nano-dollar is not nothing
        if strict is None:
            return estimate, estimate, sent + answered_about
        sent_at_most = input_ceiling(call.inputs, call.parameters)
        if sent_at_most is None:
            return Unbounded(strict, "an input whose tokens can be counted beforehand")
        answered = output_ceiling(call.parameters, call.max_output_tokens)
        ceiling = self._prices.ceiling(
            call.provider, call.model, call.started_us, sent_at_most, answered, call.parameters
        )
        if price is None:
            return Unbounded(strict, f"a price for the model {call.model!r}")
        counts_tokens = any(counter.budget.unit == "tokens" for counter in counters)
        if ceiling is None or (answered is None and counts_tokens and call.kind == "model"):
            return Unbounded(strict, "max_tokens: how long the answer may be")
        return estimate, max(ceiling, min(estimate, 1)), sent_at_most + (answered or 0)

    def _want(self, counter: Counter, call: Call, *, is_free: bool) -> Want:
        budget = counter.budget
        window = self._windows.get(budget.name)  # caps are for ever, all of them
        if window is None or not (
            window.start_us <= call.started_us and (window.end_us is None or call.started_us < window.end_us)
        ):
            window = self._windows[budget.name] = window_at(budget, call.started_us)
        limit: int | None = budget.limit
        if call.is_spent or (is_free and budget.unit == "nanousd"):
            limit = None
        elif budget.exempt is not None and call.context.priority in budget.exempt.priority:
            limit = int(budget.limit * budget.exempt.up_to)
        key = budget.name, counter.scope, window.start_us, window.end_us, window.since_us
        return Want(*key, budget.unit, limit, () if limit is None else budget.notes)


def _quantile(counters: tuple[Counter, ...]) -> float:
    """The most careful of the budgets' quantiles."""
    return float(max(counter.budget.quantile for counter in counters))


def _row(budget: Budget) -> BudgetRow:
    definition: dict[str, Any] = budget.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    signed = budget.signed_off
    return BudgetRow(
        budget=budget.name,
        owner=budget.owner or "",
        signed_off_by="" if signed is None else signed.by,
        signed_off_on="" if signed is None else signed.on.isoformat(),
        unit=budget.unit,
        limit_amount=budget.limit,
        period=str(budget.period or ""),
        timezone=budget.timezone,
        definition=json.dumps(definition, sort_keys=True),
    )
