"""`spendgraph watch`: look at the spending again and again, tell people what is unusual, and stop whom the policy says."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    PolicyOption,
    existing,
    microseconds_of,
    policy_path,
)
from spendgraph.cli.output import plain, say, with_iso
from spendgraph.cli.rollup import shown_progress
from spendgraph.cli.tables import counted
from spendgraph.cli.telling import Teller
from spendgraph_reports.errors import ReportsUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from spendgraph.ledger import Ledger
    from spendgraph_anomaly.watching import Cut, CutWatch, Look

_NEEDED: Final = ("numpy", "pandas")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch")(watch)


def watch(
    every: Annotated[str, typer.Option("--every", help="How often to look, such as 1m.")] = "1m",
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as from cron.")] = False,
    ledger: LedgerOption = DEFAULT_LEDGER,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at the spending, tell people what is unusual, and stop whom the policy says; until it is ended.

    What it knows is in the ledger: ended and begun again, it goes on where it was. With --once the exit code is 1 when somebody
    was not reached.
    """
    from spendgraph.clock import utc_us
    from spendgraph.errors import LedgerUnavailable
    from spendgraph.ledger import Ledger

    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ReportsUnavailable(
            f"the watch needs {', '.join(missing)}, which is not installed: pip install 'spendgraph[analytics]'"
        )
    pause_us = microseconds_of(every)
    path = policy_path(policy)
    teller = Teller(path)
    from spendgraph_anomaly.watching import CutWatch
    from spendgraph_reports.books import Books

    cuts = _cuts(path)
    # The writer first: it brings a ledger of an older version up to date.
    with Ledger.open(existing(ledger)) as writer, Books(ledger, zone=cuts[0].zone) as books:
        watches = [CutWatch(cut, writer, books) for cut in cuts]
        if not once and not as_json:
            what = counted(len(cuts), "cut")
            print(f"Watching {what} of {plain(str(ledger))} every {every}: {_named(cuts)}.", flush=True)
        while True:
            begun_us = utc_us()
            try:
                waiting = _look(writer, watches, teller, as_json=as_json)
            except LedgerUnavailable as error:
                if once:
                    raise
                say(f"{error}; the next look tries again")
            else:
                if once:
                    if waiting:
                        say(
                            f"{counted(waiting, 'alert')} not delivered to everybody: the next look tries again"
                        )
                        raise typer.Exit(1)
                    return
            time.sleep(max(0.0, (begun_us + pause_us - utc_us()) / 1e6))


def _cuts(path: Path | None) -> tuple[Cut, ...]:
    from spendgraph_anomaly.watching import cuts_of

    if path is None:
        return cuts_of(None)
    from spendgraph.policy import load_policy

    return cuts_of(load_policy(path))


def _look(ledger: Ledger, watches: list[CutWatch], teller: Teller, *, as_json: bool) -> int:
    """Look at every cut once, tell people, and say what was seen; how many alerts have not reached everybody."""
    from spendgraph.clock import utc_us

    begun = time.monotonic()
    rolled = ledger.upkeep.roll()
    looks: list[Look] = []
    for each in watches:
        with shown_progress(f"scoring {each.cut.name}") as progress:
            looks.append(each.look(utc_us(), progress))
    news = [one for look in looks for one in look.news]
    told = teller.tell(ledger, [one.notice for one in news])
    for one in news:
        # Killed before this, the next look raises the same alert, which is in the ledger already.
        ledger.watch_book.mark_told(one.incident_id, one.severity)
    if as_json:
        document = {
            "looked_us": utc_us(),
            "seconds": round(time.monotonic() - begun, 3),
            "rolled": rolled,
            "cuts": [_document(look) for look in looks],
            "alerts": None if told is None else told._asdict(),
        }
        print(json.dumps(with_iso(document), ensure_ascii=False), flush=True)
    else:
        for look in looks:
            for line in _lines(look):
                print(line, flush=True)
    return 0 if told is None else told.waiting


def _document(look: Look) -> dict[str, Any]:
    return {
        "watch": look.watch,
        "scored": look.scored,
        "through_us": look.through_us,
        "changed_bins": look.changed,
        "late_nanousd": look.late_nanousd,
        "suspended": look.suspended,
        "overtaken": look.overtaken,
        "incidents": [
            {
                "incident_id": each.incident_id,
                "severity": each.severity,
                "scope": each.notice["scope"],
                "title": each.notice["title"],
                "message": each.notice["message"],
            }
            for each in look.news
        ],
    }


def _lines(look: Look) -> list[str]:
    """What a look has seen, in lines; nothing where there is nothing new."""
    from spendgraph.clock import from_us
    from spendgraph_reports.amounts import dollars

    lines: list[str] = []
    if look.overtaken:
        lines.append(f"{plain(look.watch)}: {look.overtaken}")
    if look.scored and look.through_us is not None:
        through = from_us(look.through_us).isoformat(timespec="minutes")
        lines.append(f"{plain(look.watch)}: {look.scored:,} series scored up to {through}")
    if look.changed:
        lines.append(
            f"{plain(look.watch)}: {dollars(look.late_nanousd)} came late for {counted(look.changed, 'bin')} that was"
            " scored before: noted, nobody is told"
        )
    for each in look.news:
        lines.append(f"{plain(look.watch)}: {plain(each.notice['title'])} ({each.incident_id})")
        lines.append(f"  {plain(each.notice['message'])}")
    return lines


def _named(cuts: tuple[Cut, ...]) -> str:
    return ", ".join(plain(cut.name) for cut in cuts)
