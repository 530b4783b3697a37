"""The loopback HTTP/1.1 server: keep-alive, chunked streams, scripted failures.

It runs on an event loop of its own thread. An account is the API key of the request; each has its own invoice.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from provider import anthropic_messages, embeddings, openai_chat, openai_responses
from provider.call import JSON, Call, Event
from provider.invoice import Invoice
from provider.rates import PRICE_LIST
from provider.script import Turn, read_script


class Endpoint(NamedTuple):
    """How one path reads a request and writes an answer."""

    api: str
    turns: Callable[[JSON], list[Turn]]
    response_id: Callable[[Call], str]
    answer: Callable[[Call], JSON]
    events: Callable[[Call], Iterator[Event]] | None


def _no_id(call: Call) -> str:
    return ""


ENDPOINTS = {
    "/v1/chat/completions": Endpoint(
        "chat", openai_chat.turns, openai_chat.response_id, openai_chat.answer, openai_chat.events
    ),
    "/v1/responses": Endpoint(
        "responses",
        openai_responses.turns,
        openai_responses.response_id,
        openai_responses.answer,
        openai_responses.events,
    ),
    "/v1/messages": Endpoint(
        "messages",
        anthropic_messages.turns,
        anthropic_messages.response_id,
        anthropic_messages.answer,
        anthropic_messages.events,
    ),
    "/v1/embeddings": Endpoint("embeddings", embeddings.turns, _no_id, embeddings.embed, None),
    "/v1/rerank": Endpoint("rerank", embeddings.turns, _no_id, embeddings.rerank, None),
}

REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


class Provider:
    """A provider that answers on `url` until it is closed.

    >>> with Provider() as provider:
    ...     provider.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._numbers = itertools.count(1)
        self._invoices: defaultdict[str, Invoice] = defaultdict(Invoice)
        self._bodies: defaultdict[str, list[JSON]] = defaultdict(list)
        self._failed: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="provider", daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def invoice(self, account: str) -> Invoice:
        """The invoice of one API key."""
        return self._invoices[account]

    def bodies(self, account: str) -> list[JSON]:
        """The requests of one API key, as they came."""
        return self._bodies[account]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve_until_stopped())

    async def _serve_until_stopped(self) -> None:
        server = await asyncio.start_server(self._converse, "127.0.0.1", self._port, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in list(self._connections):
            writer.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request, *lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                path = request.split(" ")[1].partition("?")[0]
                if not await self._answer(path, headers, body, reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # the client hung up between two requests, which is how keep-alive ends, or we close
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(
        self,
        path: str,
        headers: dict[str, str],
        raw: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer one request; false when the connection ends with it."""
        account = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if path.startswith("/invoice/"):
            lines = [line.response_id for line in self._invoices[path.removeprefix("/invoice/")].lines]
            return await _send(writer, 200, {"responses": lines})
        endpoint, body = ENDPOINTS.get(path), json.loads(raw or b"{}")
        if endpoint is None or body.get("model") not in PRICE_LIST:
            return await _send(writer, 404, {"error": {"message": f"no {path} for {body.get('model')}"}})
        self._bodies[account].append(body)
        turns = endpoint.turns(body)
        script = read_script(turns)
        invoice = self._invoices[account]
        failed = self._failed[account, script.purpose]
        if failed < len(script.fail):
            self._failed[account, script.purpose] += 1
            invoice.refusals += 1
            error = {"type": "error", "message": "scripted failure"}
            return await _send(writer, script.fail[failed], {"type": "error", "error": error})
        tier = str(body.get("service_tier") or "")
        call = Call(
            next(self._numbers),
            endpoint.api,
            body,
            script,
            turns,
            "" if tier in {"auto", "default"} else tier,
        )
        if endpoint.events is not None and body.get("stream"):
            return await _stream(call, endpoint, endpoint.events(call), invoice, reader, writer)
        # Whoever asked is billed, whether or not they wait for the answer.
        invoice.add(call.bill(endpoint.response_id(call)))
        await asyncio.sleep(script.delay)
        return await _send(writer, 200, endpoint.answer(call))


async def _send(writer: asyncio.StreamWriter, status: int, payload: JSON) -> bool:
    body = json.dumps(payload).encode()
    retry = "retry-after-ms: 1\r\nretry-after: 0.001\r\n" if status in {429, 500} else ""
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\ncontent-type: application/json\r\n{retry}"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    return True


async def _stream(
    call: Call,
    endpoint: Endpoint,
    events: Iterator[Event],
    invoice: Invoice,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Send a stream; it is billed once, for what was produced when it ended or broke."""
    await asyncio.sleep(call.script.delay)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    produced, texts, last = 0.0, 0, 0.0
    try:
        for event in events:
            if reader.at_eof():
                raise ConnectionResetError("the client hung up")
            if texts == call.script.drop_after:
                writer.transport.abort()
                raise ConnectionResetError("scripted drop")
            data = event.data.encode()
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
            produced = event.produced
            if produced > last:
                texts, last = texts + 1, produced
                await asyncio.sleep(call.script.chunk_delay)
        invoice.add(call.bill(endpoint.response_id(call)))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    except ConnectionError:
        line = call.bill(endpoint.response_id(call), produced)
        if all(line.response_id != billed.response_id for billed in invoice.lines):
            invoice.add(line)
        return False
    return True
