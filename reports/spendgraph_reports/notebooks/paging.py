"""A notebook that was run, as a page: its text and what its cells showed, without its code unless that is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import mistune
from markupsafe import Markup

from spendgraph_reports.notebooks.showing import MIME
from spendgraph_reports.rendering import assembled
from spendgraph_reports.rendering.text import visible

ONLY_HERE: Final = "only-in-jupyter"
"""The tag of cells that say how to use the notebook: a page does not have them."""

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*m")


def to_page(
    notebook: Any, *, when: str = "", code: bool = False, foot: Mapping[str, str] | None = None
) -> str:
    """The page of a notebook with outputs.

    Its first heading is the title. Text is Markdown in which HTML is text; of outputs what `show` made is taken as it is, everything else as plain text.

    Args:
        notebook: In nbformat's form, as `run` returns it.
        when: The period.
        code: Whether the code of the cells is on the page too.
        foot: With what it was made.
    """
    title = "Notebook"
    made: list[Markup] = []
    for cell in notebook.cells:
        if ONLY_HERE in cell.metadata.get("tags", []):
            continue
        text = str(cell.source)
        if cell.cell_type == "markdown":
            if match := re.match(r"# (.+)\n?", text):
                title, text = match[1], text[match.end() :]
            if text.strip():
                made.append(Markup(_markdown()(text)))  # noqa: S704 - mistune escapes HTML
        elif cell.cell_type == "code":
            if code and text.strip():
                made.append(Markup('<pre class="code"><code>{}</code></pre>').format(text))
            made += [shown for output in cell.outputs if (shown := _output(output))]
    return assembled(title, [("", made)], when=when, foot=foot)


def _output(output: Any) -> Markup:
    match output.output_type:
        case "stream":
            return _plain(output.text)
        case "error":
            return _plain("\n".join(output.traceback))
        case _:
            data = output.data
            if MIME in data:
                return Markup(data[MIME])  # noqa: S704 - `show` made it
            return _plain(data.get("text/plain", ""))


def _plain(text: str) -> Markup:
    lines = [visible(line) for line in _ESCAPES.sub("", text).splitlines()]
    return Markup("<pre>{}</pre>").format("\n".join(lines)) if any(lines) else Markup("")


@cache
def _markdown() -> Any:
    return mistune.create_markdown(escape=True)
