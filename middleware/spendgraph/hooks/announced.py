"""What LangChain announces of a model call: who answers, which model, and how long the answer may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_LENGTH_PARAMETERS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"})


class Announced(NamedTuple):
    """Provider and model in LangChain's words, and the most output tokens, if the request says."""

    provider: str
    model: str
    max_output_tokens: int | None


def announced(metadata: Mapping[str, Any], parameters: Mapping[str, Any]) -> Announced:
    """Read a call's metadata and invocation parameters."""
    model = metadata.get("ls_model_name") or parameters.get("model") or parameters.get("model_name")
    # The dearest reading: OpenAI's Responses API is sent the model's own limit although a call's smaller one is
    # what LangChain announces.
    limits = [metadata.get("ls_max_tokens")]
    if not _LENGTH_PARAMETERS.isdisjoint(parameters):
        limits += [parameters.get(name) for name in _LENGTH_PARAMETERS]
    most: int | None = None
    for limit in limits:
        if type(limit) is int and (most is None or limit > most):
            most = limit
    return Announced(str(metadata.get("ls_provider") or ""), str(model or ""), most)


def class_name(serialized: dict[str, Any] | None) -> str:
    """The class of what is called, where LangChain says no other name."""
    if not serialized:
        return ""
    return str(serialized.get("name") or (serialized.get("id") or [""])[-1])
