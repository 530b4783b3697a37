"""The forms in which an agent's model call may go out: as requested, and ever cheaper.

Nothing is decided here. A form is a request and what LangChain will announce of it, worked out as the agent and the
model's integration will: the tools bound, the settings merged. Each form keeps what the ones before it gave up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel

from spendgraph.budgets.bounding import thinking_tokens
from spendgraph.hooks.announced import Announced, announced
from spendgraph.hooks.cheaper import Cheaper
from spendgraph.hooks.output_limits import limit_names
from spendgraph.hooks.tool_schemas import ToolSchemas

if TYPE_CHECKING:
    from langchain.agents.middleware.types import ModelRequest

Trim = Callable[[list[Any]], Sequence[Any]]
"""Makes a conversation shorter: `trim(messages) -> messages`."""

_PLACEHOLDER = 9_999_999
"""Stands for the bound while it is not known: no bound has more digits."""


class Form(NamedTuple):
    """One form of a model call.

    Attributes:
        request: The agent's request.
        inputs: What is sent, as LangChain announces it.
        parameters: What else is sent, without a bound of ours.
        said: Who answers, and the request's own limit.
        bounded: The parameters with a bound, or `None` where the answer cannot be bounded.
        names: What the provider calls the bound.
        longest: The most tokens the answer may have as it is: the request's limit, else the model's.
        floor: The fewest tokens that the answer may be bounded to.
        changes: What this form gives up.
    """

    request: ModelRequest[Any]
    inputs: object
    parameters: Mapping[str, Any]
    said: Announced
    bounded: Mapping[str, Any] | None
    names: tuple[str, ...]
    longest: int | None
    floor: int
    changes: tuple[dict[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The name of the model's class, as LangChain announces it."""
        return type(self.request.model).__name__

    def request_with(self, max_output_tokens: int | None) -> ModelRequest[Any]:
        """The request with a bound on its answer."""
        if max_output_tokens is None:
            return self.request
        bound = dict.fromkeys(self.names, max_output_tokens)
        return self.request.override(model_settings={**self.request.model_settings, **bound})


class Forms:
    """Makes the forms of requests.

    Args:
        cheaper: Finds the model that stands in for another.
        optional_tools: Names of tools that a call can do without.
        trim: Makes a conversation shorter, if it may be.
        min_output_tokens: The fewest tokens an answer is bounded to, beside what the model thinks.
        output_limits: What providers call the bound, beside the known ones.
    """

    def __init__(
        self,
        cheaper: Cheaper,
        *,
        optional_tools: frozenset[str],
        trim: Trim | None,
        min_output_tokens: int,
        output_limits: Mapping[str, str | tuple[str, ...]],
    ) -> None:
        self._cheaper = cheaper
        self._optional_tools = optional_tools
        self._trim = trim
        self._min_output_tokens = min_output_tokens
        self._output_limits = output_limits
        self._schemas = ToolSchemas()

    def first(self, request: ModelRequest[Any]) -> Form:
        """The call as requested."""
        return self._form(request, ())

    def all(self, first: Form) -> list[Form]:
        """Every form, the one that gives up least first."""
        return [first, *self._below(first)]

    def frugal(self, model: str) -> str:
        """The name of the cheapest model that may answer for this one."""
        return self._cheaper.last(model)

    def _below(self, first: Form) -> Iterator[Form]:
        request, changes = first.request, first.changes
        kept, dropped = self._without_optional(request)
        if dropped:
            request = request.override(tools=kept)
            changes = (*changes, {"change": "tools", "dropped": dropped})
            yield self._form(request, changes)
        if self._trim is not None:
            before = list(request.messages)
            trimmed = list(self._trim(list(before)))
            if trimmed and trimmed != before:
                request = request.override(messages=trimmed)
                changes = (*changes, {"change": "context", "messages": len(trimmed), "of": len(before)})
                yield self._form(request, changes)
        named = first.said.model
        asked_for = named
        while (model := self._cheaper.than(request.model, named)) is not None:
            request = request.override(model=model)
            form = self._form(request, changes)
            named = form.said.model
            yield form._replace(changes=(*changes, {"change": "model", "from": asked_for, "to": named}))

    def _without_optional(self, request: ModelRequest[Any]) -> tuple[list[Any], list[str]]:
        """The tools that a call cannot do without, and the names of the others."""
        kept: list[Any] = []
        dropped: list[str] = []
        chosen = _chosen(request.tool_choice)
        for tool in request.tools:
            name = name_of(tool)
            if name in self._optional_tools and name != chosen:
                dropped.append(name)
            else:
                kept.append(tool)
        # Providers reject a conversation with tool calls in it and no tools beside it.
        if not kept and any(getattr(message, "tool_calls", None) for message in request.messages):
            return list(request.tools), []
        return kept, dropped

    def _form(self, request: ModelRequest[Any], changes: tuple[dict[str, Any], ...]) -> Form:
        model, settings = request.model, request.model_settings
        keywords = {**self._schemas.of(request), **settings}
        parameters, said = announce(model, keywords)
        names = limit_names(said.provider, self._output_limits)
        bounded = None
        # One token is less than any other limit there is: where another is announced, ours would not be heeded.
        if names and announce(model, {**keywords, **dict.fromkeys(names, 1)})[1].max_output_tokens == 1:
            bounded, _ = announce(model, {**keywords, **dict.fromkeys(names, _PLACEHOLDER)})
        messages = list(request.messages)
        if request.system_message is not None:
            messages.insert(0, request.system_message)
        longest = said.max_output_tokens
        if longest is None:
            longest = _of_the_model(model)
        floor = self._min_output_tokens + thinking_tokens(parameters)
        if longest is not None:
            floor = min(floor, longest)
        return Form(request, [messages], parameters, said, bounded, names, longest, floor, changes)


def announce(model: BaseChatModel, keywords: Mapping[str, Any]) -> tuple[dict[str, Any], Announced]:
    """What LangChain will announce of a call of a model with these keywords."""
    parameters = model._get_invocation_params(stop=None, **keywords)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as LangChain does
    metadata: Any = model._get_ls_params(stop=None, **keywords)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the same
    return parameters, announced(metadata, parameters)


def name_of(tool: Any) -> str:
    """A tool's name: of a tool, of its schema, or of a provider's own."""
    if not isinstance(tool, Mapping):
        return str(getattr(tool, "name", ""))
    described = cast("Mapping[str, Any]", tool)
    function: Any = described.get("function")
    if isinstance(function, Mapping):
        described = cast("Mapping[str, Any]", function)
    return str(described.get("name") or described.get("type") or "")


def _chosen(tool_choice: Any) -> str:
    """The name of the tool that the model has to call, if it has to."""
    return name_of(tool_choice) if isinstance(tool_choice, Mapping) else str(tool_choice or "")


def _of_the_model(model: BaseChatModel) -> int | None:
    """The most tokens the model can answer with, if its profile says."""
    profile: Any = getattr(model, "profile", None)
    if not isinstance(profile, Mapping):
        return None
    most: Any = cast("Mapping[str, Any]", profile).get("max_output_tokens")
    return most if type(most) is int and most > 0 else None
