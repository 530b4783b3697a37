"""An agent under a budget among other middleware, other agents and other ways of attaching the meter."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    HumanInTheLoopMiddleware,
    ModelFallbackMiddleware,
    ModelResponse,
    SummarizationMiddleware,
)
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from budgets.agents import (
    EITHER_WAY,
    Inner,
    agent_of,
    ask,
    config,
    counters,
    holds,
    is_clean,
    lookup,
    metered,
    retrying,
    web_search,
)
from budgets.talker import CTX, Talker, budget, call
from spendgraph import BudgetExceeded, BudgetMiddleware, Meter, Refusal, RefusalSwallowed
from spendgraph.policy import parse_policy


@EITHER_WAY
def test_twenty_agents_never_exceed_a_strict_budget(tmp_path: Path, asynchronous: bool) -> None:
    """All talk as long as they may, all at once; what is refused is refused, what is spent fits."""
    model = Talker()
    with metered(tmp_path, budget("0.05", reserve="strict")) as meter:
        agent = agent_of(meter, model, cheaper={"dear": "cheap"})

        def one(_: int) -> str:
            try:
                ask(agent, config(meter))
            except BudgetExceeded:
                return "refused"
            return "answered"

        async def every() -> list[Any]:
            calls = (agent.ainvoke({"messages": [("user", "hi")]}, config(meter)) for _ in range(20))
            return await asyncio.gather(*calls, return_exceptions=True)

        if asynchronous:
            found = [
                "refused" if isinstance(each, BudgetExceeded) else "answered" for each in asyncio.run(every())
            ]
        else:
            with ThreadPoolExecutor(20) as pool:
                found = list(pool.map(one, range(20)))
        spent, held = counters(meter)
        assert (spent <= 50_000_000, held) == (True, 0)
        assert found.count("answered") == model.requests > 0
        assert spent > 45_000_000
        assert is_clean(meter)


def test_a_refusal_passes_through_what_retries_and_falls_back(tmp_path: Path) -> None:
    """Neither tried again nor answered by another model."""
    model, other = Talker(), Talker(model_name="cheap")
    with metered(tmp_path, budget("0.001")) as meter:
        agent = agent_of(meter, model, retrying(), ModelFallbackMiddleware(other))
        with pytest.raises(BudgetExceeded):
            ask(agent, config(meter))
        assert (model.requests, other.requests) == (0, 0)


def test_a_refusal_that_a_middleware_swallows_comes_back(tmp_path: Path) -> None:
    """`except Exception` outside of us makes an answer of it; the run does not end well."""

    def act(request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except Exception:  # noqa: BLE001 - what this is about
            return ModelResponse(result=[AIMessage("all is well")])

    with metered(tmp_path, budget("0.001")) as meter, pytest.raises(RefusalSwallowed):
        ask(agent_of(meter, Talker(), Inner(act)), config(meter))


def test_summaries_are_gated_by_the_handler(tmp_path: Path) -> None:
    """SummarizationMiddleware's own model is called in another node: it is held to the budget, too."""
    model, summaries = Talker(output=5), Talker(model_name="cheap", output=5)
    middleware = SummarizationMiddleware(summaries, trigger=("messages", 3), keep=("messages", 1))
    with metered(tmp_path, budget("1")) as meter:
        agent = agent_of(meter, model, middleware)
        history = [("user", "a"), ("ai", "b"), ("user", "c"), ("ai", "d"), ("user", "e")]
        agent.invoke({"messages": history}, config(meter))
        assert [step["model"] for step in meter.ledger.steps()] == ["cheap", "dear"]
        assert all(step["reserved_nanousd"] for step in meter.ledger.steps())
        assert is_clean(meter)


class Verdict(BaseModel):
    """What the agent is to answer."""

    good: bool


@EITHER_WAY
@pytest.mark.parametrize("reserve", ["expected", "strict"])
def test_tools_structured_answers_and_people_in_the_loop(
    tmp_path: Path, reserve: str, asynchronous: bool
) -> None:
    """A tool after a person's yes, and an answer of a given form: each call is adopted, in strict budgets as well."""
    model = Talker(
        output=50,
        calls=[[call("lookup", key="x")], [call("Verdict", good=True)]],
    )
    held: list[int] = []
    with metered(tmp_path, budget("1", reserve=reserve)) as meter:
        model.before_answer = lambda: held.append(holds(meter))
        agent: Any = create_agent(
            model,
            [lookup, web_search],
            middleware=[HumanInTheLoopMiddleware(interrupt_on={"lookup": True}), BudgetMiddleware(meter)],
            response_format=Verdict,
            checkpointer=InMemorySaver(),
        )
        thread = meter.config(CTX, thread_id="1")
        yes: Any = Command(resume={"decisions": [{"type": "approve"}]})
        if asynchronous:

            async def main() -> Any:
                await agent.ainvoke({"messages": [("user", "hi")]}, thread)
                return await agent.ainvoke(yes, meter.config(thread_id="1"))

            result = asyncio.run(main())
        else:
            agent.invoke({"messages": [("user", "hi")]}, thread)
            result = agent.invoke(yes, meter.config(thread_id="1"))
        assert result["structured_response"] == Verdict(good=True)
        assert held == [1, 1]
        assert [step["kind"] for step in meter.ledger.steps()] == ["model", "tool", "model"]
        assert len({step["task_id"] for step in meter.ledger.steps()}) == 1
        assert is_clean(meter)


def test_two_meters_both_govern(tmp_path: Path) -> None:
    """The run is one meter's, the middleware another's that is installed: each books the call once."""
    model = Talker(output=5)
    with (
        Meter(tmp_path / "a.db", policy=budget("1")) as ours,
        Meter(tmp_path / "b.db", policy=budget("1")) as theirs,
    ):
        ours.install()
        ask(agent_of(ours, model), config(theirs))
        for meter in (ours, theirs):
            assert len(list(meter.ledger.steps())) == 1
            assert is_clean(meter)


@EITHER_WAY
@pytest.mark.parametrize("way", ["task", "install", "handler"])
def test_every_way_of_attaching_will_do(tmp_path: Path, way: str, asynchronous: bool) -> None:
    """A task, the whole process, the handler."""
    model = Talker()
    with metered(tmp_path, budget("0.01", per="feature")) as meter:
        agent = agent_of(meter, model)
        if way == "task":
            with meter.task(CTX):
                ask(agent, {}, asynchronous=asynchronous)
        elif way == "install":
            meter.install()
            ask(agent, {"metadata": CTX.metadata()}, asynchronous=asynchronous)
        else:
            handler = {"callbacks": [meter.handler], "metadata": CTX.metadata()}
            ask(agent, handler, asynchronous=asynchronous)
        assert model.seen[0]["max_tokens"] == 999
        assert [step["feature"] for step in meter.ledger.steps()] == ["triage"]
        assert is_clean(meter)


@EITHER_WAY
def test_a_run_that_is_not_attached_is_refused(tmp_path: Path, asynchronous: bool) -> None:
    """What the rest of the run spends would be in no books; the refusal says what to do, retries let it through."""
    model = Talker()
    with metered(tmp_path, budget("1")) as meter:
        agent = agent_of(meter, model, retrying())
        with pytest.raises(Refusal, match=r"meter\.config") as refused:
            ask(agent, {}, asynchronous=asynchronous)
        assert (refused.value.reason, model.requests) == ("not_attached", 0)


def test_a_cap_around_an_agent_counts(tmp_path: Path) -> None:
    """`meter.cap` needs no policy: the answer is bounded by what the block may spend."""
    model = Talker()
    prices = parse_policy(
        "version: 1\nprices:\n  models: [{provider: '*', model: dear, input_usd_per_mtok: '1', output_usd_per_mtok: '10'}]\n"
    )
    with metered(tmp_path, prices) as meter:
        with meter.cap(usd="0.01", context=CTX):
            ask(agent_of(meter, model), {})
        assert model.seen[0]["max_tokens"] == 999
        assert is_clean(meter)


def test_streams_are_bounded_as_well(tmp_path: Path) -> None:
    """Token by token, by either protocol."""
    model = Talker()
    with metered(tmp_path, budget("0.01")) as meter:
        agent = agent_of(meter, model)
        list(agent.stream({"messages": [("user", "hi")]}, config(meter), stream_mode="messages"))
        assert model.seen[0]["max_tokens"] == 999
        assert is_clean(meter)
