"""The files of a night. A statement is issued once; where it would say something else later, a version more is written.

Run twice, or by two processes at once, they are the same files: each is replaced whole, and a month's rows are fixed by its close.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from spendgraph_reports.chargeback import CLOSE_DAYS, chargeback, payers
from spendgraph_reports.chargeback.closing import closing_us
from spendgraph_reports.chargeback.lines import TEAM
from spendgraph_reports.errors import ExportError
from spendgraph_reports.months import before, closed, month_of, named
from spendgraph_reports.rendering import document, to_csv, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report


class Issued(NamedTuple):
    """A month's statements as files.

    Attributes:
        month: Such as `2026-09`.
        state: `written` the first time, `unchanged` where the files say it already, `restated` for a version more.
        version: Which version says it.
        file: The statements' JSON; beside it are the same as CSV and the payers' sums.
        cost_nanousd: What is charged in all.
    """

    month: str
    state: Literal["written", "unchanged", "restated"]
    version: int
    file: Path
    cost_nanousd: int


def last_closed(now_us: int, zone: str, close_days: int = CLOSE_DAYS) -> Period:
    """The latest calendar month whose books are to be closed by now."""
    month = before(month_of(now_us, zone), zone)
    while closing_us(closed(month)[1], zone, close_days) > now_us:
        month = before(month, zone)
    return month


def issue(
    books: Books, folder: Path, month: Period, *, of: str = TEAM, close_days: int = CLOSE_DAYS
) -> Issued:
    """Write a month's statements, unless files of the folder say the same already.

    A statement says something else where a mapping or split was changed for days that are past, where steps were pruned, or
    where it was issued before any step had started after its close.

    Args:
        books: The ledger.
        folder: Where the files go.
        month: The month.
        of: The tag that says who pays.
        close_days: How many days after the month its books close.

    Raises:
        ExportError: A file cannot be written, or one that is there is no statement.
        ValueError: `of` is no tag.
    """
    report = chargeback(books, month, of=of, close_days=close_days)
    name, cost = named(month, books.zone), report.totals["cost_nanousd"]
    stem = f"{of}-{name}"
    version, file = _latest(folder, f"chargeback-{stem}")
    if file is not None and _rows(file) == _plain(document(report)["rows"]):
        return Issued(name, "unchanged", version, file, cost)
    version += 1
    suffix = f".v{version}" if version > 1 else ""
    _write(payers(books, month, of=of, close_days=close_days), folder, f"payers-{stem}{suffix}", books)
    # Its JSON comes last: without it nothing counts as issued.
    written = _write(report, folder, f"chargeback-{stem}{suffix}", books)
    return Issued(name, "written" if version == 1 else "restated", version, written, cost)


def write_variance(books: Books, folder: Path, report: Report) -> Path:
    """Write a month's variance; what was there is replaced.

    Raises:
        ExportError: A file cannot be written.
    """
    return _write(report, folder, f"variance-{named(report.period, books.zone)}", books)


def _write(report: Report, folder: Path, stem: str, books: Books) -> Path:
    to_csv(report, folder / f"{stem}.csv", books.ledger)
    file = folder / f"{stem}.json"
    to_json(report, file, books.ledger)
    return file


def _latest(folder: Path, stem: str) -> tuple[int, Path | None]:
    """The latest version that is there; 0 without any."""
    pattern = re.compile(re.escape(stem) + r"(?:\.v([1-9][0-9]{0,8}))?\.json")
    found = [
        (int(match[1] or 1), file)
        for file in (folder.iterdir() if folder.is_dir() else ())
        if (match := pattern.fullmatch(file.name))
    ]
    return max(found, default=(0, None))


def _rows(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(
            f"expected a statement that was issued in {file}, found something else ({type(error).__name__}): move it away"
        ) from error


def _plain(rows: Any) -> Any:
    """As JSON gives them back."""
    return json.loads(json.dumps(rows))
