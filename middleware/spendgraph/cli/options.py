"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from spendgraph.context import CostContext

DEFAULT_LEDGER = Path("spendgraph.db")
DEFAULT_POLICY = Path("spendgraph.yaml")

LedgerOption = Annotated[
    Path, typer.Option("--ledger", "-l", envvar="SPENDGRAPH_LEDGER", help="The ledger, a SQLite file.")
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        "-p",
        envvar="SPENDGRAPH_POLICY",
        help="The policy file; spendgraph.yaml here, when there is one.",
    ),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        "-t",
        metavar="NAME=VALUE",
        help="A tag of the cost context, or x_NAME=VALUE; repeat for more.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def misused(message: str) -> NoReturn:
    """End with exit code 2 and one line that says how the command was called wrongly."""
    print(f"spendgraph: {message}", file=sys.stderr)
    raise typer.Exit(2)


def microseconds_of(duration: str) -> int:
    """Read a duration such as `90s`, `15m`, `24h`, `7d` or `4w`; anything else ends with exit code 2."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", duration.strip())
    if match is None:
        misused(f"expected a duration such as 15m, 24h or 7d, found {duration!r}")
    return int(match[1]) * _SECONDS[match[2]] * 1_000_000


def context_of(tags: list[str] | None) -> CostContext:
    """Read `NAME=VALUE` tags; a malformed or refused one ends with exit code 2."""
    from spendgraph.context import CostContext
    from spendgraph.errors import ContextError
    from spendgraph.policy.vocabulary import EXTRA_PREFIX

    mapping: dict[str, object] = {}
    extra: dict[str, str] = {}
    for tag in tags or []:
        name, equals, value = tag.partition("=")
        if not equals or not name:
            misused(f"expected --tag NAME=VALUE, found {tag!r}")
        name = name.strip()
        key = name.removeprefix(EXTRA_PREFIX)
        if not value.strip():
            misused(f"expected a value for the tag {name!r}, found none")
        if name in mapping or (key != name and key in extra):
            misused(f"expected the tag {name!r} once, found it again with {value!r}")
        if key == name:
            mapping[name] = value
        else:
            extra[key] = value
    if extra:
        mapping["extra"] = extra
    try:
        return CostContext.from_mapping(mapping)
    except ContextError as error:
        misused(str(error))


def existing(ledger: Path) -> Path:
    """The path of a ledger that is there: a decision about another one would make an empty file and do nothing.

    Raises:
        LedgerError: It is no path of a ledger.
        LedgerUnavailable: There is none.
    """
    from spendgraph.errors import LedgerUnavailable
    from spendgraph.ledger.place import find_place

    place = find_place(ledger)
    path = Path(place.name)
    if place.in_memory or not path.exists() or (path.is_file() and path.stat().st_size == 0):
        raise LedgerUnavailable(
            f"there is no ledger at {place.name}; run an agent with a Meter on it, or give --ledger"
        )
    return ledger


def policy_path(given: Path | None) -> Path | None:
    """The policy file to use: the one given, or `spendgraph.yaml` here, or none."""
    if given is not None:
        return given
    return DEFAULT_POLICY if DEFAULT_POLICY.is_file() else None
