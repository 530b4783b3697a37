"""Prompts that LangChain announces together and does not send are neither paid for nor held."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import LLMResult
from pydantic import Field

from budgets.fanout import ACME
from scripted import STEP_NANOUSD, ScriptedCompletion, ScriptedModel, scripted_policy
from spendgraph import BudgetExceeded, Meter

HELD_NANOUSD = 2_005_000
"""What one prompt of five tokens and 1,000 of answer holds."""
SAID: list[list[BaseMessage]] = [[HumanMessage(text)] for text in "abc"]
TEXTS: list[Any] = list("abc")
TWO_OF_THREE = 'budgets: [{name: calls, limit_calls: 2}, {name: money, limit_usd: "100"}]\n'
ROOM = 'budgets: [{name: money, limit_usd: "100"}]\n'


class Completion(ScriptedCompletion):
    """Counts the requests that reach it."""

    sent: list[str] = Field(default_factory=list[str])

    @property
    def requests(self) -> int:
        """How many prompts reached it."""
        return len(self.sent)

    def _generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        self.sent.extend(prompts)
        return super()._generate(prompts, *args, **kwargs)


class TooManyError(Exception):
    """The provider says no."""

    status_code = 429


WAYS: dict[str, tuple[type[Any], Callable[[Any, Any], Any]]] = {
    "generate": (
        ScriptedModel,
        lambda model, config: model.generate(
            SAID, callbacks=config["callbacks"], metadata=config["metadata"]
        ),
    ),
    "agenerate": (
        ScriptedModel,
        lambda model, config: asyncio.run(
            model.agenerate(SAID, callbacks=config["callbacks"], metadata=config["metadata"])
        ),
    ),
    "completions": (Completion, lambda model, config: model.generate(TEXTS, callbacks=config["callbacks"])),
    "completions, batch": (Completion, lambda model, config: model.batch(TEXTS, config)),
    "completions, async": (
        Completion,
        lambda model, config: asyncio.run(model.agenerate(TEXTS, callbacks=config["callbacks"])),
    ),
    "completions, abatch": (
        Completion,
        lambda model, config: asyncio.run(model.abatch(TEXTS, config)),
    ),
}


def totals(meter: Meter) -> list[tuple[int, int, int, int]]:
    """Money spent and held, and calls counted and held, of every window."""
    gc.collect()
    meter.flush()
    assert meter.ledger.verify() == []
    names = ("spent_nanousd", "held_nanousd", "spent_calls", "held_calls")
    return [tuple(row[name] for name in names) for row in meter.ledger.windows()]


@pytest.mark.parametrize("attached", ["config", "task", "install"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited:RuntimeWarning"
)  # LangChain's own handlers'
def test_a_refusal_lets_go_of_what_was_announced_before_it(tmp_path: Path, way: str, attached: str) -> None:
    """The third prompt is refused, so the first two are not sent: nothing is booked, nothing is held."""
    kind, call = WAYS[way]
    model = kind()
    config: Any = {"callbacks": None, "metadata": ACME.metadata()}
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(TWO_OF_THREE)) as meter:
        if attached == "install":
            meter.install()
        if attached == "task":
            with meter.task(ACME), pytest.raises(BudgetExceeded):
                call(model, config)
        else:
            with pytest.raises(BudgetExceeded):
                call(model, meter.config(ACME) if attached == "config" else config)
        assert model.requests == 0
        assert totals(meter) == [(0, 0, 0, 0)] * 2
        assert list(meter.ledger.steps()) == []
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        statuses = {status for (status,) in connection.execute("SELECT status FROM tasks")}
    if attached != "task":  # each prompt is a task by itself
        assert statuses == {"refused"}


def test_the_room_of_a_group_that_was_refused_is_there_for_the_next(tmp_path: Path) -> None:
    """Two prompts fit where three did not."""
    model = Completion()
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(TWO_OF_THREE)) as meter:
        with pytest.raises(BudgetExceeded):
            model.batch(TEXTS, meter.config(ACME))
        model.batch(TEXTS[:2], meter.config(ACME))
        assert model.requests == 2
        assert [calls for _, _, calls, _ in totals(meter)] == [2, 2]


def test_a_refusal_of_one_meter_lets_go_of_what_another_holds(tmp_path: Path) -> None:
    """Both hear of every prompt."""
    model = ScriptedModel()
    with (
        Meter(tmp_path / "wide.db", policy=scripted_policy(ROOM)) as wide,
        Meter(tmp_path / "narrow.db", policy=scripted_policy(TWO_OF_THREE)) as narrow,
        wide.task(ACME),
        narrow.task(ACME),
    ):
        with pytest.raises(BudgetExceeded):
            model.generate(SAID)
        assert totals(wide) == [(0, 0, 0, 0)]
        assert totals(narrow) == [(0, 0, 0, 0)] * 2


def test_what_stands_behind_a_failed_prompt_is_given_back(tmp_path: Path) -> None:
    """A chat model sends one after the other: the third is never sent. The first has answered, and nobody hears it."""
    model = ScriptedModel()

    def fail_the_second() -> None:
        if model.requests == 2:
            raise TooManyError

    model.before_answer = fail_the_second
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(ROOM)) as meter:
        with meter.task(ACME), pytest.raises(TooManyError):
            model.generate(SAID, max_tokens=1000)
        assert model.requests == 2
        gc.collect()
        meter.flush()
        rows = [(row["status"], row["cost_basis"], row["cost_nanousd"]) for row in meter.ledger.steps()]
        assert sorted(rows) == [("cancelled", "upper_bound", HELD_NANOUSD), ("error", "reported", 0)]
        assert totals(meter) == [(HELD_NANOUSD, 0, 2, 0)]


def test_prompts_that_go_out_at_once_are_all_booked(tmp_path: Path) -> None:
    """On an event loop the others answer beside the one that failed."""
    model = ScriptedModel(failures=[TooManyError()])
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(ROOM)) as meter:
        with meter.task(ACME), pytest.raises(TooManyError):
            asyncio.run(model.agenerate(SAID, max_tokens=1000))
        assert model.requests == 3
        rows = [(row["status"], row["cost_nanousd"]) for row in meter.ledger.steps()]
        assert sorted(rows) == [("error", 0), ("ok", STEP_NANOUSD), ("ok", STEP_NANOUSD)]
        assert totals(meter) == [(2 * STEP_NANOUSD, 0, 3, 0)]
