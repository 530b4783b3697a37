"""Which budgets a call counts against, and for whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spendgraph.context import CostContext
    from spendgraph.policy import Budget

_ESCAPES = str.maketrans({"%": "%25", ",": "%2C", "=": "%3D"})


class Counter(NamedTuple):
    """One counter of a budget: `scope` is `tenant=acme`, `task=<id>`, `tenant=acme,user=u1`, or empty for one in all."""

    budget: Budget
    scope: str


def counters_of(
    budgets: Iterable[Budget], context: CostContext, task_id: str, thread_id: str
) -> tuple[Counter, ...]:
    """The counters that a call of this context counts against.

    A tag that is not set counts under the empty value: what nobody is named for does not escape its cap.
    """
    ids = {"task": task_id, "thread": thread_id}
    found: list[Counter] = []
    for budget in budgets:
        if all(_value(context, tag) in allowed for tag, allowed in budget.match.items()):
            parts = [
                f"{each}={(ids[each] if each in ids else _value(context, each)).translate(_ESCAPES)}"
                for each in budget.per
                if each != "call"
            ]
            found.append(Counter(budget, ",".join(parts)))
    return tuple(found)


def _value(context: CostContext, tag: str) -> str:
    if tag.startswith("x_"):
        return context.extra.get(tag[2:], "")
    value: str = getattr(context, tag)
    return value
