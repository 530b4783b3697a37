"""A watched cut: what the policy says of it, as the watch works with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spendgraph.money import nanousd
from spendgraph.policy import Watch, WatchCut
from spendgraph.policy.periods import duration_us
from spendgraph.policy.vocabulary import EXTRA_PREFIX, scope_text
from spendgraph_anomaly.detectors.packing import MARK
from spendgraph_anomaly.series import SECONDS
from spendgraph_anomaly.watching.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spendgraph.policy import Policy
    from spendgraph_anomaly.detectors import Settings
    from spendgraph_anomaly.series import Every

DEFAULT: Final = WatchCut(name="tenants", per=("tenant",))
"""What is watched where the policy does not say."""

HISTORY_US: Final[Mapping[Every, int]] = {
    "quarter": 28 * 86_400_000_000,
    "hour": 56 * 86_400_000_000,
    "day": 364 * 86_400_000_000,
}
"""How much of the past a new watch learns from, by the length of a bin."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """What opens a breaker.

    Attributes:
        breaker: Its name.
        owner: Who answers for it.
        to: Who is told beside them.
        open_for_us: How long it stays open.
        least_nanousd: What an incident must have cost beyond what is usual.
        least_nanousd_per_hour: How fast money must still be spent.
    """

    breaker: str
    owner: str
    to: tuple[str, ...]
    open_for_us: int
    least_nanousd: int
    least_nanousd_per_hour: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A watched cut.

    Attributes:
        name: Its name.
        by: What its series are made of, as the ledger names it.
        filters: What its spending must have, the same.
        every: How long a bin is.
        zone: Whose hours and days are meant.
        definition: Hash of what the state of a series depends on.
        settings: What its detectors are set to.
        least_nanousd: What an incident must have cost beyond what is usual.
        owner: Who is told.
        to: Who is told beside them.
        suspension: What opens a breaker; nothing does where it is `None`.
    """

    name: str
    by: tuple[str, ...]
    filters: Mapping[str, str | tuple[str, ...]]
    every: Every
    zone: str
    definition: str
    settings: Settings
    least_nanousd: int
    owner: str
    to: tuple[str, ...]
    suspension: Suspension | None

    def scope(self, tags: Mapping[str, str]) -> str:
        """Whose spending it is, as breakers and budgets write it."""
        return scope_text((_in_policy(name), tags[name]) for name in self.by)

    def shown(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags of a scope under the names that the policy has for them."""
        return {_in_policy(name): tags[name] for name in self.by}

    def selecting(self, tags: Mapping[str, str]) -> dict[str, Any]:
        """What selects the spending of one of its series in the ledger; `tags` are named as in the policy."""
        own = {_in_ledger(name): value for name, value in tags.items()}
        return {**self.filters, **own}

    @property
    def told(self) -> tuple[str, ...]:
        """Everybody who is told, each once."""
        return tuple(dict.fromkeys(name for name in (self.owner, *self.to) if name))


def cuts_of(policy: Policy | None) -> tuple[Cut, ...]:
    """What a policy watches; the spending of each tenant where it does not say."""
    watch = Watch() if policy is None else policy.watch
    return tuple(_cut(each, watch, policy) for each in watch.cuts or (DEFAULT,))


def _cut(cut: WatchCut, watch: Watch, policy: Policy | None) -> Cut:
    filters: dict[str, str | tuple[str, ...]] = {
        _in_ledger(name): values[0] if len(values) == 1 else values
        for name, values in sorted(cut.match.items())
    }
    # A detector learns nothing from what it takes for an incident, so what it has learnt depends on its settings, too.
    settings = settings_of(cut, watch)
    depends_on = [
        list(cut.per),
        sorted(filters.items()),
        cut.every,
        watch.timezone,
        settings.as_plain(),
        MARK.decode(),
    ]
    return Cut(
        name=cut.name,
        by=tuple(map(_in_ledger, cut.per)),
        filters=filters,
        every=cut.every,
        zone=watch.timezone,
        definition=hashlib.blake2b(json.dumps(depends_on).encode(), digest_size=8).hexdigest(),
        settings=settings,
        least_nanousd=nanousd(cut.min_usd),
        owner=cut.owner or "",
        to=cut.to,
        suspension=_suspension(cut, policy),
    )


def _suspension(cut: WatchCut, policy: Policy | None) -> Suspension | None:
    if policy is None or not cut.suspend:
        return None
    breaker = next(each for each in policy.breakers if each.name == cut.breaker)
    return Suspension(
        breaker.name,
        breaker.owner or "",
        breaker.to,
        duration_us(breaker.open_for),
        nanousd(cut.suspend_usd),
        nanousd(cut.suspend_usd_per_hour),
    )


def _in_ledger(name: str) -> str:
    """The policy's `x_region` is `extra.region` to the ledger."""
    return f"extra.{name.removeprefix(EXTRA_PREFIX)}" if name.startswith(EXTRA_PREFIX) else name


def _in_policy(name: str) -> str:
    return f"{EXTRA_PREFIX}{name.removeprefix('extra.')}" if name.startswith("extra.") else name


def every_s(every: Every) -> int:
    """How long a bin is, in seconds."""
    return SECONDS[every]
