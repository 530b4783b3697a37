"""The forms in which an agent's model call goes out as its budget fills up, one rung after the other."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, SystemMessage

from budgets.agents import (
    EITHER_WAY,
    agent_of,
    ask,
    config,
    counters,
    decisions,
    degraded,
    holds,
    lookup,
    metered,
    rows,
    web_search,
)
from budgets.talker import Talker, budget, call
from spendgraph import BudgetExceeded, BudgetMiddleware, UnboundedCall
from spendgraph.policy import parse_policy

DEGRADE_AT_HALF = ", thresholds: [{at: 50%, do: degrade}]"


@EITHER_WAY
def test_a_call_that_fits_goes_out_as_requested(tmp_path: Path, asynchronous: bool) -> None:
    """No bound, no note, no decision; the step has the hold's room and the window is as the answer cost."""
    model = Talker(output=5)
    with metered(tmp_path, budget("100")) as meter:
        answer = ask(agent_of(meter, model), config(meter), asynchronous=asynchronous)
        (step,) = meter.ledger.steps()
        assert degraded(answer) == []
        assert "max_tokens" not in model.seen[0]
        assert (step["cost_nanousd"], counters(meter)) == (60_000, (60_000, 0))
        assert rows(meter, "SELECT * FROM decisions") == []
        assert meter.ledger.verify() == []


@EITHER_WAY
@pytest.mark.parametrize(
    ("reserve", "bound"),
    [
        pytest.param("expected", 999, id="expected"),  # the input is taken for 7 tokens at $1 per million
        pytest.param("strict", 986, id="strict"),  # every byte of the messages and the parameters counts
    ],
)
def test_the_longest_answer_fits_what_is_left(
    tmp_path: Path, reserve: str, bound: int, asynchronous: bool
) -> None:
    """An endless answer is cut by the provider where the money ends: a cent is a cent."""
    model = Talker()
    with metered(tmp_path, budget("0.01", reserve=reserve)) as meter:
        answer = ask(agent_of(meter, model), config(meter), asynchronous=asynchronous)
        assert model.seen[0]["max_tokens"] == bound
        assert degraded(answer) == [{"change": "max_tokens", "to": bound, "from": None}]
        assert counters(meter) == (10_000 + 10_000 * bound, 0)
        assert counters(meter)[0] <= 10_000_000
        assert meter.ledger.verify() == []


def test_no_answer_is_bounded_below_the_least(tmp_path: Path) -> None:
    """Where 256 tokens are not paid for any more, the call is refused: a stump of an answer is worth nothing."""
    with metered(tmp_path, budget("0.0025")) as meter, pytest.raises(BudgetExceeded) as refused:
        ask(agent_of(meter, Talker()), config(meter))
    assert (refused.value.budget, refused.value.spent) == ("cap", 0)


def test_the_least_can_be_less(tmp_path: Path) -> None:
    """`min_output_tokens` is the user's to say."""
    model = Talker()
    with metered(tmp_path, budget("0.0025")) as meter:
        ask(agent_of(meter, model, min_output_tokens=200), config(meter))
        assert model.seen[0]["max_tokens"] == 249


def test_a_request_for_less_than_the_least_is_let_out(tmp_path: Path) -> None:
    """A request's own limit may be as small as it likes."""
    model = Talker(max_tokens=100)
    with metered(tmp_path, budget("0.0015")) as meter:
        answer = ask(agent_of(meter, model), config(meter))
        assert (degraded(answer), model.seen[0].get("max_tokens")) == ([], None)
        assert counters(meter) == (1_010_000, 0)


def test_an_answer_is_not_bounded_into_its_thinking(tmp_path: Path) -> None:
    """What Anthropic's model is told to think comes before the answer and counts as output."""
    settings = {"thinking": {"type": "enabled", "budget_tokens": 700}}
    model = Talker(provider="anthropic")

    class Thinking(Talker):
        def _get_invocation_params(self, stop: Any = None, **kwargs: Any) -> dict[str, Any]:
            return super()._get_invocation_params(stop=stop, **kwargs) | settings

    with metered(tmp_path, budget("0.0095")) as meter:
        with pytest.raises(BudgetExceeded):
            ask(agent_of(meter, Thinking(provider="anthropic")), config(meter))
        ask(agent_of(meter, model), config(meter))
        assert model.seen[0]["max_tokens"] == 949


@pytest.mark.parametrize("reserve", ["expected", "strict"])
def test_optional_tools_are_dropped_before_the_model_is_changed(tmp_path: Path, reserve: str) -> None:
    """Past a `degrade` threshold the first thing that goes is what the call can do without."""
    model = Talker(max_tokens=300)
    policy = budget("0.02", DEGRADE_AT_HALF, reserve=reserve)
    with metered(tmp_path, policy) as meter:
        agent = agent_of(
            meter, model, tools=[web_search, lookup], optional_tools=["web_search"], cheaper={"dear": "cheap"}
        )
        answers = [ask(agent, config(meter)) for _ in range(5)]
        names = [[each["function"]["name"] for each in seen["tools"]] for seen in model.seen]
        assert names[:4] == [["web_search", "lookup"]] * 4
        assert names[4] == ["lookup"]
        assert degraded(answers[4]) == [{"change": "tools", "dropped": ["web_search"]}]
        (decision,) = decisions(meter, "degraded")
        assert (decision["budget"], decision["scope"], decision["spent"]) == (
            "cap",
            "tenant=acme",
            12_040_000,
        )
        assert decision["changes"] == [{"change": "tools", "dropped": ["web_search"]}]
        assert meter.ledger.verify() == []


def test_each_further_threshold_takes_one_more_rung(tmp_path: Path) -> None:
    """At 50% the optional tool goes, at 70% the model: budgets say how fast."""
    model = Talker(max_tokens=300)
    policy = budget("0.02", ", thresholds: [{at: 50%, do: degrade}, {at: 70%, do: degrade}]")
    with metered(tmp_path, policy) as meter:
        agent = agent_of(
            meter, model, tools=[web_search, lookup], optional_tools=["web_search"], cheaper={"dear": "cheap"}
        )
        answers = [ask(agent, config(meter)) for _ in range(6)]
        said = [[change["change"] for change in degraded(answer)] for answer in answers]
        assert said == [[], [], [], [], ["tools"], ["tools", "model"]]


def test_a_tool_that_must_be_called_or_is_the_last_is_not_dropped(tmp_path: Path) -> None:
    """Providers reject a conversation with tool calls in it and no tools beside it."""
    model = Talker(max_tokens=300, calls=[[call("web_search", query="x")]])
    with metered(tmp_path, budget("0.02", ", thresholds: [{at: 10%, do: degrade}]")) as meter:
        agent = agent_of(meter, model, tools=[web_search], optional_tools=["web_search"])
        ask(agent, config(meter))
        assert [len(seen.get("tools", ())) for seen in model.seen] == [1, 1]


def test_the_conversation_is_trimmed_only_by_the_users_own_function(tmp_path: Path) -> None:
    """The last message stays; nothing is summarised behind anybody's back."""
    model = Talker(max_tokens=300)
    history = [("user", "once upon a time " * 200), ("ai", "indeed"), ("user", "and now?")]
    with metered(tmp_path, budget("0.0035")) as meter:
        agent = agent_of(meter, model, trim=lambda messages: messages[-1:], min_output_tokens=300)
        answer = agent.invoke({"messages": history}, config(meter))["messages"][-1]
        assert [type(message) for message in model.seen[0]["messages"]] == [HumanMessage]
        assert degraded(answer) == [{"change": "context", "messages": 1, "of": 3}]


@EITHER_WAY
@pytest.mark.parametrize("reserve", ["expected", "strict"])
def test_a_cheaper_model_answers_where_the_dear_one_does_not_fit(
    tmp_path: Path, reserve: str, asynchronous: bool
) -> None:
    """The stand-in is the same model with another name; the ladder has as many rungs as there are stand-ins."""
    model = Talker(max_tokens=1_000)
    with metered(tmp_path, budget("0.0003", reserve=reserve)) as meter:
        agent = agent_of(
            meter, model, cheaper={"dear": "cheap", "cheap": "cheapest"}, min_output_tokens=1_000
        )
        answer = ask(agent, config(meter), asynchronous=asynchronous)
        assert [seen["model"] for seen in model.seen] == ["cheapest"]
        assert degraded(answer) == [{"change": "model", "from": "dear", "to": "cheapest"}]
        (step,) = meter.ledger.steps()
        assert (step["model_requested"], step["cost_nanousd"]) == ("cheapest", 100_100)
        (decision,) = decisions(meter, "degraded")
        assert decision["model"] == "cheapest"
        assert meter.ledger.verify() == []


def test_a_cheaper_model_can_be_a_model(tmp_path: Path) -> None:
    """An instance is taken as it is: another provider, other settings."""
    model, other = (
        Talker(max_tokens=1_000),
        Talker(model_name="cheap", provider="anthropic", max_tokens=1_000),
    )
    with metered(tmp_path, budget("0.002")) as meter:
        ask(agent_of(meter, model, cheaper={"dear": other}, min_output_tokens=500), config(meter))
        assert (model.requests, other.requests) == (0, 1)


def test_once_degrading_always_until_five_points_below(tmp_path: Path) -> None:
    """At 50% the cheap model takes over, and keeps it at 47%: a budget on the line does not flap."""
    model = Talker(max_tokens=100)
    with metered(tmp_path, budget("0.01", DEGRADE_AT_HALF)) as meter:
        agent = agent_of(meter, model, cheaper={"dear": "cheap"})
        for _ in range(5):  # 5,050,000 nano-dollars, 50.5%
            ask(agent, config(meter))
        ask(agent, config(meter))
        names = ["dear"] * 5 + ["cheap"]
        assert [seen["model"] for seen in model.seen] == names
        _correct_window(meter, 4_700_000)
        ask(agent, config(meter))
        _correct_window(meter, 4_400_000)
        ask(agent, config(meter))
        assert [seen["model"] for seen in model.seen] == [*names, "cheap", "dear"]


def _correct_window(meter: Any, spent: int) -> None:
    """Set the counter by hand, as a credit would."""
    meter.flush()
    with closing(sqlite3.connect(str(meter.ledger.place.name))) as connection, connection:
        connection.execute("UPDATE windows SET spent_nanousd = ?", (spent,))


def test_where_nothing_can_be_given_up_a_threshold_changes_nothing(tmp_path: Path) -> None:
    """`degrade` refuses nothing: without a ladder the call goes out as requested."""
    model = Talker(max_tokens=100)
    with metered(tmp_path, budget("0.01", DEGRADE_AT_HALF)) as meter:
        agent = agent_of(meter, model)
        answers = [ask(agent, config(meter)) for _ in range(7)]
        assert [degraded(answer) for answer in answers] == [[]] * 7


def test_a_strict_budget_gives_an_unlimited_call_its_limit(tmp_path: Path) -> None:
    """What the handler alone would refuse as unbounded goes out with a bound; that is no degrading."""
    model = Talker(output=5)
    with metered(tmp_path, budget("100", reserve="strict")) as meter:
        answer = ask(agent_of(meter, model), config(meter))
        assert (model.seen[0]["max_tokens"], degraded(answer)) == (4_096, [])
        assert decisions(meter, "degraded") == []


def test_an_unknown_provider_cannot_be_bounded_unless_somebody_says_how(tmp_path: Path) -> None:
    """Nothing is guessed: a strict budget refuses, `output_limits` helps."""
    model = Talker(provider="acme")
    with metered(tmp_path, budget("100", reserve="strict")) as meter:
        with pytest.raises(UnboundedCall, match="max_tokens"):
            ask(agent_of(meter, model), config(meter))
        ask(agent_of(meter, model, output_limits={"acme": "max_output_tokens"}), config(meter))
        assert (model.requests, model.seen[0]["max_output_tokens"]) == (1, 4_096)


def test_an_unknown_provider_is_held_to_an_expected_budget_as_before(tmp_path: Path) -> None:
    """Unbounded as it is, the call is admitted as the handler alone admits it, and degraded when it does not fit."""
    model = Talker(provider="acme", output=5)
    with metered(tmp_path, budget("0.0104")) as meter:
        agent = agent_of(meter, model, cheaper={"dear": "cheap"})
        assert degraded(ask(agent, config(meter))) == []
        for _ in range(12):
            ask(agent, config(meter))
        assert {seen["model"] for seen in model.seen} == {"dear", "cheap"}
        assert meter.ledger.verify() == []


def test_a_limit_on_each_call_bounds_it(tmp_path: Path) -> None:
    """`per: call` has no window; the longest answer fits all the same."""
    model = Talker()
    with metered(tmp_path, budget("0.005", per="call")) as meter:
        agent = agent_of(meter, model)
        for _ in range(2):
            ask(agent, config(meter))
        assert [seen["max_tokens"] for seen in model.seen] == [499, 499]
        assert [step["cost_nanousd"] for step in meter.ledger.steps()] == [5_000_000, 5_000_000]


def test_a_limit_on_each_call_that_nothing_fits_is_a_refusal(tmp_path: Path) -> None:
    """The refusal names the budget."""
    with metered(tmp_path, budget("0.001", per="call")) as meter, pytest.raises(BudgetExceeded) as refused:
        ask(agent_of(meter, Talker()), config(meter))
    assert refused.value.budget == "cap"


def test_a_budget_of_tokens_bounds_the_answer(tmp_path: Path) -> None:
    """Input and output together."""
    model = Talker()
    policy = parse_policy(
        "version: 1\nprices:\n  models: [{provider: '*', model: dear, input_usd_per_mtok: 0, output_usd_per_mtok: 0}]\n"
        "budgets: [{name: cap, limit_tokens: 1000}]\n"
    )
    with metered(tmp_path, policy) as meter:
        ask(agent_of(meter, model), config(meter))
        assert model.seen[0]["max_tokens"] == 1_000 - 7
        assert meter.ledger.verify() == []


def test_a_free_model_goes_out_when_the_budget_is_spent(tmp_path: Path) -> None:
    """A stand-in without a price to pay is the end of the ladder, also of a budget that is overspent."""
    policy = parse_policy(
        "version: 1\nprices:\n  models:\n"
        "    - {provider: '*', model: dear, input_usd_per_mtok: '1', output_usd_per_mtok: '10'}\n"
        "    - {provider: '*', model: free, input_usd_per_mtok: 0, output_usd_per_mtok: 0}\n"
        "budgets: [{name: cap, limit_usd: 0}]\n"
    )
    model = Talker(max_tokens=300)
    with metered(tmp_path, policy) as meter:
        meter.record("human_review", usd="2")
        ask(agent_of(meter, model, cheaper={"dear": "free"}), config(meter))
        assert [seen["model"] for seen in model.seen] == ["free"]


def test_a_stand_in_that_the_policy_does_not_price_is_passed_over(tmp_path: Path) -> None:
    """Better refused for want of room than let out at an unknown price."""
    model = Talker(max_tokens=1_000)
    with metered(tmp_path, budget("0.002")) as meter, pytest.raises(BudgetExceeded):
        ask(agent_of(meter, model, cheaper={"dear": "mystery"}, min_output_tokens=500), config(meter))
    assert model.requests == 0


def test_without_budgets_the_middleware_does_nothing(tmp_path: Path) -> None:
    """The call is booked, and that is all."""
    model = Talker(output=5)
    with metered(tmp_path, parse_policy("version: 1\nprices: {unpriced: record}")) as meter:
        ask(agent_of(meter, model), config(meter))
        assert [step["model"] for step in meter.ledger.steps()] == ["dear"]


def test_no_message_of_anybody_elses_is_changed(tmp_path: Path) -> None:
    """The model's own answer object has no note; the conversation's does."""
    kept: list[Any] = []

    class Keeping(Talker):
        def _say(self, messages: Any, kwargs: Any) -> Any:
            result = super()._say(messages, kwargs)
            kept.append(result.generations[0].message)
            return result

    with metered(tmp_path, budget("0.01")) as meter:
        answer = ask(agent_of(meter, Keeping()), config(meter))
    assert "spendgraph" in answer.response_metadata
    assert "spendgraph" not in kept[0].response_metadata


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optional_tools": "web_search"}, "a list of tool names"),
        ({"min_output_tokens": 0}, "min_output_tokens above 0"),
        ({"cheaper": {"a": "b", "b": "a"}}, "circle"),
    ],
    ids=["tools", "tokens", "circle"],
)
def test_what_cannot_be_meant_is_refused_at_once(tmp_path: Path, options: Any, said: str) -> None:
    """Not at the thousandth call, when the budget runs low."""
    with metered(tmp_path, budget("1")) as meter, pytest.raises(ValueError, match=said):
        BudgetMiddleware(meter, **options)


def test_system_prompts_count(tmp_path: Path) -> None:
    """A long system prompt is input like any other: less is left for the answer."""
    model = Talker()
    with metered(tmp_path, budget("0.01", reserve="strict")) as meter:
        middleware = [BudgetMiddleware(meter)]
        agent: Any = create_agent(model, [], system_prompt="x" * 1_000, middleware=middleware)
        agent.invoke({"messages": [("user", "hi")]}, config(meter))
        assert type(model.seen[0]["messages"][0]) is SystemMessage
        assert model.seen[0]["max_tokens"] <= 986 - 99
        assert (holds(meter), meter.ledger.verify()) == (0, [])
