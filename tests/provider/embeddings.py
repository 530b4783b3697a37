"""OpenAI's embeddings and a rerank endpoint in Cohere's shape: answers that carry no id."""

from __future__ import annotations

import base64
import struct

from provider.call import JSON, Call
from provider.script import Turn


def turns(body: JSON) -> list[Turn]:
    """The texts to embed, or the query to rank by, as one user's turn."""
    found = body.get("query") or body["input"]
    return [Turn("user", found if isinstance(found, str) else "\n".join(found))]


def embed(call: Call) -> JSON:
    """One vector of four numbers a text, in the encoding that was asked for."""
    texts = call.body["input"]
    count = 1 if isinstance(texts, str) else len(texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _vector(call, index)}
            for index in range(count)
        ],
        "model": call.model,
        "usage": {"prompt_tokens": call.tokens.input, "total_tokens": call.tokens.input},
    }


def rerank(call: Call) -> JSON:
    """Every document with a score, the last document first."""
    documents = call.body["documents"]
    return {
        "results": [
            {"index": index, "relevance_score": (index + 1) / len(documents)}
            for index in reversed(range(len(documents)))
        ],
        "model": call.model,
        "meta": {"billed_units": {"search_units": 1}},
    }


def _vector(call: Call, index: int) -> list[float] | str:
    numbers = [1.0, float(index), 0.5, 0.25]
    if call.body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack("<4f", *numbers)).decode()
    return numbers
