"""Notebooks and cells in nbformat's form: the one place that knows nbformat, which says few types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

_NBFORMAT: Any = nbformat


def read(path: Path) -> Any:
    """A notebook that is stored."""
    return _NBFORMAT.read(path, as_version=4)


def new_notebook(*cells: Any) -> Any:
    """A new notebook of these cells."""
    return _NBFORMAT.v4.new_notebook(cells=list(cells))


def new_text(source: str) -> Any:
    """A cell of Markdown."""
    return _NBFORMAT.v4.new_markdown_cell(source)


def new_code(source: str, tags: Sequence[str] = (), shown: Mapping[str, str] | None = None) -> Any:
    """A cell of code.

    Args:
        source: The code.
        tags: Its tags.
        shown: What it has shown, by MIME type.
    """
    outputs = [] if shown is None else [_NBFORMAT.v4.new_output("display_data", data=dict(shown))]
    return _NBFORMAT.v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=outputs)


def check(node: Any) -> None:
    """See that a notebook is one.

    Raises:
        nbformat.ValidationError: It is not.
    """
    _NBFORMAT.validate(node)
