"""Reads a policy file and says, for everything wrong in it, where and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from spendgraph.errors import PolicyError
from spendgraph.policy.document import Document, DocumentError, read_document
from spendgraph.policy.models import Policy
from spendgraph.policy.vocabulary import did_you_mean, shortened

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

MAX_BYTES = 1_000_000
MAX_PROBLEMS = 20
"""Problems that one error lists."""

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}


def load_policy(path: str | Path) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: It is missing, unreadable, too large, not UTF-8, or says what a policy cannot say; the
            message lists file, line, what was expected and what was found, the first line first.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(f"the policy file cannot be read: {reason}", path=str(path)) from error
    if len(content) > MAX_BYTES:
        raise PolicyError(f"expected at most {MAX_BYTES:,} bytes, found more", path=str(path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PolicyError("expected UTF-8 text", path=str(path), line=line) from None
    return parse_policy(text, path=str(path))


def parse_policy(text: str, *, path: str = "<policy>") -> Policy:
    """Read a policy from text.

    Example:
        >>> parse_policy("attribution: {required: [feature, tenant]}").attribution.required
        ('feature', 'tenant')

    Raises:
        PolicyError: As `load_policy`.
    """
    if len(text) > MAX_BYTES:
        raise PolicyError(f"expected at most {MAX_BYTES:,} bytes, found more", path=path)
    try:
        document = read_document(text)
    except DocumentError as error:
        raise PolicyError(error.message, path=path, line=error.line) from None
    problems = list(document.problems)
    policy: Policy | None = None
    try:
        policy = Policy.model_validate(document.value)
    except ValidationError as error:
        findings = error.errors(include_url=False)[: 10 * MAX_PROBLEMS]
        problems.extend(_problem(document, details) for details in findings)
    if policy is None or problems:
        raise _policy_error(problems, path)
    return policy


def _policy_error(problems: list[tuple[int, str]], path: str) -> PolicyError:
    """One error for all problems: the first gives it its line, the others follow on lines of their own."""
    (line, first), *others = sorted(problems, key=lambda problem: problem[0])
    more = [f"{path}:{where}: {message}" for where, message in others[: MAX_PROBLEMS - 1]]
    if len(others) >= MAX_PROBLEMS:
        more.append(f"and {len(others) - MAX_PROBLEMS + 1} more")
    return PolicyError("\n".join([first, *more]), path=path, line=line)


def _problem(document: Document, details: ErrorDetails) -> tuple[int, str]:
    """Line and message of one finding of pydantic's."""
    kind, path, found = details["type"], details["loc"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys(path[:-1])
        name = str(path[-1])
        message = (
            f"unknown key {shortened(name)}: expected one of {', '.join(known)}{did_you_mean(name, known)}"
        )
        return document.line(path, of_key=True), _at(path[:-1], message)
    if kind == "missing":
        return document.line(path), _at(path[:-1], f"expected the key {str(path[-1])!r}, found none")
    if path and path[-1] == "[key]":
        path = path[:-1]
        return document.line(path, of_key=True), _at(path[:-1], _sentence(details))
    if kind == "literal_error":
        choices = str(context["expected"])
        near = did_you_mean(found, tuple(_words(choices))) if isinstance(found, str) else ""
        return document.line(path), _at(path, f"expected {choices}, found {_found(found)}{near}")
    if kind == "too_short":
        return document.line(path), _at(path, f"expected at least {context['min_length']} entry, found none")
    if kind in _EXPECTED:
        return document.line(path), _at(path, f"expected {_EXPECTED[kind]}, found {_found(found)}")
    return document.line(path), _at(path, _sentence(details))


def _sentence(details: ErrorDetails) -> str:
    """The message of a check of our own, or pydantic's words for one of its own."""
    error = details.get("ctx", {}).get("error")
    return str(error) if error is not None else f"{details['msg']}, found {_found(details['input'])}"


def _at(path: tuple[str | int, ...], message: str) -> str:
    """The message after the place it is about: `prices.models[0].model: ...`."""
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f"{'.' if place else ''}{_key(step)}"
    return f"{place}: {message}" if place else message


def _key(step: str) -> str:
    return step if step.isidentifier() and len(step) <= 40 else shortened(step)


def _found(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return shortened(value)


def _words(choices: str) -> list[str]:
    """The values in pydantic's `'a', 'b' or 'c'`."""
    return choices.split("'")[1::2]


def _keys(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys of the section at a path, as the file writes them."""
    section: type[BaseModel] = Policy
    for step in path:
        field = next(
            (field for name, field in section.model_fields.items() if _written(name, field) == step), None
        )
        inner = _section_of(field.annotation) if field is not None else None
        section = inner or section
    return tuple(_written(name, field) for name, field in section.model_fields.items())


def _written(name: str, field: FieldInfo) -> str:
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def _section_of(annotation: object) -> type[BaseModel] | None:
    """The section inside an annotation such as `tuple[Rule, ...]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_of, get_args(annotation))), None)
