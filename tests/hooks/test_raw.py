"""Raw SDK calls against a provider that keeps an invoice."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel

from hooks.conftest import Desk
from provider import ask
from spendgraph.context import CostContext


def test_a_chat_completion_is_one_row_at_the_invoices_amount(desk: Desk) -> None:
    """Model, id, tokens and cost are the response's own."""
    response = desk.meter.call(
        desk.openai().chat.completions.create,
        model="gpt-4o",
        messages=[{"role": "user", "content": ask(input=1_000, cache_read=400, output=50)}],
    )
    assert response.choices[0].message.content
    row = desk.row()
    assert (row["kind"], row["name"], row["provider"]) == ("model", "Completions.create", "openai")
    assert (row["model_requested"], row["model"]) == ("gpt-4o", "gpt-4o-2024-11-20")
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (1_000, 400, 50)
    # 600 x 2513.7 + 400 x 1256.9 + 50 x 10007.1
    assert row["cost_nanousd"] == 2_511_335
    assert row["cost_nanousd"] == desk.invoice.total
    assert row["response_id"] == response.id
    assert (row["cost_basis"], row["status"]) == ("reported", "ok")


def test_responses_embeddings_and_messages_equal_the_invoice(desk: Desk) -> None:
    """Three more SDK methods, one row each."""
    client = desk.openai()
    desk.meter.call(client.responses.create, model="gpt-5", input=ask(reasoning=30), service_tier="flex")
    desk.meter.call(client.embeddings.create, model="text-embedding-3-small", input=["one", "two"])
    desk.meter.call(
        desk.anthropic().messages.create,
        model="claude-sonnet-4-6",
        max_tokens=100,
        messages=[{"role": "user", "content": ask(write_1h=5_000, searches=2)}],
    )
    rows = desk.rows()
    assert [row["kind"] for row in rows] == ["model", "embedding", "model"]
    assert [row["cost_nanousd"] for row in rows] == [line.amount for line in desk.invoice.lines]
    assert [row["service_tier"] for row in rows] == ["flex", "", ""]
    assert rows[2]["cache_write_1h_tokens"] == 5_000


@pytest.mark.asyncio
async def test_the_asynchronous_twin_books_the_same(desk: Desk) -> None:
    """`acall` awaits asynchronous clients and runs synchronous ones in a thread."""
    async with desk.async_openai() as client:
        await desk.meter.acall(
            client.chat.completions.create, model="gpt-4o", messages=[{"role": "user", "content": ask()}]
        )
    async with desk.async_anthropic() as claude:
        await desk.meter.acall(
            claude.messages.create,
            model="claude-sonnet-4-6",
            max_tokens=100,
            messages=[{"role": "user", "content": ask()}],
        )
    await desk.meter.acall(desk.openai().responses.create, model="gpt-5", input=ask())
    await desk.meter.aflush()
    assert [row["cost_nanousd"] for row in desk.rows()] == [line.amount for line in desk.invoice.lines]


def test_a_raw_response_is_read_and_handed_on(desk: Desk) -> None:
    """`with_raw_response` keeps its headers and its `parse()`."""
    raw = desk.meter.call(
        desk.openai().chat.completions.with_raw_response.create,
        model="gpt-4o",
        messages=[{"role": "user", "content": ask()}],
    )
    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().id == desk.row()["response_id"]
    assert desk.row()["cost_nanousd"] == desk.invoice.total


@pytest.mark.asyncio
async def test_an_asynchronous_raw_response_is_read_too(desk: Desk) -> None:
    """Anthropic's `parse()` is a coroutine there; the booking does not need it."""
    async with desk.async_anthropic() as claude:
        raw = await desk.meter.acall(
            claude.messages.with_raw_response.create,
            model="claude-sonnet-4-6",
            max_tokens=100,
            messages=[{"role": "user", "content": ask(write_5m=700)}],
        )
        message = await raw.parse()
    await desk.meter.aflush()
    assert desk.row()["response_id"] == message.id
    assert desk.row()["cost_nanousd"] == desk.invoice.total


def test_a_streaming_body_is_booked_when_it_is_parsed(desk: Desk) -> None:
    """`with_streaming_response` sends on entering; `parse()` reads what it used."""
    client = desk.openai()
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": ask()}]}
    with desk.meter.call(client.chat.completions.with_streaming_response.create, **request) as response:
        response.parse()
    assert desk.row()["cost_nanousd"] == desk.invoice.total


def test_a_streaming_body_nobody_parses_is_estimated(desk: Desk) -> None:
    """What the caller reads past us is labelled as an estimate."""
    client = desk.openai()
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": ask()}]}
    with desk.meter.call(client.chat.completions.with_streaming_response.create, **request) as response:
        assert json.loads(response.read())["object"] == "chat.completion"
    row = desk.row()
    assert (row["cost_basis"], row["status"]) == ("estimated", "ok")
    assert row["usage_note"] == "the answer was not seen: its usage is estimated"


def test_an_http_error_costs_nothing_and_is_a_row(desk: Desk) -> None:
    """A refused request was not billed."""
    with pytest.raises(openai.RateLimitError):
        desk.meter.call(
            desk.openai().chat.completions.create,
            model="gpt-4o",
            messages=[{"role": "user", "content": ask(purpose="refused", fail=[429])}],
        )
    row = desk.row()
    assert (row["status"], row["error_class"], row["cost_nanousd"]) == ("error", "RateLimitError", 0)
    assert desk.invoice.total == 0


def test_a_provider_that_is_not_there_costs_nothing(desk: Desk) -> None:
    """A connection that was never made sent nothing."""
    client = desk.openai(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(openai.APIConnectionError):
        desk.meter.call(client.responses.create, model="gpt-5", input="hello")
    assert (desk.row()["status"], desk.row()["cost_nanousd"]) == ("error", 0)


def test_a_timeout_is_booked_at_the_upper_bound_the_request_sets(desk: Desk) -> None:
    """The provider worked and billed; nobody heard the answer."""
    with pytest.raises(openai.APITimeoutError):
        desk.meter.call(
            desk.openai(timeout=0.2).chat.completions.create,
            model="gpt-4o",
            messages=[{"role": "user", "content": ask(delay=0.5)}],
            max_completion_tokens=500,
            n=2,
        )
    row = desk.row()
    assert (row["cost_basis"], row["output_tokens"]) == ("upper_bound", 1_000)
    assert (row["status"], row["error_class"]) == ("error", "APITimeoutError")
    assert row["cost_nanousd"] >= desk.invoice.total > 0


def test_a_request_the_sdk_refuses_costs_nothing(desk: Desk) -> None:
    """Missing arguments are found before anything is sent."""
    with pytest.raises(TypeError):
        desk.meter.call(desk.openai().chat.completions.create, model="gpt-4o")
    assert (desk.row()["error_class"], desk.row()["cost_nanousd"]) == ("TypeError", 0)


class Verdict(BaseModel):
    """A structured answer."""

    fine: bool


def test_structured_output_cut_by_length_is_billed(desk: Desk) -> None:
    """`LengthFinishReasonError` carries the completion that was paid for."""
    with pytest.raises(openai.LengthFinishReasonError):
        desk.meter.call(
            desk.openai().chat.completions.parse,
            model="gpt-4o",
            messages=[{"role": "user", "content": ask(cut=True)}],
            response_format=Verdict,
        )
    row = desk.row()
    assert (row["status"], row["error_class"]) == ("error", "LengthFinishReasonError")
    assert row["cost_nanousd"] == desk.invoice.total > 0


def test_an_unknown_function_names_the_way_that_works(desk: Desk) -> None:
    """It is refused before it is called."""
    with pytest.raises(ValueError, match=r"meter\.step"):
        desk.meter.call(json.dumps, {})
    assert desk.rows() == []


def test_an_asynchronous_method_needs_acall(desk: Desk) -> None:
    """Otherwise its coroutine would never be awaited, or its usage never read."""
    with pytest.raises(ValueError, match="acall"):
        desk.meter.call(desk.async_openai().responses.create, model="gpt-5", input="hello")


def test_a_raw_call_belongs_to_the_task_around_it(desk: Desk) -> None:
    """The context is found without LangChain."""
    with desk.meter.task(CostContext(feature="triage", tenant="acme")):
        desk.meter.call(desk.openai().responses.create, model="gpt-5", input=ask())
    assert (desk.row()["feature"], desk.row()["tenant"]) == ("triage", "acme")
