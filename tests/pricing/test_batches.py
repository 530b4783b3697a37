"""Batches of OpenAI's completion model, as LangChain splits them into results."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import Generation, LLMResult
from langchain_openai import OpenAI
from pydantic import SecretStr

from pricing.conftest import Wire
from spendgraph.pricing import CompletionBatches, Reported, Usage


class Reading(BaseCallbackHandler):
    """Reads each prompt's result with the parameters its start was given."""

    run_inline = True

    def __init__(self) -> None:
        self.batches = CompletionBatches()
        self.parameters: dict[UUID, object] = {}
        self.reports: list[Reported] = []

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.parameters[run_id] = kwargs["invocation_params"]

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self.reports.append(self.batches.read(response, self.parameters.pop(run_id), provider="openai"))

    @property
    def usages(self) -> list[Usage | None]:
        """What each prompt used."""
        return [report.usage for report in self.reports]


def model(wire: Wire, reading: Reading, *, streaming: bool = False) -> OpenAI:
    """A completion model that asks the loopback."""
    return OpenAI(
        model="gpt-3.5-turbo-instruct",
        api_key=SecretStr("sk-none"),
        base_url=wire.url,
        streaming=streaming,
        batch_size=1 if streaming else 20,
        callbacks=[reading],
    )


ANSWER: dict[str, Any] = {
    "id": "cmpl-1",
    "object": "text_completion",
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": i, "text": word, "finish_reason": "stop"} for i, word in enumerate(["one", "two", "six"])],
    "usage": {"prompt_tokens": 30, "completion_tokens": 9, "total_tokens": 39},
}  # fmt: skip
WHOLE = Usage(input_tokens=30, output_tokens=9)


def test_a_batchs_usage_is_counted_once(wire: Wire) -> None:
    """The first prompt carries it; the others used nothing of their own, and a second batch starts anew."""
    wire.answer = ANSWER
    reading = Reading()
    for _ in range(2):
        model(wire, reading).batch(["a", "b", "c"])
    assert reading.usages == [WHOLE, Usage(), Usage(), WHOLE, Usage(), Usage()]
    assert [report.model for report in reading.reports] == ["gpt-3.5-turbo-instruct"] * 6


@pytest.mark.asyncio
async def test_an_asynchronous_batchs_usage_is_counted_once(wire: Wire) -> None:
    """LangChain ends its prompts side by side, the first one first."""
    wire.answer = ANSWER
    reading = Reading()
    await model(wire, reading).abatch(["a", "b", "c"])
    assert reading.usages == [WHOLE, Usage(), Usage()]


def test_a_streamed_batch_that_reports_nothing_is_not_free(wire: Wire) -> None:
    """Each prompt keeps its text, for an estimate."""
    wire.answer = [{**ANSWER, "choices": [ANSWER["choices"][0]], "usage": None}]
    reading = Reading()
    model(wire, reading, streaming=True).batch(["a", "b", "c"])
    assert reading.usages == [None, None, None]
    assert [report.output_text for report in reading.reports] == ["one", "one", "one"]


def result(**output: Any) -> LLMResult:
    """A completion's result."""
    return LLMResult(generations=[[Generation(text="one")]], llm_output=output)


def test_only_so_many_batches_are_remembered() -> None:
    """One that is forgotten is estimated, not free."""
    batches = CompletionBatches()
    parameters: list[dict[str, Any]] = [{} for _ in range(513)]
    for each in parameters:
        assert batches.read(result(token_usage=ANSWER["usage"]), each).usage == WHOLE
    assert batches.read(result(token_usage={}), parameters[0]).usage is None
    assert batches.read(result(token_usage={}), parameters[1]).usage == Usage()


def test_usage_of_a_prompts_own_is_kept() -> None:
    """What stands on the generation is not the batch's."""
    batches = CompletionBatches()
    own = Generation(text="one", generation_info={"usage_metadata": {"input_tokens": 3, "output_tokens": 1}})
    parameters: dict[str, Any] = {}
    usages = [batches.read(LLMResult(generations=[[own]], llm_output={}), parameters).usage for _ in range(2)]
    assert usages == [Usage(input_tokens=3, output_tokens=1), Usage(input_tokens=3, output_tokens=1)]
