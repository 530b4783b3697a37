"""The names and values a tag may have: shared by the policy file and by `CostContext`.

No pydantic here: a context is imported and built on the way to a first callback. Values are data and kept as
they are (SQL, HTML and formulas included) but for two things: text is NFC-normalised, so that two spellings
of one `é` are one tenant, and what a reader cannot see is refused, so that two tenants never look alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spendgraph.errors import ContextError

if TYPE_CHECKING:
    from collections.abc import Iterable

STANDARD_TAGS = (
    "feature",
    "team",
    "workload_class",
    "tenant",
    "environment",
    "user",
    "version",
    "template",
    "template_version",
    "workspace",
    "project",
    "cost_center",
    "priority",
)
"""The tags that say who pays, in the order of the ledger's `contexts` columns."""

CORE_TAGS = STANDARD_TAGS[:5]
"""The tags every dollar should have; all five are missing from an empty context."""

WORKLOAD_CLASSES = ("interactive", "batch", "eval", "background")

MAX_TAG_CHARS = 256
MAX_EXTRA_TAGS = 16

EXTRA_PREFIX = "x_"
"""An extra tag `region` is written `x_region` wherever tags are named: policy, metadata, baggage."""

EXTRA_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")

_ESCAPES = str.maketrans({"%": "%25", ",": "%2C", "=": "%3D"})

# Not in the categories below, and yet nothing a reader sees: joiners, fillers and variation selectors.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_REFUSED = {
    "Cc": "control character",
    "Cf": "invisible format character",
    "Cs": "lone surrogate",
    "Zl": "line separator",
    "Zp": "paragraph separator",
}


def tag_text(name: str, value: object) -> str:
    """Check one tag's value and return it as kept: a plain `str` in Unicode's form NFC.

    Args:
        name: The tag, for the error message.
        value: Any string, `StrEnum` members included.

    Raises:
        ContextError: The value is no string, longer than 256 characters, or holds control or invisible
            characters (zero-width joiners, bidi marks, variation selectors), line separators or lone
            surrogates.
    """
    if not isinstance(value, str):
        raise ContextError(f"tag {name!r}: expected a str, found {type(value).__name__}; pass it as text")
    text = str.__str__(value)  # a (str, Enum) member would print as its name
    if len(text) <= MAX_TAG_CHARS:
        if text.isascii() and text.isprintable():
            return text
        text = _visible(name, text)
    if len(text) > MAX_TAG_CHARS:
        raise ContextError(
            f"tag {name!r}: expected at most {MAX_TAG_CHARS} characters, found {len(text):,}: {text[:24]!a}..."
        )
    return text


def _visible(name: str, text: str) -> str:
    """The text in NFC, if all of it can be seen."""
    from unicodedata import category, normalize

    for position, character in enumerate(text):
        kind = "invisible character" if character in _INVISIBLE else _REFUSED.get(category(character))
        if kind:
            raise ContextError(
                f"tag {name!r}: expected visible text, found the {kind} U+{ord(character):04X} "
                f"at position {position}; remove it"
            )
    return normalize("NFC", text)


def tag_name(name: str) -> str:
    """Check the name of a tag that says who pays: a standard one, or `x_` and the key of an extra tag.

    Raises:
        ContextError: There is no such tag; the message offers the nearest name.
    """
    if name in STANDARD_TAGS or (name.startswith(EXTRA_PREFIX) and EXTRA_KEY.fullmatch(name, 2)):
        return name
    raise ContextError(
        f"unknown tag {shortened(name)}: expected one of {', '.join(STANDARD_TAGS)}, or x_<key> for an "
        f"extra tag{did_you_mean(name, STANDARD_TAGS)}"
    )


def workload_class(value: str) -> str:
    """Check a workload class.

    Raises:
        ContextError: It is none of the four.
    """
    if value not in WORKLOAD_CLASSES:
        raise ContextError(
            f"tag 'workload_class': expected one of {', '.join(WORKLOAD_CLASSES)}, found {shortened(value)}"
            f"{did_you_mean(value, WORKLOAD_CLASSES)}"
        )
    return value


def scope_text(values: Iterable[tuple[str, str]]) -> str:
    """Whose counter or series it is, by names and values; nothing for one in all.

    >>> scope_text([("tenant", "acme"), ("user", "a=b")])
    'tenant=acme,user=a%3Db'
    """
    return ",".join(f"{name}={value.translate(_ESCAPES)}" for name, value in values)


def read_scope(text: str) -> dict[str, str]:
    """The names and values that `scope_text` has written.

    >>> read_scope("tenant=acme,user=a%3Db")
    {'tenant': 'acme', 'user': 'a=b'}
    """
    parts = (part.partition("=") for part in text.split(",") if part)
    return {
        name: value.replace("%3D", "=").replace("%2C", ",").replace("%25", "%") for name, _, value in parts
    }


def did_you_mean(found: str, known: tuple[str, ...]) -> str:
    """`; did you mean 'team'?`, or nothing when no known name is near."""
    from difflib import get_close_matches

    near = get_close_matches(found[:64].lower().replace("-", "_"), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def shortened(value: object) -> str:
    """The repr of a value in ASCII, cut to what fits a message: never a megabyte, never a bidi trick."""
    text = value if isinstance(value, str) else repr(value)
    shown = ascii(text[:40])
    return f"{shown}..." if len(text) > 40 else shown
