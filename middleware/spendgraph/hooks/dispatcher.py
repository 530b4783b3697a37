"""The one process-wide hook: LangChain hands it every run, it hands them to the meters they belong to.

A configure hook cannot be taken back, so there is one, registered when this module is imported, whose
context variable has this dispatcher as its default: runs started with `callbacks=[]`, with their own config
or in raw threads carry it too. While no meter is attached anywhere it ignores every event.
"""

# Plain attributes stand in for the base class's properties, which pyright takes for an error.
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false, reportAttributeAccessIssue=false
from __future__ import annotations

import logging
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from spendgraph.hooks.inline import inline_here
from spendgraph.hooks.outcomes import is_ours, is_refusal

if TYPE_CHECKING:
    from uuid import UUID

    from spendgraph.hooks.listener import Listener


logger = logging.getLogger(__name__)


class Dispatcher(BaseCallbackHandler):
    """Hands LangChain's events to the listeners of every attached meter."""

    raise_error = True
    ignore_retry = True
    ignore_custom_event = True
    # Plain attributes, where the base class has properties: they are asked at every event of every run.
    ignore_llm = True
    ignore_chat_model = True
    ignore_chain = True
    ignore_agent = True  # tools are filed under agents
    ignore_retriever = True
    spendgraph_inline = True
    run_inline = property(inline_here)  # see `spendgraph.hooks.inline`

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._only: Listener | None = None
        """The only listener, as nearly always: it is spared the detours that several need."""
        # Reentrant: a meter that is collected detaches itself wherever the collector runs.
        self._changing = threading.RLock()

    def attach(self, listener: Listener) -> None:
        """Hand events to this listener from now on."""
        with self._changing:
            if listener not in self._listeners:
                self._listen((*self._listeners, listener))

    def detach(self, listener: Listener) -> None:
        """Hand no more events to this listener."""
        with self._changing:
            self._listen(tuple(each for each in self._listeners if each is not listener))

    def _listen(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners = listeners
        self._only = listeners[0] if len(listeners) == 1 else None
        nobody = not listeners
        self.ignore_llm = self.ignore_chat_model = self.ignore_chain = nobody
        self.ignore_agent = self.ignore_retriever = nobody

    def _announce(self, start: str, run_id: UUID, *details: Any) -> None:
        """Hand a start to several listeners; when one refuses, the others hear that the call is not made."""
        for i, listener in enumerate(self._listeners):
            try:
                getattr(listener, start)(run_id, *details)
            except BaseException:
                for earlier in self._listeners[:i]:
                    earlier.void(run_id)
                raise

    def _announce_model(self, run_id: UUID, *details: Any) -> None:
        """Hand a model's start to several listeners; when one refuses, none of what is announced together is sent."""
        try:
            self._announce("model_start", run_id, *details)
        except BaseException:
            for listener in self._listeners:
                listener.groups.refuse(details[-1])
            raise

    def _conclude(self, end: str, run_id: UUID, *details: Any) -> None:
        """Hand an end to every listener; a paid answer is not lost because booking it failed.

        Only a refusal that was ignored is raised, at the end of a root run.
        """
        ignored: Exception | None = None
        for listener in self._listeners:
            try:
                getattr(listener, end)(run_id, *details)
            except Exception as error:
                if is_refusal(error):
                    ignored = ignored or error
                    continue
                logger.exception("spendgraph: the end of a run could not be booked (%s)", end)
        if ignored is not None:
            raise ignored

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A graph, node or chain starts."""
        name = str(kwargs.get("name") or "")
        if self._only is not None:
            self._only.chain_start(run_id, parent_run_id, metadata, name, inputs, tags)
        else:
            self._announce("chain_start", run_id, parent_run_id, metadata, name, inputs, tags)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A graph, node or chain ended."""
        self._conclude("chain_end", run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A graph, node or chain ended with an exception."""
        self._conclude("chain_error", run_id, error)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A chat model is about to be called."""
        if self._only is not None:
            self._only.model_start(run_id, parent_run_id, metadata, serialized, messages, kwargs)
        else:
            self._announce_model(run_id, parent_run_id, metadata, serialized, messages, kwargs)

    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A completion model is about to be called."""
        self._announce_model(run_id, parent_run_id, metadata, serialized, prompts, kwargs)

    def on_llm_new_token(
        self, token: str | list[str | dict[str, Any]], *, chunk: Any = None, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chunk of an answer has come."""
        for listener in self._listeners:
            if listener.recorder.reserves:
                listener.chunks.token(run_id, token, chunk)

    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """An event of an answer has come by the v3 protocol, which announces no chunks."""
        for listener in self._listeners:
            if listener.recorder.reserves:
                listener.chunks.event(run_id, event)

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A model answered."""
        self._conclude("model_end", run_id, response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model call failed or was cut off."""
        self._conclude("model_error", run_id, error, kwargs.get("response"))

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool is about to be called."""
        inputs = kwargs.get("inputs")
        details = (metadata, serialized, kwargs.get("name"), input_str if inputs is None else inputs)
        self._announce("tool_start", run_id, parent_run_id, *details)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool returned."""
        self._conclude("priced_end", run_id, output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool failed."""
        self._conclude("priced_error", run_id, error)

    def on_retriever_start(
        self,
        serialized: dict[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A retriever is about to be called."""
        self._announce(
            "retriever_start", run_id, parent_run_id, metadata, serialized, kwargs.get("name"), query
        )

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever returned."""
        self._conclude("priced_end", run_id, documents)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever failed."""
        self._conclude("priced_error", run_id, error)


class _RefusalsAreNotHandlerErrors(logging.Filter):
    """Drops LangChain's warning that a handler failed when the handler refused a call on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record but those about our own refusals."""
        if record.args and isinstance(record.args, tuple) and record.args[0] in _OUR_HANDLERS:
            return not is_ours(sys.exc_info()[1])
        return True


_OUR_HANDLERS = frozenset({"Dispatcher", "SpendCallbackHandler"})

DISPATCHER = Dispatcher()
"""The process's dispatcher."""

_hook: ContextVar[BaseCallbackHandler | None] = ContextVar("spendgraph_dispatcher", default=DISPATCHER)
register_configure_hook(_hook, inheritable=True)
logging.getLogger("langchain_core.callbacks.manager").addFilter(_RefusalsAreNotHandlerErrors())
