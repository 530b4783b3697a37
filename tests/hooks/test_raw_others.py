"""Gemini and Bedrock, steps of one's own, recorded costs, and what a request is read to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from anthropic import Anthropic
from google import genai
from openai import AzureOpenAI, OpenAI

from hooks.conftest import Desk
from spendgraph.clock import from_us
from spendgraph.context import CostContext
from spendgraph.hooks.raw_requests import describe
from spendgraph.pricing import Usage

COUNTS = {"promptTokenCount": 90, "candidatesTokenCount": 10, "totalTokenCount": 100}


def gemini(text: str, **more: Any) -> dict[str, Any]:
    """A response in Gemini's wire format."""
    part = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    return {"candidates": [part | more], "modelVersion": "gemini-2.5-flash", "responseId": "r-1"}


class Gemini(BaseHTTPRequestHandler):
    """Just enough of Gemini's API."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if ":streamGenerateContent" in self.path:
            chunks = [gemini("All "), gemini("well", finishReason="STOP") | {"usageMetadata": COUNTS}]
            body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()
        else:
            body = json.dumps(gemini("All well", finishReason="STOP") | {"usageMetadata": COUNTS}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the tests' output clean."""


@pytest.fixture(scope="module")
def google() -> Iterator[Any]:
    """A real google-genai client of a loopback server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gemini)
    thread = Thread(target=server.serve_forever)
    thread.start()
    client = genai.Client(
        api_key="k", http_options={"base_url": f"http://127.0.0.1:{server.server_address[1]}"}
    )
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_geminis_answers_and_streams_are_read(desk: Desk, google: Any) -> None:
    """Ninety tokens in, ten out, three ways."""
    plain = desk.meter.call(google.models.generate_content, model="gemini-2.5-flash", contents="hi")
    assert plain.text == "All well"
    stream = desk.meter.call(google.models.generate_content_stream, model="gemini-2.5-flash", contents="hi")
    assert [chunk.text for chunk in stream] == ["All ", "well"]
    desk.meter.call(google.chats.create(model="gemini-2.5-flash").send_message, "hi")
    for row in desk.rows():
        assert (row["provider"], row["model_requested"]) == ("google_genai", "gemini-2.5-flash")
        assert (row["input_tokens"], row["output_tokens"], row["response_id"]) == (90, 10, "r-1")
        assert (row["status"], row["cost_basis"]) == ("ok", "reported")
        assert row["cost_nanousd"] == 90 * 300 + 10 * 2_500
    assert [row["name"] for row in desk.rows()] == [
        "Models.generate_content",
        "Models.generate_content_stream",
        "Chat.send_message",
    ]


class BedrockRuntime:
    """A Bedrock client as botocore makes them: a class of its own module, methods taking keywords."""

    __module__ = "botocore.client"

    def converse(self, **request: Any) -> dict[str, Any]:
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": "All well"}]}},
            "usage": {"inputTokens": 100, "outputTokens": 7, "totalTokens": 107},
            "stopReason": "end_turn",
        }

    def converse_stream(self, **request: Any) -> dict[str, Any]:
        events = [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "All well"}, "contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": {"inputTokens": 100, "outputTokens": 7, "totalTokens": 107}}},
        ]
        return {"stream": iter(events), "ResponseMetadata": {"HTTPStatusCode": 200}}

    def invoke_model(self, **request: Any) -> dict[str, Any]:
        return {}


def test_bedrocks_converse_and_its_stream_are_read(desk: Desk) -> None:
    """The stream stays inside its mapping."""
    client = BedrockRuntime()
    request = {"modelId": "anthropic.claude-sonnet-4-6", "inferenceConfig": {"maxTokens": 50}}
    desk.meter.call(client.converse, **request)
    answer = desk.meter.call(client.converse_stream, **request)
    assert answer["ResponseMetadata"] == {"HTTPStatusCode": 200}
    assert sum(1 for _ in answer["stream"]) == 4
    for row in desk.rows():
        assert (row["provider"], row["input_tokens"], row["output_tokens"]) == ("amazon_bedrock", 100, 7)
        assert (row["status"], row["model_requested"]) == ("ok", "anthropic.claude-sonnet-4-6")
    with pytest.raises(ValueError, match=r"meter\.step"):
        desk.meter.call(client.invoke_model, modelId="x")


def test_a_request_is_read_from_function_and_arguments() -> None:
    """Partials, raw-response wrappers, Azure, limits and kinds."""
    client = OpenAI(api_key="k")
    azure = AzureOpenAI(api_key="k", api_version="1", azure_endpoint="http://127.0.0.1")
    request = describe(partial(client.responses.create, model="gpt-5"), (), {"input": "x"})
    assert (request.provider, request.model, request.shape, request.is_async) == (
        "openai",
        "gpt-5",
        "plain",
        False,
    )
    assert request.inputs == {"input": "x"}
    assert describe(azure.embeddings.create, (), {}).provider == "azure"
    assert describe(azure.embeddings.create, (), {}).kind == "embedding"
    chat = describe(client.chat.completions.create, (), {"max_tokens": 10, "n": 3, "stream": True})
    assert (chat.max_output_tokens, chat.parameters["n"], chat.shape) == (10, 3, "stream")
    beta = Anthropic(api_key="k").beta.messages.create
    assert describe(beta, (), {"model": "claude-sonnet-4-6"}).provider == "anthropic"
    with pytest.raises(ValueError, match=r"Models\.list"):
        describe(client.models.list, (), {})


def test_a_step_of_ones_own_reads_a_response(desk: Desk) -> None:
    """A mapping in OpenAI's format, from a server of one's own."""
    with (
        desk.meter.task(CostContext(feature="own")),
        desk.meter.step("model", provider="openai", model="gpt-4o", name="llama") as step,
    ):
        step.response({"model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 1}})
    row = desk.row()
    assert (row["name"], row["feature"], row["input_tokens"], row["output_tokens"]) == ("llama", "own", 10, 1)
    assert row["cost_nanousd"] == 35_144  # 10 x 2513.7 + 10007.1, rounded once


@pytest.mark.asyncio
async def test_a_step_is_told_usage_or_cost(desk: Desk) -> None:
    """Asynchronously too; a quantity is priced by the policy."""
    async with desk.meter.step("model", provider="openai", model="gpt-4o") as step:
        step.usage(input_tokens=10, output_tokens=1)
    async with desk.meter.step("embedding", provider="openai", model="gpt-4o") as step:
        step.usage(Usage(input_tokens=10))
    async with desk.meter.step("sandbox", owner="platform") as step:
        step.cost(usd="0.25", quantity=30, unit="second")
    async with desk.meter.step("human_review") as step:
        step.cost(quantity=4)
    async with desk.meter.step("tool", name="web_search"):
        pass
    await desk.meter.aflush()
    rows = [
        (row["kind"], row["name"], row["cost_nanousd"], row["quantity"], row["unit"], row["owner_team"])
        for row in desk.rows()
    ]
    assert rows == [
        ("model", "model", 35_144, None, "", ""),
        ("embedding", "embedding", 25_137, None, "", ""),
        ("other", "sandbox", 250_000_000, 30, "second", "platform"),
        ("other", "human_review", 2_000_000_000, 4, "minute", "operations"),
        ("tool", "web_search", 5_000_000, None, "", "search-platform"),
    ]


def test_a_step_that_fails_or_says_nothing_is_a_row(desk: Desk) -> None:
    """An estimate that says so, and an error that says which."""
    with desk.meter.step("model", provider="openai", model="gpt-4o", inputs="x" * 400):
        pass
    with pytest.raises(ConnectionResetError), desk.meter.step("other", name="gpu"):
        raise ConnectionResetError
    first, second = desk.rows()
    assert (first["cost_basis"], first["input_tokens"]) == ("estimated", 100)
    assert first["usage_note"] == "nobody said what it used"
    assert (second["status"], second["error_class"]) == ("error", "ConnectionResetError")


def test_a_step_refuses_what_it_cannot_book(desk: Desk) -> None:
    """Unknown fields, no amount, a second entry."""
    with desk.meter.step("model", provider="openai", model="gpt-4o") as step:
        with pytest.raises(ValueError, match="token counts"):
            step.usage(tokens=3)
        with pytest.raises(ValueError, match="usd="):
            step.cost()
        with pytest.raises(ValueError, match="price under `tools`"):
            step.cost(quantity=3)
    with pytest.raises(RuntimeError, match="one billable act"):
        step.__enter__()


def test_other_costs_are_recorded_under_the_task(desk: Desk) -> None:
    """A word of one's own is kind `other` and keeps its name; a known kind stays."""
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    with desk.meter.task(CostContext(feature="triage")):
        desk.meter.record("human_review", usd="2.50", quantity=5, unit="minute", started=at, ended=at)
        desk.meter.record("human_review", quantity=2)
        desk.meter.record("tool", name="crawler", usd=1, owner="data")
    rows = desk.rows()
    assert [(row["kind"], row["name"], row["cost_nanousd"]) for row in rows] == [
        ("other", "human_review", 2_500_000_000),
        ("other", "human_review", 1_000_000_000),
        ("tool", "crawler", 1_000_000_000),
    ]
    assert {row["feature"] for row in rows} == {"triage"}
    assert (rows[0]["started_us"], rows[0]["ended_us"]) == (1_767_614_400_000_000, 1_767_614_400_000_000)
    assert (rows[1]["unit"], rows[1]["owner_team"], rows[2]["owner_team"]) == ("minute", "operations", "data")


@pytest.mark.parametrize("quantity", [3, 3.0, Decimal(3), Decimal("3.00")], ids=repr)
def test_a_quantity_is_any_number(desk: Desk, quantity: Decimal | float) -> None:
    """Priced exactly, by the policy's price of a unit."""
    desk.meter.record("human_review", quantity=quantity)
    with desk.meter.step("human_review") as step:
        step.cost(quantity=quantity)
    assert [(row["cost_nanousd"], row["quantity"]) for row in desk.rows()] == [(1_500_000_000, 3.0)] * 2


def test_machines_clocks_may_differ_by_seconds(desk: Desk) -> None:
    """Another machine's *now* is not the future."""
    ahead = from_us(desk.meter.recorder.clock() + 3_000_000)
    desk.meter.record("gpu", usd=5, ended=ahead)
    assert desk.row()["cost_nanousd"] == 5_000_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected usd="),
        ({"usd": "-1"}, "at least 0"),
        ({"usd": "1", "quantity": -1}, "quantity"),
        ({"usd": "1", "quantity": Decimal("NaN")}, "expected a quantity of at least 0, found Decimal"),
        ({"usd": "1", "quantity": Decimal("1e999999")}, "expected a quantity"),
        ({"usd": "1", "quantity": "3"}, "expected a quantity of at least 0, found '3'"),
        ({"usd": "1", "quantity": True}, "expected a quantity"),
        ({"name": "human_review", "quantity": 10**12}, "more than a ledger can hold"),
        ({"usd": "1e999999"}, "expected dollars"),
        ({"usd": []}, "expected dollars"),
        ({"usd": "1", "unit": 5}, "unit: expected a string, found 5"),
        ({"usd": "1", "ended": "today"}, "ended: expected a datetime with a time zone, found 'today'"),
        ({"usd": "1", "ended": datetime(2199, 1, 5, tzinfo=UTC)}, "is in the future"),
        ({"usd": "1", "started": datetime(2199, 1, 5, tzinfo=UTC)}, "is in the future"),
        ({"usd": "1", "started": datetime(2026, 1, 5)}, "time zone"),  # noqa: DTZ001 - that is the point
        (
            {
                "usd": "1",
                "started": datetime(2026, 1, 5, tzinfo=UTC),
                "ended": datetime(2026, 1, 4, tzinfo=UTC),
            },
            "before it started",
        ),
    ],
    ids=[
        "no price",
        "negative",
        "quantity",
        "nan",
        "endless",
        "text",
        "bool",
        "too much",
        "dollars",
        "no dollars",
        "unit",
        "no moment",
        "ended later",
        "started later",
        "naive",
        "backwards",
    ],
)
def test_a_cost_that_makes_no_sense_is_refused(desk: Desk, arguments: dict[str, Any], message: str) -> None:
    """Nothing is written."""
    with pytest.raises(ValueError, match=message):
        desk.meter.record("gpu", **arguments)
    assert desk.rows() == []
