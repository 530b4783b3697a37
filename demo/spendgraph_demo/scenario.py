"""One run of the demo: who calls what, under which tags.

Interactive cases are streamed one by one inside `meter.task(context)`; batch cases run side by side, each
with `meter.config(context)`; one call at the end has no tags. The meter is installed process-wide, which
is why that call is in the ledger too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_core.messages import AIMessageChunk

from spendgraph import CostContext, Meter, MeteredEmbeddings
from spendgraph.ids import new_id
from spendgraph_demo.cases import CASES, FEATURES, UNTAGGED_PROMPT, Case, Feature
from spendgraph_demo.graph import Desk, build_desk, desk_input
from spendgraph_demo.models import Models
from spendgraph_demo.tools import Library


class Watcher(Protocol):
    """Is told how a run goes on."""

    def started(self, title: str) -> None:
        """Something begins."""

    def wrote(self, text: str) -> None:
        """The model wrote some text for whoever is waiting."""

    def finished(self, count: int = 1) -> None:
        """So many tasks have ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was run: the tagged tasks by their ids, and how many calls had no tags."""

    task_ids: dict[str, str]
    untagged_calls: int


def play(meter: Meter, models: Models, watcher: Watcher, cases: Sequence[Case] = CASES) -> Run:
    """Run the cases and the untagged call."""
    embeddings = MeteredEmbeddings(
        meter, models.embeddings, model=models.embedding_name, provider=models.provider
    )
    library = Library(embeddings, {case.shelf: case.documents for case in cases})
    desk = build_desk(models.chat, library)
    suffix = new_id()[:6]
    task_ids = {case.shelf: f"{case.feature}-{case.tenant}-{suffix}" for case in cases}
    meter.install(threads=True)
    try:
        for feature in FEATURES:
            mine = [case for case in cases if case.feature == feature.name]
            contexts = [_context(feature, case, task_ids[case.shelf]) for case in mine]
            if feature.workload_class == "interactive":
                for case, context in zip(mine, contexts, strict=True):
                    _stream(meter, desk, case, context, watcher)
            elif mine:
                _batch(meter, desk, mine, contexts, watcher)
        watcher.started("a call without tags")
        models.chat.invoke(UNTAGGED_PROMPT)
        watcher.finished()
    finally:
        meter.uninstall()
    return Run(task_ids, untagged_calls=1)


def _context(feature: Feature, case: Case, task_id: str) -> CostContext:
    return CostContext(
        feature=feature.name,
        team=feature.team,
        workload_class=feature.workload_class,
        tenant=case.tenant,
        environment="demo",
        cost_center=feature.cost_center,
        task_id=task_id,
    )


def _stream(meter: Meter, desk: Desk, case: Case, context: CostContext, watcher: Watcher) -> None:
    """Somebody waits for this one: what the model writes is shown as it comes."""
    watcher.started(f"{case.feature} · {case.tenant}")
    config: Any = {"configurable": {"thread_id": context.task_id}}
    with meter.task(context):
        parts: Iterator[Any] = desk.stream(  # pyright: ignore[reportUnknownMemberType] - a bare Command in it
            desk_input(case), config, stream_mode="messages", subgraphs=True
        )
        for _namespace, (message, _metadata) in parts:
            if isinstance(message, AIMessageChunk):
                watcher.wrote(str(message.text))
    watcher.finished()


def _batch(
    meter: Meter, desk: Desk, cases: Sequence[Case], contexts: Sequence[CostContext], watcher: Watcher
) -> None:
    """Nobody waits for these: two run at a time, each under its own tags."""
    watcher.started(f"{cases[0].feature} · {', '.join(case.tenant for case in cases)}")
    configs: list[Any] = [
        meter.config(context, {"max_concurrency": 2}, thread_id=context.task_id) for context in contexts
    ]
    for _ in desk.batch_as_completed([desk_input(case) for case in cases], configs):
        watcher.finished()
