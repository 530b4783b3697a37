"""`BudgetMiddleware`: budgets inside LangChain's `create_agent`, where a call can still be made smaller."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from spendgraph.errors import LedgerUnavailable, unexpected
from spendgraph.hooks.attachable import require_meter
from spendgraph.hooks.cheaper import Cheaper
from spendgraph.hooks.handing_over import left_for_the_call
from spendgraph.hooks.off_loop import off_the_loop
from spendgraph.hooks.refusals import Refusal
from spendgraph.hooks.swallowed import note_refusal_inside

try:
    from langchain.agents.middleware.types import AgentMiddleware, ExtendedModelResponse, ModelResponse
except ImportError as error:
    raise ImportError(
        "spendgraph.BudgetMiddleware needs LangChain's agents: pip install 'spendgraph[agents]' (langchain>=1.4)"
    ) from error

from spendgraph.hooks.degrading import Choice, Degrading
from spendgraph.hooks.forms import Form, Forms, Trim

if TYPE_CHECKING:
    from langchain.agents.middleware.types import ModelRequest
    from langchain_core.language_models import BaseChatModel

    from spendgraph.hooks.attachable import Attachable

    Answer = ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]

NOTE = "spendgraph"
"""Where an answer's `response_metadata` says how its call was degraded."""


class BudgetMiddleware(AgentMiddleware[Any, Any, Any]):
    """Holds an agent's model calls to the meter's budgets, making them cheaper before refusing them.

    Before each call the longest answer that still fits every budget is worked out. Where the call does not fit as
    requested, its answer is bounded, optional tools are left out, the conversation is trimmed, a cheaper model is
    taken, in this order; the first form that fits is reserved in the same transaction. A `degrade` threshold of a
    budget that is passed does the same before the budget is used up.

    Put it last in `middleware`, so that it sees what is sent and every retry comes by. The run has to be the
    meter's: invoke the agent with `meter.config(...)`, in a `meter.task`, or after `meter.install()`; a run that is
    not is refused, because the rest of it would be in no books.

    It does not price tools: those, and every other call inside the run, are held to the budgets by the meter itself.

    Args:
        meter: The meter.
        cheaper: What stands in for a model: by its name, another name or a model.
        optional_tools: Names of tools that a call can do without.
        trim: Makes a conversation shorter: `trim(messages) -> messages`. Without it nothing is trimmed.
        min_output_tokens: The fewest tokens an answer is bounded to, beside what the model is told to think.
        output_limits: What a provider that is not known calls its `max_tokens`, by `ls_provider`.

    Raises:
        ValueError: An argument is not usable.

    Example:
        ```python
        agent = create_agent(model, tools, middleware=[BudgetMiddleware(meter, cheaper={"gpt-5": "gpt-5-mini"})])
        agent.invoke(inputs, meter.config(ctx))
        ```
    """

    def __init__(
        self,
        meter: Attachable,
        *,
        cheaper: Mapping[str, str | BaseChatModel] | None = None,
        optional_tools: Sequence[str] = (),
        trim: Trim | None = None,
        min_output_tokens: int = 256,
        output_limits: Mapping[str, str | tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__()
        who = "BudgetMiddleware"
        require_meter(meter, who)
        if isinstance(optional_tools, str) or not isinstance(optional_tools, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(  # noqa: TRY004 - bad arguments are one kind of error
                unexpected(who, "a list of tool names for optional_tools", optional_tools)
            )
        if not isinstance(min_output_tokens, int) or min_output_tokens < 1:  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(unexpected(who, "min_output_tokens above 0", min_output_tokens))
        self.tools = ()
        self._meter = meter
        self._recorder = meter.recorder
        forms = Forms(
            Cheaper(cheaper or {}),
            optional_tools=frozenset(optional_tools),
            trim=trim,
            min_output_tokens=min_output_tokens,
            output_limits=dict(output_limits or {}),
        )
        self._forms = forms
        self._degrading = Degrading(self._recorder, forms)
        self._usual: dict[str, str] = {}

    # Asking ahead: in a node of its own, before which nothing runs again.

    def before_model(self, state: Any, runtime: Any) -> None:  # noqa: ARG002 - LangChain's
        """Pause for a person who has to be asked before another call like the last."""
        self._demand_attached()
        if self._recorder.reservations is not None:
            self._ask_ahead()

    async def abefore_model(self, state: Any, runtime: Any) -> None:  # noqa: ARG002 - LangChain's
        """The asynchronous twin of `before_model`."""
        self._demand_attached()
        if self._recorder.reservations is not None:
            await asyncio.to_thread(self._ask_ahead)

    # Calling

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Answer:
        """Choose a form of the call, reserve for it and make it.

        Raises:
            Refusal: The call may not go out.
        """
        self._demand_attached()
        if self._recorder.reservations is None:
            return handler(request)
        choice = self._choose(self._first(request))
        if choice is None:
            return handler(request)
        outcome = choice.outcome
        request = outcome.form.request_with(outcome.bound)
        if choice.held is None:
            return _noted(handler(request), choice.changes)
        with left_for_the_call(choice.held):
            return _noted(handler(request), choice.changes)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> Answer:
        """The asynchronous twin of `wrap_model_call`: the reservation is awaited."""
        self._demand_attached()
        if self._recorder.reservations is None:
            return await handler(request)
        first = self._first(request)
        choice = await off_the_loop(lambda: self._choose(first), _not_called)
        if choice is None:
            return await handler(request)
        outcome = choice.outcome
        request = outcome.form.request_with(outcome.bound)
        if choice.held is None:
            return _noted(await handler(request), choice.changes)
        with left_for_the_call(choice.held):
            return _noted(await handler(request), choice.changes)

    # Inside

    def _first(self, request: ModelRequest[Any]) -> Form:
        return self._forms.first(request)

    def _choose(self, first: Form) -> Choice | None:
        place = self._recorder.here()
        try:
            choice = self._degrading.choose(place, first)
        except LedgerUnavailable as error:
            if not self._recorder.outages.excuses(error, place.context):
                raise
            return None  # the call goes out as it is: whoever announces it writes that down
        except Exception as error:
            note_refusal_inside(self._meter.listener.attribution.enclosing(), error)
            raise
        if choice is not None:
            if len(self._usual) > _MOST_KEPT:
                self._usual.clear()
            self._usual[place.context.feature] = choice.outcome.call.model
        return choice

    def _ask_ahead(self) -> None:
        reservations = self._recorder.reservations
        assert reservations is not None
        place = self._recorder.here()
        feature = place.context.feature
        model = self._usual.get(feature)
        usual: int | None = None
        if model is not None:
            usual = reservations.authority.history.quantile(feature, self._forms.frugal(model), 0.95)
        try:
            reservations.gating.ask_ahead(place, usual or 1)
        except Exception as error:
            note_refusal_inside(self._meter.listener.attribution.enclosing(), error)
            raise

    def _demand_attached(self) -> None:
        if not (self._meter.listener.installed or self._meter.listener.attribution.is_inside()):
            raise Refusal(
                "The agent's run is not attached to the meter of its BudgetMiddleware, so that what it spends would"
                " be in no books and count against no budget.",
                reason="not_attached",
                hint="Invoke it with meter.config(...), inside `with meter.task(...)`, or after meter.install().",
            )


_MOST_KEPT = 4_096


def _noted(answer: Answer, changes: list[dict[str, Any]]) -> Answer:
    """The answer, saying how its call was degraded; messages that others may hold are not changed."""
    if not changes:
        return answer
    if isinstance(answer, AIMessage):
        metadata = {**answer.response_metadata, NOTE: {"degraded": changes}}
        return answer.model_copy(update={"response_metadata": metadata})
    if isinstance(answer, ExtendedModelResponse):
        noted = _noted(answer.model_response, changes)
        assert isinstance(noted, ModelResponse)
        return ExtendedModelResponse(model_response=noted, command=answer.command)
    result: list[Any] = [
        _noted(message, changes) if isinstance(message, AIMessage) else message for message in answer.result
    ]
    return ModelResponse(result=result, structured_response=answer.structured_response)


def _not_called(choice: Choice | None) -> None:
    """The agent was cancelled while its reservation was made: nothing was sent."""
    if choice is not None and choice.held is not None:
        choice.held.release()
