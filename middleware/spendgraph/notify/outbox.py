"""What is on its way: hands alerts to their channels, and notes in the ledger how each attempt went.

Whatever is handed to a channel is under this process's lease, which is renewed before anything is sent with less than half of it
left. So of two processes, and of two meters one after the other, one sends.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from spendgraph.errors import LedgerError
from spendgraph.ledger.alerts import LEASE_US
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
        self._leases: dict[str, int] = {}
        self._undelivered: dict[str, set[str]] = {}
        self._unnoted: deque[Attempt] = deque()

    def anew(self) -> Outbox:
        """An empty one: threads do not survive a fork, and what is on its way is the parent's."""
        return Outbox(self._book, self._channels, self._retry_s, self._span_s)

    def hurry(self) -> None:
        """Have the channels send what they hold and take nothing more; never waits for them."""
        for channel in list(self._deliveries.values()):
            channel.hurry()

    def close(self, deadline: float) -> None:
        """Wait until everything was tried once, or until a moment of the monotonic clock; leave the rest to others.

        What is being sent then keeps its lease until it is over, or until that runs out: nobody else sends it.
        """
        self.hurry()
        channels = list(self._deliveries.values())
        for channel in channels:
            channel.wait(deadline - time.monotonic())
        sending = {(letter.alert_id, channel.name) for channel in channels for letter in channel.stop()}
        with self._writing:
            self._is_closed = True
            self._note()
            sending.update((each.alert_id, it.channel) for it in self._unnoted for each in it.letters)
            for alert_id, names in self._undelivered.items():
                names.intersection_update({name for name in names if (alert_id, name) in sending})
            left = {each: had for each, had in self._leases.items() if not self._undelivered.get(each)}
            for alert_id in left:
                self._forget(alert_id)
            # Where it cannot be written, the lease runs out by itself.
            with contextlib.suppress(LedgerError):
                self._book.give_back(left)

    def deliver(self, alerts: Iterable[Waiting]) -> None:
        """Hand alerts to the channels they have not reached; never waits for them."""
        for alert in alerts:
            mine = {name: url for name in alert.waiting if (url := self._channels.url(name)) is not None}
            if not mine:
                continue
            with self._writing:
                self._leases[alert.alert_id] = alert.lease_until_us
                self._undelivered[alert.alert_id] = set(mine)
            for name, url in mine.items():
                channel = self._deliveries.get(name)
                if channel is None:
                    pauses: dict[str, Any] = {"retry_s": self._retry_s, "span_s": self._span_s}
                    channel = Channel(name, url, self._claim, self._report, **pauses)
                    self._deliveries[name] = channel
                with contextlib.suppress(RuntimeError):  # the interpreter is ending: the next one delivers it
                    channel.put(Letter(*alert[:4]))

    def _claim(self, channel: str, letters: tuple[Letter, ...]) -> tuple[tuple[Letter, ...], str]:
        """Called in a channel's thread before each attempt: what is this process's to send.

        What has waited for long, behind others or for the ledger, may be somebody else's by now.
        """
        with self._writing:
            soon_us = self._book.now() + LEASE_US // 2
            ending = {
                each: lease_us
                for each, *_ in letters
                if (lease_us := self._leases.get(each, soon_us)) < soon_us
            }
            if ending:
                try:
                    renewed = self._book.renew(ending, channel)
                except LedgerError as error:
                    return letters, type(error).__name__
                self._leases.update(renewed)
                for alert_id in ending.keys() - renewed.keys():
                    self._forget(alert_id)
            left = [each for each in letters if channel in self._undelivered.get(each.alert_id, ())]
            return tuple(left), ""

    def _report(self, attempt: Attempt) -> None:
        """Called in a channel's thread after each attempt."""
        if attempt.error:
            then = "it is in the ledger, and tried again by the next meter"
            if attempt.again_s is not None:
                then = f"it is tried again in {attempt.again_s:g} s"
            logger.warning(
                "spendgraph: an alert did not reach %s (%s): %s", attempt.channel, attempt.error, then
            )
        with self._writing:
            self._unnoted.append(attempt)
            self._note()

    def _note(self) -> None:
        """Note in the ledger how attempts went; where that fails, after the next one or when it is closed."""
        while self._unnoted:
            attempt = self._unnoted[0]
            ids = [letter.alert_id for letter in attempt.letters]
            reached = ids if not attempt.error or self._is_closed else []
            done = [each for each in reached if self._undelivered.get(each, set()) <= {attempt.channel}]
            again_s = None if self._is_closed else attempt.again_s
            again_us = None if again_s is None else int(again_s * 1e6)
            try:
                kept = self._book.attempted(
                    {alert_id: self._leases.get(alert_id, -1) for alert_id in ids},
                    attempt.channel,
                    attempt.error,
                    again_us=again_us,
                    done=done,
                )
            except LedgerError as error:  # should it stay so, it is delivered twice
                logger.warning("spendgraph: the delivery of an alert could not be noted: %s", error)
                return
            self._leases.update(kept)
            for alert_id in reached:
                self._undelivered.get(alert_id, set[str]()).discard(attempt.channel)
            for alert_id in done:
                self._forget(alert_id)
            self._unnoted.popleft()

    def _forget(self, alert_id: str) -> None:
        self._leases.pop(alert_id, None)
        self._undelivered.pop(alert_id, None)
