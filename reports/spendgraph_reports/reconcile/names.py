"""Models under the names that invoices and ledgers have for them."""

from __future__ import annotations

import re
from collections.abc import Iterable

UNGROUPED = frozenset({"(all models)", "(not said)"})
"""What readers say of lines that name no model."""

_DATED = re.compile(r"-(\d{8}|\d{4}-\d\d-\d\d)$")


def align(billed: Iterable[str], booked: Iterable[str]) -> dict[str, str]:
    """Which names mean the same: each name, and the one its row is shown under.

    A name that both sides know stays what it is. Otherwise `gpt-4o-2024-08-06` is `gpt-4o`, and `Claude Sonnet 4.5`
    is `claude-sonnet-4-5-20250929`: writing and dates aside they are equal. The ledger's name is shown.

    >>> align(["Claude Sonnet 4.5", "gpt-4o"], ["claude-sonnet-4-5-20250929", "gpt-4o"])["Claude Sonnet 4.5"]
    'claude-sonnet-4-5-20250929'
    """
    billed, booked = sorted(set(billed)), sorted(set(booked))
    common = {_folded(name) for name in billed} & {_folded(name) for name in booked}
    shown: dict[str, str] = {}
    aligned: dict[str, str] = {}
    for name in (*booked, *billed):
        folded = _folded(name)
        key = folded if folded in common else _DATED.sub("", folded)
        aligned[name] = shown.setdefault(key, name)
    return aligned


def _folded(name: str) -> str:
    return re.sub(r"[\s._]+", "-", name.strip().lower())
