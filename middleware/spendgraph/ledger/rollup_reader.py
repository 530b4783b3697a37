"""The half of a reader that asks the rollups: sums over time, and of each task, whether the steps are still there or not."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger.connection import diagnose, open_reader
from spendgraph.ledger.opened import read_roots, read_without_steps
from spendgraph.ledger.rolled import SUMS, read_rolled, read_span
from spendgraph.ledger.rolled_tasks import ALL, read_dearest, read_task_costs, read_tasks
from spendgraph.ledger.rollup import RollupStatus, read_status

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import datetime

    from spendgraph.ledger.place import Place


class RollupReader:
    """What `LedgerReader` says of everything ever booked, pruned or not.

    Each answer is of one moment: what is rolled up, and the steps that are not yet.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def rolled(
        self,
        by: Sequence[str] = (),
        *,
        since: datetime | int | None = None,
        until: datetime | int | None = None,
        sums: Sequence[str] = SUMS,
        **filters: object,
    ) -> list[dict[str, Any]]:
        """Sums of everything ever booked, pruned or not: from the rollups, and from the steps that are not in them yet.

        Args:
            by: Tags, `kind`, `name`, `provider`, `model`, `service_tier`, `owner_team`, `missing_tags`, `cost_basis`, `status`,
                `is_replay`, `extra.<key>`, and `quarter_us` or UTC `hour`, `day`, `month`; nothing gives one row in all (none for an empty ledger).
            since: Only steps that started then or later (an aware datetime, or microseconds): the start of a quarter of an hour.
            until: Only steps that started earlier; the same.
            sums: Which sums to make, the one to sort by first; few are quicker.
            **filters: Names as in `by`, but for times: a value, or several of which one must match.

        Returns:
            Rows with the names in `by` and in `sums`, the largest first.

        Raises:
            ValueError: A name is none of these, or a time is within a quarter of an hour.
        """
        with self._reading() as connection:
            return read_rolled(connection, by, since, until, sums, filters)

    def span(self) -> tuple[int, int] | None:
        """From the quarter of an hour in which the first step started to the end of the last one's, in microseconds.

        Returns:
            `None` for a ledger in which no step was ever booked; pruned steps count.
        """
        with self._reading() as connection:
            return read_span(connection)

    def task_costs(
        self,
        by: Sequence[str] = (),
        *,
        since: datetime | int | None = None,
        until: datetime | int | None = None,
        quantiles: Sequence[float] = (0.5, 0.95),
        **filters: object,
    ) -> list[dict[str, Any]]:
        """What tasks cost, by the tags they were opened with; the dearest group first.

        A task counts in the period in which its first step started, with all it ever cost, corrections included; child tasks are tasks of
        their own. The quantile `q` of `n` tasks is the cost of the one at rank `ceil(q * n)`, from the cheapest: what some task really cost.

        Args:
            by: Tags, `extra.<key>`, the task's `graph`, `status` and `outcome`, and UTC `hour`, `day`, `month` of its first step; nothing
                gives one row in all (none where there are no tasks).
            since: Only tasks whose first step started then or later (an aware datetime, or microseconds).
            until: Only tasks whose first step started earlier.
            quantiles: From 0 to 1; 0.95 is `p95_nanousd`.
            **filters: Names as in `by`, but for times: a value, or several of which one must match. `parent_task_id=None` leaves out child tasks.

        Returns:
            Rows with the names in `by`, `tasks` (that have steps), and, in whole nano-USD, `cost_nanousd` (in all), `mean_nanousd` (rounded half even),
            the quantiles and `largest_nanousd`.

        Raises:
            ValueError: A name is none of these, or a quantile is not from 0 to 1.
        """
        with self._reading() as connection:
            return read_task_costs(connection, by, since, until, quantiles, filters)

    def dearest_tasks(
        self,
        limit: int = 20,
        *,
        since: datetime | int | None = None,
        until: datetime | int | None = None,
        **filters: object,
    ) -> list[dict[str, Any]]:
        """The tasks that cost most, the dearest first.

        Args:
            limit: How many.
            since: As in `task_costs`.
            until: The same.
            **filters: The same.

        Returns:
            Rows with the columns of `rollup_tasks`, the task's `parent_task_id`, `thread_id`, `graph`, `status`, `outcome` and `value_nanousd`,
            its tags, and `extra` as JSON.

        Raises:
            ValueError: A name is none of these, or the limit is below 1.
        """
        with self._reading() as connection:
            return read_dearest(connection, limit, since, until, filters)

    def tasks_rolled(
        self,
        columns: Sequence[str] = ALL,
        *,
        since: datetime | int | None = None,
        until: datetime | int | None = None,
        **filters: object,
    ) -> Iterator[dict[str, Any]]:
        """The tasks of a period one by one, in the order of their first steps.

        All are read at once, so that they are of one moment: few columns take less memory.

        Args:
            columns: Of those in `dearest_tasks`, `extra.<key>`, and UTC `hour`, `day`, `month` of the first step.
            since: As in `task_costs`.
            until: The same.
            **filters: The same.

        Returns:
            Rows with these columns.

        Raises:
            ValueError: A name is none of these.
        """
        with self._reading() as connection:
            return read_tasks(connection, columns, since, until, filters)

    def tasks_without_steps(
        self, columns: Sequence[str], *, since: int | None = None, until: int | None = None
    ) -> list[dict[str, Any]]:
        """Tasks that were opened in a period, in microseconds, and in which nothing was ever booked, such as those refused at their first call.

        Args:
            columns: `task_id`, `context_id`, `started_us`, `ended_us`, the task's columns and tags as in `tasks_rolled`, and `extra.<key>`.
            since: Only tasks that were opened then or later.
            until: Only tasks that were opened earlier.

        Raises:
            ValueError: A name is none of these.
        """
        with self._reading() as connection:
            return read_without_steps(connection, columns, since, until)

    def task_roots(self, columns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """The outermost task of every child task, by the child's id; one that has opened itself in a circle has none.

        Args:
            columns: What to read of it beside its `task_id`: names as in `tasks_without_steps`.

        Raises:
            ValueError: A name is none of these.
        """
        with self._reading() as connection:
            return read_roots(connection, columns)

    def rollup_status(self) -> RollupStatus:
        """How far the rollups are, and since when steps may be pruned."""
        with self._reading() as connection:
            return read_status(connection)

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        connection = open_reader(self.place)
        try:
            yield connection
        except sqlite3.Error as error:
            if connection.is_stopped:
                raise LedgerUnavailable(
                    f"the ledger {self.place.name} was being read while this process forked; read it again"
                ) from error
            raise diagnose(error, self.place) from error
        finally:
            connection.close()
