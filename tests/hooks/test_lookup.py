"""Who a run belongs to: the order of the lookup, and what nothing below a root can change."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.runtime import Runtime

from hooks.graphs import State, chain_of, graph_of, rows
from scripted import STEP_NANOUSD, ScriptedCompletion, ScriptedModel, StreamingModel, scripted_policy
from spendgraph import CostContext, Meter
from spendgraph.errors import ContextError
from spendgraph.hooks.dispatcher import Dispatcher

ACME = CostContext(feature="triage", team="support", tenant="acme")


def decisions(path: Path) -> list[tuple[str, str, str]]:
    """Kind, outcome and reason of every decision."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT kind, outcome, reason FROM decisions ORDER BY rowid").fetchall()


def test_a_task_outside_comes_before_the_roots_own_metadata(scripted: Meter, tmp_path: Path) -> None:
    """Inside `meter.task`, metadata of a root only fills what is unset; the attempt to change is a row."""
    model = ScriptedModel()
    with scripted.task(ACME):
        model.invoke("hi", {"metadata": {"spend_tenant": "evil", "spend_version": "7"}})
    (row,) = rows(scripted)
    assert (row["tenant"], row["version"], row["feature"]) == ("acme", "7", "triage")
    scripted.flush()
    kind, outcome, reason = decisions(tmp_path / "ledger.db")[0]
    assert (kind, outcome) == ("context", "ignored")
    assert "tenant" in reason


def test_the_resolver_comes_before_metadata(tmp_path: Path) -> None:
    """A resolver that knows the context of a root is believed before the root's metadata."""
    seen: list[Any] = []

    def resolve(config: Any, runtime: Any) -> CostContext | None:
        seen.append(config["metadata"].get("spend_tenant"))
        return ACME

    with Meter(tmp_path / "l.db", policy=scripted_policy(), context=resolve) as meter:
        meter.install()
        ScriptedModel().invoke("hi", {"metadata": {"spend_tenant": "evil"}})
        assert rows(meter)[0]["tenant"] == "acme"
    assert seen == ["evil"]


def test_a_resolver_is_asked_again_inside_a_node_where_the_runtime_is(tmp_path: Path) -> None:
    """LangGraph's runtime context, unknown at the root's start, gives the tenant inside the node."""

    def resolve(config: Any, runtime: Any) -> CostContext | None:
        return (
            None if runtime is None or runtime.context is None else CostContext(tenant=runtime.context["t"])
        )

    model = ScriptedModel()

    def work(state: State, runtime: Runtime[Any]) -> State:
        model.invoke("hi")
        return state

    graph = graph_of(work, context_schema=dict)
    with Meter(tmp_path / "l.db", policy=scripted_policy(), context=resolve) as meter:
        meter.install()
        graph.invoke({"n": 0}, context={"t": "acme"})
        assert rows(meter)[0]["tenant"] == "acme"


def test_untrusted_metadata_is_nobodys_word(tmp_path: Path) -> None:
    """With `trust_metadata: false` a root's metadata gives no tag: the step is unattributed."""
    policy = scripted_policy("attribution: {trust_metadata: false}\n")
    with Meter(tmp_path / "l.db", policy=policy) as meter:
        meter.install()
        ScriptedModel().invoke("hi", {"metadata": ACME.metadata()})
        (row,) = rows(meter)
    assert row["tenant"] == ""
    assert row["missing_tags"] == "feature,team,workload_class,tenant,environment"


def test_a_nested_task_inherits_what_it_does_not_set_and_is_a_child(scripted: Meter, tmp_path: Path) -> None:
    """A task opened inside a node may change who pays, and that is no forgery; it is a child task."""
    model = ScriptedModel()

    def work(state: State) -> State:
        model.invoke("before")
        with scripted.task(tenant="umbrella"):
            model.invoke("inside", {"metadata": {"spend_template": "t2"}})
            chain_of(lambda _: model.invoke("deeper")).invoke(1)
        model.invoke("after")
        return state

    graph_of(work).invoke({"n": 0}, scripted.config(ACME))
    assert [(r["tenant"], r["feature"], r["node"]) for r in rows(scripted)] == [
        ("acme", "triage", "work"),
        ("umbrella", "triage", "work"),
        ("umbrella", "triage", "work"),
        ("acme", "triage", "work"),
    ]
    outer, inner = rows(scripted)[0]["task_id"], rows(scripted)[1]["task_id"]
    assert outer != inner
    assert rows(scripted)[2]["task_id"] == inner
    tree = scripted.ledger.task(outer)
    assert tree is not None
    assert [child.label for child in tree.children if child.kind == "task"] == [inner]
    assert decisions(tmp_path / "ledger.db") == []


def test_a_background_workers_next_tenant_is_not_the_one_that_started_it(scripted: Meter) -> None:
    """A task opened in a context copied from a finished run is the task's, not that run's."""
    import contextvars

    model = ScriptedModel()
    copied: list[contextvars.Context] = []

    def work(state: State) -> State:
        copied.append(contextvars.copy_context())
        return state

    graph_of(work).invoke({"n": 0}, scripted.config(ACME))

    def later() -> None:
        with scripted.task(tenant="umbrella", feature="digest"):
            model.invoke("hi")

    copied[0].run(later)
    assert [r["tenant"] for r in rows(scripted)] == ["umbrella"]


def test_work_left_running_after_its_graph_is_still_its_tenants(scripted: Meter) -> None:
    """A call that outlives the root it was started in keeps that root's context, whatever its metadata says."""
    import contextvars

    model = ScriptedModel()
    copied: list[contextvars.Context] = []

    def work(state: State) -> State:
        copied.append(contextvars.copy_context())
        return state

    graph_of(work).invoke({"n": 0}, scripted.config(ACME))
    # Without these LangChain would hand the root's own tags down, and prove nothing.
    copied[0].run(model.invoke, "hi", {"callbacks": [], "metadata": {"spend_tenant": "evil"}})
    assert [(r["tenant"], r["node"]) for r in rows(scripted)] == [("acme", "work")]


def test_a_child_fills_what_is_unset_and_sets_its_template(scripted: Meter) -> None:
    """Below a root, metadata may set the template and extra tags, and fill what nobody set."""
    model = ScriptedModel()

    def work(state: State) -> State:
        tags = {"spend_template": "t2", "spend_x_squad": "red", "spend_project": "apollo", "spend_team": "x"}
        model.invoke("hi", {"metadata": tags})
        return state

    graph_of(work).invoke({"n": 0}, scripted.config(ACME.replace(template="t1")))
    (row,) = rows(scripted)
    assert (row["template"], row["project"], row["team"]) == ("t2", "apollo", "support")
    assert json.loads(row["extra"]) == {"squad": "red"}


def test_metadata_that_is_not_valid_is_recorded_and_the_step_unattributed(
    scripted: Meter, tmp_path: Path
) -> None:
    """A root whose tags cannot be read is never dropped: unattributed, with a decision that says why."""
    scripted.install()
    ScriptedModel().invoke("hi", {"metadata": {"spend_tennant": "acme"}})
    (row,) = rows(scripted)
    assert row["missing_tags"] != ""
    assert "tennant" in decisions(tmp_path / "ledger.db")[0][2]


@pytest.mark.parametrize(
    "hostile",
    ["a\x00b", "\u202eemca", "acme\u200b", "x" * 1_000_000, "\x1b[31mred", 7],
    ids=["nul", "turned round", "invisible", "megabyte", "terminal", "number"],
)
def test_a_hostile_tag_is_refused_and_neither_kept_nor_repeated(
    hostile: Any, scripted: Meter, tmp_path: Path
) -> None:
    """In metadata it leaves the call unattributed, with a short reason; in code it is an error."""
    scripted.install()
    ScriptedModel().invoke("hi", {"metadata": {"spend_tenant": hostile, "spend_feature": "triage"}})
    (row,) = rows(scripted)
    assert (row["tenant"], row["feature"]) == ("", "")
    assert row["missing_tags"] != ""
    ((_, outcome, reason),) = decisions(tmp_path / "ledger.db")
    assert outcome == "ignored"
    assert "tenant" in reason
    assert len(reason) < 300
    assert reason.isprintable()
    with pytest.raises(ContextError, match="tenant"), scripted.task(tenant=hostile):
        pass


@pytest.mark.parametrize(
    "text",
    ["x'); DROP TABLE steps;--", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "../../etc/passwd"],
    ids=["sql", "html", "formula", "path"],
)
def test_a_tag_that_means_something_elsewhere_is_kept_as_text(
    text: str, scripted: Meter, tmp_path: Path
) -> None:
    """It comes out of the books as it went in, and nothing else happens."""
    before = sorted(tmp_path.iterdir())
    ScriptedModel().invoke("hi", scripted.config(ACME.replace(tenant=text, extra={"note": text})))
    (row,) = scripted.ledger.steps(tenant=text)
    assert (row["tenant"], json.loads(row["extra"])) == (text, {"note": text})
    assert scripted.ledger.spend(by=["tenant"])[0]["tenant"] == text
    assert scripted.ledger.verify() == []
    assert sorted(tmp_path.iterdir()) == before


def test_hashed_users_reach_neither_ledger_nor_metadata(tmp_path: Path) -> None:
    """With `users: hashed` the ledger and the config's metadata carry the same pseudonym."""
    policy = scripted_policy("attribution: {users: hashed}\n")
    with Meter(tmp_path / "l.db", policy=policy) as meter:
        config: Any = meter.config(ACME.replace(user="jane@example.com"))
        ScriptedModel().invoke("hi", config)
        (row,) = rows(meter)
        assert row["user"].startswith("u_")
        assert config["metadata"]["spend_user"] == row["user"]
    assert b"jane@example.com" not in (tmp_path / "l.db").read_bytes()


def test_a_passive_meter_books_nothing(scripted: Meter) -> None:
    """A meter that nobody attached leaves other runs alone, while another meter's runs go on."""
    ScriptedModel().invoke("hi")
    with scripted.task(ACME):
        ScriptedModel().invoke("mine")
    ScriptedModel().invoke("not mine")
    assert len(rows(scripted)) == 1


def test_two_meters_on_one_run_book_it_once_each(scripted: Meter, tmp_path: Path) -> None:
    """Two meters are two sets of books: each has the call once."""
    with Meter(tmp_path / "other.db", policy=scripted_policy()) as other:
        other.install()
        ScriptedModel().invoke("hi", scripted.config(ACME))
        assert [r["tenant"] for r in rows(scripted)] == ["acme"]
        assert [r["tenant"] for r in rows(other)] == ["acme"]


@pytest.mark.parametrize(
    "model", [ScriptedModel(), StreamingModel(), ScriptedCompletion()], ids=lambda model: type(model).__name__
)
def test_an_event_delivered_twice_is_recorded_once(model: Any, scripted: Meter) -> None:
    """Every start and every end of chain, tool and model is heard twice: one task, one row each."""
    again = Dispatcher()
    again.attach(scripted.listener)

    @tool
    def ask(question: str) -> str:
        """Ask a model."""
        return str(model.invoke(question))

    chain = chain_of(lambda _: ask.invoke({"question": "q"}))
    chain.invoke(1, {"callbacks": [scripted.handler, again], "metadata": ACME.metadata()})
    booked = [(r["kind"], r["tenant"], r["cost_nanousd"]) for r in rows(scripted)]
    assert booked == [("model", "acme", STEP_NANOUSD), ("tool", "acme", 0)]
    assert len({r["task_id"] for r in rows(scripted)}) == 1
    assert scripted.ledger.verify() == []


def test_config_merges_without_changing_what_it_was_given(scripted: Meter) -> None:
    """`meter.config` keeps callbacks, metadata and configurable of the given config, and adds its own once."""
    from langchain_core.callbacks import BaseCallbackHandler

    mine = BaseCallbackHandler()
    given: Any = {"callbacks": [mine], "metadata": {"a": 1}, "configurable": {"x": 2}, "tags": ["t"]}
    once: Any = scripted.config(ACME, given, thread_id="42")
    twice: Any = scripted.config(ACME, once)
    assert given == {"callbacks": [mine], "metadata": {"a": 1}, "configurable": {"x": 2}, "tags": ["t"]}
    assert once["callbacks"].handlers == [mine, scripted.handler]
    assert once["callbacks"].inheritable_handlers == [mine]
    assert twice["callbacks"].handlers == [mine, scripted.handler]
    assert once["configurable"] == {"x": 2, "thread_id": "42"}
    assert once["metadata"] == {"a": 1, **ACME.metadata()}


def test_a_context_travels_to_another_process_in_a_header(tmp_path: Path) -> None:
    """The current context, its task included, goes out as baggage; in come only the tags the policy trusts."""
    policy = scripted_policy("attribution: {trust_baggage: [tenant, task_id]}\n")
    with Meter(tmp_path / "l.db", policy=policy) as meter:
        with meter.task(ACME) as task:
            header = meter.current_context().baggage()
        assert meter.context_from_baggage(header) == CostContext(tenant="acme", task_id=task.task_id)
        assert meter.current_context() == CostContext()
    with Meter(tmp_path / "l.db", policy=scripted_policy()) as meter:
        assert meter.context_from_baggage(header) is None


def test_tags_can_be_sent_along_to_a_provider_with_the_user_as_a_pseudonym(scripted: Meter) -> None:
    """OpenAI's metadata carries the tags; the person is nobody's business."""
    with scripted.task(ACME.replace(user="jane@example.com")):
        sent = scripted.provider_metadata("openai")
    assert sent["metadata"]["spend_tenant"] == "acme"
    assert "jane" not in str(sent)
