"""A refused call is never sent, whatever wraps it, and says what is missing."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from scripted import ScriptedModel, scripted_policy
from spendgraph import (
    BudgetMiddleware,
    ContextMissing,
    CostContext,
    LedgerUnavailable,
    Meter,
    Refusal,
    SpendgraphError,
    UnpricedModel,
)

REQUIRED = """
attribution:
  required: [feature, tenant]
  rules:
    - when: {environment: production}
      require: [cost_center]
      message: Production runs require a cost_center tag.
  on_missing: block
"""
FEATURE_ONLY = CostContext(feature="triage")


class State(TypedDict):
    messages: list[Any]


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Meter]:
    """An installed meter that requires a feature and a tenant."""
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(REQUIRED)) as meter:
        meter.install()
        yield meter


def _invoke(model: ScriptedModel, config: Any) -> Any:
    return model.invoke("hi", config)


def _ainvoke(model: ScriptedModel, config: Any) -> Any:
    return asyncio.run(model.ainvoke("hi", config))


def _stream(model: ScriptedModel, config: Any) -> Any:
    return list(model.stream("hi", config))


def _batch(model: ScriptedModel, config: Any) -> Any:
    return model.batch(["hi", "ho"], config)


def _abatch(model: ScriptedModel, config: Any) -> Any:
    return asyncio.run(model.abatch(["hi", "ho"], config))


@pytest.mark.parametrize("call", [_invoke, _ainvoke, _stream, _batch, _abatch])
def test_a_call_without_required_tags_is_not_sent(call: Callable[..., Any], strict: Meter) -> None:
    """It is refused with a typed error that names what is missing, before a single token is sent."""
    model = ScriptedModel()
    with pytest.raises(ContextMissing, match="tenant") as caught:
        call(model, strict.config(FEATURE_ONLY))
    assert caught.value.missing == ("tenant",)
    assert caught.value.reason == "context_missing"
    assert "meter.config" in caught.value.hint
    assert model.requests == 0


def test_a_conditional_rule_refuses_with_its_own_message(strict: Meter) -> None:
    """Production requires a cost_center here, and says so in the policy's words."""
    context = CostContext(feature="triage", tenant="acme", environment="production")
    with pytest.raises(ContextMissing, match=r"Production runs require a cost_center tag\."):
        ScriptedModel().invoke("hi", strict.config(context))
    ScriptedModel().invoke("hi", strict.config(context.replace(cost_center="cc-7")))


@tool
def ask_model(question: str) -> str:
    """Ask a model."""
    return str(SHARED.invoke(question).content)


SHARED = ScriptedModel()


def _retry(meter: Meter) -> Any:
    return SHARED.with_retry(stop_after_attempt=3, wait_exponential_jitter=False).invoke("hi")


def _retry_policy(meter: Meter) -> Any:
    builder = StateGraph(State)
    policy = RetryPolicy(initial_interval=0.001, retry_on=Exception)
    builder.add_node("work", lambda s: {"messages": [SHARED.invoke("hi")]}, retry_policy=policy)
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder.compile().invoke({"messages": []})


def _tool_node(meter: Meter) -> Any:
    call = AIMessage("", tool_calls=[{"name": "ask_model", "args": {"question": "q"}, "id": "1"}])
    builder = StateGraph(State)
    builder.add_node("tools", ToolNode([ask_model], handle_tool_errors=True))
    builder.add_edge(START, "tools")
    builder.add_edge("tools", END)
    return builder.compile().invoke({"messages": [call]})


def _agent(meter: Meter) -> Any:
    middleware = [ModelRetryMiddleware(initial_delay=0.0), ToolRetryMiddleware(initial_delay=0.0)]
    agent: Any = create_agent(SHARED, [ask_model], middleware=middleware)
    return agent.invoke({"messages": ["hi"]})


@pytest.mark.parametrize("wrapped", [_retry, _retry_policy, _tool_node, _agent])
def test_nothing_sends_a_refused_call_or_turns_it_into_an_answer(
    wrapped: Callable[[Meter], Any], strict: Meter
) -> None:
    """Retries, tool error handlers and retrying middleware let the refusal through, unsent."""
    before = SHARED.requests
    with pytest.raises(ContextMissing):
        wrapped(strict)
    assert SHARED.requests == before


def test_a_fallback_is_refused_too(strict: Meter) -> None:
    """Each model of a fallback chain is asked for by itself; none goes out."""
    other = ScriptedModel()
    model = ScriptedModel()
    with pytest.raises(ContextMissing):
        model.with_fallbacks([other]).invoke("hi")
    assert model.requests == other.requests == 0


def test_a_refused_task_is_a_refused_task_with_a_decision(strict: Meter, tmp_path: Path) -> None:
    """The decision is a row with its reason; the task's status says refused."""
    chain: Any = RunnableLambda(lambda _: ScriptedModel().invoke("hi"))
    with pytest.raises(Refusal):
        chain.invoke(1)
    strict.flush()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("SELECT kind, outcome FROM decisions").fetchall() == [
            ("attribution", "refused")
        ]
        assert connection.execute("SELECT status FROM tasks").fetchall() == [("refused",)]
        assert connection.execute("SELECT count(*) FROM steps").fetchone() == (0,)


@pytest.mark.parametrize("call", [_invoke, _ainvoke, _stream, _batch, _abatch])
def test_a_call_by_itself_that_was_refused_is_a_refused_task_at_once(
    call: Callable[..., Any], strict: Meter, tmp_path: Path
) -> None:
    """LangChain announces no end of it: the task is not left open, nor taken for a cancelled one."""
    with pytest.raises(ContextMissing):
        call(ScriptedModel(), strict.config(FEATURE_ONLY))
    gc.collect()
    strict.flush()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert {status for (status,) in connection.execute("SELECT status FROM tasks")} == {"refused"}


def test_a_refusal_is_no_error_of_a_handler_in_the_log(
    strict: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    """LangChain logs every exception of a handler as its error; ours is none."""
    with caplog.at_level(logging.WARNING), pytest.raises(ContextMissing):
        ScriptedModel().invoke("hi")
    assert caplog.records == []


def test_record_instead_of_block_lets_it_out_and_marks_it(tmp_path: Path) -> None:
    """`on_missing: record` books the step as unattributed, naming the missing tags."""
    policy = scripted_policy(REQUIRED.replace("block", "record"))
    with Meter(tmp_path / "l.db", policy=policy) as meter:
        ScriptedModel().invoke("hi", meter.config(FEATURE_ONLY))
        (row,) = meter.ledger.steps()
    assert (row["feature"], row["missing_tags"]) == ("triage", "tenant")


def test_an_unpriced_model_is_refused_or_marked_as_the_policy_says(tmp_path: Path) -> None:
    """Unknown model acme-1: `block` refuses before the call, `record` books a row marked unpriced."""

    class Acme(ScriptedModel):
        def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
            return {"ls_provider": "acme", "ls_model_name": "acme-1", "ls_model_type": "chat"}

        def _answer(self) -> AIMessage:
            answer = super()._answer()
            answer.response_metadata["model_name"] = "acme-1"
            return answer

    model = Acme()
    with Meter(tmp_path / "block.db", policy=scripted_policy("  unpriced: block\n")) as meter:
        with pytest.raises(UnpricedModel, match="acme-1") as caught:
            model.invoke("hi", meter.config(FEATURE_ONLY))
        assert (caught.value.provider, caught.value.model) == ("acme", "acme-1")
        assert model.requests == 0
    with Meter(tmp_path / "record.db", policy=scripted_policy()) as meter:
        model.invoke("hi", meter.config(FEATURE_ONLY))
        (row,) = meter.ledger.steps()
    assert (row["cost_basis"], row["cost_nanousd"], row["input_tokens"]) == ("unpriced", 0, 10)


class Nameless(ScriptedModel):
    """LangChain announces it without a model's name; its answer has one."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "acme", "ls_model_type": "chat"}


def test_a_model_that_does_not_say_its_name_has_no_price(tmp_path: Path) -> None:
    """`block` refuses it, although its answer would be priced, in an agent too."""
    model = Nameless()
    with Meter(tmp_path / "block.db", policy=scripted_policy("  unpriced: block\n")) as meter:
        config = meter.config(FEATURE_ONLY)
        with pytest.raises(
            UnpricedModel, match="the model does not say its name, so it has no price; "
        ) as caught:
            model.invoke("hi", config)
        assert (caught.value.provider, caught.value.model) == ("acme", "")
        agent: Any = create_agent(model, [], middleware=[BudgetMiddleware(meter)])
        with pytest.raises(UnpricedModel):
            agent.invoke({"messages": [("user", "hi")]}, config)
        with pytest.raises(UnpricedModel), meter.step("embedding", provider="acme"):
            pytest.fail("it ran")
        meter.record("model", usd="1")
        assert [step["cost_nanousd"] for step in meter.ledger.steps()] == [1_000_000_000]
    assert model.requests == 0


def test_a_model_without_a_name_goes_out_where_its_provider_is_priced(tmp_path: Path) -> None:
    """An entry for any model of it is a price."""
    model = Nameless()
    entry = '    - {provider: acme, model: "*", input_usd_per_mtok: "3", output_usd_per_mtok: "3"}\n'
    with Meter(tmp_path / "block.db", policy=scripted_policy(f"{entry}  unpriced: block\n")) as meter:
        model.invoke("hi", meter.config(FEATURE_ONLY))
    assert model.requests == 1


def _rename_steps(path: Path, old: str, new: str) -> None:
    """Break the file under a running meter, or mend it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


def test_a_ledger_that_cannot_be_written_refuses_the_next_call_and_keeps_the_last(tmp_path: Path) -> None:
    """The paid answer is returned and its row kept; the next call is not sent; repaired, nothing is lost."""
    path = tmp_path / "ledger.db"
    model = ScriptedModel()
    with Meter(path, policy=scripted_policy()) as meter:
        meter.install()
        model.invoke("one")
        model.before_answer = lambda: _rename_steps(path, "steps", "steps_away")
        assert model.invoke("two").content == "ok"
        assert not meter.flush()
        with pytest.raises(LedgerUnavailable, match=r"ledger\.db"):
            model.invoke("three")
        assert model.requests == 2
        model.before_answer = None
        _rename_steps(path, "steps_away", "steps")
        model.invoke("four")
        assert len(list(meter.ledger.steps())) == 3


def test_refusals_are_what_the_design_says_they_are() -> None:
    """A refusal is a spendgraph error, a LangGraph bubble-up and a RuntimeError at once."""
    from langgraph.errors import GraphBubbleUp

    assert issubclass(Refusal, (SpendgraphError,))
    assert issubclass(Refusal, GraphBubbleUp)
    assert issubclass(Refusal, RuntimeError)
    refusal = Refusal("No.", budget="b", owner="o", limit=1, spent=2, held=3, asked=4, hint="Ask.")
    assert str(refusal) == "No. Ask."
    assert (refusal.budget, refusal.limit, refusal.spent, refusal.held, refusal.asked) == ("b", 1, 2, 3, 4)


def test_what_is_missing_is_a_sentence(strict: Meter) -> None:
    """What the policy says of one tag is not run into what it says of the next."""
    with pytest.raises(ContextMissing) as caught:
        ScriptedModel().invoke("hi", strict.config(CostContext(feature="a", environment="production")))
    assert str(caught.value) == (
        "model step 'ScriptedModel' was not started: tag 'tenant' is required and not set; Production runs require a"
        " cost_center tag. Give the run its tags with meter.config(CostContext(...)) or `with meter.task(...)`."
    )
