"""`SpendCallbackHandler`: the plain LangChain way to attach a meter to one run."""

# Plain attributes stand in for the base class's properties, which pyright takes for an error.
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false, reportAttributeAccessIssue=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler

from spendgraph.hooks.attachable import require_meter
from spendgraph.hooks.dispatcher import DISPATCHER
from spendgraph.hooks.inline import inline_here

if TYPE_CHECKING:
    from uuid import UUID

    from spendgraph.hooks.attachable import Attachable


class SpendCallbackHandler(BaseCallbackHandler):
    """Attaches a meter to a run and to everything inside it.

    Give it to any runnable in `config["callbacks"]` or to a model's constructor, together with
    `CostContext.metadata()`. Everything inside the run is seen, children started with `callbacks=[]`
    included; raw threads need `Meter.carry`. Several handlers of one meter record a call once.

    The handler itself only says *this run is mine*: the process-wide dispatcher, which LangChain calls after
    every other handler, does the work, so that a call which another handler stops is not recorded.

    Args:
        meter: The meter to record with.

    Example:
        ```python
        graph.invoke(inputs, {"callbacks": [SpendCallbackHandler(meter)], "metadata": ctx.metadata()})
        ```
    """

    raise_error = True
    ignore_retry = True
    ignore_custom_event = True
    ignore_llm = False  # plain attributes, as in the dispatcher
    ignore_chat_model = False
    ignore_chain = False
    ignore_agent = False
    ignore_retriever = False
    spendgraph_inline = True
    run_inline = property(inline_here)  # see `spendgraph.hooks.inline`

    def __init__(self, meter: Attachable) -> None:
        require_meter(meter, "SpendCallbackHandler")
        self.meter = meter
        self._listener = meter.listener
        DISPATCHER.attach(self._listener)

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A graph, node or chain starts."""
        self._listener.claim(run_id, parent_run_id)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A chat model is about to be called."""
        self._listener.claim(run_id, parent_run_id)

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
        """A completion model is about to be called.

        Here alone the handlers may run side by side in threads, so this one does not rely on being first.
        """
        self._listener.claim(run_id, parent_run_id)
        self._listener.model_start(run_id, parent_run_id, metadata, serialized, prompts, kwargs)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool is about to be called."""
        self._listener.claim(run_id, parent_run_id)

    def on_retriever_start(
        self,
        serialized: dict[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A retriever is about to be called."""
        self._listener.claim(run_id, parent_run_id)
