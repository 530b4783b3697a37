"""Finds what people have to be told about windows whose spending has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph.ledger.asks import ROLLING_PARTS
from spendgraph.notify import messages
from spendgraph.notify.thresholds import has_fallen, is_too_fast, rearms_at, rolling_sums

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
        now_us = self._book.now()
        found: list[Alert] = []
        rolling: dict[tuple[str, str], list[WindowSpent]] = {}
        for window in self._book.windows(touched):
            of = self._watched.get(window.budget)
            if of is None:
                continue
            if of.rolling_us:
                rolling.setdefault((window.budget, window.scope), []).append(window)
            else:
                found += self._of(of, window, now_us)
        for (budget, _), changed in rolling.items():
            found += self._of_rolling(self._watched[budget], changed)
        return found

    def _of(self, of: Watched, window: WindowSpent, now_us: int) -> list[Alert]:
        """What a window by the calendar has come to."""
        spent = window.spent(of.unit)
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
        self.settle(alert for alert in reached if alert.alert_id in raised)
        return _each_once(
            alert
            for alert in reached
            if alert.alert_id not in raised and not self._is_granted(of, alert, window.start_us)
        )

    def _of_rolling(self, of: Watched, changed: Sequence[WindowSpent]) -> list[Alert]:
        """What a rolling budget has come to: as it stood in each part that has changed, and stands in the newest one.

        A part alone is no window, and what was booked late for an old one counts in those after it.
        """
        ids = {part.window_id for part in changed if _is_part(of, part)}
        if not ids:  # another process's policy has another period
            return []
        oldest_us = min(part.start_us for part in changed)
        parts = self._book.parts(of.name, changed[0].scope, oldest_us - 2 * of.rolling_us)
        sums = list(zip(parts, rolling_sums(parts, of.unit, of.rolling_us), strict=True))
        ids.update(part.window_id for part in parts[-1:] if _is_part(of, part))
        standing = [(part, spent) for part, spent in sums if part.window_id in ids and spent >= of.least]
        found: list[Alert] = []
        for level in of.levels if standing else ():
            for part, spent in standing:
                if spent < level.amount:
                    continue
                alert = messages.crossing(of, level, part, spent, level.to)
                if _mark(alert) in self._settled:
                    continue
                if self._stands(of, alert, parts):
                    self.settle([alert])
                elif not self._is_granted(of, alert, part.start_us - of.rolling_us):
                    found.append(alert)
                    break  # the parts after it stand where it does
        return _each_once(found)

    def _stands(self, of: Watched, alert: Alert, parts: Sequence[WindowSpent]) -> bool:
        """Whether a rolling budget has stayed up since people were told the last time, or they were told since."""
        assert alert.window_start_us is not None
        assert alert.threshold is not None
        since_us = self._book.latest(alert.kind, of.name, alert.scope, alert.threshold, of.limit)
        if since_us is None:
            return False
        since_us = max(since_us, alert.window_start_us - of.rolling_us)
        below = rearms_at(alert.threshold, of.limit)
        return not has_fallen(parts, of.unit, since_us, alert.window_start_us, below, of.rolling_us)

    def _is_granted(self, of: Watched, alert: Alert, since_us: int) -> bool:
        """Whether it is about spending beyond the limit, and people have given the room for that."""
        if alert.kind != "overrun":
            return False
        assert alert.window_start_us is not None
        assert alert.spent is not None
        granted = self._book.granted(of.name, alert.scope, since_us, alert.window_start_us)
        return alert.spent - of.limit <= granted


def _is_part(of: Watched, window: WindowSpent) -> bool:
    """Whether a window is a part of a budget that rolls as this policy says."""
    return window.end_us is not None and (window.end_us - window.start_us) * ROLLING_PARTS == of.rolling_us


def _each_once(alerts: Iterable[Alert]) -> list[Alert]:
    """Alerts of one window, the highest first: who hears of 80% need not hear of the 50% that the same call has passed."""
    found: list[Alert] = []
    told: set[str] = set()
    for alert in alerts:
        to = tuple(name for name in alert.to if name not in told)
        told.update(to)
        found.append(replace(alert, to=to))
    return found


def _mark(alert: Alert) -> _Mark:
    """What tells a crossing from others, before anything is hashed."""
    return alert.kind, alert.about, alert.scope, alert.window_start_us, alert.threshold
