"""Which budgets a call counts against, and for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from spendgraph.policy.vocabulary import scope_text

if TYPE_CHECKING:
    from spendgraph.context import CostContext
    from spendgraph.policy import Budget


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
    return tuple(
        Counter(budget, scope_of(budget.per, context, ids))
        for budget in budgets
        if matches(budget.match, context)
    )


def matches(match: Mapping[str, Sequence[str]], context: CostContext) -> bool:
    """Whether a context has one of the values wanted of every tag."""
    return all(_value(context, tag) in allowed for tag, allowed in match.items())


def scope_of(per: Iterable[str], context: CostContext, ids: Mapping[str, str]) -> str:
    """Whose counter it is; `ids` are those of the `task` and the `thread`."""
    return scope_text(
        (each, ids[each] if each in ids else _value(context, each)) for each in per if each != "call"
    )


def values_of(per: Iterable[str], context: CostContext) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The tags of `per` with their values, as a filter."""
    return tuple((tag, (_value(context, tag),)) for tag in per)


def _value(context: CostContext, tag: str) -> str:
    if tag.startswith("x_"):
        return context.extra.get(tag[2:], "")
    value: str = getattr(context, tag)
    return value
