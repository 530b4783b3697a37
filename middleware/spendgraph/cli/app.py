"""The frame of the command line: it builds the app, runs one command and turns errors into messages.

Commands are functions in modules with a `register(app)`. This package's own are listed here; other
distributions and packages add theirs through the entry-point group `spendgraph.commands`, so the middleware
knows nothing of what is built on it. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated

import typer

from spendgraph.errors import SpendgraphError

COMMAND_GROUP = "spendgraph.commands"
OWN_COMMANDS = (
    "init",
    "run",
    "top",
    "task",
    "budgets",
    "breakers",
    "approvals",
    "resume",
    "rollup",
    "prune",
    "verify",
    "doctor",
)

PROBLEM = 1
USAGE = 2
INTERRUPTED = 130

HELP = """Every step of your agents, attributed, priced and in a ledger.

\b
Exit codes: 0 all is well, 1 a problem was found, 2 called wrongly.
`run` passes on the exit code of what it ran.
"""


def build() -> typer.Typer:
    """The whole app: own commands in their order, then what installed packages register."""
    app = typer.Typer(
        name="spendgraph",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in OWN_COMMANDS:
        import_module(f"spendgraph.cli.{name}").register(app)
    for entry in sorted(entry_points(group=COMMAND_GROUP), key=lambda found: found.name):
        try:
            entry.load()(app)
        except ImportError as error:
            # One package's broken install must not take `verify` away; it is said, not hidden.
            print(f"spendgraph: the commands of {entry.value!r} are missing: {error}", file=sys.stderr)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; `sys.argv` when no arguments are given."""
    try:
        build()(list(arguments) if arguments is not None else None, prog_name="spendgraph")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return PROBLEM
    except SpendgraphError as error:
        print(f"spendgraph: {error}", file=sys.stderr)
        return PROBLEM
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"spendgraph {version('spendgraph')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Hold the options that come before any command."""
