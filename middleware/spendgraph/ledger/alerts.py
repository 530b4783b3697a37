"""The alerts of a ledger: raised once, whoever raises them, and kept until they have reached everybody.

An alert's id is a hash of what makes it this alert, so of two processes that see the same one inserts it, and that one
delivers it. While it does, it has a lease on the row; what a killed process has not delivered is taken over when the lease is
over. Nothing here knows an address: a channel is a name of the policy's `notify` and a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

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
    """An alert to be delivered, and the channels it has not reached."""

    alert_id: str
    severity: str
    title: str
    message: str
    waiting: tuple[str, ...]


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

_OPEN: Final = """\
SELECT alert_id, severity, title, message, waiting, lease_until_us FROM alerts
WHERE waiting <> '[]' AND raised_us > ? ORDER BY raised_us, alert_id"""

_LEASE: Final = "UPDATE alerts SET lease_until_us = ? WHERE alert_id = ?"

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
        text = orjson.dumps(list(ids)).decode()
        rows = self._writer.query(lambda it: it.execute(_KNOWN, (text,)).fetchall(), drain=False)
        return {alert_id for (alert_id,) in rows}

    def raise_new(self, rows: Iterable[AlertRow]) -> list[AlertRow]:
        """Write alerts; those that are new, and that this process has to deliver now.

        Raises:
            LedgerUnavailable: The ledger cannot be written: none is.
        """
        given = tuple(rows)
        until_us = self._clock() + LEASE_US

        def act(execute: Execute) -> list[AlertRow]:
            return [row for row in given if execute(_RAISE, (*row, until_us)).rowcount > 0]

        return self._writer.transact(act, timeout=_WAIT_S)

    def take_over(self) -> tuple[list[Waiting], int | None]:
        """Take what nobody is delivering, and the microseconds until others' leases are over, if they have any.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing is taken.
        """
        now_us = self._clock()

        def read(connection: sqlite3.Connection) -> bool:
            return connection.execute(f"{_OPEN} LIMIT 1", (now_us - KEPT_US,)).fetchone() is not None

        def act(execute: Execute) -> tuple[list[Waiting], int | None]:
            taken: list[Waiting] = []
            leases: list[int] = []
            rows = execute(_OPEN, (now_us - KEPT_US,)).fetchall()
            for alert_id, severity, title, message, waiting, lease_until_us in rows:
                if lease_until_us > now_us:
                    leases.append(lease_until_us - now_us)
                    continue
                execute(_LEASE, (now_us + LEASE_US, alert_id))
                taken.append(Waiting(alert_id, severity, title, message, tuple(orjson.loads(waiting))))
            return taken, min(leases, default=None)

        if not self._writer.query(read, drain=False):
            return [], None
        return self._writer.transact(act, timeout=_WAIT_S)

    def attempted(
        self, alert_ids: Sequence[str], channel: str, error: str = "", *, again_us: int | None = None
    ) -> None:
        """Note how an attempt to reach a channel went.

        Args:
            alert_ids: The alerts that were sent, together.
            channel: The channel.
            error: The class of the error; empty where they got there.
            again_us: In how many microseconds this process tries again; `None` when it does not.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """
        now_us = self._clock()

        def act(execute: Execute) -> None:
            query = "SELECT waiting, error, lease_until_us FROM alerts WHERE alert_id = ?"
            for alert_id in alert_ids:
                row = execute(query, (alert_id,)).fetchone()
                if row is None:  # the ledger is another file now
                    continue
                text, before, lease_us = row
                waiting: list[str] = orjson.loads(text)
                if not error:
                    waiting = [each for each in waiting if each != channel]
                said = f"{channel}: {error}" if error else before if waiting else ""
                # Another channel's next attempt may be later than this one's.
                until_us = max(lease_us, now_us + again_us + LEASE_US) if again_us is not None else lease_us
                done_us = None if waiting else now_us
                execute(_ATTEMPTED, (orjson.dumps(waiting).decode(), done_us, said, until_us, alert_id))

        self._writer.transact(act)

    def give_back(self, alert_ids: Collection[str]) -> None:
        """Leave alerts that could not be delivered to whoever opens the ledger next.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """

        def act(execute: Execute) -> None:
            for alert_id in alert_ids:
                execute(_LEASE, (0, alert_id))

        if alert_ids:
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

    def _read(self, sql: str, *parameters: Any) -> list[WindowSpent]:
        rows = self._writer.query(lambda it: it.execute(sql, parameters).fetchall(), drain=False)
        return [WindowSpent(*row) for row in rows]
