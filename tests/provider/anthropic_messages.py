"""Anthropic's Messages on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from provider.call import JSON, Call, Event
from provider.openai_chat import plain_text
from provider.script import Turn


def turns(body: JSON) -> list[Turn]:
    """The conversation of a request; tool results are blocks of user messages and no turn of the user's."""
    found = [Turn("system", plain_text(body["system"]))] if body.get("system") else []
    for message in body["messages"]:
        content: Any = message["content"]
        blocks: list[JSON] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        calls = tuple(block["name"] for block in blocks if block["type"] == "tool_use")
        found.append(Turn(message["role"], plain_text(blocks), calls))
    return found


def response_id(call: Call) -> str:
    """The id of an answer."""
    return f"msg_{call.number:08d}"


def usage(call: Call) -> JSON:
    """Anthropic's usage: the input count excludes what was read from and written to the cache."""
    tokens = call.tokens
    written = tokens.cache_write_5m + tokens.cache_write_1h
    found: JSON = {
        "input_tokens": tokens.input - tokens.cache_read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
    }
    if tokens.web_searches:
        found["server_tool_use"] = {"web_search_requests": tokens.web_searches}
    return found


def answer(call: Call) -> JSON:
    """The whole answer."""
    return {**_message(call), "content": _blocks(call), "stop_reason": _stop(call), "usage": usage(call)}


def events(call: Call) -> Iterator[Event]:
    """The answer as a stream: the cache's split only at its start, the output's count at its end."""
    used = usage(call)
    searches = used.pop("server_tool_use", None)
    start = {**_message(call), "usage": {**used, "output_tokens": 1}}
    yield _event("message_start", {"message": start}, 0.0)
    yield _event("ping", {}, 0.0)
    for index, block in enumerate(_blocks(call)):
        if block["type"] == "tool_use":
            yield _event(
                "content_block_start", {"index": index, "content_block": {**block, "input": {}}}, 0.5
            )
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield _event("content_block_delta", {"index": index, "delta": delta}, 1.0)
        else:
            empty = {"type": "text", "text": ""}
            yield _event("content_block_start", {"index": index, "content_block": empty}, 0.0)
            pieces = call.pieces
            for position, piece in enumerate(pieces, start=1):
                delta = {"type": "text_delta", "text": piece}
                yield _event("content_block_delta", {"index": index, "delta": delta}, position / len(pieces))
        yield _event("content_block_stop", {"index": index}, 1.0)
    final: JSON = {
        "input_tokens": used["input_tokens"],
        "cache_creation_input_tokens": used["cache_creation_input_tokens"],
        "cache_read_input_tokens": used["cache_read_input_tokens"],
        "output_tokens": used["output_tokens"],
    }
    if searches:
        final["server_tool_use"] = searches
    reason: JSON = {"stop_reason": _stop(call), "stop_sequence": None}
    yield _event("message_delta", {"delta": reason, "usage": final}, 1.0)
    yield _event("message_stop", {}, 1.0)


def _message(call: Call) -> JSON:
    return {
        "id": response_id(call),
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _blocks(call: Call) -> list[JSON]:
    calls = call.calls
    if not calls:
        return [{"type": "text", "text": call.script.text}]
    return [
        {"type": "tool_use", "id": f"toolu_{call.number}_{position}", "name": name, "input": arguments}
        for position, (name, arguments) in enumerate(calls)
    ]


def _stop(call: Call) -> str:
    return "tool_use" if call.calls else "max_tokens" if call.script.cut else "end_turn"


def _event(kind: str, payload: JSON, produced: float) -> Event:
    return Event(f"event: {kind}\ndata: {json.dumps({'type': kind, **payload})}\n\n", produced)
