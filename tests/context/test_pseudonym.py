"""Pseudonyms of users."""

from __future__ import annotations

import pytest

from spendgraph.context import CostContext, pseudonym

KEY = bytes(range(32))


def test_a_pseudonym_is_stable_and_keyed() -> None:
    """The same user under the same key, and only then; the value is pinned, because ledgers keep it."""
    alias = pseudonym("alice@example.com", KEY)
    assert alias == "u_75571d1dca301c862924e3509339b606"
    assert alias != pseudonym("bob@example.com", KEY)
    assert alias != pseudonym("alice@example.com", bytes(32))


def test_a_pseudonym_stays_itself() -> None:
    """A context that travelled through two services is hashed once."""
    alias = pseudonym("alice", KEY)
    assert pseudonym(alias, KEY) == alias
    assert CostContext(user=alias).user == alias


def test_no_user_has_no_pseudonym() -> None:
    """Unset stays unset."""
    assert pseudonym("", KEY) == ""


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_key_of_the_wrong_length_is_refused(length: int) -> None:
    """An empty key would be no secret."""
    with pytest.raises(ValueError, match=f"key: expected 16 to 64 bytes, found {length}"):
        pseudonym("alice", bytes(length))
