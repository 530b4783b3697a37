"""A detector's state as bytes: a marker, a line of JSON, then its arrays as they lie in memory, compressed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MARK: Final = b"spendgraph detector 1\n"

Arrays = dict[str, NDArray[Any]]


def pack(plain: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Bytes of plain values (whatever JSON has) and arrays of numbers."""
    shapes = {name: [each.dtype.str, *each.shape] for name, each in arrays.items()}
    head = json.dumps({"plain": plain, "arrays": shapes}, separators=(",", ":")).encode()
    body = b"".join(np.ascontiguousarray(each).tobytes() for each in arrays.values())
    return MARK + zlib.compress(len(head).to_bytes(4, "little") + head + body, 6)


def unpack(state: bytes) -> tuple[dict[str, Any], Arrays]:
    """What `pack` was given.

    Raises:
        ValueError: The bytes are not such a state, or of another version.
    """
    if not state.startswith(MARK):
        raise ValueError(
            f"a detector's state must begin with {MARK!r}, and this begins with {state[: len(MARK)]!r}: "
            "it is of another version or no state; let the detector learn anew from the ledger"
        )
    try:
        everything = zlib.decompress(state[len(MARK) :])
        size = int.from_bytes(everything[:4], "little")
        told = json.loads(everything[4 : 4 + size])
        arrays: Arrays = {}
        place = 4 + size
        for name, (kind, *shape) in told["arrays"].items():
            dtype = np.dtype(kind)
            count = int(np.prod(shape))
            arrays[name] = np.frombuffer(everything, dtype, count, place).reshape(shape).copy()
            place += count * dtype.itemsize
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"a detector's state is damaged ({error}): let the detector learn anew from the ledger"
        ) from error
    plain: dict[str, Any] = told["plain"]
    return plain, arrays
