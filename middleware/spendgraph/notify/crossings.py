"""Finds what people have to be told about windows whose spending has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph.notify import messages
from spendgraph.notify.thresholds import has_fallen, is_too_fast, rearms_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spendgraph.ledger.alerts import AlertBook, WindowSpent
    from spendgraph.notify.alert import Alert
    from spendgraph.notify.thresholds import Watched

_MOST_KEPT: Final = 10_000

_Mark = tuple[str, str, str, int | None, int | None]


class Crossings:
    """Compares windows with a policy.

    Args:
        book: Reads windows, and knows which alerts were raised before.
        watched: The budgets to watch, by name.
    """

    def __init__(self, book: AlertBook, watched: Mapping[str, Watched]) -> None:
        self._book = book
        self._watched = watched
        self._settled: set[_Mark] = set()

    def settle(self, alerts: Iterable[Alert]) -> None:
        """Say that these are raised, by whomever: they are not found again."""
        if len(self._settled) >= _MOST_KEPT:
            self._settled.clear()
        self._settled.update(_mark(alert) for alert in alerts)

    def still_count(self, windows: Iterable[WindowSpent]) -> frozenset[int]:
        """Those of windows in which something that happens now would count."""
        now_us = self._book.now()
        return frozenset(
            window.window_id
            for window in windows
            if (of := self._watched.get(window.budget)) is not None
            and (window.end_us is None or window.end_us + of.rolling_us > now_us)
        )

    def find(self, touched: frozenset[int]) -> list[Alert]:
        """What people have to be told about windows.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        if not touched:
            return []
        latest: dict[tuple[str, str, int], WindowSpent] = {}
        for window in self._book.windows(touched):
            of = self._watched.get(window.budget)
            if of is not None:
                # A rolling budget is one sum, whichever of its parts has changed.
                key = (window.budget, window.scope, 0 if of.rolling_us else window.start_us)
                if key not in latest or latest[key].start_us < window.start_us:
                    latest[key] = window
        now_us = self._book.now()
        return [
            alert
            for window in latest.values()
            for alert in self._of(self._watched[window.budget], window, now_us)
        ]

    def _of(self, of: Watched, window: WindowSpent, now_us: int) -> Iterable[Alert]:
        spent, period_us = window.spent(of.unit), 0
        parts: list[WindowSpent] = []
        if of.rolling_us:
            if window.end_us is None:  # another process's policy has another period
                return []
            part_us = window.end_us - window.start_us
            period_us = of.rolling_us // part_us * part_us
            parts = self._book.parts(window.budget, window.scope, window.start_us - 2 * period_us)
            spent = sum(part.spent(of.unit) for part in parts if part.start_us >= window.start_us - period_us)
        if spent < of.least:
            return []
        reached = [
            messages.crossing(of, level, window, spent, level.to)
            for level in of.levels
            if spent >= level.amount
        ]
        if of.pace_to and is_too_fast(spent, of.limit, window, now_us):
            reached.append(messages.pace(of, window, spent, now_us, of.pace_to))
        reached = [alert for alert in reached if _mark(alert) not in self._settled]
        raised = self._book.known(alert.alert_id for alert in reached) if reached else set[str]()
        found: list[Alert] = []
        told: set[str] = set()
        for alert in reached:
            if alert.alert_id in raised or (of.rolling_us and self._stands(of, alert, parts, period_us)):
                self.settle([alert])
                continue
            if alert.kind == "overrun" and self._is_granted(window, period_us, spent - of.limit):
                continue
            # Who hears of 80% need not hear of the 50% that the same call has passed.
            to = tuple(name for name in alert.to if name not in told)
            told.update(to)
            found.append(replace(alert, to=to))
        return found

    def _stands(self, of: Watched, alert: Alert, parts: Sequence[WindowSpent], period_us: int) -> bool:
        """Whether a rolling budget has stayed up since people were told the last time."""
        assert alert.window_start_us is not None
        assert alert.threshold is not None
        since_us = self._book.latest(alert.kind, of.name, alert.scope, alert.threshold, of.limit)
        if since_us is None:
            return False
        since_us = max(since_us, alert.window_start_us - period_us)
        return not has_fallen(parts, of.unit, since_us, rearms_at(alert.threshold, of.limit), period_us)

    def _is_granted(self, window: WindowSpent, period_us: int, over: int) -> bool:
        """Whether people have given the room beyond the limit that is spent."""
        since_us = window.start_us - period_us
        return over <= self._book.granted(window.budget, window.scope, since_us, window.start_us)


def _mark(alert: Alert) -> _Mark:
    """What tells a crossing from others, before anything is hashed."""
    return alert.kind, alert.about, alert.scope, alert.window_start_us, alert.threshold
