"""The ways of attaching a meter, as an application meets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal, ParamSpec, TypeVar

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig

from acceptance.kit import Unmetered
from spendgraph import CostContext, Meter, MeteredEmbeddings, MeteredReranker, SpendCallbackHandler

P = ParamSpec("P")
R = TypeVar("R")

Way = Literal["install", "task", "config", "handler"]
WAYS: tuple[Way, ...] = ("install", "task", "config", "handler")
"""`install(threads=True)` with a task; a task alone; `meter.config`; a handler and metadata in the config."""


class Metered(Unmetered):
    """Everything of an application that touches the meter, whatever way it is attached."""

    def __init__(self, meter: Meter, way: Way, context: CostContext | None) -> None:
        self.meter = meter
        self.way = way
        self.context = context

    def config(self, config: RunnableConfig) -> RunnableConfig:
        """The application's config, with the meter in it where that is the way."""
        if self.way == "config":
            return self.meter.config(self.context, config)
        if self.way == "handler":
            tags = {} if self.context is None else self.context.metadata()
            metadata = {**config.get("metadata", {}), **tags}
            return {**config, "callbacks": [SpendCallbackHandler(self.meter)], "metadata": metadata}
        return config

    def carry(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function as a raw thread needs it: carried, unless threads are wrapped for the whole process."""
        return function if self.way == "install" else self.meter.carry(function)

    def embeddings(self, embeddings: Embeddings) -> Embeddings:
        """The embeddings, metered: LangChain announces none of their calls."""
        return MeteredEmbeddings(self.meter, embeddings)

    def reranker(self, reranker: Any) -> Any:
        """The reranker, metered: LangChain announces none of its calls."""
        return MeteredReranker(self.meter, reranker)

    def call(self, function: Callable[..., R], **request: Any) -> R:
        """A raw SDK call through the meter."""
        answer: R = self.meter.call(function, **request)
        return answer

    async def acall(self, function: Callable[..., Awaitable[R]], **request: Any) -> R:
        """A raw SDK call through the meter."""
        answer: R = await self.meter.acall(function, **request)
        return answer


@contextmanager
def attached(meter: Meter, way: Way, context: CostContext | None) -> Generator[Metered]:
    """The meter attached one way for the time of a block."""
    metered = Metered(meter, way, context)
    if way in {"config", "handler"}:
        yield metered
        return
    if way == "install":
        meter.install(threads=True)
    try:
        if context is None:
            yield metered
        else:
            with meter.task(context):
                yield metered
    finally:
        if way == "install":
            meter.uninstall()
