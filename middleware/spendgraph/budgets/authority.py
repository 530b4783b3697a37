"""What a call may cost, in which budgets it counts, and how much of them it needs: decisions, no exceptions.

The room itself is taken in the ledger, in one transaction over every window; see `spendgraph.ledger.holds`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from spendgraph.budgets.matching import counters_of
from spendgraph.budgets.windows import window_at
from spendgraph.ledger.asks import Shortfall, Want
from spendgraph.ledger.budgets import BudgetRow
from spendgraph.ledger.recent import TOLD, recent_costs
from spendgraph.ledger.records import TOKEN_KINDS
from spendgraph.pricing import (
    KEPT,
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

_NO_MOST = "max_tokens: how long the answer may be"
_QUANTILE = 0.95
"""What is set aside of what such calls have cost, where no budget says."""


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
        is_ceiling: What is held is the most it can cost: a budget is strict.
    """

    wants: tuple[Want, ...]
    nanousd: int
    tokens: int
    estimate_nanousd: int
    budgets: tuple[Budget, ...]
    is_ceiling: bool = False


class Answering(Protocol):
    """A model call that is being answered."""

    provider: str
    model: str
    inputs: object
    parameters: object
    max_output_tokens: int | None
    started_us: int


class Answer(NamedTuple):
    """What the answer of a call costs.

    Attributes:
        sent: The input tokens, about.
        base_nanousd: What the call costs before its answer.
        mtok_nanousd: What a million tokens of the answer cost.
        most_tokens: The most tokens of all the answers it asks for, if the request says.
    """

    sent: int
    base_nanousd: int
    mtok_nanousd: int
    most_tokens: int | None


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
        # Those that only block come first: where one of them is full, nobody is asked about another.
        self.budgets = tuple(sorted(policy.budgets, key=lambda budget: budget.asks or bool(budget.notes)))
        self.history = CostHistory()
        self._prices = prices
        self._default_output = policy.estimates.default_output_tokens
        self._counters: dict[tuple[str, str, str], _Standing] = {}
        self._wants: dict[tuple[str, str], tuple[Budget, Want]] = {}
        ledger.register([_row(budget) for budget in self.budgets])
        # What others have paid so far; until it is there, and for what is not there, the request says what is expected.
        began_us = ledger.end_time(0)
        self.learning = ledger.behind.ask(
            lambda connection: recent_costs(connection, began_us, KEPT), self.history.seed
        )
        """The look at the ledger's past, which can be waited for; `None` where there is no past."""

    def need(self, call: Call, *, is_guarded: bool = False) -> Need | Unbounded | TooDear | None:
        """How much room a call needs, and where; `None` where no budget is about it, and no breaker guards it (`is_guarded`)."""
        standing = self._standing_of(call)
        counters = standing.counters
        if not counters and not is_guarded:
            return None
        strict = standing.strict
        if call.model and call.fixed_nanousd is None:
            sized = self._of_tokens(call, standing)
            if isinstance(sized, Unbounded):
                return sized
            estimate, nanousd, tokens = sized
        else:
            fixed = call.fixed_nanousd
            if fixed is None:
                if strict is not None:
                    return Unbounded(strict, "a price that is known before the call")
                fixed = self.history.quantile(call.context.feature, call.name, standing.quantile)
            estimate = nanousd = _UNKNOWN_COST if fixed is None else fixed
            counted = self._tokens(call, standing)
            if isinstance(counted, Unbounded):
                return counted
            tokens = counted
        usual = standing.usual
        if (
            usual is not None
            and nanousd
            and not call.is_spent
            and usual.from_us <= call.started_us
            and (usual.until_us is None or call.started_us < usual.until_us)
        ):
            return Need(usual.wants, nanousd, tokens, estimate, usual.budgets, strict is not None)
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
        need = Need(tuple(wants), nanousd, tokens, estimate, tuple(budgets), strict is not None)
        # Steps of one task ask for the same room again and again, until a window ends.
        if nanousd and not call.is_spent and len(wants) == len(counters):
            standing.usual = _usual(need)
        return need

    def windows(self, call: Call) -> tuple[tuple[Counter, Want], ...]:
        """The counters a call counts against and their windows; for a budget per call there is none to reserve in."""
        return tuple(
            (counter, self._want(counter, call, is_free=False))
            for counter in self._standing_of(call).counters
        )

    def windows_of(self, call: Call) -> tuple[tuple[Want, ...], tuple[Budget, ...]]:
        """The windows in which a call would count, and the budget of each; limits on single calls are left out."""
        found = [each for each in self.windows(call) if "call" not in each[0].budget.per]
        return tuple(want for _, want in found), tuple(counter.budget for counter, _ in found)

    def learn(self, feature: str, what: str, cost_nanousd: int, cost_basis: str) -> None:
        """Remember what a call of a model or tool cost, if its cost says what the next one may cost."""
        if cost_basis in TOLD:
            self.history.add(feature, what, cost_nanousd)

    def answer(self, call: Answering) -> Answer:
        """What the answer of a model call costs while it comes; nothing, where nobody knows."""
        sent = expected_input(call.inputs, call.parameters)
        most = output_ceiling(call.parameters, call.max_output_tokens)
        price = self._prices.price(call.provider, call.model, call.started_us)
        if price is None:
            return Answer(sent, 0, 0, most)
        base = price.of_input(sent)
        million = price.cost(Usage(input_tokens=sent, output_tokens=10**6)) - base
        return Answer(sent, base, million, most)

    def _standing_of(self, call: Call) -> _Standing:
        key = (call.context.context_id, call.task_id, call.thread_id)
        standing = self._counters.get(key)
        if standing is None or standing.caps is not call.caps:
            if len(self._counters) >= _MOST_KEPT:
                self._counters.clear()
            counters = counters_of(self.budgets, call.context, call.task_id, call.thread_id)
            standing = self._counters[key] = _Standing((*call.caps, *counters), call.caps)
        return standing

    def _of_tokens(self, call: Call, standing: _Standing) -> tuple[int, int, int] | Unbounded:
        """What a model call is expected to cost, and the money and tokens to hold for it."""
        strict = standing.strict
        price = self._prices.price(call.provider, call.model, call.started_us)
        sent, answered_about = self._about(call)
        seen = self.history.quantile(call.context.feature, call.model, standing.quantile)
        if price is None:  # a reranker may be priced by what it bills, under the policy's `tools`
            estimate = _UNKNOWN_COST if seen is None else seen
        elif seen is None:
            estimate = price.cost(Usage(input_tokens=sent, output_tokens=answered_about))
        else:  # a long input is no secret, however short those before it were
            estimate = max(seen, price.of_input(sent))
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
        if ceiling is None or (answered is None and standing.counts_tokens and call.kind == "model"):
            return Unbounded(strict, _NO_MOST)
        return estimate, max(ceiling, min(estimate, 1)), sent_at_most + (answered or 0)

    def _tokens(self, call: Call, standing: _Standing) -> int | Unbounded:
        """The tokens to hold for a call whose cost is not worked out from them."""
        if call.kind not in TOKEN_KINDS or call.is_spent or not standing.counts_tokens:
            return 0
        if standing.strict is None:
            return sum(self._about(call))
        sent = None if call.inputs is None else input_ceiling(call.inputs, call.parameters)
        if sent is None:
            return Unbounded(standing.strict, "an input whose tokens can be counted beforehand")
        answered = output_ceiling(call.parameters, call.max_output_tokens)
        if answered is None and call.kind == "model":
            return Unbounded(standing.strict, _NO_MOST)
        return sent + (answered or 0)

    def _about(self, call: Call) -> tuple[int, int]:
        """The tokens of a call and of its answer, about."""
        sent = expected_input(call.inputs, call.parameters)
        if call.kind != "model":
            return sent, 0
        if call.max_output_tokens is None:
            return sent, self._default_output
        most = output_ceiling(call.parameters, call.max_output_tokens)
        return sent, expected_output(most, self._default_output)

    def _want(self, counter: Counter, call: Call, *, is_free: bool) -> Want:
        budget, at_us = counter.budget, call.started_us
        # A limit is a Decimal until it is asked for: with its window it is worked out once in each.
        known = self._wants.get((budget.name, counter.scope))
        if (
            known is None
            or known[0] is not budget
            or not (known[1].start_us <= at_us and (known[1].end_us is None or at_us < known[1].end_us))
        ):
            window = window_at(budget, at_us)
            key = budget.name, counter.scope, window.start_us, window.end_us, window.since_us
            known = budget, Want(*key, budget.unit, budget.limit, budget.notes)
            if len(self._wants) >= _MOST_KEPT:
                self._wants.clear()
            self._wants[budget.name, counter.scope] = known
        want = known[1]
        if call.is_spent or (is_free and want.unit == "nanousd"):
            return want._replace(limit=None, notes=())
        if budget.exempt is not None and call.context.priority in budget.exempt.priority:
            return want._replace(limit=int(budget.limit * budget.exempt.up_to))
        return want


class _Usual(NamedTuple):
    """What calls of one payer and task want that cost something, while all of its windows last."""

    wants: tuple[Want, ...]
    budgets: tuple[Budget, ...]
    from_us: int
    until_us: int | None


def _usual(need: Need) -> _Usual:
    """What calls want that start while all the windows of this one last."""
    ends = [want.end_us for want in need.wants if want.end_us is not None]
    from_us = max((want.start_us for want in need.wants), default=0)
    return _Usual(need.wants, need.budgets, from_us, min(ends, default=None))


class _Standing:
    """Where calls of one payer, task and thread count: their counters, and what of these does not change.

    `quantile` is the most careful of the budgets'; `usual` is set by the first call that costs something, unless a
    budget limits each call.
    """

    __slots__ = ("caps", "counters", "counts_tokens", "quantile", "strict", "usual")

    def __init__(self, counters: tuple[Counter, ...], caps: tuple[Counter, ...]) -> None:
        self.counters = counters
        self.caps = caps
        self.counts_tokens = any(counter.budget.unit == "tokens" for counter in counters)
        self.strict = next((counter for counter in counters if counter.budget.reserve == "strict"), None)
        self.quantile = float(max((counter.budget.quantile for counter in counters), default=_QUANTILE))
        self.usual: _Usual | None = None


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
