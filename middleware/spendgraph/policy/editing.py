"""Adds a budget to a policy file and leaves every other byte of it alone.

The text is not written anew from what it says: the entry goes in behind the last one, in the file's own indentation
and line ends. The result is read before it is written, and must say what the file said, and the new budget.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from spendgraph.errors import PolicyError
from spendgraph.policy.document import BoundedLoader
from spendgraph.policy.loader import load_policy, parse_policy

if TYPE_CHECKING:
    from spendgraph.policy.budgets import Budget
    from spendgraph.policy.models import Policy

Entry = Mapping[str, object]
"""A budget as the file says it: its keys in order, with text, lists of text and mappings of them."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
"""Text that needs no quotes, wherever it stands."""


class Added(NamedTuple):
    """A budget that was added, and the line of the file where it begins."""

    budget: Budget
    line: int


def add_budget(path: str | Path, entry: Entry) -> Added:
    """Add a budget to a policy file; readers see the old file or the new one, and its permissions stay.

    Args:
        path: The file, or a link to it.
        entry: The budget's keys and values, as the file would say them.

    Raises:
        PolicyError: The file cannot be read or written, or is not valid; the entry is not, or its name is taken; or the
            file is written in a way in which nothing can be added to it. The file is as it was.
    """
    place = Path(os.path.realpath(path))
    before = load_policy(place)
    budget = _checked(entry)
    for other in before.budgets:
        if other.name == budget.name:
            raise PolicyError(
                f"expected a name of its own for the budget, found {budget.name!r}: that one is there already",
                path=str(path),
            )
    try:
        content = place.read_bytes()
        mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
        text = content.removeprefix(mark).decode()
        edited, line = _inserted(text, entry)
        if edited is None or not _says(edited, before, budget):
            raise PolicyError(
                "the file is written in a way in which nothing can be added to it: put this under `budgets` by hand:\n"
                + _block(entry, "  "),
                path=str(path),
            )
        _replace(place, content, mark + edited.encode())
    except OSError as error:
        raise PolicyError(
            f"the policy file cannot be changed: {error.strerror or error}", path=str(path)
        ) from error
    return Added(budget, line)


def _checked(entry: Entry) -> Budget:
    """The budget that an entry stands for; what is wrong with it is said without a line, because it has none yet."""
    try:
        return parse_policy(f"budgets:\n{_block(entry, '  ')}").budgets[0]
    except PolicyError as error:
        words = re.sub(r"^<policy>(:\d+)?: (budgets\[0\](\.|: )?)?", "", str(error), flags=re.MULTILINE)
        raise PolicyError(words, path="the new budget") from None


def _says(text: str, before: Policy, budget: Budget) -> bool:
    """Whether a text says what the policy said, and the new budget."""
    try:
        after = parse_policy(text)
    except PolicyError:
        return False
    return after == before.model_copy(update={"budgets": (*before.budgets, budget)})


def _inserted(text: str, entry: Entry) -> tuple[str | None, int]:
    """The text with the entry, and the entry's line; `None` where it has no place."""
    end = "\r\n" if "\r\n" in text else "\n"
    root = BoundedLoader(text).get_single_node()
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return _at(text, len(text), _under_key(entry, end), end)
    if not isinstance(root, yaml.MappingNode):
        return None, 0
    found = next((pair for pair in root.value if pair[0].value == "budgets"), None)
    if found is None:
        if root.flow_style:
            return None, 0
        return _at(text, _last_line_end(text, _end_of(root)), _under_key(entry, end), end)
    key, value = found
    if value.start_mark.index < key.end_mark.index:  # an alias: the list stands elsewhere
        return None, 0
    if isinstance(value, yaml.ScalarNode):  # nothing after it, or only comments
        return _at(text, _line_end(text, key.end_mark.index), _block(entry, "  ", end), end)
    if not isinstance(value, yaml.SequenceNode):
        return None, 0
    if value.flow_style:
        at = _end_of(value.value[-1]) if value.value else value.start_mark.index + 1
        line = text.count("\n", 0, at) + 1
        return f"{text[:at]}{', ' if value.value else ''}{_flow(entry)}{text[at:]}", line
    indent = " " * value.start_mark.column
    return _at(text, _line_end(text, _end_of(value)), _block(entry, indent, end), end)


def _at(text: str, at: int, lines: str, end: str) -> tuple[str, int]:
    """The text with lines inserted at the beginning of a line, or after its last."""
    before = text[:at]
    if before and not before.endswith("\n"):
        before += end
    return f"{before}{lines}{text[at:]}", before.count("\n") + 1


def _end_of(node: yaml.Node) -> int:
    """Where a value ends: a block's own mark is where the next token begins, behind its comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last: Any = node.value[-1]
        return _end_of(last[1] if isinstance(node, yaml.MappingNode) else last)
    end: int = node.end_mark.index
    return end


def _line_end(text: str, at: int) -> int:
    """The beginning of the next line; a block scalar has ended with its line."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _last_line_end(text: str, at: int) -> int:
    """The end of the file, or of what stands before the mark that ends the document."""
    ended = re.compile(r"^\.\.\.", re.MULTILINE).search(text, at)
    return ended.start() if ended else len(text)


def _under_key(entry: Entry, end: str) -> str:
    return f"budgets:{end}{_block(entry, '  ', end)}"


def _block(entry: Entry, indent: str, end: str = "\n") -> str:
    """The entry as an item of a list, a key a line."""
    lines = [f"{key}: {_value(value)}" for key, value in entry.items()]
    return "".join(f"{indent}{'- ' if not n else '  '}{line}{end}" for n, line in enumerate(lines))


def _flow(entry: Entry) -> str:
    return f"{{{', '.join(f'{key}: {_value(value)}' for key, value in entry.items())}}}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_value(str(k))}: {_value(v)}' for k, v in value.items())}}}"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"  # pyright: ignore[reportUnknownArgumentType]
    text = str(value)
    # JSON's strings are YAML's, as long as nothing outside the basic plane is written as two halves.
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _replace(place: Path, before: bytes, after: bytes) -> None:
    """Put a new file in the place of an old one, whole, with its owner and permissions.

    Raises:
        OSError: It cannot be written, or somebody else has changed it meanwhile.
    """
    status = place.stat()
    file, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    draft = Path(name)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(after)
            stream.flush()
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(stream.fileno(), status.st_uid, status.st_gid)
            os.fchmod(stream.fileno(), status.st_mode & 0o7777)
            os.fsync(stream.fileno())
        if place.read_bytes() != before:
            raise OSError("somebody else has changed it meanwhile; try again")
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
