"""A webhook on 127.0.0.1 that keeps what it is sent, for apprise's `json://`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Receiver:
    """Answers every request with `status`, after `seconds`, and not before `gate` is set.

    Attributes:
        got: The messages, as apprise's JSON: `title`, `message` and `type`.
    """

    def __init__(
        self, *, status: int = 200, seconds: float = 0.0, gate: threading.Event | None = None
    ) -> None:
        self.got: list[dict[str, Any]] = []
        self.requests = 0
        self.status = status
        self.seconds = seconds
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep it."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests += 1
                time.sleep(receiver.seconds)
                if gate is not None:
                    gate.wait(30)
                if receiver.status == 200:
                    receiver.got.append(body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Its address for apprise, with a secret in it."""
        return f"json://127.0.0.1:{self._server.server_port}/hooks/s3cret-t0ken"

    @property
    def titles(self) -> list[str]:
        """The titles of what it got."""
        return [message["title"] for message in self.got]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: It never did.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
