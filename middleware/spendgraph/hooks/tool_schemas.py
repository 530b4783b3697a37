"""The keywords that an agent binds to its model: tools and response formats, as `create_agent` binds them."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents.structured_output import (
    AutoStrategy,
    OutputToolBinding,
    ProviderStrategy,
    ToolStrategy,
)

if TYPE_CHECKING:
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
    tools, keywords = _formatted(request)
    if not tools:
        return keywords
    try:
        bound: Any = request.model.bind_tools(tools, tool_choice=request.tool_choice, **keywords)
    except NotImplementedError:  # the agent is about to find that out, too
        return keywords
    return dict(getattr(bound, "kwargs", keywords))


def _formatted(request: ModelRequest[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The tools with those for a response format, and the keywords for it."""
    tools: list[Any] = list(request.tools)
    wanted: Any = request.response_format
    if wanted is None:
        return tools, {}
    if not isinstance(wanted, AutoStrategy | ToolStrategy | ProviderStrategy):
        wanted = AutoStrategy(schema=wanted)
    keywords: dict[str, Any] = {}
    if isinstance(wanted, AutoStrategy | ToolStrategy):
        by_tool: Any = wanted if isinstance(wanted, ToolStrategy) else ToolStrategy(schema=wanted.schema)
        tools += [OutputToolBinding.from_schema_spec(spec).tool for spec in by_tool.schema_specs]
    if isinstance(wanted, AutoStrategy | ProviderStrategy):
        by_provider: Any = (
            wanted if isinstance(wanted, ProviderStrategy) else ProviderStrategy(schema=wanted.schema)
        )
        keywords = by_provider.to_model_kwargs()
    return tools, keywords
