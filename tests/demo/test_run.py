"""One run of the demo on scripted models: what its ledger holds afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spendgraph import Meter
from spendgraph.ledger import TaskTree
from spendgraph_demo.books import SHOWN, Books, read_books
from spendgraph_demo.cases import CASES, choose_cases
from spendgraph_demo.command import POLICY
from spendgraph_demo.models import scripted_models
from spendgraph_demo.scenario import Run, play


@dataclass
class Listener:
    """Remembers what it was told."""

    titles: list[str] = field(default_factory=list[str])
    text: str = ""
    done: int = 0

    def started(self, title: str) -> None:
        self.titles.append(title)

    def wrote(self, text: str) -> None:
        self.text += text

    def finished(self, count: int = 1) -> None:
        self.done += count


@dataclass
class Played:
    """A run that has ended."""

    meter: Meter
    run: Run
    listener: Listener
    books: Books


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The demo, run once on scripted models."""
    listener = Listener()
    with Meter(tmp_path_factory.mktemp("demo") / "ledger.db", policy=POLICY) as meter:
        run = play(meter, scripted_models("for a test"), listener)
        yield Played(meter, run, listener, read_books(meter.ledger, run, since_us=0))


def walk(node: TaskTree) -> Iterator[TaskTree]:
    """A tree's nodes, the root first."""
    yield node
    for child in node.children:
        yield from walk(child)


def test_every_call_is_one_step(played: Played) -> None:
    """Nine cases take 76 steps, the untagged call is the 77th."""
    kinds = Counter(step["kind"] for step in played.meter.ledger.steps())
    assert kinds == {"model": 35, "embedding": 22, "retriever": 13, "tool": 7}
    assert played.books.steps == 77
    assert played.books.tasks == 10


def test_the_table_adds_up_to_the_total(played: Played) -> None:
    """Nine cells and the unattributed line are the total; so are the owners."""
    books = played.books
    assert len(books.spend) == 9
    assert all(amount > 0 for amount in books.spend.values())
    assert sum(books.spend.values()) + books.unattributed_nanousd == books.total_nanousd
    assert sum(books.owners.values()) == books.total_nanousd


def test_only_the_untagged_call_is_unattributed(played: Played) -> None:
    """13 tokens in at $3 and 9 out at $15 a million are $0.000174, and nobody's."""
    assert played.books.unattributed_steps == 1
    assert played.books.unattributed_nanousd == 174_000
    (step,) = played.meter.ledger.steps(feature="")
    assert (step["kind"], step["input_tokens"], step["output_tokens"]) == ("model", 13, 9)
    assert step["missing_tags"] != ""


def test_the_paid_tool_costs_half_a_cent_a_call(played: Played) -> None:
    """Four searches at $0.005, charged to four payers and provided by the search platform."""
    searches = list(played.meter.ledger.steps(name="web_search"))
    assert [step["cost_nanousd"] for step in searches] == [5_000_000] * 4
    assert {(step["feature"], step["tenant"]) for step in searches} == {
        ("inbox-triage", "globex"),
        ("contract-review", "acme"),
        ("contract-review", "globex"),
        ("weekly-digest", "initech"),
    }
    assert played.books.owners["search-platform"] == 20_000_000


def test_no_tag_crosses_between_the_tasks(played: Played) -> None:
    """Every step of a task carries that task's feature and tenant, batch or not."""
    tags = {
        (step["task_id"].rpartition("-")[0], f"{step['feature']}-{step['tenant']}")
        for step in played.meter.ledger.steps()
        if step["feature"]
    }
    assert len(tags) == 9
    assert all(task == expected for task, expected in tags)


def test_the_tree_of_a_task_is_complete(played: Played) -> None:
    """The review for acme has twelve steps, the model inside the tool below the tool, and its cost in all."""
    tree = played.books.tree
    assert tree.steps == 12
    assert tree.cost_nanousd == played.books.spend["contract-review", "acme"]
    assert [child.label for child in tree.children] == ["index", "plan", "question", "summarise"]
    (tool,) = [node for node in walk(tree) if node.kind == "step" and node.row["name"] == "plain_words"]
    assert [child.row["kind"] for child in tool.children] == ["model"]


def test_the_retrievers_embedding_is_booked_where_it_was_asked_for(played: Played) -> None:
    """A query is embedded in the node that retrieves, a shelf in the node that indexes."""
    nodes = Counter(step["node"] for step in played.meter.ledger.steps(kind="embedding"))
    assert nodes == {"index": 9, "retrieve": 13}


def test_every_step_has_a_provider_team(played: Played) -> None:
    """The policy names an owner for each step, free tools included."""
    assert set(played.books.owners) == {
        "agent-platform",
        "language-tools",
        "ml-platform",
        "search",
        "search-platform",
    }


def test_the_ledger_is_sound(played: Played) -> None:
    """Everything that can be derived again is as booked."""
    assert played.books.problems == []


def test_whoever_watches_hears_of_every_task_and_sees_the_streamed_text(played: Played) -> None:
    """Ten tasks end; what interactive tasks write is shown as it comes."""
    assert played.listener.done == 10
    assert played.listener.titles[0] == "inbox-triage · acme"
    assert played.listener.titles[-1] == "a call without tags"
    assert "The old key works for one more hour." in played.listener.text


def test_a_slow_machine_runs_fewer_cases_and_still_shows_every_feature_and_tenant() -> None:
    """From 2.5 seconds for a short answer on, three cases tell the story, the one whose steps are shown among them."""
    assert choose_cases(0.0) == choose_cases(2.5) == CASES
    fewer = choose_cases(2.6)
    assert [case.shelf for case in fewer] == [
        "inbox-triage/globex",
        "contract-review/acme",
        "weekly-digest/initech",
    ]
    assert SHOWN in {case.shelf for case in fewer}


def test_a_second_run_on_the_same_ledger_counts_for_itself(tmp_path: Path) -> None:
    """The books of a run leave out what was booked before it began."""
    models = scripted_models("for a test")
    with Meter(tmp_path / "ledger.db", policy=POLICY) as meter:
        first = read_books(meter.ledger, play(meter, models, Listener()), since_us=0)
        began_us = meter.ledger.now()
        second = read_books(meter.ledger, play(meter, models, Listener()), since_us=began_us)
        assert second.total_nanousd == first.total_nanousd
        assert second.tasks == 10
        assert meter.ledger.spend()[0]["cost_nanousd"] == 2 * first.total_nanousd
