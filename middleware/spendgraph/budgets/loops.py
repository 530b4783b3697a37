"""Calls of one task that repeat: an agent that asks the same again and again is stuck.

A call is known by a truncated keyed hash, so that no text is kept. The latest calls are in memory, on the task: a
task that goes on in another process is counted anew there.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from spendgraph.policy.breakers import LATEST

_DIGEST: Final = 8
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_MESSAGES: Final = ("messages", "contents", "input", "message", "prompt")
"""Where the requests of the providers' SDKs have what is asked."""

_IDS: Final = frozenset({"id", "tool_call_id", "tool_use_id", "call_id"})


class RecentCalls:
    """The latest calls of one task: hash and start of each.

    Attributes:
        calls: The oldest first.
        is_stopped: A loop has tripped a breaker: what is free is refused too, as long as it is open.
    """

    __slots__ = ("calls", "is_stopped")

    def __init__(self) -> None:
        self.calls: deque[tuple[bytes, int]] = deque(maxlen=LATEST)
        self.is_stopped = False


class LoopDetector:
    """Counts identical calls.

    Args:
        key: The ledger's secret: whoever does not know it cannot test guesses.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key[: hashlib.blake2b.MAX_KEY_SIZE]
        self._counting = threading.Lock()

    def note(self, recent: RecentCalls, kind: str, name: str, inputs: object, at_us: int) -> tuple[int, ...]:
        """Count a call that is about to start; when the calls identical to it started, itself the last.

        Args:
            recent: The task's calls.
            kind: The step's kind.
            name: The tool, or the model.
            inputs: The arguments, or the messages.
            at_us: When it starts.
        """
        asked = _asked(kind, inputs)
        text = None if asked is None else _canonical((kind, name, asked))
        if text is None:
            return ()
        mark = hashlib.blake2b(text, digest_size=_DIGEST, key=self._key).digest()
        with self._counting:
            recent.calls.append((mark, at_us))
            return tuple(at for other, at in recent.calls if other == mark)


def _asked(kind: str, inputs: object) -> object:
    """What a call asks for: the arguments of a tool, the last message of a model; `None` where nobody says."""
    if kind != "model":
        return inputs
    if isinstance(inputs, Mapping):  # a raw request
        given = cast("Mapping[str, object]", inputs)
        return _last(next((given[name] for name in _MESSAGES if given.get(name)), None))
    batch = _items(inputs)
    if batch and _items(batch[0]):
        return [_last(messages) for messages in batch]
    return inputs  # the prompts of a completion model, or text


def _items(value: object) -> list[object]:
    """The items of a list or tuple; of anything else none."""
    return [*cast("list[object]", value)] if isinstance(value, list | tuple) else []


def _last(messages: object) -> object:
    items = _items(messages)
    if not items:
        return messages
    last: Any = items[-1]
    content: Any = getattr(last, "content", None)
    if content is None:
        return _without_ids(last)
    return getattr(last, "type", ""), _without_ids(content), _without_ids(getattr(last, "tool_calls", None))


def _without_ids(value: object) -> object:
    """A message, or a part of one, without the ids that are new each time."""
    if isinstance(value, dict):
        parts = cast("dict[object, object]", value)
        return {key: _without_ids(part) for key, part in parts.items() if key not in _IDS}
    if isinstance(value, list):
        return [_without_ids(part) for part in cast("list[object]", value)]
    return value


def _canonical(value: object) -> bytes | None:
    """JSON with sorted keys; `None` for what cannot be written down, which cannot be compared."""
    try:
        return orjson.dumps(value, default=str, option=_OPTIONS)
    except TypeError:  # numbers beyond 64 bits, broken surrogates, and whatever a `__str__` raises
        try:
            return json.dumps(value, sort_keys=True, default=str).encode("ascii")
        except Exception:  # noqa: BLE001 - an argument's own `__str__` failed, or it contains itself
            return None
