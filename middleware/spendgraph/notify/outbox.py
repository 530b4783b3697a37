"""What is on its way: hands alerts to their channels, and notes in the ledger how each attempt went."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from spendgraph.errors import LedgerError
from spendgraph.notify.delivery import Attempt, Channel, Letter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spendgraph.ledger.alerts import AlertBook, Waiting
    from spendgraph.notify.channels import Channels

logger = logging.getLogger(__name__)


class Outbox:
    """The channels of one notifier, in this process.

    Args:
        book: Where attempts are noted.
        channels: The addresses.
        retry_s: The pauses after failed attempts, in seconds.
        span_s: In which a channel takes at most ten messages, in seconds.
    """

    def __init__(self, book: AlertBook, channels: Channels, retry_s: Sequence[float], span_s: float) -> None:
        self._book = book
        self._channels = channels
        self._retry_s = retry_s
        self._span_s = span_s
        self._writing = threading.Lock()
        self._is_closed = False
        self._deliveries: dict[str, Channel] = {}
        self._undelivered: dict[str, set[str]] = {}

    def anew(self) -> Outbox:
        """An empty one: threads do not survive a fork, and what is on its way is the parent's."""
        return Outbox(self._book, self._channels, self._retry_s, self._span_s)

    def hurry(self) -> None:
        """Have the channels send what they hold and take nothing more; never waits for them."""
        for channel in list(self._deliveries.values()):
            channel.hurry()

    def close(self, deadline: float) -> None:
        """Wait until everything was tried once, or until a moment of the monotonic clock; leave the rest to others."""
        self.hurry()
        for channel in list(self._deliveries.values()):
            channel.wait(deadline - time.monotonic())
        with self._writing:
            self._is_closed = True
            # Where it cannot be written, the lease runs out by itself.
            with contextlib.suppress(LedgerError):
                self._book.give_back(list(self._undelivered))

    def deliver(self, alerts: Iterable[Waiting]) -> None:
        """Hand alerts to the channels they have not reached; never waits for them."""
        for alert in alerts:
            for name in alert.waiting:
                url = self._channels.url(name)
                if url is None:  # of another process's policy
                    continue
                channel = self._deliveries.get(name)
                if channel is None:
                    channel = Channel(name, url, self._report, retry_s=self._retry_s, span_s=self._span_s)
                    self._deliveries[name] = channel
                with self._writing:
                    self._undelivered.setdefault(alert.alert_id, set()).add(name)
                with contextlib.suppress(RuntimeError):  # the interpreter is ending: the next one delivers it
                    channel.put(Letter(*alert[:4]))

    def _report(self, attempt: Attempt) -> None:
        """Called in a channel's thread after each attempt."""
        ids = [letter.alert_id for letter in attempt.letters]
        again_us = None if attempt.again_s is None else int(attempt.again_s * 1e6)
        if attempt.error:
            then = "it is in the ledger, and tried again by the next meter"
            if attempt.again_s is not None:
                then = f"it is tried again in {attempt.again_s:g} s"
            logger.warning(
                "spendgraph: an alert did not reach %s (%s): %s", attempt.channel, attempt.error, then
            )
        with self._writing:
            if self._is_closed:
                return
            try:
                self._book.attempted(ids, attempt.channel, attempt.error, again_us=again_us)
            except LedgerError as error:  # then it may be delivered twice
                logger.warning("spendgraph: the delivery of an alert could not be noted: %s", error)
            if not attempt.error:
                for alert_id in ids:
                    left = self._undelivered.get(alert_id, set())
                    left.discard(attempt.channel)
                    if not left:
                        self._undelivered.pop(alert_id, None)
