"""Prices that the market cannot move, and a provider on loopback that says what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from spendgraph.policy import LongContext, ModelPrice, PricesPolicy, Rates
from spendgraph.pricing import PriceBook

CLAUDE = ModelPrice(
    provider="anthropic",
    model="claude-sonnet-4-5*",
    input_usd_per_mtok=Decimal(3),
    output_usd_per_mtok=Decimal(15),
    cache_read_usd_per_mtok=Decimal("0.30"),
    cache_write_5m_usd_per_mtok=Decimal("3.75"),
    cache_write_1h_usd_per_mtok=Decimal(6),
    web_search_usd_per_1k=Decimal(10),
)
GPT_4O = ModelPrice(
    provider="openai",
    model="gpt-4o*",
    input_usd_per_mtok=Decimal("2.50"),
    cache_read_usd_per_mtok=Decimal("1.25"),
    output_usd_per_mtok=Decimal(10),
    tiers={
        "flex": Rates(
            input_usd_per_mtok=Decimal("1.25"),
            cache_read_usd_per_mtok=Decimal("0.625"),
            output_usd_per_mtok=Decimal(5),
        )
    },
)
EMBEDDING = ModelPrice(
    provider="openai",
    model="text-embedding-3-small",
    input_usd_per_mtok=Decimal("0.02"),
    output_usd_per_mtok=Decimal(0),
)
GEMINI = ModelPrice(
    provider="google*",
    model="gemini-2.5-pro",
    input_usd_per_mtok=Decimal("1.25"),
    output_usd_per_mtok=Decimal(10),
    cache_read_usd_per_mtok=Decimal("0.125"),
    long_context=LongContext(
        above_tokens=200_000,
        input_usd_per_mtok=Decimal("2.50"),
        output_usd_per_mtok=Decimal(15),
        cache_read_usd_per_mtok=Decimal("0.25"),
    ),
)


@pytest.fixture(scope="session")
def book() -> PriceBook:
    """The prices of the trap list."""
    return PriceBook(PricesPolicy(models=(CLAUDE, GPT_4O, EMBEDDING, GEMINI)))


class Wire:
    """A provider on loopback: whatever is asked, it answers the prepared JSON or event stream."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | list[dict[str, Any]] = {}
        wire = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", "0")))
                body, kind = wire.body()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def body(self) -> tuple[bytes, str]:
        """The prepared answer; a list is an event stream of its items."""
        if not isinstance(self.answer, list):
            return json.dumps(self.answer).encode(), "application/json"
        lines = [
            (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n"
            for event in self.answer
        ]
        return "".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def _served() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
def wire(_served: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The provider on loopback, without a proxy in between."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return _served


class Heard(BaseCallbackHandler):
    """Keeps what `on_llm_end` and `on_llm_error` are given."""

    def __init__(self) -> None:
        self.ends: list[LLMResult] = []
        self.errors: list[tuple[BaseException, LLMResult | None]] = []

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.ends.append(response)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors.append((error, kwargs.get("response")))


@pytest.fixture
def heard() -> Heard:
    """A handler to attach to a model."""
    return Heard()
