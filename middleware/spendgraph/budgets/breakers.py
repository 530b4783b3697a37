"""Which breakers guard a call, for whom, and what they count: decisions, no exceptions.

Whether they let it through is decided in the ledger, in the transaction that takes room for it; see
`spendgraph.ledger.guarding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spendgraph.budgets.matching import matches, scope_of, values_of
from spendgraph.budgets.medians import TaskMedians
from spendgraph.budgets.windows import span_at
from spendgraph.ledger.asks import Guard, Want
from spendgraph.ledger.breakers import COUNTERS
from spendgraph.money import format_usd, nanousd
from spendgraph.policy.periods import duration_us

if TYPE_CHECKING:
    from spendgraph.budgets.medians import Filters
    from spendgraph.context import CostContext
    from spendgraph.ledger import Ledger
    from spendgraph.policy import Breaker, Policy

_MOST_KEPT = 10_000


class Watch(NamedTuple):
    """A breaker that guards the calls of a task.

    Attributes:
        breaker: The breaker.
        scope: Whose calls it stops.
        guard: What the ledger is asked.
        period: Of what it counts, the period; empty where it counts no money.
        limit: The most money in that period; `None` where it depends on other tasks.
        history: The tasks to compare with.
        whose: Whose tasks those are, for people.
    """

    breaker: Breaker
    scope: str
    guard: Guard
    period: str
    limit: int | None
    history: Filters
    whose: str


class Guarded(NamedTuple):
    """What breakers ask of a call: the windows it counts in, and what must be found closed."""

    wants: tuple[Want, ...]
    guards: tuple[Guard, ...]


class BreakerAuthority:
    """The breakers of one policy on one ledger.

    Args:
        ledger: Where their state and their counters are.
        policy: The breakers.
    """

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._breakers = policy.breakers
        self._medians = TaskMedians(ledger)
        self._watches: dict[tuple[str, str, str, str], tuple[Watch, ...]] = {}

    def watches(
        self, context: CostContext, task_context: CostContext, task_id: str, thread_id: str
    ) -> tuple[Watch, ...]:
        """The breakers that guard a call.

        Args:
            context: Who pays for the call.
            task_context: Who pays for its task, which is compared with others as a whole.
            task_id: The task.
            thread_id: The thread, or empty.
        """
        key = (context.context_id, task_context.context_id, task_id, thread_id)
        watches = self._watches.get(key)
        if watches is None:
            if len(self._watches) >= _MOST_KEPT:
                self._watches.clear()
            ids = {"task": task_id, "thread": thread_id}
            found: list[Watch] = []
            for breaker in self._breakers:
                payer = context if breaker.times_median is None else task_context
                if matches(breaker.match, payer):
                    found.append(_watch(breaker, payer, ids))
            watches = self._watches[key] = tuple(found)
        return watches

    def guard(
        self,
        watches: tuple[Watch, ...],
        at_us: int,
        *,
        seen: tuple[int, ...] = (),
        is_free: bool = False,
        is_spent: bool = False,
        compares: bool = True,
    ) -> Guarded:
        """What is asked of a call.

        Args:
            watches: The breakers that guard it.
            at_us: When it starts.
            seen: When calls identical to it started.
            is_free: It costs nothing: it is counted, and trips no breaker by its cost.
            is_spent: The money is gone already: it is counted, and nothing is refused.
            compares: The ledger can be read for what other tasks cost; else no median is known.

        Raises:
            LedgerUnavailable: It cannot.
        """
        wants: list[Want] = []
        guards: list[Guard] = []
        for watch in watches:
            guard = watch.guard
            if guard.most:
                if len(seen) >= guard.most:
                    guard = guard._replace(seen=seen)
            elif watch.period:
                limit = watch.limit
                is_compared = compares and not is_spent and not is_free
                if watch.breaker.times_median is not None and is_compared:
                    limit, guard = self._compared(watch, watch.breaker.times_median)
                window = span_at(watch.period, "UTC", at_us)
                key = guard.counter, watch.scope, window.start_us, window.end_us, window.since_us
                wants.append(Want(*key, "nanousd", None if is_free or is_spent else limit))
            guards.append(guard)
        return Guarded(tuple(wants), () if is_spent else tuple(guards))

    def free(self, watches: tuple[Watch, ...], seen: tuple[int, ...]) -> tuple[Guard, ...]:
        """What must be found closed by a call that costs nothing, in a task that is, or may be, stuck."""
        guards = self.guard(tuple(watch for watch in watches if not watch.period), 0, seen=seen).guards
        return tuple(guard._replace(may_probe=False) for guard in guards)

    def _compared(self, watch: Watch, times: int) -> tuple[int | None, Guard]:
        """The most a task may cost that is compared with those before it, if there are enough."""
        median = self._medians.of(watch.history)
        if median is None or median.tasks < watch.breaker.min_history:
            return None, watch.guard
        of = f" of {watch.whose}" if watch.whose else ""
        condition = (
            f"a task that costs more than {times} times {format_usd(median.nanousd)},"
            f" the median of {median.tasks} finished tasks{of}"
        )
        return times * median.nanousd, watch.guard._replace(condition=condition)


def _watch(breaker: Breaker, payer: CostContext, ids: dict[str, str]) -> Watch:
    scope = scope_of(breaker.scope_names, payer, ids)
    period, limit, condition, most = "", None, "", 0
    history: Filters = ()
    whose = ""
    if breaker.usd_per_minute is not None:
        period, limit = "rolling 1m", nanousd(breaker.usd_per_minute)
        condition = f"more than {format_usd(limit)} within a minute"
    elif breaker.limit_usd is not None:
        period, limit = breaker.period, nanousd(breaker.limit_usd)
        condition = f"more than {format_usd(limit)} within a {breaker.period}"
        if breaker.period == "total":
            condition = f"more than {format_usd(limit)} in all"
    elif breaker.times_median is not None:
        period = "total"
        history = (*breaker.match.items(), *values_of(breaker.per, payer))
        whose = scope_of(breaker.per, payer, ids)
    elif breaker.identical_calls is not None:
        most = breaker.identical_calls
        condition = f"{most} identical calls among the task's latest"
    guard = Guard(
        breaker.name,
        scope,
        duration_us(breaker.open_for),
        condition,
        f"{COUNTERS}{breaker.name}" if period else "",
        breaker.owner or "",
        breaker.to,
        most=most,
    )
    return Watch(breaker, scope, guard, period, limit, history, whose)
