"""The demo's second part: what happens when the money runs out, and when an agent runs in circles.

A research agent has a budget for each task. From half of it on its calls are made cheaper (a soft cap); when it is used
up, the graph pauses and the question is in the inbox (a hard cap), somebody approves more, and the run goes on where it
was. A price watch asks the same thing again and again, until a breaker stops it.
"""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from spendgraph import BreakerOpen, BudgetMiddleware, CostContext, Meter
from spendgraph.ids import new_id
from spendgraph.ledger.approvals import Decision
from spendgraph_demo.models import Models
from spendgraph_demo.scenario import Watcher
from spendgraph_demo.tools import make_tools

RESEARCH = CostContext(
    feature="market-research",
    team="strategy",
    workload_class="background",
    tenant="acme",
    environment="demo",
    cost_center="cc-900",
)
PRICE_WATCH = RESEARCH.replace(feature="price-watch")

QUESTIONS = (
    "Name one thing that customers of an office supply shop ask for.",
    "Say why a customer would order that every month.",
    "Say what could make them stop.",
    "Name one way to keep them.",
    "Say what that way costs the shop.",
    "Say how the shop would know that it works.",
    "Name the first step.",
    "Say all of that in one sentence.",
)
APPROVED_USD = "1"
"""What the demo's lead approves: enough for the rest."""

LEAD = "lead@example.com"


@dataclass
class Limits:
    """What happened; money is integer nano-USD.

    Attributes:
        task_id: The research's task.
        limit_nanousd: Its budget.
        questions: How many questions it was to answer.
        before_pause: How many it had answered when it was paused.
        degraded: The question whose call was the first to be made cheaper, counted from one; 0 for none.
        inbox: The question to a person, as the inbox had it.
        spent_nanousd: What the research has cost in the end.
        is_finished: Whether it answered everything.
        looped: How often the price watch asked before it was stopped.
        stopped_by: What the refusal says.
    """

    task_id: str = ""
    limit_nanousd: int = 0
    questions: int = len(QUESTIONS)
    before_pause: int = 0
    degraded: int = 0
    inbox: dict[str, Any] = field(default_factory=dict[str, Any])
    spent_nanousd: int = 0
    is_finished: bool = False
    looped: int = 0
    stopped_by: str = ""


class ResearchState(TypedDict):
    """A conversation, question after question."""

    messages: Annotated[list[AnyMessage], add_messages]
    asked: int


def run_into_limits(meter: Meter, models: Models, watcher: Watcher) -> Limits:
    """Run both agents."""
    found = Limits()
    _research(meter, models, watcher, found)
    _watch_prices(meter, models, watcher, found)
    return found


def _research(meter: Meter, models: Models, watcher: Watcher, found: Limits) -> None:
    watcher.started("market-research · a budget that runs out")
    graph = build_research(meter, models)
    thread = f"research-{new_id()[:6]}"
    context = RESEARCH.replace(task_id=thread)
    graph.invoke({"messages": [], "asked": 0}, meter.config(context, thread_id=thread))
    found.task_id = thread
    waiting = [row for row in meter.ledger.approvals(pending=True) if row["task_id"] == thread]
    if waiting:
        found.inbox = waiting[0]
        found.limit_nanousd = found.inbox["limit_amount"]
        found.before_pause = graph.get_state(meter.config(thread_id=thread)).values["asked"]
        watcher.started("market-research · waits in the inbox, and is approved")
        decision = Decision(yes=True, by=LEAD, why="the report is due", amount=10**9 * int(APPROVED_USD))
        meter.ledger.inbox.decide(found.inbox["approval_id"], decision)
        graph.invoke(None, meter.config(thread_id=thread))
    state = graph.get_state(meter.config(thread_id=thread)).values
    found.is_finished = state["asked"] == len(QUESTIONS)
    answers = [message for message in state["messages"] if message.type == "ai"]
    made_cheaper = [
        number
        for number, message in enumerate(answers, start=1)
        if message.response_metadata.get("spendgraph", {}).get("degraded")
    ]
    found.degraded = made_cheaper[0] if made_cheaper else 0
    found.spent_nanousd = sum(step["cost_nanousd"] for step in meter.ledger.steps(task_id=thread))
    watcher.finished()


def build_research(meter: Meter, models: Models) -> Any:
    """A graph that puts one question after the other to an agent which remembers the conversation.

    Each question is a node of its own, so that a pause repeats nothing that was paid for.
    """
    agent = create_agent(
        models.chat,
        [],
        # Trimmed, a conversation is its last message alone. The demo's answers are shorter than 256 tokens anyway.
        middleware=[BudgetMiddleware(meter, trim=lambda messages: messages[-1:], min_output_tokens=8)],
        name="researcher",
    )

    def ask(state: ResearchState) -> dict[str, Any]:
        question = HumanMessage(QUESTIONS[state["asked"]])
        answered = agent.invoke({"messages": [*state["messages"], question]})
        return {"messages": [question, answered["messages"][-1]], "asked": state["asked"] + 1}

    def more(state: ResearchState) -> str:
        return "ask" if state["asked"] < len(QUESTIONS) else END

    builder: Any = StateGraph(ResearchState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_conditional_edges("ask", more)
    return builder.compile(checkpointer=InMemorySaver(), name="research")


class WatchState(TypedDict):
    """How often the price was looked up, and what was found."""

    looked: int
    page: str


def _watch_prices(meter: Meter, models: Models, watcher: Watcher, found: Limits) -> None:
    watcher.started("price-watch · an agent that runs in circles")
    search = make_tools(models.chat)[0]
    made: list[str] = []

    def look(state: WatchState) -> dict[str, Any]:
        page = search.invoke({"query": "the price of paper today"})
        made.append(page)
        return {"looked": state["looked"] + 1, "page": page}

    def again(state: WatchState) -> str:  # no page ever says it: the agent would look for ever
        return END if "sold out" in state["page"] else "look"

    builder: Any = StateGraph(WatchState)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    builder.add_conditional_edges("look", again)
    graph = builder.compile(name="price-watch")
    with meter.task(PRICE_WATCH):
        try:
            graph.invoke({"looked": 0, "page": ""}, {"recursion_limit": 500})
        except BreakerOpen as refusal:
            found.stopped_by = str(refusal.handled())
    found.looped = len(made)
    watcher.finished()
