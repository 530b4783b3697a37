"""The model of a circuit breaker; no behaviour."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from spendgraph.policy.periods import Duration
from spendgraph.policy.scalars import Count, Scopes, Tag, Text, Texts, Usd
from spendgraph.policy.section import Section

COUNTERS = "breaker:"
"""What the names of breakers' counters in the ledger begin with; no budget may be called so."""

LATEST = 64
"""So many calls of a task are looked at for identical ones."""

_CONDITIONS = ("usd_per_minute", "limit_usd", "times_median", "identical_calls")


class Breaker(Section):
    """Stops the calls of one scope for a while once something looks wrong; without a condition, a person or the anomaly watch trips it."""

    name: Text
    """Its name, shown wherever it refuses a call; every breaker has its own."""

    owner: Text | None = None
    """Who answers for it, and is told when it trips."""

    match: dict[Tag, Texts] = Field(default_factory=dict)
    """Tags and the values they must have for a call to count; a list means any of them."""

    per: Scopes = ()
    """Whose calls are stopped together: each `task`, each `thread` or each value of these tags; without it all. With `times_median` the task is stopped, and this says whose history it is compared with."""

    usd_per_minute: Usd | None = None
    """Trips when more than this many dollars are spent within a minute."""

    limit_usd: Usd | None = None
    """Trips when more than this many dollars are spent within `period`."""

    period: Literal["hour", "day", "week", "month", "total"] = "day"
    """With `limit_usd`: for how long the dollars are counted (UTC)."""

    times_median: Count | None = None
    """Trips when a task has cost so many times the median of the finished tasks before it."""

    min_history: Count = 20
    """With `times_median`: how many finished tasks there must be to compare with."""

    identical_calls: Count | None = None
    """Trips when a task makes so many calls of one tool with the same arguments, or of a model with the same last message, among its last 64; from 2 to 64."""

    open_for: Duration = "15m"
    """How long it stays open before one call is let through to try."""

    to: Texts = ()
    """Who is told beside the owner: names under `notify`."""

    @property
    def scope_names(self) -> tuple[str, ...]:
        """What its scopes are made of: `("tenant",)` for `tenant=acme`, `("task",)` where one task is stopped."""
        return ("task",) if self.times_median is not None or self.identical_calls is not None else self.per

    @model_validator(mode="after")
    def _has_one_condition(self) -> Self:
        found = [name for name in _CONDITIONS if getattr(self, name) is not None]
        if len(found) > 1:
            raise ValueError(f"expected one condition for a breaker, found {' and '.join(found)}")
        if "call" in self.per:
            raise ValueError("expected tags, `task` or `thread` in `per` of a breaker, found `call`")
        if self.times_median is not None and {"task", "thread"} & set(self.per):
            raise ValueError(
                "expected tags in `per` of times_median: whose finished tasks a task is compared with"
            )
        if self.identical_calls is not None and self.per not in {(), ("task",)}:
            raise ValueError("expected `per: task` for identical_calls: a loop is one task's")
        if self.identical_calls is not None and not 2 <= self.identical_calls <= LATEST:
            raise ValueError(f"expected identical_calls from 2 to {LATEST}, found {self.identical_calls}")
        return self
