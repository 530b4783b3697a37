"""Ids of our own: from the operating system, never from `uuid.uuid4`.

People's tests patch `uuid.uuid4` with a fixed sequence and count its calls; a handler that draws from it
changes their outcome.
"""

from __future__ import annotations

import os


def new_id() -> str:
    """32 hex digits of operating-system randomness."""
    return os.urandom(16).hex()
