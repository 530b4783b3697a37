"""A stream that outgrows what is held for it gets more room, or is cut off, however it is read."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from budgets.streaming import (
    ACME,
    CHUNK_NANOUSD,
    SENT_TOKENS,
    WAYS,
    LongCompletion,
    LongModel,
    limited,
)
from spendgraph import BudgetExceeded, Meter

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
"""The v3 protocol is one."""
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
LIMIT = 100_000
SENT_NANOUSD = SENT_TOKENS * 1_000


@pytest.fixture
def model() -> LongModel:
    """A hundred tokens in ten chunks."""
    return LongModel()


def counters(meter: Meter) -> tuple[int, int]:
    """What is spent and held in the only window."""
    (row,) = meter.ledger.windows()
    return row["spent_nanousd"], row["held_nanousd"]


@EVERY_WAY
def test_a_stream_with_room_gets_it_and_ends(tmp_path: Path, model: LongModel, way: str) -> None:
    """Ten tokens were held for it, a hundred came: nobody hears of that."""
    with Meter(tmp_path / "ledger.db", policy=limited("1")) as meter:
        WAYS[way](model, meter.config(ACME))
        (step,) = meter.ledger.steps()
        assert (step["status"], step["cost_nanousd"]) == ("ok", SENT_NANOUSD + 10 * CHUNK_NANOUSD)
        assert step["estimate_nanousd"] == SENT_NANOUSD + CHUNK_NANOUSD
        assert step["reserved_nanousd"] >= step["cost_nanousd"]
        assert counters(meter) == (step["cost_nanousd"], 0)
        assert meter.ledger.verify() == []
    assert model.sent["chunks"] == 10


@EVERY_WAY
def test_a_stream_without_room_is_cut_off(tmp_path: Path, model: LongModel, way: str) -> None:
    """At the fifth chunk; what was received is booked as an estimate, and the refusal says which budget."""
    with Meter(tmp_path / "ledger.db", policy=limited()) as meter:
        with pytest.raises(BudgetExceeded) as caught:
            WAYS[way](model, meter.config(ACME))
        refusal = caught.value
        assert (refusal.reason, refusal.budget, refusal.limit) == ("stream_cut", "cap", LIMIT)
        assert refusal.asked == 5_000
        assert "cut off" in str(refusal)
        (step,) = meter.ledger.steps()
        assert (step["status"], step["cost_basis"], step["error_class"]) == (
            "cut",
            "estimated",
            "BudgetExceeded",
        )
        assert (step["output_tokens"], step["cost_nanousd"]) == (50, SENT_NANOUSD + 5 * CHUNK_NANOUSD)
        assert step["reserved_nanousd"] == LIMIT
        assert counters(meter) == (SENT_NANOUSD + 5 * CHUNK_NANOUSD, 0)
        assert meter.ledger.verify() == []
        with meter.ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            query = "SELECT outcome FROM decisions WHERE kind = 'budget' ORDER BY decided_us"
            assert [row[0] for row in connection.execute(query)] == ["cut", "overrun"]
    assert (model.requests, model.sent["chunks"]) == (1, 5)


def test_what_a_stream_grew_by_is_given_back(tmp_path: Path, model: LongModel) -> None:
    """A second one that runs meanwhile can have it afterwards."""
    with Meter(tmp_path / "ledger.db", policy=limited("0.0003")) as meter:
        first = model.stream("hi", meter.config(ACME))
        for _ in range(3):
            next(first)
        (row,) = meter.ledger.windows()
        held = row["held_nanousd"]
        assert held == SENT_NANOUSD + 74 * 2_000  # ten tokens, and the least that is asked for
        first.close()  # type: ignore[attr-defined]
        assert counters(meter) == (SENT_NANOUSD + 3 * CHUNK_NANOUSD, 0)
        assert meter.ledger.verify() == []


def test_a_completion_model_is_cut_off_too(tmp_path: Path) -> None:
    """Its start is another event, its chunks are not."""
    with Meter(tmp_path / "ledger.db", policy=limited()) as meter:
        with pytest.raises(BudgetExceeded) as caught:
            list(LongCompletion().stream("hi", meter.config(ACME)))
        assert caught.value.reason == "stream_cut"
        (step,) = meter.ledger.steps()
        assert step["status"] == "cut"


@pytest.mark.parametrize("way", ["stream", "astream_events v3"])
def test_max_tokens_bounds_a_stream_that_holds_them(tmp_path: Path, model: LongModel, way: str) -> None:
    """However long its words are: the provider ends it."""
    policy = limited("0.000025")
    model.chunks = 2
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        WAYS[way](model.bind(max_tokens=10), meter.config(ACME))
        (step,) = meter.ledger.steps()
        assert (step["status"], step["reserved_nanousd"]) == ("ok", 25_000)


def test_strict_budgets_never_cut(tmp_path: Path, model: LongModel) -> None:
    """What they hold bounds the answer."""
    with Meter(tmp_path / "ledger.db", policy=limited("0.01", reserve="strict")) as meter:
        list(model.bind(max_tokens=20).stream("hi", meter.config(ACME)))
        (step,) = meter.ledger.steps()
        assert step["status"] == "ok"


def test_the_last_chunk_is_never_lost(tmp_path: Path, model: LongModel) -> None:
    """To cut an answer that is whole saves nothing."""
    model.chunks = 5
    with Meter(tmp_path / "ledger.db", policy=limited()) as meter:
        assert len(list(model.stream("hi", meter.config(ACME)))) >= 5
        (step,) = meter.ledger.steps()
        assert (step["status"], step["cost_basis"]) == ("ok", "reported")


def test_a_budget_of_tokens_cuts_too(tmp_path: Path, model: LongModel) -> None:
    """In its own unit."""
    policy = limited("1", more=", {name: words, limit_tokens: 42}")
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        with pytest.raises(BudgetExceeded) as caught:
            list(model.stream("hi", meter.config(ACME)))
        assert (caught.value.budget, caught.value.limit, caught.value.asked) == ("words", 42, 3)
        (step,) = meter.ledger.steps()
        assert step["output_tokens"] == 40
        assert meter.ledger.verify() == []


def test_an_aborted_call_that_grew_is_booked_at_all_that_was_held(tmp_path: Path, model: LongModel) -> None:
    """The row for an end that is never heard grows with the hold."""
    path = tmp_path / "ledger.db"
    with Meter(path, policy=limited("1")) as meter:
        stream = model.stream("hi", meter.config(ACME))
        for _ in range(3):
            next(stream)
        with meter.ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            (held, row) = connection.execute("SELECT held_nanousd, step FROM holds").fetchone()
        assert held == SENT_NANOUSD + 74 * 2_000
        assert str(held) in row
        meter.ledger._writer.transact(  # pyright: ignore[reportPrivateUsage]
            lambda execute: execute("UPDATE holds SET lease_until_us = 0")
        )
        from spendgraph.ledger import leases

        leases.book_expired(meter.ledger._writer)  # pyright: ignore[reportPrivateUsage]
        assert counters(meter) == (held, 0)
        list(stream)  # goes on, and its end corrects what was booked
        assert counters(meter) == (SENT_NANOUSD + 10 * CHUNK_NANOUSD, 0)
        assert meter.ledger.verify() == []


def test_a_call_without_a_budget_is_not_counted(tmp_path: Path, model: LongModel) -> None:
    """Nothing is done at a chunk."""
    with Meter(tmp_path / "ledger.db", policy=limited(more="")) as meter:
        policy: Any = meter.policy
        assert policy.budgets
    with Meter(tmp_path / "other.db") as meter:
        assert len(list(model.stream("hi", meter.config(ACME)))) >= 10
        assert not meter.recorder.reserves
