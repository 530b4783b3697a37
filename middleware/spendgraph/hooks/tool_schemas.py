"""The keywords that an agent binds to its model: tools and response formats, as `create_agent` binds them."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain.agents.structured_output import (
    AutoStrategy,
    OutputToolBinding,
    ProviderStrategy,
    ToolStrategy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain.agents.middleware.types import ModelRequest

_MOST_KEPT = 64

_Kept = tuple[object, tuple[object, ...], object, dict[str, Any]]


class ToolSchemas:
    """Remembers what was bound: making schemas of tools takes a millisecond each time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, tuple[int, ...], int, str], _Kept] = {}

    def of(self, request: ModelRequest[Any]) -> dict[str, Any]:
        """The keywords for a request's tools and response format.

        Where the agent decides only later how it gets a response of its format, both ways count.
        """
        tools, wanted = tuple(request.tools), request.response_format
        key = (id(request.model), tuple(map(id, tools)), id(wanted), repr(request.tool_choice))
        known = self._kept.get(key)
        if known is not None:
            return known[3]
        keywords = _bound(request)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        # The objects are kept, so that no other can get their ids.
        self._kept[key] = request.model, tools, wanted, keywords
        return keywords


def _bound(request: ModelRequest[Any]) -> dict[str, Any]:
    """Of the ways in which the agent may get its response, the one with the most to send."""
    bound: dict[str, Any] = {}
    most = -1
    for tools, keywords in _ways(request):
        found = _bind(request.model, tools, keywords)
        size = len(json.dumps(found, default=str))
        if size > most:
            bound, most = found, size
    return bound


def _bind(model: Any, tools: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    if not tools and "response_format" not in keywords:
        return {}
    try:
        bound: Any = model.bind_tools(tools, **keywords)
    except Exception:  # noqa: BLE001 - the agent is about to run into it itself, or goes the other way
        return {}
    return dict(getattr(bound, "kwargs", keywords))


def _ways(request: ModelRequest[Any]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Tools and keywords of each way, as LangChain's agents bind them."""
    tools: list[Any] = list(request.tools)
    wanted: Any = request.response_format
    if wanted is None:
        yield tools, {"tool_choice": request.tool_choice}
        return
    if not isinstance(wanted, AutoStrategy | ToolStrategy | ProviderStrategy):
        wanted = AutoStrategy(schema=wanted)
    if isinstance(wanted, AutoStrategy | ToolStrategy):
        by_tool: Any = wanted if isinstance(wanted, ToolStrategy) else ToolStrategy(schema=wanted.schema)
        more = [OutputToolBinding.from_schema_spec(spec).tool for spec in by_tool.schema_specs]
        yield [*tools, *more], {"tool_choice": "any"}
    if isinstance(wanted, AutoStrategy | ProviderStrategy):
        by_provider: Any = (
            wanted if isinstance(wanted, ProviderStrategy) else ProviderStrategy(schema=wanted.schema)
        )
        strict = {"strict": True} if _is_openais(request.model) else {}
        yield tools, {**by_provider.to_model_kwargs(), **strict}


def _is_openais(model: Any) -> bool:
    """Whether LangChain adds `strict` to the model's tools where it has a response format."""
    is_openais = any(base.__name__ == "BaseChatOpenAI" for base in type(model).__mro__)
    return is_openais and not getattr(model, "use_responses_api", False)
