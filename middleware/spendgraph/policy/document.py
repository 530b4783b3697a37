"""A YAML document as plain text, lists and mappings, every value with its line.

Scalars stay the text that was written (`NO`, `1e3` and `01` are no booleans, floats or octals), a key with
nothing after it counts as absent, duplicate keys are errors. Aliases are followed, within bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml

from spendgraph.policy.vocabulary import shortened

MAX_NODES = 20_000
"""Values a document may hold once its aliases are followed: a few nested aliases can stand for billions."""

MAX_DEPTH = 32

Value = str | list["Value"] | dict[str, "Value"]

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "seq", "map")
)


class DocumentError(ValueError):
    """The text is no YAML document that can be read at all; `line` says where, 0 for the whole."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(slots=True)
class Document:
    """What a text says, and where.

    Attributes:
        value: The values, an empty mapping for an empty text.
        problems: Line and message of everything wrong with it as YAML.
    """

    value: Value = field(default_factory=dict[str, "Value"])
    problems: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    _root: yaml.Node | None = None

    def line(self, path: Sequence[str | int], *, of_key: bool = False) -> int:
        """The line of the value at a path, or of the nearest value around it; 1 for an empty document."""
        node, key = self._root, self._root
        for step in path:
            for at, child_key, child in _children(node):
                if at == step:
                    node, key = child, child_key
                    break
            else:
                break
        found = key if of_key else node
        return found.start_mark.line + 1 if found is not None else 1


def read_document(text: str) -> Document:
    """Read one YAML document.

    Raises:
        DocumentError: It is not YAML, holds several documents, refers to itself, or is too large or deep.
    """
    try:
        root: yaml.Node | None = BoundedLoader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(
            f"expected valid YAML: {error.problem or error.context}", mark.line + 1 if mark else 0
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(
            f"expected text, found the character U+{ord(text[error.position]):04X}", line
        ) from None
    document = Document(_root=root)
    if root is not None and not _is_absent(root):
        document.value = _Reader(document.problems).read(root, ())
    return document


class BoundedLoader(yaml.SafeLoader):
    """Stops at the first value too many, or level too deep, before a megabyte of brackets is parsed."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one value."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise DocumentError(f"expected at most {MAX_NODES:,} values", self.line + 1)
        if self._depth >= MAX_DEPTH:
            raise DocumentError(f"expected at most {MAX_DEPTH} levels of nesting", self.line + 1)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        self.nodes = 0

    def read(self, node: yaml.Node, around: tuple[int, ...]) -> Value:
        line = node.start_mark.line + 1
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise DocumentError(f"expected at most {MAX_NODES:,} values, aliases followed", line)
        if id(node) in around:
            raise DocumentError("expected values, found an alias inside the value that it stands for", line)
        if len(around) >= MAX_DEPTH:
            raise DocumentError(f"expected at most {MAX_DEPTH} levels of nesting", line)
        if node.tag not in _PLAIN_TAGS:
            self.problems.append((line, f"expected a plain value, found the YAML tag {shortened(node.tag)}"))
        around = (*around, id(node))
        if isinstance(node, yaml.MappingNode):
            return self.read_mapping(node, around)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, around) for child in node.value]
        return str(node.value)

    def read_mapping(self, node: yaml.MappingNode, around: tuple[int, ...]) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        lines: dict[str, int] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append((line, "expected text as a key, found a list or a mapping"))
                continue
            name = str(key.value)
            if key.tag == "tag:yaml.org,2002:merge":
                self.problems.append((line, "expected a key, found the merge key '<<': write the keys out"))
                continue
            value = self.read(child, around)
            if name in lines:
                self.problems.append(
                    (line, f"duplicate key {shortened(name)}: it stands on line {lines[name]} too")
                )
                continue
            lines[name] = line
            if not _is_absent(child):
                mapping[name] = value
        return mapping


def _is_absent(node: yaml.Node) -> bool:
    """Whether nothing was written after a key: all of a section's lines may be commented out."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null" and not node.value


def _children(node: yaml.Node | None) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
    """The steps from a node, each with the node of its key and of its value."""
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield str(key.value), key, child
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield index, child, child
