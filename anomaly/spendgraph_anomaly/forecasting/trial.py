"""The backtest as a report: how far each model was off at earlier moments, beside the linear burn rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spendgraph_anomaly.forecasting.choosing import replayed
from spendgraph_anomaly.forecasting.models import LINEAR, NAIVE
from spendgraph_reports.amounts import counted, percent
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.backtest import Backtest
    from spendgraph_anomaly.forecasting.outlook import Outlook
    from spendgraph_reports.books import Books

    Values = NDArray[np.float64]

CHOICE: Final = "the choice"
"""The median of the best, chosen at each moment by what was known then."""

COLUMNS: Final = (
    Column("model", "text", f"A model; `{CHOICE}` is the median of the best, chosen at each moment by what was known then."),
    Column("moments", "count", "At how many earlier moments it forecast."),
    Column("error_nanousd", "money", "How far the total was off, on average over the moments.", label="off by"),
    Column("error", "share", "The same beside what came.", label="of what came"),
    Column("beside_linear", "ratio", "The error beside that of the linear burn rate at the same moments: below 1 is better.", label="beside linear burn"),
    Column("is_used", "flag", "Whether it is one of those whose median the forecast is.", label="used"),
    Column("why", "text", "Why it could not forecast at some moment, where it could not."),
)  # fmt: skip
"""What `backtest_report` says of each model."""


def backtest_report(books: Books, seen: Outlook) -> Report:
    """How far the models were off at earlier moments, when they forecast everything as far ahead as now."""
    made, done = seen.all.prediction, seen.all.prediction.done
    rows: list[dict[str, Any]] = []
    if done is not None:
        said = {**done.paths, CHOICE: tuple(replayed(done, list(done.paths)))}
        rows = [_row(name, paths, done, made.models) for name, paths in said.items()]
    rows.sort(key=lambda row: (row["beside_linear"] is None, row["beside_linear"] or 0.0, row["model"]))
    return Report(
        name="forecast-backtest",
        title="How the forecast would have done",
        period=seen.period,
        frame=frame_of(rows, COLUMNS),
        columns=COLUMNS,
        findings=findings(rows),
        caveats=made.notes,
        zone=books.zone,
        settings={
            "moments": "" if done is None else f"{len(done.origins):,}",
            "days ahead": f"{len(made.path):,}",
        },
    )


def findings(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """What the rows say."""
    by_name = {row["model"]: row for row in rows}
    choice = by_name.get(CHOICE)
    if choice is None or choice["beside_linear"] is None:
        return ("The history is too short for a backtest.",)
    ratio, off = choice["beside_linear"], choice["error"]
    verdict = (
        f"{percent(1 - ratio)} less than"
        if ratio < 1
        else f"{percent(ratio - 1)} more than"
        if ratio > 1
        else "as much as"
    )
    said: list[str] = []
    said.append(
        f"At {counted(choice['moments'], 'earlier moment')} the choice was off by {percent(off)} on average, {verdict} the linear burn"
        " rate."
    )
    naive = by_name[NAIVE.name]
    if naive["moments"]:
        said.append(f"The seasonal naive was off by {percent(naive['error'])}.")
    return tuple(said)


def _row(
    name: str, paths: tuple[Values | None, ...], done: Backtest, used: tuple[str, ...]
) -> dict[str, Any]:
    off: list[float] = []
    linear: list[float] = []
    came: list[float] = []
    for path, burn, actual in zip(paths, done.paths[LINEAR.name], done.actual, strict=True):
        if path is not None and burn is not None:
            off.append(abs(float(path[: len(actual)].sum() - actual.sum())))
            linear.append(abs(float(burn[: len(actual)].sum() - actual.sum())))
            came.append(float(actual.sum()))
    usual = sum(linear)
    return {
        "model": name,
        "moments": len(off),
        "error_nanousd": round(float(np.mean(off)) * 1e9) if off else None,
        "error": sum(off) / sum(came) if sum(came) > 0 else None,
        "beside_linear": sum(off) / usual if usual > 0 else None,
        "is_used": name in used,
        "why": done.whys.get(name),
    }
