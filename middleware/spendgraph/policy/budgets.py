"""The models of the policy file's budgets: limits on what may be spent, checked; no behaviour."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from spendgraph.money import nanousd
from spendgraph.policy.periods import Period, ZoneName
from spendgraph.policy.scalars import (
    Day,
    Fraction,
    Percent,
    Scopes,
    Tag,
    Text,
    Texts,
    Usd,
    Whole,
    percent_text,
)
from spendgraph.policy.section import Section
from spendgraph.policy.thresholds import Threshold

Unit = Literal["nanousd", "tokens", "calls"]


class SignOff(Section):
    """Who agreed to a budget, and when."""

    by: Text
    """Who."""

    on: Day
    """The day."""


class Exempt(Section):
    """Work that may go on beyond the limit."""

    priority: Texts = Field(min_length=1)
    """Values of the tag `priority` that the exemption is for."""

    up_to: Percent
    """How far, such as 110% of the limit."""

    @model_validator(mode="after")
    def _is_more_than_the_limit(self) -> Self:
        if self.up_to <= 1:
            raise ValueError(f"expected `up_to` above 100%, found {percent_text(self.up_to)}")
        return self


class Budget(Section):
    """A limit, whose spending counts against it, and for how long."""

    name: Text
    """Its name, shown wherever it refuses a call; every budget has its own."""

    owner: Text | None = None
    """Who answers for it."""

    signed_off: SignOff | None = None
    """Who agreed to it; budgets that nobody has signed off are flagged."""

    match: dict[Tag, Texts] = Field(default_factory=dict)
    """Tags and the values they must have for a call to count; a list means any of them."""

    per: Scopes = ()
    """One counter for each `task`, each `thread` or each value of these tags, or a limit on each `call`; without it one in all."""

    period: Period | None = None
    """`hour`, `day`, `week`, `month`, `quarter`, `total` or `rolling 24h` (also `30m`, `7d`); without it, `total`."""

    timezone: ZoneName = "UTC"
    """Where days, weeks, months and quarters begin, such as `Europe/Berlin`."""

    limit_usd: Usd | None = None
    """The most that may be spent, in dollars; `0` refuses everything paid."""

    limit_tokens: Whole | None = None
    """The most tokens, input and output together."""

    limit_calls: Whole | None = None
    """The most calls that cost something."""

    reserve: Literal["expected", "strict"] = "expected"
    """`strict` admits only calls with a proven ceiling and is never exceeded; `expected` sets aside what such calls usually cost."""

    quantile: Fraction = Decimal("0.95")
    """With `expected`: which quantile of the costs seen so far is set aside, between 0 and 1."""

    warn_usd: Usd | None = None
    """With `per: call`: a call that costs more than this many dollars is reported to the owner."""

    thresholds: tuple[Threshold, ...] = ()
    """What happens as it fills up; a call that does not fit is refused where nothing else is said."""

    approvers: Texts = ()
    """Who may approve more; then only a decision recorded in the ledger counts. Without it, anybody who may open the ledger."""

    exempt: Exempt | None = None
    """Work that may go on beyond the limit."""

    @property
    def asks(self) -> bool:
        """Whether a person is asked for more, rather than the call refused."""
        return any("approve" in threshold.do for threshold in self.thresholds)

    @cached_property
    def notes(self) -> tuple[int, ...]:
        """Spending, in the limit's unit, of which a person has to take note before more may be spent."""
        return tuple(
            sorted(int(self.limit * each.at) for each in self.thresholds if "acknowledge" in each.do)
        )

    @cached_property
    def degrades(self) -> tuple[int, ...]:
        """What is used, in the limit's unit, from which on calls are made cheaper: each takes one form more away."""
        return tuple(sorted(int(self.limit * each.at) for each in self.thresholds if "degrade" in each.do))

    @property
    def unit(self) -> Unit:
        """What the limit counts."""
        return (
            "nanousd"
            if self.limit_usd is not None
            else "tokens"
            if self.limit_tokens is not None
            else "calls"
        )

    @property
    def limit(self) -> int:
        """The limit in `unit`."""
        if self.limit_usd is not None:
            return nanousd(self.limit_usd)
        return self.limit_tokens if self.limit_tokens is not None else self.limit_calls or 0

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        given = [
            name for name in ("limit_usd", "limit_tokens", "limit_calls") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"expected one of limit_usd, limit_tokens and limit_calls, found {found}")
        return self

    @model_validator(mode="after")
    def _has_a_period_that_fits(self) -> Self:
        alone = next((scope for scope in ("call", "task") if scope in self.per), None)
        if alone is not None and self.period is not None:
            raise ValueError(f"expected no `period` for a budget per {alone}, found {self.period}")
        if "call" in self.per and len(self.per) > 1:
            raise ValueError(f"expected `call` alone in `per`, found {', '.join(self.per)}")
        if "call" in self.per and self.thresholds:
            raise ValueError("expected no thresholds for a budget per call: `warn_usd` reports a dear one")
        if self.warn_usd is not None and "call" not in self.per:
            raise ValueError("expected `warn_usd` with `per: call` only: elsewhere thresholds notify")
        return self
