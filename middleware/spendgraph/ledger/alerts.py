"""The alerts of a ledger: raised once, whoever raises them, and kept until they have reached everybody.

An alert's id is a hash of what makes it this alert, so of two processes that see the same one inserts it, and that one
delivers it. While it does, it has a lease on the row; what a killed process has not delivered is taken over when the lease is
over. A lease is known by the time at which it ends: where the row has another one, somebody else has the lease. Nothing here knows an address: a channel is a name of the policy's `notify` and a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping

    from spendgraph.clock import Clock
    from spendgraph.ledger.statements import Execute
    from spendgraph.ledger.watching import Watcher
    from spendgraph.ledger.writer import Writer

LEASE_US: Final = 120_000_000
"""How long nobody else delivers an alert whose deliverer is not heard of, at most, beyond its next attempt."""

KEPT_US: Final = 86_400_000_000
"""How long an alert is worth delivering."""

_WAIT_S: Final = 1.0


class AlertRow(NamedTuple):
    """An alert as it is raised; `told` and `waiting` are JSON lists, amounts are in `unit`."""

    alert_id: str
    kind: str
    severity: str
    budget: str
    scope: str
    window_start_us: int | None
    threshold: int | None
    unit: str
    limit_amount: int | None
    spent: int | None
    task_id: str
    told: str
    title: str
    message: str
    waiting: str
    raised_us: int


class Waiting(NamedTuple):
    """An alert to be delivered, the channels it has not reached, and the lease on it."""

    alert_id: str
    severity: str
    title: str
    message: str
    waiting: tuple[str, ...]
    lease_until_us: int


class WindowSpent(NamedTuple):
    """What is spent in a window."""

    window_id: int
    budget: str
    scope: str
    start_us: int
    end_us: int | None
    nanousd: int
    tokens: int
    calls: int

    def spent(self, unit: str) -> int:
        """What is spent, in a budget's unit."""
        return self.nanousd if unit == "nanousd" else self.tokens if unit == "tokens" else self.calls


_COLUMNS: Final = ", ".join(AlertRow._fields)

_RAISE: Final = f"""\
INSERT INTO alerts ({_COLUMNS}, lease_until_us) VALUES ({", ".join("?" * len(AlertRow._fields))}, ?)
ON CONFLICT (alert_id) DO NOTHING"""  # noqa: S608 - names are this file's own

_KNOWN: Final = "SELECT alert_id FROM alerts WHERE alert_id IN (SELECT value FROM json_each(?))"

_UNDELIVERED: Final = f"{_KNOWN} AND waiting <> '[]'"

_OPEN: Final = """\
SELECT alert_id, severity, title, message, waiting, lease_until_us FROM alerts
WHERE waiting <> '[]' AND raised_us > ? ORDER BY raised_us, alert_id"""

_LEASE: Final = "UPDATE alerts SET lease_until_us = ? WHERE alert_id = ? AND lease_until_us = ?"

_DELIVERY: Final = "SELECT waiting, error, lease_until_us FROM alerts WHERE alert_id = ?"

_ATTEMPTED: Final = """\
UPDATE alerts SET waiting = ?, delivered_us = ?, attempts = attempts + 1, error = ?, lease_until_us = ? WHERE alert_id = ?"""

_WINDOWS: Final = f"""\
SELECT {", ".join(WindowSpent._fields[:5])}, spent_nanousd, spent_tokens, spent_calls FROM windows
WHERE window_id IN (SELECT value FROM json_each(?))"""  # noqa: S608 - as above

_RECENT: Final = f"""\
SELECT {", ".join(WindowSpent._fields[:5])}, spent_nanousd, spent_tokens, spent_calls FROM windows
WHERE window_id IN (
  SELECT m.window_id FROM (SELECT step_id FROM steps ORDER BY seq DESC LIMIT ?) AS s
  JOIN step_windows AS m ON m.step_id = s.step_id
)"""  # noqa: S608 - as above

_PARTS: Final = f"""\
SELECT {", ".join(WindowSpent._fields[:5])}, spent_nanousd, spent_tokens, spent_calls FROM windows
WHERE budget = ? AND scope = ? AND start_us >= ? ORDER BY start_us"""  # noqa: S608 - as above

_LATEST: Final = """\
SELECT max(window_start_us) FROM alerts
WHERE budget = ? AND scope = ? AND kind = ? AND threshold IS ? AND limit_amount = ?"""

_GRANTED: Final = """\
SELECT coalesce(sum(amount), 0) FROM grants WHERE budget = ? AND scope = ? AND window_start_us BETWEEN ? AND ?"""

_LATEST_STEPS: Final = 5_000


def recent_windows(connection: sqlite3.Connection, steps: int = _LATEST_STEPS) -> list[WindowSpent]:
    """What is spent in the windows that the latest steps count in; for a connection that only reads."""
    return [WindowSpent(*row) for row in connection.execute(_RECENT, (steps,))]


class AlertBook:
    """Raises alerts, and says what became of them; each method is one transaction.

    None of them is for the thread of an event loop, except `watch`, `unwatch` and `now`.

    Args:
        writer: The ledger's writer.
        clock: Microseconds UTC.
    """

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def watch(self, watcher: Watcher) -> None:
        """Have somebody told which windows each commit of this process changes, and has changed by folding something in."""
        self._writer.watchers.add(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Undo `watch`."""
        self._writer.watchers.remove(watcher)

    def now(self) -> int:
        """The time, in microseconds."""
        return self._clock()

    def known(self, ids: Iterable[str]) -> set[str]:
        """Which of these alerts were raised already.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        return self._those(_KNOWN, ids)

    def undelivered(self, ids: Iterable[str]) -> set[str]:
        """Which of these alerts have not reached everybody.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        return self._those(_UNDELIVERED, ids)

    def raise_new(self, rows: Iterable[AlertRow]) -> list[Waiting]:
        """Write alerts; those that are new, and that this process has to deliver now.

        Raises:
            LedgerUnavailable: The ledger cannot be written: none is.
        """
        given = tuple(rows)
        until_us = self._clock() + LEASE_US

        def act(execute: Execute) -> list[AlertRow]:
            return [row for row in given if execute(_RAISE, (*row, until_us)).rowcount > 0]

        return [
            Waiting(
                row.alert_id, row.severity, row.title, row.message, tuple(orjson.loads(row.waiting)), until_us
            )
            for row in self._writer.transact(act, timeout=_WAIT_S)
        ]

    def take_over(self, channels: Collection[str]) -> tuple[list[Waiting], int | None]:
        """Take what nobody is delivering, and the microseconds until others' leases are over, if they have any.

        Args:
            channels: Those that can be reached from here; what waits for none of them is left to others.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing is taken.
        """
        now_us = self._clock()
        since = (now_us - KEPT_US,)

        mine = frozenset(channels)

        def read(execute: Execute) -> list[Waiting]:
            found: list[Waiting] = []
            for alert_id, severity, title, message, text, lease_us in execute(_OPEN, since):
                waiting = tuple(orjson.loads(text))
                if not mine.isdisjoint(waiting):
                    found.append(Waiting(alert_id, severity, title, message, waiting, lease_us))
            return found

        def act(execute: Execute) -> tuple[list[Waiting], int | None]:
            found = read(execute)
            free = [alert for alert in found if alert.lease_until_us <= now_us]
            until_us = now_us + LEASE_US
            for alert in free:
                execute(_LEASE, (until_us, alert.alert_id, alert.lease_until_us))
            taken = [alert._replace(lease_until_us=until_us) for alert in free]
            leases = (alert.lease_until_us - now_us for alert in found if alert.lease_until_us > now_us)
            return taken, min(leases, default=None)

        if not self._writer.query(lambda connection: read(connection.execute), drain=False):
            return [], None
        return self._writer.transact(act, timeout=_WAIT_S)

    def renew(self, leases: Mapping[str, int], channel: str) -> dict[str, int]:
        """Renew leases on alerts that a channel is about to take; those that still wait for it and are nobody else's.

        Raises:
            LedgerUnavailable: The ledger cannot be written: none is renewed.
        """
        until_us = self._clock() + LEASE_US

        def act(execute: Execute) -> dict[str, int]:
            renewed: dict[str, int] = {}
            for alert_id, lease_us in leases.items():
                row = execute(_DELIVERY, (alert_id,)).fetchone()
                if row is not None and row[2] == lease_us and channel in orjson.loads(row[0]):
                    execute(_LEASE, (until_us, alert_id, lease_us))
                    renewed[alert_id] = until_us
            return renewed

        return self._writer.transact(act, timeout=_WAIT_S)

    def attempted(
        self,
        leases: Mapping[str, int],
        channel: str,
        error: str = "",
        *,
        again_us: int | None = None,
        done: Collection[str] = (),
    ) -> dict[str, int]:
        """Note how an attempt to reach a channel went; the leases that are still had.

        Args:
            leases: The alerts that were sent, together, and the lease on each.
            channel: The channel.
            error: The class of the error; empty where they got there.
            again_us: In how many microseconds this process tries again; `None` when it does not.
            done: Those with which this process has nothing more to do: what they still wait for is left to others.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """
        now_us = self._clock()

        def act(execute: Execute) -> dict[str, int]:
            kept: dict[str, int] = {}
            for alert_id, had_us in leases.items():
                row = execute(_DELIVERY, (alert_id,)).fetchone()
                if row is None:  # the ledger is another file now
                    continue
                text, before, lease_us = row
                waiting: list[str] = orjson.loads(text)
                if not error:
                    waiting = [each for each in waiting if each != channel]
                said = f"{channel}: {error}" if error else before if waiting else ""
                if lease_us == had_us:
                    if alert_id in done and waiting:
                        lease_us = 0
                    elif again_us is not None:
                        # Another channel's next attempt may be later than this one's.
                        lease_us = max(lease_us, now_us + again_us + LEASE_US)
                    kept[alert_id] = lease_us
                done_us = None if waiting else now_us
                execute(_ATTEMPTED, (orjson.dumps(waiting).decode(), done_us, said, lease_us, alert_id))
            return kept

        return self._writer.transact(act)

    def give_back(self, leases: Mapping[str, int]) -> None:
        """Leave alerts that could not be delivered to whoever opens the ledger next.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """

        def act(execute: Execute) -> None:
            for alert_id, lease_us in leases.items():
                execute(_LEASE, (0, alert_id, lease_us))

        if leases:
            self._writer.transact(act, timeout=_WAIT_S)

    def windows(self, ids: Iterable[int]) -> list[WindowSpent]:
        """What is spent in windows.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        return self._read(_WINDOWS, orjson.dumps(sorted(ids)).decode())

    def parts(self, budget: str, scope: str, since_us: int) -> list[WindowSpent]:
        """What is spent in the windows of one counter that start then or later, the oldest first.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        return self._read(_PARTS, budget, scope, since_us)

    def latest(self, kind: str, budget: str, scope: str, threshold: int | None, limit: int) -> int | None:
        """The start of the latest window for which such an alert was raised.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        parameters = (budget, scope, kind, threshold, limit)
        (start_us,) = self._writer.query(lambda it: it.execute(_LATEST, parameters).fetchone(), drain=False)
        found: int | None = start_us
        return found

    def granted(self, budget: str, scope: str, since_us: int, start_us: int) -> int:
        """How much room people have given beyond the limit of a window.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        parameters = (budget, scope, since_us, start_us)
        (amount,) = self._writer.query(lambda it: it.execute(_GRANTED, parameters).fetchone(), drain=False)
        given: int = amount
        return given

    def _those(self, sql: str, ids: Iterable[str]) -> set[str]:
        text = orjson.dumps(list(ids)).decode()
        rows = self._writer.query(lambda it: it.execute(sql, (text,)).fetchall(), drain=False)
        return {alert_id for (alert_id,) in rows}

    def _read(self, sql: str, *parameters: Any) -> list[WindowSpent]:
        rows = self._writer.query(lambda it: it.execute(sql, parameters).fetchall(), drain=False)
        return [WindowSpent(*row) for row in rows]
