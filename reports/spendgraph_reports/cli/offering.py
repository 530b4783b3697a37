"""What every report on the command line takes and gives: a ledger and a period in, a table or a file out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, LedgerOption, existing, misused, policy_path
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.tables import Column, show
from spendgraph_reports.errors import ReportsUnavailable

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report

Form = Literal["table", "csv", "json", "parquet", "html"]

TimezoneOption = Annotated[
    str, typer.Option("--timezone", envvar="SPENDGRAPH_TIMEZONE", help="Whose days and months are meant.")
]
WhosePolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        "-p",
        envvar="SPENDGRAPH_POLICY",
        help="Whose mappings and splits say who pays, and whose prices hold; spendgraph.yaml here, when there is one.",
    ),
]
SinceOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="The first day, instead of a month.")
]
FormOption = Annotated[Form, typer.Option("--format", "-f", help="A table here, or what a file holds.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write; it is replaced whole.")
]
AsJsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]

_NEEDED: Final = ("pandas", "duckdb", "jinja2")
_TYPES: Final[dict[str, object]] = {"Books": object, "Period": object, "Report": object}
"""What the hints of a report name beside its options; importing them would load pandas for every command."""


def _asked(
    *,
    ledger: LedgerOption = DEFAULT_LEDGER,
    month: Annotated[
        str | None,
        typer.Option("--month", "-m", help="A month such as 2026-08; this one, when no period is given."),
    ] = None,
    since: SinceOption = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="The day that is not in it any more; now, when not given."),
    ] = None,
    timezone: TimezoneOption = "UTC",
    policy: WhosePolicyOption = None,
    form: FormOption = "table",
    output: OutputOption = None,
    as_json: AsJsonOption = False,
) -> None:
    """The options that all reports share."""


def offer(app: typer.Typer, build: Callable[..., Report], name: str) -> None:
    """Add a report as a command.

    Args:
        app: The commands of `spendgraph report`.
        build: Takes `books` and `period`, and as options of the command whatever else it has; its docstring is the help.
        name: The command's.
    """
    shared = inspect.signature(_asked).parameters
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(build).parameters.values())[2:]
    ]
    hints = get_type_hints(build, localns=_TYPES, include_extras=True) | get_type_hints(
        _asked, include_extras=True
    )

    @wraps(build)
    def command(**options: Any) -> None:
        asked = {name: options.pop(name) for name in shared}
        with opened(asked["ledger"], asked["timezone"], asked["policy"]) as books:
            try:
                period = period_of(books, asked["month"], asked["since"], asked["until"])
                report = build(books, period, **options)
            except ValueError as error:
                misused(str(error))
            form = asked["form"]
            if asked["as_json"] and form not in {"table", "json"}:
                misused(f"expected either --json or --format {form}, found both")
            deliver(report, "json" if asked["as_json"] else form, asked["output"], asked["ledger"])

    parameters = [each.replace(annotation=hints[each.name]) for each in (*own, *shared.values())]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {parameter.name: hints[parameter.name] for parameter in parameters}
    app.command(name)(command)


def opened(ledger: Path, timezone: str, policy: Path | None) -> Books:
    """The books of a ledger that is there, seen through a policy's mappings and splits, and with its budgets and prices.

    Raises:
        ReportsUnavailable: What reports need is not installed.
        PolicyError: The policy is not one.
        LedgerUnavailable: There is no such ledger.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ReportsUnavailable(
            f"reports need {', '.join(missing)}, which is not installed: pip install 'spendgraph[reports]'"
        )
    from spendgraph.policy import load_policy
    from spendgraph_reports.books import Books
    from spendgraph_reports.organisation import Organisation

    path = policy_path(policy)
    read = None if path is None else load_policy(path)
    try:
        return Books(
            existing(ledger),
            zone=timezone,
            organisation=None if read is None else Organisation.of(read),
            budgets=None if read is None else read.budgets,
            prices=None if read is None else read.prices,
        )
    except ValueError as error:
        misused(str(error))


def period_of(books: Books, month: str | None, since: str | None, until: str | None) -> Period:
    """The period that was asked for, with both ends.

    Raises:
        ValueError: It was not said, or said twice.
    """
    from spendgraph.clock import utc_us
    from spendgraph_reports.months import month_of
    from spendgraph_reports.period import Period

    if month is not None and (since is not None or until is not None):
        raise ValueError("expected either --month or --from and --to, found both")
    if month is not None:
        return Period.month(month, books.zone)
    if since is None:
        if until is not None:
            raise ValueError("expected --from with --to, found --to alone")
        return month_of(utc_us(), books.zone)
    asked = Period.between(since, until, books.zone)
    quarter = 900_000_000
    return asked if until is not None else Period(asked.since_us, utc_us() // quarter * quarter + quarter)


def deliver(report: Report, form: Form, output: Path | None, ledger: Path) -> None:
    """Show a report, or write it."""
    from spendgraph_reports.rendering import document, to_csv, to_html, to_json, to_parquet

    if form == "table":
        if output is not None:
            misused("expected --format csv, json, parquet or html with --output, found a table")
        _print(report)
        return
    if output is None:
        if form != "json":
            misused(f"expected --output with --format {form}, found none")
        print_json(document(report))
        return
    write = {"csv": to_csv, "json": to_json, "parquet": to_parquet, "html": to_html}[form]
    write(report, output, ledger)
    print(f"{plain(str(output))}: {len(report.frame):,} rows, {report.when}")


def _print(report: Report) -> None:
    from spendgraph_reports.rendering import NUMBERS, shown

    cells = shown(report)
    print(f"{plain(report.title)}, {report.when}")
    for sentence in report.findings:
        print(plain(sentence))
    if cells.rows:
        rows = [
            [plain(cell) for cell in row] for row in (*cells.rows, *([cells.total] if cells.total else []))
        ]
        columns = [
            Column(heading, is_number=column.kind in NUMBERS, may_fold=column.kind not in NUMBERS)
            for heading, column in zip(cells.headings, report.columns, strict=True)
        ]
        print()
        show(columns, rows)
    if report.caveats:
        print()
        for sentence in report.caveats:
            print(plain(sentence))
