"""The demo's application: a supervisor that fans out over questions, each answered by a nested graph.

    index -> plan -> Send(question, ...) -> summarise
                         |
                         retrieve -> [choose -> tools] -> answer (streamed)

The graph decides what is called and the model writes the text: a model of 135 million parameters cannot
choose tools, so `choose` writes the tool call that a larger one would have asked for.
"""

# pyright: reportMissingTypeStubs=false
# LangGraph has no py.typed in `langgraph.graph`; its types are inline all the same.

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from spendgraph_demo.cases import Case, Question
from spendgraph_demo.tools import Library, make_tools

SYSTEM = "You are a careful office assistant. Answer in one short sentence."


Desk = CompiledStateGraph[Any, Any, Any, Any]
"""A compiled graph of the demo."""


class DeskInput(TypedDict):
    """What a task starts from."""

    shelf: str
    brief: str
    questions: list[Question]


class DeskState(DeskInput):
    """The supervisor's state."""

    plan: str
    answers: Annotated[list[str], operator.add]
    summary: str


class QuestionInput(TypedDict):
    """What a branch is sent."""

    shelf: str
    question: Question


class QuestionState(QuestionInput):
    """The state of one branch; `answers` is what it gives back."""

    notes: str
    messages: Annotated[list[AnyMessage], add_messages]
    answers: Annotated[list[str], operator.add]


class Answers(TypedDict):
    """What a branch gives back to the supervisor."""

    answers: Annotated[list[str], operator.add]


def desk_input(case: Case) -> DeskInput:
    """The supervisor's input for a case."""
    return DeskInput(shelf=case.shelf, brief=case.brief, questions=list(case.questions))


def build_desk(chat: BaseChatModel, library: Library) -> Desk:
    """The supervisor graph, with a checkpointer in memory."""

    def index(state: DeskState) -> dict[str, Any]:
        library.index(state["shelf"])
        return {}

    def plan(state: DeskState) -> dict[str, Any]:
        task = f"{state['brief']} Say in a few words how to handle this."
        return {"plan": str(chat.invoke(_prompt("", task)).text)}

    def fan_out(state: DeskState) -> list[Send]:
        return [
            Send("question", QuestionInput(shelf=state["shelf"], question=question))
            for question in state["questions"]
        ]

    def summarise(state: DeskState) -> dict[str, Any]:
        return {
            "summary": str(
                chat.invoke(_prompt(" ".join(state["answers"]), "Summarise this in one short sentence.")).text
            )
        }

    builder: Any = StateGraph(DeskState, input_schema=DeskInput)
    builder.add_node("index", index)
    builder.add_node("plan", plan)
    builder.add_node("question", _build_branch(chat, library))
    builder.add_node("summarise", summarise)
    builder.add_edge(START, "index")
    builder.add_edge("index", "plan")
    builder.add_conditional_edges("plan", fan_out, ["question"])
    builder.add_edge("question", "summarise")
    builder.add_edge("summarise", END)
    desk: Desk = builder.compile(checkpointer=InMemorySaver(), name="desk")
    return desk


def _build_branch(chat: BaseChatModel, library: Library) -> Desk:
    def retrieve(state: QuestionState) -> dict[str, Any]:
        found = library.retriever(state["shelf"]).invoke(state["question"]["text"])
        return {"notes": "\n".join(document.page_content for document in found)}

    def needs_tool(state: QuestionState) -> str:
        return "choose" if state["question"]["tool"] else "answer"

    def choose(state: QuestionState) -> dict[str, Any]:
        name = state["question"]["tool"]
        arguments = (
            {"text": state["notes"]} if name == "plain_words" else {"query": state["question"]["text"]}
        )
        call = {"name": name, "args": arguments, "id": f"call_{name}", "type": "tool_call"}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    def answer(state: QuestionState) -> dict[str, Any]:
        found = [str(message.text) for message in state.get("messages", []) if message.type == "tool"]
        prompt = _prompt("\n".join([state["notes"], *found]), state["question"]["text"])
        return {"answers": ["".join(str(chunk.text) for chunk in chat.stream(prompt)).strip()]}

    builder: Any = StateGraph(QuestionState, input_schema=QuestionInput, output_schema=Answers)
    builder.add_node("retrieve", retrieve)
    builder.add_node("choose", choose)
    builder.add_node("tools", ToolNode(make_tools(chat)))
    builder.add_node("answer", answer)
    builder.add_edge(START, "retrieve")
    builder.add_conditional_edges("retrieve", needs_tool, ["choose", "answer"])
    builder.add_edge("choose", "tools")
    builder.add_edge("tools", "answer")
    builder.add_edge("answer", END)
    branch: Desk = builder.compile(name="question")
    return branch


def _prompt(notes: str, task: str) -> list[AnyMessage]:
    return [SystemMessage(SYSTEM), HumanMessage(f"{notes}\n\n{task}" if notes else task)]
