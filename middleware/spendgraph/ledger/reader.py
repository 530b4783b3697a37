"""Reading a ledger: steps, tasks, spend and the check of the books.

A reader opens a connection for each question and closes it. Long answers are read in pages, so that no
question holds back the WAL's checkpoint.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spendgraph.clock import utc_us
from spendgraph.errors import LedgerError
from spendgraph.ledger import columns
from spendgraph.ledger.budget_history import BudgetHistory, read_windows
from spendgraph.ledger.closings import Closings
from spendgraph.ledger.connection import diagnose
from spendgraph.ledger.drift import read_drift
from spendgraph.ledger.history import Median, finished_task_costs, median_task_cost
from spendgraph.ledger.imported import (
    ContractRow,
    InvoiceLineRow,
    InvoiceRow,
    PlanRow,
    read_contracts,
    read_imports,
    read_invoice_lines,
    read_invoices,
    read_plans,
)
from spendgraph.ledger.place import find_place
from spendgraph.ledger.rollup_reader import RollupReader
from spendgraph.ledger.standing import read_standing
from spendgraph.ledger.tree import TaskTree, read_tree
from spendgraph.ledger.verify import Problem, Progress, verify
from spendgraph.ledger.watch_reader import WatchReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path
    from typing import Self

_PAGE = 1000

_STEPS = ", ".join(
    [*(f"s.{name}" for name in columns.STEP_COLUMNS), *(f"c.{tag}" for tag in columns.TAGS), "c.extra"]
)

_SUMS = """\
count(*) FILTER (WHERE s.entry = 'charge') AS steps,
count(DISTINCT s.task_id) AS tasks,
sum(s.cost_nanousd) AS cost_nanousd,
sum(s.saved_nanousd) AS saved_nanousd,
sum(s.input_tokens) AS input_tokens,
sum(s.output_tokens) AS output_tokens,
sum(s.cache_read_tokens) AS cache_read_tokens,
coalesce(sum(s.cost_nanousd) FILTER (WHERE s.missing_tags <> ''), 0) AS unattributed_nanousd,
coalesce(sum(s.cost_nanousd) FILTER (WHERE s.cost_basis IN ('estimated', 'upper_bound')), 0)
  AS not_reported_nanousd,
count(*) FILTER (WHERE s.cost_basis = 'unpriced' AND s.entry = 'charge') AS unpriced_steps"""


_BUDGETS = """\
SELECT * FROM budgets AS b WHERE version = (SELECT max(version) FROM budgets AS v WHERE v.budget = b.budget)
ORDER BY budget"""


class LedgerReader(RollupReader):
    """A ledger opened for reading.

    Its methods block; call them from a thread where an event loop runs. Get one from `Ledger.open_readonly`.
    """

    @classmethod
    def at(cls, url: str | Path) -> LedgerReader:
        """A reader of the ledger at a path or `sqlite:///` URL.

        Raises:
            LedgerError: It is not a ledger of this version.
            LedgerUnavailable: It cannot be read.
        """
        reader = LedgerReader(find_place(url))
        with reader._reading():
            return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the ledger."""

    def steps(
        self, *, since: datetime | int | None = None, until: datetime | int | None = None, **filters: object
    ) -> Iterator[dict[str, Any]]:
        """Every step and correction in the order of writing, with its tags.

        Args:
            since: Only steps that started then or later (an aware datetime, or microseconds).
            until: Only steps that started earlier.
            **filters: Columns of `steps` and tags: a value, or several of which one must match.

        Yields:
            A dictionary of the columns of `steps`, the tags, and `extra` as JSON.

        Raises:
            ValueError: A filter names no column, or a time is none.
        """
        condition, parameters = columns.where(filters, since, until)
        return self._pages(condition, parameters)

    def task(self, task_id: str) -> TaskTree:
        """The tree of a task: its steps by node path, and the tasks it opened, with sums.

        Raises:
            LedgerError: The ledger does not know the task.
        """
        with self._reading() as connection:
            tree = read_tree(connection, task_id)
        if tree is None:
            raise LedgerError(f"the ledger {self.place.name} has no task {task_id!r}")
        return tree

    def spend(
        self,
        by: Sequence[str] = (),
        *,
        since: datetime | int | None = None,
        until: datetime | int | None = None,
        **filters: object,
    ) -> list[dict[str, Any]]:
        """Sums by tags, step columns, `extra.<key>` or UTC `hour`, `day`, `month`; the dearest first.

        Args:
            by: What to group by; nothing gives one row in all (no row for an empty ledger).
            since: Only steps that started then or later (an aware datetime, or microseconds).
            until: Only steps that started earlier.
            **filters: As in `steps`.

        Returns:
            Rows with the names in `by`, and `steps`, `tasks`, `cost_nanousd`, `saved_nanousd`, tokens,
            `unattributed_nanousd`, `not_reported_nanousd` (parts of the cost) and `unpriced_steps`.

        Raises:
            ValueError: A name is no column, or a time is none.
        """
        condition, parameters = columns.where(filters, since, until)
        selected, own = list[str](), columns.Parameters()
        for name in columns.names(by):
            sql, values = columns.expression(name)
            selected.append(f'{sql} AS "{name}"')
            own += values
        numbers = [str(position) for position in range(1, len(by) + 1)]
        query = (
            f"SELECT {', '.join([*selected, _SUMS])} FROM steps AS s"  # noqa: S608 - from the whitelist
            f" JOIN contexts AS c ON c.context_id = s.context_id WHERE {condition}"
            f" {'GROUP BY ' + ', '.join(numbers) if by else 'HAVING count(*) > 0'}"
            f" ORDER BY {', '.join(['cost_nanousd DESC', *numbers])}"
        )
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query, [*own, *parameters])]

    def windows(self, at: datetime | int | None = None) -> list[dict[str, Any]]:
        """The windows of every budget, with what is spent and held, exactly; of a rolling one they are its parts.

        Args:
            at: Only windows that are open then (an aware datetime, or microseconds).

        Returns:
            The columns of `windows`, and of the budget's version of that time `version`, `owner`, `signed_off_by`, `unit`,
            `limit_amount` (in that unit), `period` and `timezone`; in that unit, too, `granted`, the room beyond the
            limit that people have given everybody, `granted_to_tasks`, what they have given single tasks, and
            `drawn_by_tasks`, how much of that is spent or held.
        """
        at_us = None if at is None else columns.microseconds(at)
        with self._reading() as connection:
            return read_windows(connection, at_us, utc_us() if at_us is None else at_us)

    @property
    def closings(self) -> Closings:
        """What was written before and after the books of a period closed."""
        return Closings(self._reading)

    @property
    def budget_history(self) -> BudgetHistory:
        """What budgets came to in a period of the past."""
        return BudgetHistory(self._reading)

    @property
    def watched(self) -> WatchReader:
        """How far the anomaly watch is, what it has found, and what people have said of it."""
        return WatchReader(self._reading)

    def standing(self, at: datetime | int | None = None, *, every: bool = False) -> list[dict[str, Any]]:
        """Where every budget stands: like `windows`, but of a rolling budget one row for each scope.

        That row has the sums of the parts that count together, `start_us` of the oldest of them, and no end.

        Args:
            at: At which time (an aware datetime, or microseconds); now by default.
            every: Windows that are over, too, and scopes of rolling budgets of which nothing counts any more.
        """
        at_us = utc_us() if at is None else columns.microseconds(at)
        with self._reading() as connection:
            return read_standing(connection, at_us, every=every)

    def finished_task_costs(self, feature: str) -> list[int]:
        """What the latest finished tasks of a feature have cost in nano-USD, at most 256 of them, in no order."""
        with self._reading() as connection:
            return finished_task_costs(connection, feature)

    def budgets(self) -> list[dict[str, Any]]:
        """The latest version of every budget that a meter has ever had on this ledger, with the columns of `budgets`."""
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(_BUDGETS)]

    def prices(self) -> list[dict[str, Any]]:
        """Every price that a step was ever charged at, with the columns of `prices`."""
        with self._reading() as connection:
            return [dict(row) for row in connection.execute("SELECT * FROM prices ORDER BY price_id")]

    def approvals(self, *, pending: bool = False) -> list[dict[str, Any]]:
        """What people were asked for and what they said, the oldest first, with the tags of who pays.

        Args:
            pending: Only what waits for an answer now.
        """
        state = "a.state = 'pending' AND a.expires_us > ?" if pending else "? IS NOT NULL"
        query = (
            f"SELECT a.*, c.feature, c.team, c.tenant, c.environment FROM approvals AS a"  # noqa: S608 - as above
            f" JOIN contexts AS c ON c.context_id = a.context_id WHERE {state} ORDER BY a.asked_us, a.approval_id"
        )
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query, (utc_us(),))]

    def breakers(self, *, closed: bool = True) -> list[dict[str, Any]]:
        """Where every breaker stands that has ever tripped, the latest trip first: the columns of `breakers`.

        One whose time is over is `half_open`: the next call is let through to try, or is under way.

        Args:
            closed: Those that are closed again, too.
        """
        query = "SELECT * FROM breakers WHERE ? OR state <> 'closed' ORDER BY tripped_us DESC, breaker, scope"
        now_us = utc_us()
        with self._reading() as connection:
            rows = [dict(row) for row in connection.execute(query, (closed,))]
        for row in rows:
            if row["state"] == "open" and row["open_until_us"] <= now_us:
                row["state"] = "half_open"
        return rows

    def median_task_cost(self, tags: Mapping[str, Sequence[str]]) -> Median:
        """What the latest finished tasks that cost something have cost, in the middle: 500 at most, of the latest 50,000 tasks.

        Args:
            tags: Tags of the tasks, extra ones as `x_<key>`, and their values, of which one must match.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        try:
            with self._reading() as connection:
                return median_task_cost(connection, tags)
        except sqlite3.Error as error:
            raise diagnose(error, self.place) from error

    def drift(
        self, *, since: datetime | int | None = None, until: datetime | int | None = None
    ) -> list[dict[str, Any]]:
        """How far estimates are from what calls then cost, by feature and model (or tool); the dearest first.

        Counted are calls that budgets applied to, that went well, and whose cost is known.

        Args:
            since: Only calls that started then or later (an aware datetime, or microseconds).
            until: Only calls that started earlier.

        Returns:
            Rows with `feature`, `provider`, `kind`, `model` (as asked for; of a tool its name), `calls`,
            `estimate_nanousd` and `cost_nanousd` (sums), `ratio` (cost to estimate), `p50_error` and `p95_error` (how
            far a call's cost is from its estimate, as a share of the estimate, either way), `over_reservation`
            (the share of calls that cost more than was held for them) and `unestimated` (calls whose cost nobody
            could foresee, which the others leave out). `None` where there is nothing to compare.
        """
        after = 0 if since is None else columns.microseconds(since)
        before = 2**62 if until is None else columns.microseconds(until)
        with self._reading() as connection:
            return read_drift(connection, after, before)

    def contracts(self, *, since: date | None = None, until: date | None = None) -> list[ContractRow]:
        """The contracts of the newest list, by tenant and day.

        Args:
            since: Only those that hold on this day or later.
            until: Only those that hold before this day.
        """
        with self._reading() as connection:
            return read_contracts(connection, since, until)

    def plans(self, *, at: date | None = None) -> list[PlanRow]:
        """The list prices of the newest list, by plan: those of a day, or all of them."""
        with self._reading() as connection:
            return read_plans(connection, at)

    def invoices(
        self, *, provider: str | None = None, month: str | None = None, replaced: bool = False
    ) -> list[InvoiceRow]:
        """What was imported as invoices and usage exports, by month and provider.

        Args:
            provider: Only this one's.
            month: Only this month's, such as `2026-08`.
            replaced: Those that a newer one has replaced, too.
        """
        with self._reading() as connection:
            return read_invoices(connection, provider, month, replaced=replaced)

    def invoice_lines(self, import_id: int) -> list[InvoiceLineRow]:
        """The lines of one of `invoices`, by day, model and item."""
        with self._reading() as connection:
            return read_invoice_lines(connection, import_id)

    def imports(self) -> list[dict[str, Any]]:
        """Every import there ever was, the newest first: the columns of `imports`, and `counts`."""
        with self._reading() as connection:
            return read_imports(connection)

    def verify(self, progress: Progress | None = None) -> list[Problem]:
        """Check the books: every hash, reference and sum is derived again; an empty list means sound."""
        with self._reading() as connection:
            return verify(connection, self.place, progress)

    def _pages(self, condition: str, parameters: columns.Parameters) -> Iterator[dict[str, Any]]:
        query = (
            f"SELECT {_STEPS} FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id"  # noqa: S608 - from the whitelist
            f" WHERE {condition} AND s.seq > ? ORDER BY s.seq LIMIT {_PAGE}"
        )
        last = -1
        reading = self._reading()
        while True:
            # A connection for each page: whoever goes on half way through leaves none open.
            with reading as connection:
                rows = connection.execute(query, [*parameters, last]).fetchall()
            if not rows:
                return
            for row in rows:
                yield dict(row)
            last = rows[-1]["seq"]
            reading = LedgerReader._reading(self)  # what was queued is written
