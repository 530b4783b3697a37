"""Running a notebook: with parameters, in a process of its own, in a folder that is gone afterwards, without a network."""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from traitlets.config import Config

from spendgraph_reports.errors import NotebookError
from spendgraph_reports.notebooks.nodes import new_code

PARAMETERS: Final = "parameters"
"""The tag of the cell whose values are replaced, as papermill has it."""

_INJECTED: Final = "injected-parameters"


def run(notebook: Any, parameters: Mapping[str, str], *, timeout_s: int = 3_600) -> Any:
    """A notebook with its outputs; the one given stays as it is.

    Args:
        notebook: In nbformat's form, with one cell that is tagged `parameters`.
        parameters: Values for names that this cell sets.
        timeout_s: How long one cell may take.

    Raises:
        NotebookError: A cell failed or took too long, or a parameter is not one of the notebook's.
    """
    # Here, for a notebook's own process imports this room too, and runs none.
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    filled = _with(notebook, parameters)
    with tempfile.TemporaryDirectory(prefix="sg-", ignore_cleanup_errors=True) as folder:
        client = NotebookClient(
            filled,
            timeout=timeout_s,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            config=_sockets(folder),
        )
        try:
            # Neither reads nor writes what the user keeps for IPython: no startup files, no history.
            client.execute(env=os.environ | {"IPYTHONDIR": folder, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
        except CellExecutionError as error:
            raise NotebookError(f"a cell of the notebook failed: {error.ename}: {error.evalue}") from error
        except CellTimeoutError as error:
            raise NotebookError(f"a cell of the notebook took longer than {timeout_s:,} seconds") from error
        except DeadKernelError as error:
            raise NotebookError("the notebook's process died, perhaps for want of memory") from error
    return filled


def _with(notebook: Any, parameters: Mapping[str, str]) -> Any:
    filled = deepcopy(notebook)
    places = [at for at, cell in enumerate(filled.cells) if PARAMETERS in cell.metadata.get("tags", [])]
    if len(places) != 1:
        raise NotebookError(f"expected one cell tagged {PARAMETERS}, found {len(places)}")
    known = {
        target.id
        for statement in ast.parse(str(filled.cells[places[0]].source)).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    if unknown := sorted(set(parameters) - known):
        raise NotebookError(
            f"expected parameters out of {', '.join(sorted(known))}, found {', '.join(unknown)}"
        )
    lines = [f"{name} = {value!r}" for name, value in parameters.items()]
    filled.cells.insert(places[0] + 1, new_code("\n".join(lines), [_INJECTED]))
    return filled


def _sockets(folder: str) -> Config:
    """Talk to the notebook's process through files in its private folder, where there are such sockets."""
    if os.name != "posix":
        return Config()
    return Config(
        {"KernelManager": {"transport": "ipc", "connection_file": str(Path(folder, "kernel.json"))}}
    )
