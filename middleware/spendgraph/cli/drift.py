"""`spendgraph budgets drift`: how far estimates are from what calls then cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, microseconds_of
from spendgraph.cli.output import amounts, plain, print_json
from spendgraph.cli.tables import Column, show

SinceOption = Annotated[
    str, typer.Option("--since", metavar="DURATION", help="Only calls started in the last 15m, 24h, 7d ...")
]


def register(commands: typer.Typer) -> None:
    """Add the command to `spendgraph budgets`."""
    # A caller's registry may be built more than once in a process: a command is added once.
    if all(command.name != "drift" for command in commands.registered_commands):
        commands.command("drift")(drift)


def drift(
    ledger: LedgerOption = DEFAULT_LEDGER, since: SinceOption = "7d", as_json: JsonOption = False
) -> None:
    """Compare what was expected with what was paid, per feature and model."""
    from spendgraph.clock import utc_us
    from spendgraph.ledger import Ledger

    after_us = utc_us() - microseconds_of(since)
    with Ledger.open_readonly(ledger) as reader:
        rows = reader.drift(since=after_us)
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows)
    else:
        print(
            f"No call of the last {plain(since)} in {plain(str(ledger))} was estimated: no budget was about one."
        )


def _show(rows: list[dict[str, Any]]) -> None:
    names = ("calls", "expected", "paid", "ratio", "p50 off", "p95 off", "over hold", "not foreseen")
    columns = [Column("feature", may_fold=True), Column("model", may_fold=True)]
    columns += [Column(name, is_number=True) for name in names]
    dollars = amounts([row[name] for name in ("estimate_nanousd", "cost_nanousd") for row in rows])
    show(
        columns,
        [
            [
                plain(row["feature"]) or "(none)",
                plain(row["model"]),
                f"{row['calls']:,}",
                estimate,
                cost,
                "" if row["ratio"] is None else f"{row['ratio']:.2f}",
                *("" if row[name] is None else f"{row[name]:.0%}" for name in ("p50_error", "p95_error")),
                "" if row["over_reservation"] is None else f"{row['over_reservation']:.1%}",
                f"{row['unestimated']:,}" if row["unestimated"] else "",
            ]
            for row, estimate, cost in zip(rows, dollars[: len(rows)], dollars[len(rows) :], strict=True)
        ],
    )
