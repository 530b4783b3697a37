"""One channel: a thread of its own that sends, tries again, and does not flood.

A channel that is slow or dead holds up no other channel and no call. At most ten messages a minute go to one; what comes
on top waits for the minute to end and goes as one message.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.notify.sending import open_service, send

if TYPE_CHECKING:
    from collections.abc import Sequence

RETRY_S: Final = (1.0, 5.0, 30.0, 300.0, 1800.0)
"""How long it waits after each failed attempt; after the last one it gives up until a meter is made the next time."""

AT_MOST: Final = 10
"""Messages of one channel within `SPAN_S`."""

SPAN_S: Final = 60.0

_LISTED: Final = 20
"""Alerts that one message in the place of many names."""


class Letter(NamedTuple):
    """An alert on its way to one channel."""

    alert_id: str
    severity: str
    title: str
    message: str


class Attempt(NamedTuple):
    """How an attempt went: what was sent together, the class of the error or empty, and the seconds to the next attempt."""

    channel: str
    letters: tuple[Letter, ...]
    error: str
    again_s: float | None


Claim = Callable[[str, tuple[Letter, ...]], tuple[tuple[Letter, ...], str]]
"""Called with a channel's name and what it is about to send: what of it is to be sent, and why it cannot be now, or an empty string."""


class Channel:
    """Delivers to one address.

    Args:
        name: Its name, such as `growth[0]`.
        url: Its address.
        claim: Called in the channel's thread before each attempt.
        report: Called in the channel's thread after each attempt.
        retry_s: As `RETRY_S`.
        span_s: As `SPAN_S`.
    """

    def __init__(
        self,
        name: str,
        url: str,
        claim: Claim,
        report: Callable[[Attempt], None],
        *,
        retry_s: Sequence[float] = RETRY_S,
        span_s: float = SPAN_S,
    ) -> None:
        self.name = name
        self._url = url
        self._claim = claim
        self._report = report
        self._retry_s = retry_s
        self._span_s = span_s
        self._arriving: SimpleQueue[Letter | None] = SimpleQueue()
        self._due: list[tuple[float, int, int, Letter]] = []
        self._number = itertools.count()
        self._sent: deque[float] = deque()
        self._is_full = False
        self._service: Any = None
        self._thread: threading.Thread | None = None
        self._is_closing = self._is_stopped = False
        self._sending: tuple[Letter, ...] = ()
        self._new = 0
        self._changed = threading.Condition()

    def put(self, letter: Letter) -> None:
        """Have an alert delivered; never waits for it.

        Raises:
            RuntimeError: The interpreter is ending and starts no more threads.
        """
        with self._changed:
            if self._is_closing:
                return
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=f"spendgraph {self.name}", daemon=True)
                thread.start()
                self._thread = thread
            self._new += 1
            self._arriving.put(letter)

    def hurry(self) -> None:
        """Send what waits for the minute to end now, and take nothing more."""
        with self._changed:
            self._is_closing = True
        self._arriving.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait until everything has been tried once; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._new == 0, timeout=max(seconds, 0))

    def stop(self) -> tuple[Letter, ...]:
        """Begin to send nothing more; what is being sent at this moment, and is reported when it is over."""
        with self._changed:
            self._is_closing = self._is_stopped = True
            return self._sending

    def _run(self) -> None:
        while True:
            try:
                letter = self._arriving.get(timeout=self._pause())
            except Empty:
                letter = None
            while letter is not None:
                heapq.heappush(self._due, (time.monotonic(), next(self._number), 0, letter))
                try:
                    letter = self._arriving.get_nowait()
                except Empty:
                    letter = None
            self._work()
            if self._is_closing and self._arriving.empty():
                return

    def _pause(self) -> float | None:
        """How long there is nothing to do."""
        if not self._due:
            return None
        until = self._due[0][0]
        if self._is_full and self._sent:
            until = max(until, self._sent[0] + self._span_s)
        return max(until - time.monotonic(), 0.0)

    def _work(self) -> None:
        """Send what is due and may be sent."""
        while self._due and self._due[0][0] <= (now := time.monotonic()):
            while self._sent and self._sent[0] <= now - self._span_s:
                self._sent.popleft()
            if len(self._sent) >= AT_MOST:
                self._is_full = True
                if not self._is_closing:
                    return
            batch = [heapq.heappop(self._due)]
            while self._is_full and self._due and self._due[0][0] <= now:
                batch.append(heapq.heappop(self._due))
            self._is_full = False
            self._try(batch)

    def _try(self, batch: list[tuple[float, int, int, Letter]]) -> None:
        with self._changed:
            if self._is_stopped:
                return
            self._sending = tuple(letter for *_, letter in batch)
        letters, error = self._claim(self.name, self._sending)
        failures = max(failed for _, _, failed, _ in batch) + 1
        again_s = None
        try:
            if letters:
                if not error:
                    self._sent.append(time.monotonic())
                    error = self._send(letters)
                if error and failures <= len(self._retry_s):
                    again_s = self._retry_s[failures - 1]
                self._report(Attempt(self.name, letters, error, again_s))
        finally:
            with self._changed:
                self._sending = ()
                self._new -= sum(not failed for _, _, failed, _ in batch)
                self._changed.notify_all()
        if again_s is not None:
            for letter in letters:
                due = time.monotonic() + again_s
                heapq.heappush(self._due, (due, next(self._number), failures, letter))

    def _send(self, letters: tuple[Letter, ...]) -> str:
        if self._service is None:
            self._service = open_service(self._url)
            if self._service is None:
                return "Unreadable"
        title, message, severity = _text(letters)
        return send(self._service, title, message, severity)


def _text(letters: tuple[Letter, ...]) -> tuple[str, str, str]:
    """Title, message and severity of what is sent: an alert, or many in one message."""
    if len(letters) == 1:
        return letters[0].title, letters[0].message, letters[0].severity
    lines = [f"- {letter.title}" for letter in letters[:_LISTED]]
    if len(letters) > _LISTED:
        lines.append(f"and {len(letters) - _LISTED} more")
    lines.append("All of them are in the ledger: the view alert_log.")
    worst = max((letter.severity for letter in letters), key=("info", "warning", "critical").index)
    return f"{len(letters)} more alerts", "\n".join(lines), worst
