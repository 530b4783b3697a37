"""One hold for one call: what the middleware reserves is what the call's step is booked against, whoever is between."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    LLMToolSelectorMiddleware,
    ModelFallbackMiddleware,
    ModelResponse,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from budgets.agents import (
    EITHER_WAY,
    Inner,
    agent_around,
    agent_of,
    ask,
    config,
    counters,
    holds,
    in_order,
    is_clean,
    lookup,
    metered,
    reserved,
    retrying,
    rows,
    web_search,
)
from budgets.talker import CTX, Talker, budget
from provider import Provider
from provider import ask as scripted
from spendgraph import BudgetExceeded, BudgetMiddleware
from spendgraph.hooks.budget_calls import call_at
from spendgraph.hooks.handing_over import Held
from spendgraph.hooks.places import OpenStep


@EITHER_WAY
def test_a_call_is_reserved_once(tmp_path: Path, asynchronous: bool) -> None:
    """While the call is under way there is one hold, and it is the step's."""
    seen: list[tuple[str, int]] = []
    with metered(tmp_path, budget("0.01")) as meter:
        model = Talker(
            before_answer=lambda: seen.extend(rows(meter, "SELECT hold_id, held_nanousd FROM holds"))
        )
        ask(agent_of(meter, model), config(meter), asynchronous=asynchronous)
        (step,) = meter.ledger.steps()
        assert seen == [(step["step_id"], step["reserved_nanousd"])]
        assert is_clean(meter)


class Verdict(BaseModel):
    """What the agent is to answer."""

    good: bool


@pytest.mark.parametrize("reserve", ["expected", "strict"])
@pytest.mark.parametrize(
    "response_format",
    [None, Verdict, ToolStrategy(Verdict), ProviderStrategy(Verdict)],
    ids=["none", "any", "by a tool", "by the provider"],
)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_what_the_agent_binds_is_foreseen(
    tmp_path: Path, api: str, response_format: Any, reserve: str
) -> None:
    """Tools and response formats count to the byte: a hold that was too small would be given back and taken anew."""
    ids: list[str] = []
    with Provider() as provider, metered(tmp_path, budget("0.05", reserve=reserve)) as meter:

        def look(request: Any, handler: Any) -> Any:
            ids.extend(hold_id for (hold_id,) in rows(meter, "SELECT hold_id FROM holds"))
            return handler(request)

        model = ChatOpenAI(
            model="gpt-5",
            base_url=f"{provider.url}/v1",
            api_key=SecretStr("account"),
            use_responses_api=api == "responses",
        )
        agent: Any = create_agent(
            model,
            [web_search, lookup],
            middleware=[BudgetMiddleware(meter), Inner(look)],
            response_format=response_format,
        )
        tools = [[["Verdict", {"good": True}]]] if isinstance(response_format, ToolStrategy) else []
        text = scripted(input=60, output=500, tools=tools, text='{"good": true}')
        agent.invoke({"messages": [("user", text)]}, config(meter))
        assert [step["step_id"] for step in meter.ledger.steps(kind="model")] == ids
        assert is_clean(meter)


def test_a_longer_answer_than_was_reserved_is_reserved_anew(tmp_path: Path) -> None:
    """Also where both are longer than usual, so that an expected budget holds the same for them."""
    model = Talker()
    ids: list[str] = []
    with metered(tmp_path, budget("0.03")) as meter:

        def look(request: Any, handler: Any) -> Any:
            ids.extend(hold_id for (hold_id,) in rows(meter, "SELECT hold_id FROM holds"))
            return handler(request.override(model_settings={"max_tokens": 50_000}))

        ask(agent_around(meter, model, Inner(look)), config(meter))
        (step,) = meter.ledger.steps()
        assert model.seen[0]["max_tokens"] == 50_000
        assert step["step_id"] not in ids
        assert is_clean(meter)


@EITHER_WAY
def test_a_retry_outside_reserves_anew(tmp_path: Path, asynchronous: bool) -> None:
    """Each attempt comes by: two holds, one after the other, and the failed call is booked."""
    model = Talker(max_tokens=100, failures=[ConnectionError("gone")])
    with metered(tmp_path, budget("0.01")) as meter:
        agent = agent_of(meter, model, retrying(1))
        ask(agent, config(meter), asynchronous=asynchronous)
        assert model.requests == 2
        assert [step["status"] for step in in_order(meter)] == ["error", "ok"]
        assert is_clean(meter)


@EITHER_WAY
def test_a_retry_inside_reserves_for_itself(tmp_path: Path, asynchronous: bool) -> None:
    """The hold is taken over once; the second attempt is the handler's own to reserve, with the same bound."""
    model = Talker(failures=[ConnectionRefusedError("gone")])
    held: list[Any] = []
    with metered(tmp_path, budget("0.01", reserve="strict")) as meter:
        model.before_answer = lambda: held.extend(rows(meter, "SELECT hold_id FROM holds"))
        agent = agent_around(meter, model, retrying(1))
        ask(agent, config(meter), asynchronous=asynchronous)
        assert [seen["max_tokens"] for seen in model.seen] == [986, 986]
        assert (len(held), len(set(held))) == (2, 2)
        assert counters(meter) == (9_870_000, 0)
        assert is_clean(meter)


def test_a_fallback_inside_is_priced_as_itself(tmp_path: Path) -> None:
    """The other model takes over nothing: its step holds its own estimate."""
    model = Talker(failures=[ConnectionError("gone")], max_tokens=100)
    other = Talker(model_name="cheap", max_tokens=100)
    with metered(tmp_path, budget("1")) as meter:
        ask(agent_around(meter, model, ModelFallbackMiddleware(other)), config(meter))
        assert [(model, held) for model, held, _ in reserved(meter)] == [
            ("dear", 1_005_000),
            ("cheap", 100_500),
        ]
        assert is_clean(meter)


@pytest.mark.parametrize("reserve", ["expected", "strict"])
def test_another_model_than_was_reserved_is_priced_anew(tmp_path: Path, reserve: str) -> None:
    """Reserved for the cheap one, called the dear one: the hold is given back and the dear call reserved, or refused."""
    cheap, dear = Talker(model_name="cheap", max_tokens=500), Talker(max_tokens=500)
    swap = Inner(lambda request, handler: handler(request.override(model=dear)))
    with metered(tmp_path, budget("0.006", reserve=reserve)) as meter:
        agent = agent_around(meter, cheap, swap)
        ask(agent, config(meter))
        ((name, held, cost),) = reserved(meter)
        assert (name, cost) == ("dear", 5_010_000)
        assert held >= 5_000_000
        with pytest.raises(BudgetExceeded):
            ask(agent, config(meter))
        assert dear.requests == 1
        assert is_clean(meter)


def test_a_cheaper_model_than_was_reserved_keeps_the_hold(tmp_path: Path) -> None:
    """Enough is held: nobody has to be asked again."""
    cheap, dear = Talker(model_name="cheap", max_tokens=500), Talker(max_tokens=500)
    swap = Inner(lambda request, handler: handler(request.override(model=cheap)))
    with metered(tmp_path, budget("1", reserve="strict")) as meter:
        ask(agent_around(meter, dear, swap), config(meter))
        ((name, held, cost),) = reserved(meter)
        assert (name, cost) == ("cheap", 501_000)
        assert held > 5_000_000
        assert is_clean(meter)


def test_more_output_than_was_reserved_is_refused_in_a_strict_budget(tmp_path: Path) -> None:
    """A middleware between us and the model that lifts the bound does not get its call out."""
    model = Talker()
    lift = Inner(lambda request, handler: handler(request.override(model_settings={"max_tokens": 5_000})))
    with metered(tmp_path, budget("0.01", reserve="strict")) as meter:
        with pytest.raises(BudgetExceeded):
            ask(agent_around(meter, model, lift), config(meter))
        assert model.requests == 0
        assert is_clean(meter)


@EITHER_WAY
@pytest.mark.parametrize("what", ["answers itself", "fails"])
def test_a_call_that_is_never_made_holds_nothing(tmp_path: Path, what: str, asynchronous: bool) -> None:
    """A middleware between us and the model answers from elsewhere, or breaks."""

    def act(request: Any, handler: Any) -> Any:
        if what == "fails":
            raise LookupError("broken")
        return ModelResponse(result=[AIMessage("from elsewhere")])

    model = Talker(max_tokens=100)
    with metered(tmp_path, budget("1")) as meter:
        agent = agent_around(meter, model, Inner(act))
        if what == "fails":
            with pytest.raises(LookupError):
                ask(agent, config(meter), asynchronous=asynchronous)
        else:
            assert ask(agent, config(meter), asynchronous=asynchronous).content == "from elsewhere"
        assert (model.requests, counters(meter)) == (0, (0, 0))
        assert is_clean(meter)


def test_a_middlewares_own_call_leaves_the_hold_alone(tmp_path: Path) -> None:
    """A selector of tools inside ours calls the same model first: that call reserves for itself."""
    order: list[tuple[int, int]] = []
    with metered(tmp_path, budget("1")) as meter:
        chooser = Talker(
            model_name="cheap",
            output=5,
            before_answer=lambda: order.append((holds(meter), 1)),
        )
        model = Talker(max_tokens=100, before_answer=lambda: order.append((holds(meter), 2)))

        def act(request: Any, handler: Any) -> Any:
            chooser.invoke([HumanMessage("which tools?")])
            return handler(request)

        ask(agent_around(meter, model, Inner(act)), config(meter))
        assert order == [(2, 1), (1, 2)]
        assert [step["model"] for step in meter.ledger.steps()] == ["cheap", "dear"]
        assert is_clean(meter)


def test_langchains_selector_of_tools_is_told_apart(tmp_path: Path) -> None:
    """It sends the very same last message with the very same model, marked as a call of its own."""

    class Choosing(Talker):
        def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
            return self | (lambda message: {"tools": ["lookup"]})

    held: list[int] = []
    with metered(tmp_path, budget("1")) as meter:
        model = Choosing(max_tokens=100, before_answer=lambda: held.append(holds(meter)))
        middleware = [BudgetMiddleware(meter), LLMToolSelectorMiddleware(max_tools=1)]
        ask(create_agent(model, [web_search, lookup], middleware=middleware), config(meter))
        assert model.requests == 2
        assert held == [2, 1]
        assert is_clean(meter)


def test_a_prompt_that_is_changed_further_in_is_the_same_call(tmp_path: Path) -> None:
    """Copies of messages, as LangChain's context editing makes, have the ids of the originals."""

    def act(request: Any, handler: Any) -> Any:
        return handler(request.override(messages=[each.model_copy() for each in request.messages]))

    held: list[int] = []
    with metered(tmp_path, budget("1")) as meter:
        model = Talker(max_tokens=100, before_answer=lambda: held.append(holds(meter)))
        ask(agent_around(meter, model, Inner(act)), config(meter))
        assert held == [1]


def test_two_calls_at_once_cannot_both_have_the_hold(tmp_path: Path) -> None:
    """A middleware that sends one request twice, side by side: one takes the hold over, the other reserves."""

    def act(request: Any, handler: Any) -> Any:
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(copy_context().run, handler, request) for _ in range(2)]
            return both[0].result(), both[1].result()

    first: list[Any] = []

    def one_of(request: Any, handler: Any) -> Any:
        first.extend(act(request, handler))
        return first[0]

    held: list[int] = []
    with metered(tmp_path, budget("1")) as meter:
        together = threading.Barrier(2)

        def look() -> None:
            together.wait(10)
            held.append(holds(meter))
            together.wait(10)

        model = Talker(max_tokens=100, before_answer=look)
        ask(agent_around(meter, model, Inner(one_of)), config(meter))
        assert (held, len(first)) == ([2, 2], 2)
        assert len(list(meter.ledger.steps())) == 2
        assert is_clean(meter)


def test_a_hold_is_claimed_once(tmp_path: Path) -> None:
    """By whoever is first; what is given back then is nothing."""
    with metered(tmp_path, budget("1")) as meter, meter.task(CTX):
        place = meter.recorder.here()
        step = OpenStep(
            "s", place, "model", "", provider="", model="", inputs=None, started_us=0, is_replay=False
        )
        held = Held(meter.recorder, step, call_at(place, 0), (), None, is_strict=False)
        assert [held.claim(), held.claim()] == [True, False]
