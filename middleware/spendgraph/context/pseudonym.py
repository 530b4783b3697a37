"""A stable stand-in for a user's id: tells users apart and joins their rows, without naming them."""

from __future__ import annotations

import re

_PSEUDONYM = re.compile(r"u_[0-9a-f]{32}")


def pseudonym(user: str, key: bytes) -> str:
    """`u_` and 32 hex digits of the user's id, keyed so that nobody without the key can try names.

    A pseudonym stays itself, so that a context that has travelled is not hashed twice; an unset user stays
    unset.

    Args:
        user: The user's id.
        key: The ledger's secret, 16 to 64 bytes.

    Raises:
        ValueError: The key has another length.
    """
    if not 16 <= len(key) <= 64:
        raise ValueError(f"key: expected 16 to 64 bytes, found {len(key)}")
    if not user or _PSEUDONYM.fullmatch(user):
        return user
    from hashlib import blake2b

    return "u_" + blake2b(user.encode(), digest_size=16, key=key, person=b"spendgraph-user").hexdigest()
