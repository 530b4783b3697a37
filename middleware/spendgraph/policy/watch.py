"""The models of the anomaly watch: which spending is watched, who is told, and when somebody is stopped; no behaviour."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from spendgraph.policy.periods import ZoneName
from spendgraph.policy.scalars import Day, Tag, Tags, Text, Texts, Usd
from spendgraph.policy.section import Section


class WatchCut(Section):
    """A cut of the spending whose parts are each watched for what is unusual."""

    name: Text
    """Its name, shown with whatever it finds; every cut has its own."""

    owner: Text | None = None
    """Who answers for it, and is told of its incidents."""

    match: dict[Tag, Texts] = Field(default_factory=dict)
    """Tags and the values they must have for spending to count; a list means any of them."""

    per: Tags = ()
    """Whose spending is looked at by itself: each value of these tags; without it everything together."""

    every: Literal["quarter", "hour", "day"] = "hour"
    """How long one look is: a quarter of an hour or an hour for loops and bursts, a day for drifts."""

    min_usd: Usd = Decimal(5)
    """What an incident must have cost beyond what is usual before anybody hears of it."""

    sensitivity: Literal["low", "normal", "high"] = "normal"
    """How unusual it must be; `high` finds more, and is wrong more often."""

    to: Texts = ()
    """Who is told beside the owner: names under `notify`."""

    breaker: Text | None = None
    """The breaker with the same `per` that an incident may open for its scope."""

    suspend: bool = False
    """Whether an incident opens that breaker by itself; without it people are told, and decide."""

    suspend_usd: Usd = Decimal(100)
    """With `suspend`: what an incident must have cost beyond what is usual before it stops anybody."""

    suspend_usd_per_hour: Usd = Decimal(100)
    """With `suspend`: how fast money must still be spent then, in the last quarter of an hour."""

    @model_validator(mode="after")
    def _stops_something(self) -> Self:
        if self.suspend and self.breaker is None:
            raise ValueError("expected `breaker` beside `suspend`: say which one an incident opens")
        return self


class Watch(Section):
    """What `spendgraph watch` looks at."""

    timezone: ZoneName = "UTC"
    """Whose hours, weekdays and days are meant."""

    holidays: tuple[Day, ...] = ()
    """Days that are like no other of their weekday: they are judged as Sundays."""

    cuts: tuple[WatchCut, ...] = ()
    """What is watched; without any, the spending of each tenant by the hour, and nobody is told or stopped."""
