"""How a request tells the provider what to answer and for whom it is.

A script is a JSON object between `@@` marks in a system or user message. The system message's script is read
first and the last scripted user message's over it, key by key: an agent's prompt can name its purpose and its
tools while the user's message names the tenant. Tool results and answers are never read for scripts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Script:
    """What a request asks the provider to do.

    Attributes:
        purpose: What the call is for; echoed on the invoice.
        tenant: Whom the call is for; echoed on the invoice.
        input: Input tokens, cached ones included; by default a number no other response has.
        output: Output tokens, reasoning included.
        cache_read: Input tokens served from cache.
        write_5m: Input tokens written to cache for five minutes.
        write_1h: Input tokens written to cache for one hour.
        reasoning: Reasoning tokens.
        searches: Web searches the provider makes itself.
        text: The answer.
        tools: Tool calls by turn: each turn a list of `[name, arguments]`.
        fail: HTTP statuses answered, one a request, before the first answer.
        delay: Seconds before the answer.
        chunk_delay: Seconds between two chunks of a stream.
        chunks: Chunks of text in a stream.
        drop_after: Break the connection after this many chunks.
        cut: Stop by length.
    """

    purpose: str = ""
    tenant: str = ""
    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    reasoning: int = 0
    searches: int = 0
    text: str = "All is well with that."
    tools: Sequence[Sequence[tuple[str, dict[str, Any]]]] = ()
    fail: Sequence[int] = ()
    delay: float = 0.0
    chunk_delay: float = 0.0
    chunks: int = 4
    drop_after: int | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a request, whatever API it came by."""

    role: str
    text: str
    calls: tuple[str, ...] = ()


def ask(**script: Any) -> str:
    """A message that scripts its answer, or the part of it that it names."""
    return f"@@{json.dumps(script)}@@ Please help."


def read_script(turns: Sequence[Turn]) -> Script:
    """The script of a conversation."""
    keys: dict[str, Any] = {}
    users: dict[str, Any] = {}
    for turn in turns:
        start = turn.text.find("@@{") if turn.role in {"system", "developer", "user"} else -1
        if start < 0:
            continue
        # Decoded, not matched: the script of a tool call may hold a whole script for another agent.
        found = _DECODER.raw_decode(turn.text, start + 2)[0]
        if turn.role == "user":
            users = found
        else:
            keys.update(found)
    return Script(**{**keys, **users})


def next_calls(script: Script, turns: Sequence[Turn]) -> list[tuple[str, dict[str, Any]]]:
    """The tool calls that are this conversation's next turn, none when the script's turns are over."""
    ours = {name for calls in script.tools for name, _ in calls}
    start = max((i for i, turn in enumerate(turns) if turn.role == "user" and "@@" in turn.text), default=-1)
    done = sum(1 for turn in turns[start + 1 :] if ours.intersection(turn.calls))
    return [(name, arguments) for name, arguments in script.tools[done]] if done < len(script.tools) else []
