"""OpenAI's Responses API on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator

from provider.call import JSON, Call, Event
from provider.openai_chat import CREATED, plain_text
from provider.script import Turn


def turns(body: JSON) -> list[Turn]:
    """The conversation of a request: instructions, a plain string or a list of items."""
    first = [Turn("system", body["instructions"])] if body.get("instructions") else []
    items = body["input"]
    if isinstance(items, str):
        return [*first, Turn("user", items)]
    rest: list[Turn] = []
    for item in items:
        if item.get("type") == "function_call":
            rest.append(Turn("assistant", "", (item["name"],)))
        else:
            rest.append(Turn(item.get("role", "tool"), plain_text(item.get("content"))))
    return [*first, *rest]


def response_id(call: Call) -> str:
    """The id of an answer."""
    return f"resp_{call.number:08d}"


def usage(call: Call) -> JSON:
    """Usage as the Responses API words it."""
    tokens = call.tokens
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cache_read},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def answer(call: Call) -> JSON:
    """The whole answer."""
    return _response(call, "completed", _items(call), usage(call))


def events(call: Call) -> Iterator[Event]:
    """The answer as a stream of numbered events."""
    number = 0

    def event(kind: str, payload: JSON, produced: float) -> Event:
        nonlocal number
        data = {"type": kind, "sequence_number": number, **payload}
        number += 1
        return Event(f"event: {kind}\ndata: {json.dumps(data)}\n\n", produced)

    yield event("response.created", {"response": _response(call, "in_progress", [], None)}, 0.0)
    yield event("response.in_progress", {"response": _response(call, "in_progress", [], None)}, 0.0)
    for index, item in enumerate(_items(call)):
        where: JSON = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "function_call":
            started = {**item, "arguments": "", "status": "in_progress"}
            yield event("response.output_item.added", {"output_index": index, "item": started}, 0.5)
            yield event("response.function_call_arguments.delta", {**where, "delta": item["arguments"]}, 1.0)
            yield event(
                "response.function_call_arguments.done", {**where, "arguments": item["arguments"]}, 1.0
            )
            yield event("response.output_item.done", {"output_index": index, "item": item}, 1.0)
            continue
        opened: JSON = {**item, "content": [], "status": "in_progress"}
        yield event("response.output_item.added", {"output_index": index, "item": opened}, 0.0)
        where["content_index"] = 0
        empty: JSON = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield event("response.content_part.added", {**where, "part": empty}, 0.0)
        pieces = call.pieces
        for position, piece in enumerate(pieces, start=1):
            delta: JSON = {**where, "delta": piece, "logprobs": []}
            yield event("response.output_text.delta", delta, position / len(pieces))
        yield event("response.output_text.done", {**where, "text": call.script.text, "logprobs": []}, 1.0)
        yield event("response.content_part.done", {**where, "part": item["content"][0]}, 1.0)
        yield event("response.output_item.done", {"output_index": index, "item": item}, 1.0)
    yield event("response.completed", {"response": answer(call)}, 1.0)


def _items(call: Call) -> list[JSON]:
    calls = call.calls
    if calls:
        return [
            {
                "type": "function_call",
                "id": f"fc_{call.number}_{position}",
                "call_id": f"call_{call.number}_{position}",
                "name": name,
                "arguments": json.dumps(arguments),
                "status": "completed",
            }
            for position, (name, arguments) in enumerate(calls)
        ]
    text: JSON = {"type": "output_text", "text": call.script.text, "annotations": [], "logprobs": []}
    return [
        {
            "type": "message",
            "id": f"msg_{call.number}",
            "role": "assistant",
            "status": "completed",
            "content": [text],
        }
    ]


def _response(call: Call, status: str, output: list[JSON], used: JSON | None) -> JSON:
    return {
        "id": response_id(call),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": call.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "service_tier": call.tier or "default",
        "usage": used,
    }
