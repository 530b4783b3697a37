"""The one process-wide hook: LangChain hands it every run, it hands them to the meters they belong to.

A configure hook cannot be taken back, so there is one, registered when this module is imported, whose
context variable has this dispatcher as its default: runs started with `callbacks=[]`, with their own config
or in raw threads carry it too. While no meter is attached anywhere it ignores every event.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from spendgraph.hooks.inline import inline_here

if TYPE_CHECKING:
    from uuid import UUID

    from spendgraph.hooks.listener import Listener


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

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    @property
    def run_inline(self) -> bool:  # type: ignore[override]
        """See `spendgraph.hooks.inline`."""
        return inline_here()

    def attach(self, listener: Listener) -> None:
        """Hand events to this listener from now on."""
        if listener not in self._listeners:
            self._listen((*self._listeners, listener))

    def detach(self, listener: Listener) -> None:
        """Hand no more events to this listener."""
        self._listen(tuple(each for each in self._listeners if each is not listener))

    def _listen(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners = listeners
        nobody = not listeners
        self.ignore_llm = self.ignore_chat_model = self.ignore_chain = nobody
        self.ignore_agent = self.ignore_retriever = nobody

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
        for listener in self._listeners:
            if listener.wants(run_id, parent_run_id):
                name = str(kwargs.get("name") or "")
                listener.chain_start(run_id, parent_run_id, metadata, name, inputs, tags)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A graph, node or chain ended."""
        for listener in self._listeners:
            listener.chain_end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A graph, node or chain ended with an exception."""
        for listener in self._listeners:
            listener.chain_error(run_id, error)

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
        for listener in self._listeners:
            if listener.wants(run_id, parent_run_id):
                listener.model_start(run_id, parent_run_id, metadata, serialized, messages, kwargs)

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
        for listener in self._listeners:
            if listener.wants(run_id, parent_run_id):
                listener.model_start(run_id, parent_run_id, metadata, serialized, prompts, kwargs)

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A model answered."""
        for listener in self._listeners:
            listener.model_end(run_id, response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model call failed or was cut off."""
        for listener in self._listeners:
            listener.model_error(run_id, error, kwargs.get("response"))

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
        for listener in self._listeners:
            if listener.wants(run_id, parent_run_id):
                listener.tool_start(run_id, parent_run_id, metadata, serialized, kwargs.get("name"))

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool returned."""
        for listener in self._listeners:
            listener.priced_end(run_id, output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool failed."""
        for listener in self._listeners:
            listener.priced_error(run_id, error)

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
        for listener in self._listeners:
            if listener.wants(run_id, parent_run_id):
                listener.retriever_start(run_id, parent_run_id, metadata, serialized, kwargs.get("name"))

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever returned."""
        for listener in self._listeners:
            listener.priced_end(run_id, documents)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A retriever failed."""
        for listener in self._listeners:
            listener.priced_error(run_id, error)


class _RefusalsAreNotHandlerErrors(logging.Filter):
    """Drops LangChain's warning that a handler failed when the handler refused a call on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record but those about our own refusals."""
        if record.args and isinstance(record.args, tuple) and record.args[0] in _OUR_HANDLERS:
            refusals = sys.modules.get("spendgraph.hooks.refusals")
            error = sys.exc_info()[1]
            return refusals is None or not isinstance(error, refusals.Refusal)
        return True


_OUR_HANDLERS = frozenset({"Dispatcher", "SpendCallbackHandler"})

DISPATCHER = Dispatcher()
"""The process's dispatcher."""

_hook: ContextVar[BaseCallbackHandler | None] = ContextVar("spendgraph_dispatcher", default=DISPATCHER)
register_configure_hook(_hook, inheritable=True)
logging.getLogger("langchain_core.callbacks.manager").addFilter(_RefusalsAreNotHandlerErrors())
