"""Where the notebooks are: in the package where it is installed, beside its folder in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spendgraph_reports.errors import NotebookError
from spendgraph_reports.notebooks.nodes import read


def names() -> list[str]:
    """The notebooks there are."""
    return sorted(path.stem for path in _folder().glob("*.ipynb"))


def source(name: str) -> Any:
    """A notebook as it is stored, in nbformat's form.

    Raises:
        NotebookError: There is none of that name.
    """
    if name not in names():
        raise NotebookError(
            f"expected one of the notebooks {', '.join(names()) or '(none found)'}, found {name!r}"
        )
    return read(_folder() / f"{name}.ipynb")


def _folder() -> Path:
    here = Path(__file__).resolve().parent
    checkout = here.parents[2] / "notebooks"
    return checkout if not any(here.glob("*.ipynb")) and checkout.is_dir() else here
