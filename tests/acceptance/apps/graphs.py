"""LangGraph programs: nodes, subgraphs, fan-outs, the functional API, retrieval."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict, cast

import httpx
from langchain_core.callbacks import CallbackManagerForRetrieverRun, Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import Field

from acceptance.kit import Kit, app


class State(TypedDict):
    """What the programs pass along."""

    notes: Annotated[list[str], operator.add]


Node = Callable[..., Any]
START_STATE: State = {"notes": []}


def line_of_nodes(checkpointer: Any = None, **nodes: Node) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph whose nodes run one after the other."""
    builder = StateGraph(State)
    previous = START
    for name, node in nodes.items():
        builder.add_node(name, cast("Any", node))
        builder.add_edge(previous, name)
        previous = name
    builder.add_edge(previous, END)
    return builder.compile(checkpointer=checkpointer)


class Reranker(BaseDocumentCompressor):
    """A reranker that asks the provider for its order."""

    url: str
    account: str
    purpose: str
    model: str = "rerank-1"

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        answer = httpx.post(
            f"{self.url}/v1/rerank",
            headers={"authorization": f"Bearer {self.account}"},
            json={"model": self.model, "query": query, "documents": [d.page_content for d in documents]},
        ).json()
        return [documents[result["index"]] for result in answer["results"]]


class Shelf(BaseRetriever):
    """A retriever that embeds its texts once and each query when it is asked."""

    embeddings: Embeddings
    texts: list[str] = Field(default_factory=list)
    vectors: list[list[float]] = Field(default_factory=list)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        asked = self.embeddings.embed_query(query)
        scores = [sum(a * b for a, b in zip(asked, vector, strict=True)) for vector in self.vectors]
        return [Document(self.texts[scores.index(max(scores))])]


@app({"plan": 1, "write": 2}, nodes={"plan": "planner", "write": "writer"})
def model_in_nodes(kit: Kit) -> None:
    """Models called in two plain nodes."""
    model = kit.openai()

    def planner(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("plan", cache_read=700)).text]}

    def writer(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("write")).text, model.invoke(kit.ask("write")).text]}

    line_of_nodes(planner=planner, writer=writer).invoke(START_STATE, kit.config())


@app({"plan": 1, "write": 1}, nodes={"plan": "planner", "write": "writer"})
async def model_in_async_nodes(kit: Kit) -> None:
    """Models of two providers called in coroutine nodes."""
    model, other = kit.openai(), kit.anthropic()

    async def planner(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("plan"))).text]}

    async def writer(state: State) -> Any:
        return {"notes": [(await other.ainvoke(kit.ask("write", write_5m=300))).text]}

    await line_of_nodes(planner=planner, writer=writer).ainvoke(START_STATE, kit.config())


@app({"deep": 1, "after": 1}, nodes={"after": "outer"})
def subgraph_as_node(kit: Kit) -> None:
    """A compiled graph as a node of another."""
    model = kit.openai()

    def inner(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("deep")).text]}

    def outer(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("after")).text]}

    builder = StateGraph(State)
    builder.add_node("nested", line_of_nodes(inner=inner))
    builder.add_node("outer", outer)
    builder.add_edge(START, "nested")
    builder.add_edge("nested", "outer")
    builder.compile().invoke(START_STATE, kit.config())


@app({"by-hand": 2, "own-thread": 1})
def subgraph_by_hand(kit: Kit) -> None:
    """A graph invoked by hand in a node: without config, with it, and on a thread of its own."""
    model = kit.openai()

    def inner(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("by-hand")).text]}

    def threaded(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("own-thread")).text]}

    plain = line_of_nodes(inner=inner)
    own = line_of_nodes(InMemorySaver(), threaded=threaded)

    def outer(state: State, config: RunnableConfig) -> Any:
        plain.invoke(START_STATE)
        plain.invoke(START_STATE, config)
        own.invoke(START_STATE, {"configurable": {"thread_id": "another"}})
        return START_STATE

    line_of_nodes(outer=outer).invoke(START_STATE, kit.config())


@app({"by-hand": 2})
async def subgraph_by_hand_async(kit: Kit) -> None:
    """A graph awaited by hand in a node, once with its callbacks emptied."""
    model = kit.openai()

    async def inner(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("by-hand"))).text]}

    nested = line_of_nodes(inner=inner)

    async def outer(state: State) -> Any:
        await nested.ainvoke(START_STATE)
        await nested.ainvoke(START_STATE, {"callbacks": []})
        return START_STATE

    await line_of_nodes(outer=outer).ainvoke(START_STATE, kit.config())


def _fan_out(branch: Node) -> CompiledStateGraph[Any, Any, Any, Any]:
    def spread(state: State) -> list[Send]:
        return [Send("branch", {"notes": [str(i)]}) for i in range(8)]

    builder = StateGraph(State)
    builder.add_node("branch", cast("Any", branch))
    builder.add_conditional_edges(START, spread, ["branch"])
    builder.add_edge("branch", END)
    return builder.compile()


@app({"branch": 8}, nodes={"branch": "branch"})
def send_fan_out(kit: Kit) -> None:
    """Eight `Send` branches."""
    model = kit.openai()

    def branch(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("branch")).text]}

    _fan_out(branch).invoke(START_STATE, kit.config())


@app({"branch": 8}, nodes={"branch": "branch"})
async def send_fan_out_async(kit: Kit) -> None:
    """Eight `Send` branches of coroutines."""
    model = kit.openai()

    async def branch(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("branch"))).text]}

    await _fan_out(branch).ainvoke(START_STATE, kit.config())


@app({"body": 1, "task": 3}, nodes={"task": "summarise"})
def functional_api(kit: Kit) -> None:
    """An entrypoint that pays and three tasks that pay."""
    model = kit.openai()

    @task
    def summarise(text: str) -> str:
        return model.invoke(kit.ask("task")).text

    @entrypoint()
    def flow(text: str) -> list[str]:
        first = model.invoke(kit.ask("body")).text
        return [future.result() for future in [summarise(first) for _ in range(3)]]

    flow.invoke("go", kit.config())


@app({"body": 1, "task": 3}, nodes={"task": "summarise"})
async def functional_api_async(kit: Kit) -> None:
    """The functional API with coroutines."""
    model = kit.openai()

    @task
    async def summarise(text: str) -> str:
        return (await model.ainvoke(kit.ask("task"))).text

    @entrypoint()
    async def flow(text: str) -> list[str]:
        first = (await model.ainvoke(kit.ask("body"))).text
        return [await future for future in [summarise(first) for _ in range(3)]]

    await flow.ainvoke("go", kit.config())


@app({"embed": 3}, nodes={"embed": "index"})
def embedding_in_node(kit: Kit) -> None:
    """Texts and a query embedded in a node."""
    embeddings = kit.embeddings()

    def index(state: State) -> Any:
        embeddings.embed_documents([kit.ask("embed", input=12_345), "another text"])
        embeddings.embed_documents([kit.ask("embed")])
        embeddings.embed_query(kit.ask("embed"))
        return START_STATE

    line_of_nodes(index=index).invoke(START_STATE, kit.config())


@app({"embed": 2}, nodes={"embed": "index"})
async def embedding_in_async_node(kit: Kit) -> None:
    """Texts and a query embedded in a coroutine node."""
    async with kit.async_openai_sdk() as sdk:
        embeddings = kit.embeddings(async_client=sdk.embeddings)

        async def index(state: State) -> Any:
            await embeddings.aembed_documents([kit.ask("embed"), "another text"])
            await embeddings.aembed_query(kit.ask("embed"))
            return START_STATE

        await line_of_nodes(index=index).ainvoke(START_STATE, kit.config())


@app({"embed": 1, "query": 1, "answer": 1}, nodes={"embed": "index", "query": "find", "answer": "find"})
def retriever_in_node(kit: Kit) -> None:
    """A retriever that embeds its query, and an answer from what it found."""
    model, shelf = kit.openai(), Shelf(embeddings=kit.embeddings())

    def index(state: State) -> Any:
        shelf.texts = [kit.ask("embed"), "something else"]
        shelf.vectors = shelf.embeddings.embed_documents(shelf.texts)
        return START_STATE

    def find(state: State) -> Any:
        found = shelf.invoke(kit.ask("query"))
        return {"notes": [found[0].page_content, model.invoke(kit.ask("answer")).text]}

    line_of_nodes(index=index, find=find).invoke(START_STATE, kit.config())


@app({"rank": 2}, nodes={"rank": "rank"})
def reranker_in_node(kit: Kit) -> None:
    """Documents ordered twice by a provider that bills each request."""
    reranker = kit.metering.reranker(Reranker(url=kit.url, account=kit.account, purpose="rank"))
    documents = [Document("one"), Document("two")]

    def rank(state: State) -> Any:
        first = reranker.compress_documents(documents, kit.ask("rank"))
        reranker.compress_documents(first, kit.ask("rank"))
        return {"notes": [first[0].page_content]}

    line_of_nodes(rank=rank).invoke(START_STATE, kit.config())


@app({"before": 1, "paid-twice": 2, "after": 1}, nodes={"before": "before", "paid-twice": "question"})
def interrupt_and_resume(kit: Kit) -> None:
    """A node that pays, asks a person, and pays again when it is resumed."""
    model = kit.openai()

    def before(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("before")).text]}

    def question(state: State) -> Any:
        model.invoke(kit.ask("paid-twice"))
        answer = interrupt("go on?")
        return {"notes": [str(answer), model.invoke(kit.ask("after")).text]}

    graph = line_of_nodes(InMemorySaver(), before=before, question=question)
    graph.invoke(START_STATE, kit.thread("7"))
    graph.invoke(Command(resume="yes"), kit.thread("7"))


GRAPHS = (
    model_in_nodes,
    model_in_async_nodes,
    subgraph_as_node,
    subgraph_by_hand,
    subgraph_by_hand_async,
    send_fan_out,
    send_fan_out_async,
    functional_api,
    functional_api_async,
    embedding_in_node,
    embedding_in_async_node,
    retriever_in_node,
    reranker_in_node,
    interrupt_and_resume,
)
