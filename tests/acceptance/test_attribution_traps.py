"""What published tools got wrong about who pays, one test a mistake."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.attach import WAYS, Way, attached
from acceptance.books import differences, query, steps
from acceptance.kit import Kit
from provider import POLICY, Provider, ask
from spendgraph import ContextMissing, CostContext, Meter, SpendCallbackHandler
from spendgraph.policy import parse_policy

TAGS = {
    "feature": "acceptance",
    "team": "quality",
    "workload_class": "eval",
    "environment": "staging",
    "user": "alice",
    "cost_center": "cc-1",
    "version": "3",
}
ACME = CostContext.from_mapping({"tenant": "acme", **TAGS})

BLOCKING = """\
attribution:
  required: [feature, team, tenant, workload_class, environment]
  on_missing: block
"""


def _thinking_tool(kit: Kit) -> BaseTool:
    model = kit.openai()

    @tool
    def think(topic: str) -> str:
        """Think about a topic."""
        return model.invoke(kit.ask("in-tool")).text

    return think


@pytest.mark.parametrize("way", WAYS)
def test_a_model_in_a_tool_of_an_agent_in_a_graph_has_every_tag_and_its_path(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """The row knows its payer, its tool, its node and the way there, and rows under a run add up to the run."""
    agent = create_agent(kit.openai(), [_thinking_tool(kit)])
    builder = StateGraph(MessagesState)
    builder.add_node("helper", agent)
    builder.add_edge(START, "helper")
    with attached(meter, way, ACME) as metering:
        own = replace(kit, metering=metering)
        prompt = own.ask("agent", tools=[[["think", {"topic": "a"}]]])
        builder.compile().invoke({"messages": [HumanMessage(prompt)]}, own.config())
    assert meter.flush(10)
    invoice, rows = provider.invoice(kit.account), steps(ledger)
    assert differences(invoice.lines, rows, TAGS) == []
    places = [(row["kind"], row["node"], row["path"]) for row in rows]
    assert places == [
        ("model", "model", "helper/model"),
        ("model", "tools", "helper/tools"),
        ("tool", "tools", "helper/tools"),
        ("model", "model", "helper/model"),
    ]
    assert rows[1]["parent_step_id"] == rows[2]["step_id"]
    assert query(ledger, "SELECT cost_nanousd FROM task_costs") == [{"cost_nanousd": invoice.total}]


def _in_thread(kit: Kit, carried: Any) -> None:
    call, raised = carried(kit.openai().invoke), list[ContextMissing]()

    def aside() -> None:
        try:
            call(kit.ask("aside"))
        except ContextMissing as error:  # a thread keeps its errors to itself
            raised.append(error)

    thread = threading.Thread(target=aside)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def _in_pool(kit: Kit, carried: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(carried(kit.openai().invoke), kit.ask("aside")).result()


def _in_executor(kit: Kit, carried: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, carried(kit.openai().invoke), kit.ask("aside"))

    asyncio.run(main())


def _uncarried(function: Any) -> Any:
    return function


ASIDES = (_in_thread, _in_pool, _in_executor)


@pytest.mark.parametrize("threads", [True, False], ids=["threads-wrapped", "carried"])
@pytest.mark.parametrize("aside", ASIDES, ids=lambda aside: aside.__name__.strip("_"))
def test_a_model_in_a_thread_that_carries_its_task_is_one_attributed_row(
    aside: Any, threads: bool, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """With the context carried, by the process-wide wrapper or by hand, the row is the task's."""
    meter.install(threads=threads)
    with meter.task(ACME) as task:
        aside(kit, _uncarried if threads else meter.carry)
        task_id = task.task_id
    assert meter.flush(10)
    rows = steps(ledger)
    assert differences(provider.invoice(kit.account).lines, rows, TAGS) == []
    assert [row["task_id"] for row in rows] == [task_id]


@pytest.mark.parametrize("aside", ASIDES, ids=lambda aside: aside.__name__.strip("_"))
def test_a_model_in_a_thread_without_context_is_one_unattributed_row(
    aside: Any, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """Where nothing carries the context the call is booked all the same, to nobody, and says so."""
    meter.install()
    with meter.task(ACME):
        aside(kit, _uncarried)
    assert meter.flush(10)
    (row,) = steps(ledger)
    assert row["cost_nanousd"] == provider.invoice(kit.account).total
    assert row["tenant"] == ""
    assert set(row["missing_tags"].replace(" ", "").split(",")) == {
        "feature",
        "team",
        "tenant",
        "workload_class",
        "environment",
    }


def _without_callbacks(kit: Kit, carried: Any) -> None:
    kit.openai().invoke(kit.ask("aside"), {"callbacks": []})


@pytest.mark.parametrize("aside", [*ASIDES, _without_callbacks], ids=lambda aside: aside.__name__.strip("_"))
def test_a_model_without_context_is_refused_where_tags_are_required(
    aside: Any, kit: Kit, provider: Provider, ledger: Path
) -> None:
    """The policy blocks before a single token is sent, and names what is missing."""
    with Meter(ledger, policy=parse_policy(POLICY + BLOCKING)) as meter:
        meter.install()
        with contextlib.ExitStack() as around:
            if aside is not _without_callbacks:
                around.enter_context(meter.task(ACME))
            with pytest.raises(ContextMissing, match="tenant"):
                aside(kit, _uncarried)
    assert provider.invoice(kit.account).lines == ()
    assert steps(ledger) == []
    (decision,) = query(ledger, "SELECT kind, outcome FROM decisions")
    assert decision == {"kind": "attribution", "outcome": "refused"}


@pytest.mark.parametrize("way", WAYS)
def test_a_child_that_names_another_tenant_changes_nothing_and_is_recorded(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """A run inside a task may fill what is unset; who pays it cannot change."""
    model = kit.openai()

    def work(state: State) -> Any:
        tags = {"spend_tenant": "globex", "spend_template": "t-1", "spend_project": "p-1"}
        return {"notes": [model.invoke(kit.ask("child"), {"metadata": tags}).text]}

    with attached(meter, way, ACME) as metering:
        line_of_nodes(work=work).invoke(START_STATE, replace(kit, metering=metering).config())
    assert meter.flush(10)
    rows = steps(ledger)
    tags = {**TAGS, "template": "t-1", "project": "p-1"}
    assert differences(provider.invoice(kit.account).lines, rows, tags) == []
    (decision,) = query(ledger, "SELECT kind, outcome, reason FROM decisions")
    assert (decision["kind"], decision["outcome"]) == ("context", "ignored")
    assert "tenant" in decision["reason"]
    assert "project" not in decision["reason"]


def test_one_handler_attached_in_every_way_at_once_books_one_row(
    kit: Kit, provider: Provider, meter: Meter, ledger: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """In the constructor, in the config, twice, by the process-wide hook and inside a task: one call, one row."""
    model = kit.openai(callbacks=[meter.handler])
    twice: RunnableConfig = {"callbacks": [meter.handler, SpendCallbackHandler(meter)]}

    def work(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("once"), twice).text]}

    async def work_async(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("once"), twice)).text]}

    nested = line_of_nodes(work=work).with_config(callbacks=[meter.handler])

    def outer(state: State) -> Any:
        return nested.invoke(START_STATE, twice)

    nested_async = line_of_nodes(work=work_async).with_config(callbacks=[meter.handler])
    meter.install(threads=True)
    with meter.task(ACME):
        line_of_nodes(outer=outer).invoke(START_STATE, meter.config(ACME))
        loop.run_until_complete(nested_async.ainvoke(START_STATE, meter.config(ACME)))
    assert meter.flush(10)
    rows = steps(ledger)
    assert len(rows) == 2
    assert differences(provider.invoice(kit.account).lines, rows, TAGS) == []


@pytest.mark.parametrize("way", ["config", "handler"])
def test_a_sub_agent_given_callbacks_without_metadata_is_the_parents(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """The context is found by walking parent runs when only the callbacks are handed on."""
    model = kit.openai()

    def without_metadata(callbacks: Any) -> Any:
        bare = callbacks.copy()  # LangChain's managers carry metadata of their own
        bare.metadata, bare.inheritable_metadata = {}, {}
        return bare

    def inner(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("inner")).text]}

    nested = line_of_nodes(inner=inner)

    def work(state: State, config: RunnableConfig) -> Any:
        model.invoke(kit.ask("outer"))
        bare: RunnableConfig = {"callbacks": without_metadata(config.get("callbacks"))}
        # A thread forgets the running config: the callbacks are all the child has.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(nested.invoke, START_STATE, bare).result()

    with attached(meter, way, ACME) as metering:
        line_of_nodes(work=work).invoke(START_STATE, replace(kit, metering=metering).config())
    assert meter.flush(10)
    rows = steps(ledger)
    assert differences(provider.invoice(kit.account).lines, rows, TAGS) == []
    assert len({row["task_id"] for row in rows}) == 1


def test_a_call_with_two_tags_of_one_kind_is_one_dollar_on_every_report(
    kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """Spend by any tag sums to the invoice, also for calls that name a tag twice."""
    model = kit.openai()

    def work(state: State) -> Any:
        config: RunnableConfig = {
            "tags": ["tenant:globex", "tenant:acme"],
            "metadata": {"spend_x_squad": "red", "spend_template": "inner"},
        }
        return {"notes": [model.invoke(kit.ask("both"), config).text, model.invoke(kit.ask("plain")).text]}

    both = ACME.replace(extra={"squad": "blue"}, template="outer")
    line_of_nodes(work=work).invoke(START_STATE, meter.config(both, {"tags": ["squad:green"]}))
    assert meter.flush(10)
    total = provider.invoice(kit.account).total
    assert differences(provider.invoice(kit.account).lines, steps(ledger), TAGS) == []
    for tag in ("tenant", "team", "feature", "template", "extra", "user", "cost_center", "node", "model"):
        grouped = f"SELECT sum(cost_nanousd) AS cost FROM spend GROUP BY {tag}"
        assert query(ledger, f"SELECT sum(cost) AS total FROM ({grouped})") == [{"total": total}]
    for tag in ("tenant", "template", "extra.squad", "node", "tenant extra.squad"):
        assert (tag, sum(row["cost_nanousd"] for row in meter.ledger.spend(by=tag.split()))) == (tag, total)


def test_prompts_and_keys_reach_neither_table_nor_log(
    kit: Kit, meter: Meter, ledger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No prompt, answer, tool input, error text or API key is in the file, its journal or our log."""
    secret = "xyzzy-plugh-0451"
    model = kit.openai()

    @tool
    def tell(what: str) -> str:
        """Tell something, and fail."""
        model.invoke(f"{ask(purpose='secret', tenant='acme', text=secret)} {what}")
        raise KeyError(what)

    with caplog.at_level("DEBUG", logger="spendgraph"), meter.task(ACME):
        with pytest.raises(KeyError, match=secret):
            tell.invoke({"what": secret})
        with pytest.raises(openai.APIStatusError):
            model.invoke(f"{ask(purpose='refused', tenant='acme', fail=[500])} {secret}")
        kit.anthropic().invoke(f"{kit.ask('other', text=secret)} {secret}")
    assert meter.flush(10)
    assert [row["status"] for row in steps(ledger)] == ["ok", "error", "error", "ok"]
    files = [file for file in ledger.parent.iterdir() if file.is_file()]
    assert ledger in files
    for hidden in (secret, kit.account):
        assert not any(hidden.encode() in file.read_bytes() for file in files)
        assert hidden not in "".join(
            record.getMessage() for record in caplog.records if "spend" in record.name
        )
