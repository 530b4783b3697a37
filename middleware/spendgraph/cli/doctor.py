"""`spendgraph doctor`: what is wrong here, and what goes around the meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli import script
from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    PolicyOption,
    TagOption,
    context_of,
    misused,
    policy_path,
)
from spendgraph.cli.output import plain, print_json, say
from spendgraph.cli.tables import counted

if TYPE_CHECKING:
    from spendgraph.cli.checks import Finding
    from spendgraph.cli.live import WireWatch
    from spendgraph.cli.run import Outcome

SIGNS = {"ok": "ok      ", "note": "note    ", "problem": "PROBLEM "}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", context_settings=script.PASS_ON)(doctor)


def doctor(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="With --live: its arguments.")
    ] = None,
    live: Annotated[
        str | None,
        typer.Option(
            "--live", metavar="SCRIPT", help="Run this script and report model calls that no step covers."
        ),
    ] = None,
    module: Annotated[
        bool, typer.Option("-m", help="With --live: run a module, as `python -m` does.")
    ] = False,
    ledger: LedgerOption = DEFAULT_LEDGER,
    policy: PolicyOption = None,
    tag: TagOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong; --live: which calls go around us."""
    if live is None:
        if arguments or module:
            misused(f"doctor takes no arguments without --live, found {' '.join(arguments or ['-m'])!r}")
        _examine(ledger=ledger, policy=policy, as_json=as_json)
        return
    from spendgraph.cli.live import WireWatch
    from spendgraph.cli.run import run_metered

    context = context_of(tag)
    script.find(live, module=module)
    with WireWatch() as watch:  # before the meter is made: it sees the calls of everything after it
        outcome = run_metered(
            live, arguments or [], module=module, ledger=ledger, policy=policy, context=context
        )
    if as_json:
        print_json(document(watch, outcome))
    else:
        _tell(watch, outcome)
    raise typer.Exit(1 if watch.around or outcome.exit_code else 0)


def _examine(*, ledger: Any, policy: Any, as_json: bool) -> None:
    from spendgraph.cli import checks

    findings: list[Finding] = [
        *checks.versions(),
        *checks.policy(policy_path(policy)),
        *checks.ledger(ledger),
        *checks.prices(),
        *checks.hooks(),
    ]
    problems = sum(1 for finding in findings if finding.state == "problem")
    if as_json:
        print_json({"problems": problems, "findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            lines = [plain(line) for line in finding.message.splitlines()]
            print("\n           ".join([f"{SIGNS[finding.state]} {finding.subject}: {lines[0]}", *lines[1:]]))
    raise typer.Exit(1 if problems else 0)


def document(watch: WireWatch, outcome: Outcome) -> dict[str, Any]:
    """What was seen, as plain data."""
    return {
        "exit_code": outcome.exit_code,
        "task_id": outcome.task_id,
        "covered": watch.covered,
        "around": [{**call._asdict(), "calls": count} for call, count in watch.around.most_common()],
        "watched": watch.clients,
    }


def _tell(watch: WireWatch, outcome: Outcome) -> None:
    from spendgraph.cli.run import summary

    say(summary(outcome))
    were = "was" if watch.covered == 1 else "were"
    print(f"{counted(watch.covered, 'model call')} over {', '.join(watch.clients)} {were} covered by a step.")
    if not watch.around:
        print("None went around the meter.")
        return
    print(f"{watch.around.total()} WENT AROUND THE METER and are in no ledger:")
    for call, count in watch.around.most_common():
        model = f" model {call.model}" if call.model else ""
        print(plain(f"  {count} x {call.host}{call.path}{model} from {call.where} ({call.client})"))
    print("Bring them in with meter.call(...) or `with meter.step(...)`.")
