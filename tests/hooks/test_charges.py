"""What the row of an answer is charged, and what it says about that."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import Field

from hooks.graphs import rows
from scripted import STEP_NANOUSD, USAGE, ScriptedModel, scripted_policy
from spendgraph import CostContext, Meter
from spendgraph.clock import to_us
from spendgraph.policy import parse_policy

ACME = CostContext(feature="triage", tenant="acme")
DEARER = """    - {provider: "*", model: dearer, input_usd_per_mtok: "3", output_usd_per_mtok: "6"}
"""
FROM_MARCH = """
version: 1
prices:
  models:
    - {model: scripted, to: 2026-03-01, input_usd_per_mtok: "1", output_usd_per_mtok: "2"}
    - {model: scripted, from: 2026-03-01, input_usd_per_mtok: "3", output_usd_per_mtok: "6"}
"""
MARCH_US = to_us(datetime(2026, 3, 1, tzinfo=UTC))


async def _astream(model: Any, asked: Any, config: Any) -> list[Any]:
    return [chunk async for chunk in model.astream(asked, config)]


WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda model, asked, config: model.invoke(asked, config),
    "ainvoke": lambda model, asked, config: asyncio.run(model.ainvoke(asked, config)),
    "stream": lambda model, asked, config: list(model.stream(asked, config)),
    "astream": lambda model, asked, config: asyncio.run(_astream(model, asked, config)),
    "batch": lambda model, asked, config: model.batch([asked], config),
    "abatch": lambda model, asked, config: asyncio.run(model.abatch([asked], config)),
}


class Saying(ScriptedModel):
    """Answers with the usage and the metadata it is given."""

    usage: dict[str, Any] = Field(default_factory=lambda: dict(USAGE))
    said: dict[str, Any] = Field(default_factory=dict[str, Any])

    def _answer(self) -> AIMessage:
        answer = super()._answer()
        answer.usage_metadata = self.usage  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        answer.response_metadata.update(self.said)
        return answer


@pytest.fixture
def dearer(tmp_path: Path) -> Iterator[Meter]:
    """A meter that also prices `dearer`, at three times the price."""
    with Meter(tmp_path / "ledger.db", policy=scripted_policy(DEARER)) as meter:
        yield meter


def test_the_model_that_answered_is_charged_and_the_one_asked_for_is_kept(dearer: Meter) -> None:
    """Asked for scripted at $1 and $2, answered by dearer at $3 and $6: 10 x 3,000 + 5 x 6,000."""
    Saying(said={"model_name": "dearer"}).invoke("hi", dearer.config(ACME))
    (row,) = rows(dearer)
    assert (row["model_requested"], row["model"]) == ("scripted", "dearer")
    assert (row["cost_nanousd"], row["cost_basis"], row["usage_note"]) == (60_000, "reported", "")


def test_an_answer_under_a_name_without_a_price_is_charged_as_the_model_asked_for(dearer: Meter) -> None:
    """Never silently: the row says which price stands in."""
    Saying(said={"model_name": "acme-1"}).invoke("hi", dearer.config(ACME))
    (row,) = rows(dearer)
    assert (row["model_requested"], row["model"], row["cost_nanousd"]) == ("scripted", "acme-1", STEP_NANOUSD)
    assert row["usage_note"] == "no price for acme-1: priced as scripted"


def test_a_call_over_a_change_of_price_stays_at_the_price_of_its_start(tmp_path: Path) -> None:
    """Begun on 28 February, answered on 1 March: the old price, for ever, beside the new one's row."""
    now = [MARCH_US - 1]
    model = Saying(before_answer=lambda: now.append(MARCH_US + 1))
    policy = parse_policy(FROM_MARCH)
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: now[-1]) as meter:
        for _ in range(2):
            model.invoke("hi", meter.config(ACME))
        assert [row["cost_nanousd"] for row in rows(meter)] == [STEP_NANOUSD, 3 * STEP_NANOUSD]
        assert meter.ledger.verify() == []
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        frozen = "SELECT effective_from FROM steps JOIN prices USING (price_id) ORDER BY seq"
        assert connection.execute(frozen).fetchall() == [("",), ("2026-03-01",)]


def test_counts_that_contradict_each_other_are_charged_marked_and_told(
    scripted: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    """A total of 400 of 10 in and 5 out: the dearest reading, a note on each row, one warning a model."""
    model = Saying(usage={**USAGE, "total_tokens": 400})
    with caplog.at_level(logging.WARNING, logger="spendgraph"):
        for _ in range(2):
            model.invoke("hi", scripted.config(ACME))
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows(scripted)] == [(10, 390)] * 2
    assert {(row["cost_nanousd"], row["cost_basis"]) for row in rows(scripted)} == {(790_000, "upper_bound")}
    assert all("total 400" in row["usage_note"] for row in rows(scripted))
    assert scripted.ledger.verify() == []
    (warning,) = caplog.records
    assert "scripted" in warning.getMessage()
    assert "total 400" in warning.getMessage()


def test_a_tier_without_a_price_is_charged_and_marked(scripted: Meter) -> None:
    """Counts under the tier's own keys are counts; the standard price stands in, and the row says so."""
    details = {"priority": 8, "priority_cache_read": 2}
    Saying(usage={**USAGE, "input_token_details": details}).invoke("hi", scripted.config(ACME))
    (row,) = rows(scripted)
    assert (row["service_tier"], row["input_tokens"], row["cache_read_tokens"]) == ("priority", 10, 2)
    assert row["cost_nanousd"] == STEP_NANOUSD
    assert row["usage_note"] == "no price for service tier 'priority': charged at the standard price"


def test_cache_writes_whose_term_the_answer_does_not_tell_are_of_the_term_asked_for(tmp_path: Path) -> None:
    """Where not even the wire tells, the request's mark does: one-hour writes at twice the input's price."""

    class Bedrock(Saying):
        def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
            return {**super()._get_ls_params(stop, **kwargs), "ls_provider": "bedrock_converse"}

    writing = """
version: 1
prices:
  models:
    - {model: scripted, input_usd_per_mtok: "1", output_usd_per_mtok: "2", cache_write_5m_usd_per_mtok: "1.25",
       cache_write_1h_usd_per_mtok: "2"}
"""
    mark = {"cachePoint": {"type": "default", "ttl": "1h"}}
    model = Bedrock(usage={**USAGE, "input_token_details": {"cache_creation": 10}})
    with Meter(tmp_path / "ledger.db", policy=parse_policy(writing)) as meter:
        model.invoke([HumanMessage([{"type": "text", "text": "hi"}, mark])], meter.config(ACME))
        (row,) = rows(meter)
    assert (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == (0, 10)
    assert row["cost_nanousd"] == 10 * 2_000 + 5 * 2_000


AUDIO: dict[str, dict[Any, Any]] = {
    "a standard block": {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"},
    "Gemini's media": {"type": "media", "mime_type": "audio/mp3", "data": "AAAA"},
    "OpenAI's block": {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
}
LISTENING = """
version: 1
prices:
  models:
    - {model: scripted, input_usd_per_mtok: "1", output_usd_per_mtok: "2", audio_input_usd_per_mtok: "5", cache_read_usd_per_mtok: "0.1"}
"""


class Gemini(Saying):
    """LangChain's integration of Gemini tells nothing of audio."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {**super()._get_ls_params(stop, **kwargs), "ls_provider": "google_genai"}


@pytest.mark.parametrize(
    ("block", "way"),
    [
        *((block, "invoke") for block in AUDIO),
        *(("a standard block", way) for way in WAYS if way != "invoke"),
    ],
)
def test_audio_of_which_gemini_s_answer_does_not_tell_is_charged_as_audio_and_marked(
    tmp_path: Path, block: str, way: str
) -> None:
    """10 tokens in, 4 of them cached: 6 at the price of audio, never silently at that of text."""
    usage = {**USAGE, "input_token_details": {"cache_read": 4}}
    asked = [HumanMessage([{"type": "text", "text": "what is said?"}, AUDIO[block]])]
    with Meter(tmp_path / "ledger.db", policy=parse_policy(LISTENING)) as meter:
        WAYS[way](Gemini(usage=usage), asked, meter.config(ACME))
        (row,) = rows(meter)
        assert (row["input_tokens"], row["cache_read_tokens"], row["audio_input_tokens"]) == (10, 4, 6)
        assert (row["cost_nanousd"], row["cost_basis"]) == (6 * 5_000 + 4 * 100 + 5 * 2_000, "upper_bound")
        assert row["usage_note"].startswith("audio was sent, and how much of the input it was is not told")
        assert meter.ledger.verify() == []


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (Gemini(), [HumanMessage("play some audio/mp3")]),
        (
            Gemini(usage={**USAGE, "input_token_details": {"audio": 10}}),
            [HumanMessage([AUDIO["a standard block"]])],
        ),
        (Saying(), [HumanMessage([AUDIO["a standard block"]])]),
    ],
    ids=["no audio", "an answer that tells", "another provider"],
)
def test_audio_that_is_told_or_was_not_sent_is_charged_as_it_is_counted(
    tmp_path: Path, model: Saying, asked: list[HumanMessage]
) -> None:
    """Nothing is doubted."""
    with Meter(tmp_path / "ledger.db", policy=parse_policy(LISTENING)) as meter:
        model.invoke(asked, meter.config(ACME))
        (row,) = rows(meter)
    told = row["audio_input_tokens"]
    assert told in {0, 10}
    assert (row["cost_nanousd"], row["cost_basis"], row["usage_note"]) == (
        told * 5_000 + (10 - told) * 1_000 + 5 * 2_000,
        "reported",
        "",
    )


def test_an_answer_that_used_nothing_costs_nothing(scripted: Meter) -> None:
    """Zero was reported: it is neither estimated nor unpriced."""
    nothing = dict.fromkeys(USAGE, 0)
    Saying(usage=nothing).invoke("a question of many words", scripted.config(ACME))
    (row,) = rows(scripted)
    assert (row["input_tokens"], row["output_tokens"], row["cost_nanousd"]) == (0, 0, 0)
    assert row["cost_basis"] == "reported"


def test_a_hit_in_langchains_cache_is_a_row_that_shows_what_it_saved(scripted: Meter) -> None:
    """Two calls, two rows, the cost of one; the old usage is kept, and its price is the saving."""
    model = ScriptedModel(cache=InMemoryCache())
    for _ in range(2):
        model.invoke("hi", scripted.config(ACME))
    assert model.requests == 1
    names = ("status", "cost_nanousd", "saved_nanousd", "input_tokens", "output_tokens")
    assert [tuple(row[name] for name in names) for row in rows(scripted)] == [
        ("ok", STEP_NANOUSD, 0, 10, 5),
        ("cache_hit", 0, STEP_NANOUSD, 10, 5),
    ]
