"""The books: a ledger as reports read it, in one time zone. Rollups answer first; DuckDB what they cannot."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

import pandas as pd

from spendgraph.clock import EPOCH, from_us
from spendgraph.ledger import LedgerReader
from spendgraph.pricing import PriceBook
from spendgraph_reports.amounts import dollars, percent
from spendgraph_reports.engine import Question, ask
from spendgraph_reports.months import months
from spendgraph_reports.organisation import RULE, Organisation, merged
from spendgraph_reports.period import Period, midnight

if TYPE_CHECKING:
    from typing import Self

    from spendgraph.policy import Budget, PricesPolicy

Every = Literal["hour", "day"]
F = TypeVar("F", bound=Callable[..., Any])


SUMS: Final = (
    "cost_nanousd",
    "steps",
    "corrections",
    "saved_nanousd",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "unattributed_nanousd",
    "not_reported_nanousd",
    "unpriced_steps",
)
"""The sums most reports show: int64, and of money nano-USD."""


class Doubts(NamedTuple):
    """What is uncertain in the spending of a period.

    Attributes:
        cost_nanousd: All of it.
        steps: How many.
        unattributed_nanousd: The part that lacks required tags.
        not_reported_nanousd: The part that is estimated, or an upper bound.
        unpriced_steps: Steps that had no price and stand there with nothing.
    """

    cost_nanousd: int = 0
    steps: int = 0
    unattributed_nanousd: int = 0
    not_reported_nanousd: int = 0
    unpriced_steps: int = 0

    def sentences(self) -> tuple[str, ...]:
        """The same for people; nothing where nothing is uncertain."""
        said: list[str] = []
        if self.unattributed_nanousd:
            said.append(
                f"{dollars(self.unattributed_nanousd)}{_of_cost(self.unattributed_nanousd, self)} is unattributed:"
                " required tags are missing."
            )
        if self.not_reported_nanousd:
            said.append(
                f"{dollars(self.not_reported_nanousd)}{_of_cost(self.not_reported_nanousd, self)} is estimated or an"
                " upper bound: the provider did not say what was used."
            )
        if self.unpriced_steps:
            steps = "1 step has" if self.unpriced_steps == 1 else f"{self.unpriced_steps:,} steps have"
            said.append(f"{steps} no price, and cost nothing here: the true total is higher.")
        return tuple(said)


class Books:
    """A ledger to ask, in one time zone.

    Args:
        ledger: Its path or URL; it is only read.
        zone: Whose days and months are meant, such as `Europe/Berlin`.
        organisation: The mappings and splits that its sums are seen through; without any, spending is who it was booked on.
        prices: The policy's prices, for what something else would cost; without any, those of the price list.
        budgets: Those of the policy, where there is one: the ledger knows what was in force, not what was dropped.

    Raises:
        LedgerError: It is not a ledger of this version.
        LedgerUnavailable: It cannot be read.
        ValueError: There is no such time zone.
    """

    def __init__(
        self,
        ledger: str | Path,
        *,
        zone: str = "UTC",
        organisation: Organisation | None = None,
        prices: PricesPolicy | None = None,
        budgets: Sequence[Budget] | None = None,
    ) -> None:
        midnight(EPOCH.date(), zone)
        self.ledger = ledger
        self.zone = zone
        self.organisation = Organisation() if organisation is None else organisation
        self.prices = PriceBook(prices)
        self.budgets = budgets
        self.reader = LedgerReader.at(ledger)
        self._through_seq: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the ledger."""
        self.reader.close()

    def rows(
        self, by: Sequence[str], period: Period, *, sums: Sequence[str] = SUMS, **filters: object
    ) -> list[dict[str, Any]]:
        """Sums of everything booked in a period, pruned or not, by who pays according to the organisation.

        Args:
            by: Tags and dimensions, as in `LedgerReader.rolled`, and `rule` (which mapping or split made it so); none gives one row in all.
            period: Steps by their start; its ends are starts of quarters of an hour.
            sums: Which sums: integers, and of money nano-USD. Split counts are parts.
            **filters: As in `LedgerReader.rolled`.

        Returns:
            Rows with the names in `by` and the sums, the largest first; none without a step.

        Raises:
            ValueError: There is no such name, or a time is within a quarter of an hour.
        """
        changed = self.organisation.changed_tags()
        booked = {name: value for name, value in filters.items() if name not in changed}
        mapped = {name: value for name, value in filters.items() if name in changed}

        def rolled(names: Sequence[str], part: Period) -> list[dict[str, Any]]:
            return self.reader.rolled(names, since=part.since_us, until=part.until_us, sums=sums, **booked)

        return self.seen(by, period, rolled, sums=sums, **mapped)

    def seen(
        self,
        by: Sequence[str],
        period: Period,
        read: Callable[[Sequence[str], Period], list[dict[str, Any]]],
        *,
        sums: Sequence[str],
        **filters: object,
    ) -> list[dict[str, Any]]:
        """Sums from anywhere, by who pays according to the organisation.

        Args:
            by: As in `rows`.
            period: The same.
            read: The sums of a part of the period as they were booked, by names of tags and dimensions.
            sums: The names of the sums it reads, whole numbers.
            **filters: Tags that the organisation sets, and the value or values that they must have then.

        Returns:
            Rows with the names in `by` and the sums, the largest first.
        """
        rules = self.organisation
        if not rules.needed_tags() and RULE not in by:
            return read(by, period)
        wanted = {name: _wanted(value) for name, value in filters.items()}
        wide = [name for name in dict.fromkeys([*by, *rules.needed_tags()]) if name != RULE]
        found: list[dict[str, Any]] = []
        for part in rules.boundaries(period, self.zone):
            rows = rules.apply(read(wide, part), part, self.zone, sums=sums)
            found += [row for row in rows if all(row[name] in values for name, values in wanted.items())]
        return sorted(merged(found, by=by, sums=sums), key=lambda row: -row[sums[0]])

    def monthly(
        self, by: Sequence[str], period: Period, *, sums: Sequence[str] = SUMS, **filters: object
    ) -> list[dict[str, Any]]:
        """The same for each calendar month of a closed period, which has its name under `month`, such as `2026-08`."""
        return [
            {"month": name} | row
            for name, month in months(period, self.zone)
            for row in self.rows(by, month, sums=sums, **filters)
        ]

    def series(
        self,
        by: Sequence[str],
        period: Period,
        every: Every,
        *,
        sums: Sequence[str] = SUMS,
        **filters: object,
    ) -> pd.DataFrame:
        """The same for each hour or day in which there was something.

        Returns:
            The names in `by`, `start` (when the hour or day begins, `datetime64[us, <zone>]`) and the sums as int64, by time.
        """
        frame = frame_of(
            self.rows([*by, "quarter_us"], period, sums=sums, **filters), [*by, "quarter_us"], sums
        )
        begins = {at: _began(at, every, self.zone) for at in set(frame["quarter_us"])}
        start: Any = pd.to_datetime(frame.pop("quarter_us").map(begins), unit="us", utc=True)
        frame["start"] = start.dt.as_unit("us").dt.tz_convert(self.zone)
        keys = [*by, "start"]
        found = frame.groupby(keys, as_index=False, sort=False)[list(sums)].sum()
        return found.sort_values(["start", *by], ignore_index=True)[[*keys, *sums]]

    def ask(self, sql: str, **parameters: int | str | None) -> list[dict[str, Any]]:
        """What DuckDB answers to a question on the raw steps; see `spendgraph_reports.engine`. Pruned steps are not there.

        Args:
            sql: A SELECT over `steps`, `contexts`, `tasks`, `decisions` and `prices`.
            **parameters: The values of `getvariable('name')`.

        Raises:
            QueryError: The question failed.
        """
        return list(self.stream(sql, **parameters))

    def stream(self, sql: str, **parameters: int | str | None) -> Iterator[dict[str, Any]]:
        """The same rows as they come; see `ask`.

        Raises:
            QueryError: The question failed.
        """
        return ask(self.ledger, Question(sql, parameters, self._through_seq))

    @contextmanager
    def one_moment(self) -> Generator[None]:
        """Have everything that is asked inside answered as of one moment, whoever writes meanwhile.

        Rows and the total that they must add up to are two questions. Every report asks inside of one moment; several reports
        that are to agree need it around them. One thread at a time, and not for long: SQLite's write-ahead log waits.
        """
        with self.reader.one_moment() as last:
            before, self._through_seq = self._through_seq, last
            try:
                yield
            finally:
                self._through_seq = before

    def doubts(self, period: Period, *, by: Sequence[str] = (), **filters: object) -> Doubts:
        """What is uncertain in the spending of a period.

        Args:
            period: Steps by their start.
            by: The cut it is about. It matters only where a split sets a tag that is filtered by: a split's parts are
                whole numbers, and how they are rounded depends on the cut.
            **filters: As in `rows`.
        """
        cut = by if any(name in self.organisation.changed_tags() for name in filters) else ()
        rows = self.rows(cut, period, sums=Doubts._fields, **filters)
        return Doubts(*(sum(row[name] for row in rows) for name in Doubts._fields))

    def caveats(self, period: Period, *, by: Sequence[str] = (), **filters: object) -> tuple[str, ...]:
        """What is uncertain in sentences; none where nothing is."""
        return self.doubts(period, by=by, **filters).sentences()

    def span(self) -> Period | None:
        """From the first step's quarter of an hour to the end of the last one's; nothing in an empty ledger."""
        quarters = self.reader.span()
        return None if quarters is None else Period(*quarters)


def of_one_moment(build: F) -> F:
    """A function of the books that asks everything as of one moment: what every report is."""

    @wraps(build)
    def made(books: Books, *args: Any, **options: Any) -> Any:
        with books.one_moment():
            return build(books, *args, **options)

    return cast("F", made)


def frame_of(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], sums: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows as a frame: names first, then sums as int64; both are there without rows too."""
    return pd.DataFrame(list(rows), columns=[*names, *sums]).astype(dict.fromkeys(sums, "int64"))


def _wanted(value: object) -> frozenset[object]:
    """The values of a filter: one, or several."""
    return frozenset(value if isinstance(value, Iterable) and not isinstance(value, str) else [value])  # pyright: ignore[reportUnknownArgumentType] - any values


def _began(moment_us: int, every: Every, zone: str) -> int:
    """When the hour or the day of a moment began; a day whose midnight the clocks leave out, or have twice, has one start."""
    if every == "hour":  # floored in UTC: in a zone, two hours of the autumn have one name
        return moment_us - moment_us % 3_600_000_000
    return midnight(from_us(moment_us).astimezone(ZoneInfo(zone)).date(), zone)


def _of_cost(part_nanousd: int, found: Doubts) -> str:
    return f" ({percent(part_nanousd / found.cost_nanousd)})" if found.cost_nanousd > 0 else ""
