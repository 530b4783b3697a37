"""What a raw provider SDK call asks for, read from the function and its arguments.

Known are the official SDKs: openai (Azure included), anthropic (Bedrock, Vertex and Foundry clients included),
google-genai, and boto3's `converse` and `converse_stream`. No SDK is imported for that.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spendgraph.ledger.records import StepKind
from spendgraph.pricing.counts import field

Shape = Literal["plain", "stream", "manager", "http"]
"""How the answer arrives: at once, as a stream, from a `with` block, or as a body the caller reads himself."""

_CLIENTS = {
    "AzureOpenAI": "azure",
    "AnthropicBedrock": "amazon_bedrock",
    "AnthropicVertex": "google_vertexai",
}
_PACKAGES = {"openai": "openai", "anthropic": "anthropic", "google.genai": "google_genai"}

_CALLS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"Responses", "Completions", "Embeddings"}),
    "anthropic": frozenset({"Messages"}),
    "google_genai": frozenset({"Models", "Chat"}),
}
_METHODS: Mapping[str, Shape] = {
    "create": "plain",
    "parse": "plain",
    "stream": "manager",
    "generate_content": "plain",
    "generate_content_stream": "stream",
    "embed_content": "plain",
    "send_message": "plain",
    "send_message_stream": "stream",
    "converse": "plain",
    "converse_stream": "stream",
}
_INPUTS = (
    "messages",
    "input",
    "instructions",
    "system",
    "contents",
    "message",
    "prompt",
    "tools",
    "toolConfig",
)
_TRANSPORT = ("extra_headers", "extra_query", "timeout")
_OUTPUT_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One raw call, described.

    Attributes:
        provider: The provider in LangChain's words (`openai`, `google_genai`, `amazon_bedrock`, ...).
        model: The model asked for, or empty.
        kind: `model` or `embedding`.
        name: The SDK's method, such as `Responses.create`.
        shape: How the answer arrives.
        is_async: Whether calling the function returns a coroutine.
        inputs: What is sent, by reference, for an estimate; never stored.
        max_output_tokens: The request's own ceiling of each answer it asks for, or `None`.
        parameters: What else is sent, by reference; never stored.
    """

    provider: str
    model: str
    kind: StepKind
    name: str
    shape: Shape
    is_async: bool
    inputs: object
    max_output_tokens: int | None
    parameters: Mapping[str, Any]


def describe(fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RawRequest:
    """Describe a raw call before it is made.

    Raises:
        ValueError: The function is none of the known SDK methods.
    """
    bound = _innermost(fn)
    owner: object = getattr(bound, "__self__", None)
    method = str(getattr(bound, "__name__", ""))
    resource = type(owner).__name__
    provider = _provider(owner, method, resource)
    shape = _METHODS.get(method)
    if not provider or shape is None:
        raise ValueError(_unknown(fn))
    given = {**_bound_arguments(bound, args), **_partial_arguments(fn), **kwargs}
    if "streamed_response_wrapper" in _code_name(fn):
        shape = "http"
    elif given.get("stream") is True:
        shape = "stream"
    return RawRequest(
        provider=provider,
        model=str(given.get("model") or given.get("modelId") or getattr(owner, "_model", "") or ""),
        kind="embedding" if "mbed" in resource or method.startswith("embed") else "model",
        name=f"{resource}.{method}",
        shape=shape,
        is_async=shape not in {"manager", "http"} and inspect.iscoroutinefunction(inspect.unwrap(bound)),
        inputs={name: given[name] for name in _INPUTS if given.get(name)},
        max_output_tokens=_output_limit(given),
        parameters={
            name: value
            for name, value in given.items()
            if name == "tools" or not (name in _INPUTS or name in _TRANSPORT)
        },
    )


def _innermost(fn: Callable[..., object]) -> Callable[..., object]:
    """The SDK's bound method below partials and the SDKs' own raw-response wrappers."""
    inner: Any = fn
    while not hasattr(inner, "__self__") or isinstance(inner, functools.partial):
        below = inner.func if isinstance(inner, functools.partial) else getattr(inner, "__wrapped__", None)
        if below is None:
            break
        inner = below
    return inner  # type: ignore[no-any-return]


def _provider(owner: object, method: str, resource: str) -> str:
    module = type(owner).__module__
    if module.startswith("botocore."):
        return "amazon_bedrock" if method in {"converse", "converse_stream"} else ""
    package = ".".join(module.split(".")[: 2 if module.startswith("google.") else 1])
    provider = _PACKAGES.get(package, "")
    base = resource.removeprefix("Async").removeprefix("Beta")
    if not provider or base not in _CALLS[provider]:
        return ""
    client = type(getattr(owner, "_client", None)).__name__.removeprefix("Async")
    return next((name for start, name in _CLIENTS.items() if client.startswith(start)), provider)


def _bound_arguments(bound: Callable[..., object], args: tuple[Any, ...]) -> dict[str, Any]:
    """Positional arguments by name (google-genai's chats take the message that way)."""
    if not args:
        return {}
    names = list(inspect.signature(bound).parameters)
    return dict(zip(names, args, strict=False))


def _partial_arguments(fn: Callable[..., object]) -> dict[str, Any]:
    return dict(fn.keywords) if isinstance(fn, functools.partial) else {}


def _code_name(fn: Callable[..., object]) -> str:
    return str(getattr(getattr(fn, "__code__", None), "co_qualname", ""))


def _output_limit(given: Mapping[str, Any]) -> int | None:
    config = given.get("config") or given.get("inferenceConfig")
    limits: list[object] = [given.get(name) for name in _OUTPUT_LIMITS]
    limits.append(field(config, "max_output_tokens", "maxTokens"))
    return next((value for value in limits if type(value) is int and value > 0), None)


def _unknown(fn: Callable[..., object]) -> str:
    name = getattr(fn, "__qualname__", repr(fn))
    return (
        f"meter.call: {name} is not a method of a provider SDK whose usage spendgraph can read (openai, "
        "anthropic, google-genai, and boto3's converse and converse_stream). Use `with meter.step('model', "
        "provider=..., model=..., name=...) as step:` and hand its response to step.response(...)"
    )
