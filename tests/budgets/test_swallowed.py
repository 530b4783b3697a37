"""A refusal that somebody ignored comes back at the end of the run, whoever raised it and however the run ends."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx2
import pytest
from langchain_core.callbacks import Callbacks
from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import StructuredTool
from openai import AsyncOpenAI, OpenAI

from budgets.agents import rows
from budgets.fanout import ACME
from budgets.test_raw_calls import CALL, Server, aclient, client
from budgets.test_raw_cuts import CALL as STREAM
from budgets.test_raw_cuts import Wire, answer
from budgets.test_raw_cuts import policy as cutting
from budgets.test_traps import run
from hooks.graphs import graph_of
from scripted import PRICES, ScriptedModel
from spendgraph import (
    BudgetExceeded,
    Meter,
    MeteredEmbeddings,
    MeteredReranker,
    Refusal,
    RefusalSwallowed,
)
from spendgraph.policy import parse_policy

EITHER_WAY = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
NO_CALLS = parse_policy(f"{PRICES}\nbudgets: [{{name: cap, owner: growth, limit_calls: 0}}]")


@pytest.fixture
def meter(tmp_path: Path) -> Any:
    """No call fits its budget."""
    with Meter(tmp_path / "ledger.db", policy=NO_CALLS) as meter:
        yield meter


class Reranker(BaseDocumentCompressor):
    """Leaves documents as they are."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        return documents


def raw(meter: Meter) -> Any:
    """A call of a provider's own SDK."""
    return meter.call(client(Server()).responses.create, **CALL)


async def araw(meter: Meter) -> Any:
    """Its asynchronous twin."""
    return await meter.acall(aclient(Server()).responses.create, **CALL)


def _embeddings(meter: Meter) -> MeteredEmbeddings:
    return MeteredEmbeddings(meter, DeterministicFakeEmbedding(size=3), model="scripted", provider="x")


def embedding(meter: Meter) -> Any:
    """Embeddings, which LangChain announces to nobody."""
    return _embeddings(meter).embed_query("hi")


async def aembedding(meter: Meter) -> Any:
    """Their asynchronous twin."""
    return await _embeddings(meter).aembed_query("hi")


def reranker(meter: Meter) -> Any:
    """A reranker, which LangChain announces to nobody."""
    return MeteredReranker(meter, Reranker(), model="scripted").compress_documents([Document("a")], "hi")


async def areranker(meter: Meter) -> Any:
    """Its asynchronous twin."""
    wrapped = MeteredReranker(meter, Reranker(), model="scripted")
    return await wrapped.acompress_documents([Document("a")], "hi")


def step(meter: Meter) -> Any:
    """A block of code."""
    with meter.step("other", name="x", reserve="0.05") as open_step:
        open_step.cost(usd="0.05")


async def astep(meter: Meter) -> Any:
    """A block of coroutine code."""
    async with meter.step("other", name="x", reserve="0.05") as open_step:
        open_step.cost(usd="0.05")


def plain_tool(meter: Meter) -> Any:
    """A decorated function that is simply called."""
    return meter.tool(price="0.5")(lambda: "found")()


async def aplain_tool(meter: Meter) -> Any:
    """A decorated coroutine function."""

    async def search() -> str:
        return "found"

    return await meter.tool(price="0.5")(search)()


def generator(meter: Meter) -> Any:
    """A decorated generator function."""

    def search() -> Any:
        yield "found"

    return list(meter.tool(price="0.5")(search)())


async def agenerator(meter: Meter) -> Any:
    """A decorated asynchronous generator function."""

    async def search() -> Any:
        yield "found"

    metered: Any = meter.tool(price="0.5")(search)
    return [each async for each in metered()]


UNANNOUNCED: dict[str, tuple[Callable[[Meter], Any], Callable[[Meter], Awaitable[Any]]]] = {
    "raw call": (raw, araw),
    "embedding": (embedding, aembedding),
    "reranker": (reranker, areranker),
    "step": (step, astep),
    "plain tool": (plain_tool, aplain_tool),
    "generator": (generator, agenerator),
}
EVERYTHING = pytest.mark.parametrize("what", UNANNOUNCED)


def _ignoring(what: str, meter: Meter, *, asynchronous: bool, on_no: Callable[[Refusal], Any]) -> Any:
    """A node that calls, and goes on where that is refused."""
    call, acall = UNANNOUNCED[what]

    def node(_: Any) -> dict[str, int]:
        try:
            call(meter)
        except Refusal as refusal:
            on_no(refusal)
        return {"n": 1}

    async def anode(_: Any) -> dict[str, int]:
        try:
            await acall(meter)
        except Refusal as refusal:
            on_no(refusal)
        return {"n": 1}

    return graph_of(anode if asynchronous else node)


@EITHER_WAY
@EVERYTHING
def test_a_swallowed_refusal_of_what_langchain_does_not_announce_comes_back(
    meter: Meter, what: str, asynchronous: bool
) -> None:
    """As a model call's does."""
    graph = _ignoring(what, meter, asynchronous=asynchronous, on_no=lambda _: None)
    with pytest.raises(RefusalSwallowed) as caught:
        run(graph, {"n": 0}, meter.config(ACME), asynchronous=asynchronous)
    assert isinstance(caught.value.refusal, BudgetExceeded)
    assert caught.value.budget == "cap"


@EITHER_WAY
@EVERYTHING
def test_a_refusal_of_what_langchain_does_not_announce_can_be_handled(
    meter: Meter, what: str, asynchronous: bool
) -> None:
    """`handled()` says that it is meant."""
    graph = _ignoring(what, meter, asynchronous=asynchronous, on_no=lambda refusal: refusal.handled())
    assert run(graph, {"n": 0}, meter.config(ACME), asynchronous=asynchronous) == {"n": 1}


def test_a_raw_call_that_was_admitted_settles_what_its_node_was_refused_before(tmp_path: Path) -> None:
    """A cheaper way, as of a model; what was recorded stands in for nothing."""
    policy = parse_policy(f"{PRICES}\nbudgets: [{{name: cap, limit_usd: '0.1'}}]")
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:

        def node(state: Any) -> dict[str, int]:
            with pytest.raises(BudgetExceeded), meter.step("other", name="dear", reserve="1"):
                pass
            if state["n"]:
                meter.record("other", usd="0.01")
            else:
                with meter.step("other", name="cheap", reserve="0.01") as cheap:
                    cheap.cost(usd="0.01")
            return {"n": 2}

        graph = graph_of(node)
        assert graph.invoke({"n": 0}, meter.config(ACME)) == {"n": 2}
        with pytest.raises(RefusalSwallowed):
            graph.invoke({"n": 1}, meter.config(ACME))


@EITHER_WAY
def test_a_raw_stream_that_was_cut_off_and_swallowed_comes_back(tmp_path: Path, asynchronous: bool) -> None:
    """What came looks like a whole answer."""
    with Meter(tmp_path / "ledger.db", policy=cutting("0.00005")) as meter:

        def node(_: Any) -> dict[str, int]:
            sdk = OpenAI(api_key="k", http_client=httpx2.Client(transport=answer(Wire())))
            try:
                for _chunk in meter.call(sdk.chat.completions.create, **STREAM):
                    pass
            except BudgetExceeded:
                pass
            return {"n": 1}

        async def anode(_: Any) -> dict[str, int]:
            sdk = AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=answer(Wire())))
            try:
                stream = await meter.acall(sdk.chat.completions.create, **STREAM)
                async for _chunk in stream:
                    pass
            except BudgetExceeded:
                pass
            return {"n": 1}

        graph = graph_of(anode if asynchronous else node)
        with pytest.raises(RefusalSwallowed) as caught:
            run(graph, {"n": 0}, meter.config(ACME), asynchronous=asynchronous)
        assert caught.value.refusal.reason == "stream_cut"


class Searching(BaseRetriever):
    """A retriever that asks a model, and makes do without it."""

    model: Any

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(_makes_do(self.model, run_manager))]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(await _amakes_do(self.model, run_manager))]


def _below(manager: Any) -> Any:
    """A retriever's run is nobody's parent unless it is said."""
    return None if manager is None else {"callbacks": manager.get_child()}


def _makes_do(model: Any, manager: Any = None) -> str:
    try:
        return str(model.invoke("hi", _below(manager)).text)
    except BudgetExceeded:
        return "sorry"


async def _amakes_do(model: Any, manager: Any = None) -> str:
    try:
        return str((await model.ainvoke("hi", _below(manager))).text)
    except BudgetExceeded:
        return "sorry"


def _tool_of(model: Any) -> Any:
    def ask(question: str) -> str:
        """Ask a model."""
        return _makes_do(model)

    async def aask(question: str) -> str:
        """Ask a model."""
        return await _amakes_do(model)

    return StructuredTool.from_function(ask, aask)


ROOTS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "tool": lambda model: (_tool_of(model), {"question": "hi"}),
    "retriever": lambda model: (Searching(model=model), "hi"),
}


@EITHER_WAY
@pytest.mark.parametrize("in_a_task", [False, True], ids=["alone", "in a task"])
@pytest.mark.parametrize("root", ROOTS)
def test_a_swallowed_refusal_comes_back_at_the_end_of_a_tool_or_retriever(
    meter: Meter, root: str, in_a_task: bool, asynchronous: bool
) -> None:
    """Where it is the outermost run; the task is refused, and the step is booked."""
    runnable, inputs = ROOTS[root](ScriptedModel())
    block = meter.task(ACME) if in_a_task else nullcontext()
    config = {} if in_a_task else meter.config(ACME)
    with pytest.raises(RefusalSwallowed) as caught, block:
        run(runnable, inputs, config, asynchronous=asynchronous)
    assert isinstance(caught.value.refusal, BudgetExceeded)
    assert rows(meter, "SELECT status FROM tasks") == [("refused",)]
    assert rows(meter, "SELECT kind, status FROM steps") == [(root, "ok")]


def test_a_tool_inside_a_graph_leaves_it_to_the_graphs_end(meter: Meter) -> None:
    """The nodes after it run."""
    said: list[str] = []
    tool = _tool_of(ScriptedModel())

    def node(_: Any) -> dict[str, int]:
        said.append(tool.invoke({"question": "hi"}))
        return {"n": 1}

    with pytest.raises(RefusalSwallowed):
        graph_of(node).invoke({"n": 0}, meter.config(ACME))
    assert said == ["sorry"]
