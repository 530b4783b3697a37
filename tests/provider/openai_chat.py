"""OpenAI's Chat Completions on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator

from provider.call import JSON, Call, Event
from provider.script import Turn

CREATED = 1_790_000_000
"""When every answer says it was made."""


def plain_text(content: str | list[JSON] | None) -> str:
    """The text of a message's content: a string, a list of parts or nothing."""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or ())


def turns(body: JSON) -> list[Turn]:
    """The conversation of a request."""
    return [
        Turn(
            role=message["role"],
            text=plain_text(message.get("content")),
            calls=tuple(call["function"]["name"] for call in message.get("tool_calls") or ()),
        )
        for message in body["messages"]
    ]


def response_id(call: Call) -> str:
    """The id of an answer."""
    return f"chatcmpl-{call.number:08d}"


def usage(call: Call) -> JSON:
    """OpenAI's usage: cached tokens inside the prompt's, reasoning inside the completion's."""
    tokens = call.tokens
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def answer(call: Call) -> JSON:
    """The whole answer."""
    calls = _tool_calls(call)
    text = call.script.text[: len(call.script.text) // 2] if call.script.cut else call.script.text
    message: JSON = {"role": "assistant", "content": None if calls else text, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    return {
        **_envelope(call, "chat.completion"),
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": _finish(call)}
            for index in range(call.body.get("n") or 1)
        ],
        "usage": usage(call),
    }


def events(call: Call) -> Iterator[Event]:
    """The answer as a stream; usage comes last and only to those who asked for it."""
    envelope = _envelope(call, "chat.completion.chunk")
    options: JSON = call.body.get("stream_options") or {}
    wants_usage = bool(options.get("include_usage"))
    unknown: JSON = {"usage": None} if wants_usage else {}

    def chunk(delta: JSON, produced: float, index: int = 0, finish: str | None = None) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(_data({**envelope, "choices": [choice], **unknown}), produced)

    choices = range(call.body.get("n") or 1)
    for index in choices:
        yield chunk({"role": "assistant", "content": ""}, 0.0, index)
    for position, tool_call in enumerate(_tool_calls(call)):
        for index in choices:
            yield chunk({"tool_calls": [{"index": position, **tool_call}]}, 1.0, index)
    pieces = [] if call.calls else call.pieces
    for position, piece in enumerate(pieces, start=1):
        for index in choices:
            yield chunk({"content": piece}, position / len(pieces), index)
    for index in choices:
        yield chunk({}, 1.0, index, _finish(call))
    if wants_usage:
        yield Event(_data({**envelope, "choices": [], "usage": usage(call)}), 1.0)
    yield Event("data: [DONE]\n\n", 1.0)


def _envelope(call: Call, kind: str) -> JSON:
    return {
        "id": response_id(call),
        "object": kind,
        "created": CREATED,
        "model": call.model,
        "service_tier": call.tier or "default",
        "system_fingerprint": "fp_loopback",
    }


def _finish(call: Call) -> str:
    return "tool_calls" if call.calls else "length" if call.script.cut else "stop"


def _tool_calls(call: Call) -> list[JSON]:
    return [
        {
            "id": f"call_{call.number}_{position}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for position, (name, arguments) in enumerate(call.calls)
    ]


def _data(payload: JSON) -> str:
    return f"data: {json.dumps(payload)}\n\n"
