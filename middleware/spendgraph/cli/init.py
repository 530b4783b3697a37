"""`spendgraph init`: write a commented policy to start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from spendgraph.cli.options import DEFAULT_POLICY, JsonOption
from spendgraph.cli.output import print_json, say
from spendgraph.ids import new_id


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    path: Annotated[Path, typer.Argument(help="The policy file to write.")] = DEFAULT_POLICY,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented policy to start from."""
    from spendgraph.policy import STARTER_POLICY

    try:
        write_whole(path, STARTER_POLICY, replace=force)
    except FileExistsError:
        say(f"{path} is there already and was left as it is; --force replaces it")
        raise typer.Exit(1) from None
    except OSError as error:
        say(f"cannot write {path}: {error.strerror}")
        raise typer.Exit(1) from None
    if as_json:
        print_json({"policy": str(path)})
    else:
        print(f"Wrote {path}. Meter('spendgraph.db', policy={str(path)!r}) and `spendgraph run` use it.")


def write_whole(path: Path, text: str, *, replace: bool) -> None:
    """Write a file so that a reader sees all of it or none.

    Raises:
        FileExistsError: It is there and `replace` is off.
        OSError: It cannot be written.
    """
    if not replace and path.exists():
        raise FileExistsError(path)
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        draft.write_text(text, encoding="utf-8")
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)  # unlike a rename, this refuses a file that appeared meanwhile
    finally:
        draft.unlink(missing_ok=True)
