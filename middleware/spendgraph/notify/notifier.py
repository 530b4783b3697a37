"""Tells people what one meter's budgets come to: looks after commits, raises alerts once, has them delivered.

A look is owed to whoever commits: the windows that a commit changed are read in a thread of the notifier's own, some
milliseconds later and many commits together, and compared with the policy. It asks what *is* spent, not what changed, so
that what a killed process has not said is said by the next notifier that is made, which looks at the windows of the
ledger's latest steps, or by the next commit of the same window. An alert is a row of the
ledger before anybody hears of it, and stays one that is waiting until it has reached everybody.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - as the ledger asks it
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeVar

from spendgraph.errors import LedgerError
from spendgraph.ledger.alerts import recent_windows
from spendgraph.ledger.elsewhere import run_elsewhere
from spendgraph.notify import messages
from spendgraph.notify.crossings import Crossings
from spendgraph.notify.delivery import RETRY_S, SPAN_S
from spendgraph.notify.once import row_of
from spendgraph.notify.outbox import Outbox
from spendgraph.notify.thresholds import watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spendgraph.ledger import Ledger, Shortfall
    from spendgraph.ledger.alerts import WindowSpent
    from spendgraph.ledger.approvals import Standing
    from spendgraph.notify.alert import Alert
    from spendgraph.notify.channels import Channels
    from spendgraph.policy import Budget, Policy

logger = logging.getLogger(__name__)

CLOSING_S: Final = 2.0
"""How long closing waits for what is being delivered."""

_TOGETHER_S: Final = 0.1
"""How long a look waits for further commits."""

_AGAIN_S: Final = 60.0
"""How soon it looks again for alerts that wait, where the ledger could not be read."""

_MOST_KNOWN: Final = 10_000


class Notifier:
    """Who is told what, for one meter.

    Args:
        ledger: Where alerts are kept.
        policy: The budgets, and who is told of them.
        channels: Where people are told, from `read_channels`.
        retry_s: The pauses after failed attempts, in seconds.
        span_s: In which a channel takes at most ten messages, in seconds.
    """

    _wake: SimpleQueue[None]
    _looking: threading.Lock
    _is_asked: bool
    _is_running: bool
    _is_stopping: bool

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        channels: Channels,
        *,
        retry_s: Sequence[float] = RETRY_S,
        span_s: float = SPAN_S,
    ) -> None:
        self._ledger = ledger
        self._book = ledger.alerts
        self._channels = channels
        found = [watched(budget, channels) for budget in policy.budgets]
        of = {each.name: each for each in found if each is not None}
        self._crossings = Crossings(self._book, of)
        self._outbox = Outbox(self._book, channels, retry_s, span_s)
        self._is_watching = bool(of)
        self._touched: deque[frozenset[int]] = deque()
        self._raised: deque[Alert] = deque()
        self._known: set[str] = set()
        self._is_closed = False
        self._begin()
        _open.add(self)
        if self._is_watching:
            self._book.watch(self._note)
            # A process that told nobody, or was killed before it did, may have committed what nobody adds to any more.
            ledger.behind.ask(recent_windows, self._look_back)
        if channels:
            self._ask()  # for what was never delivered

    # For the rooms above: none of these blocks or raises

    @property
    def is_telling(self) -> bool:
        """Whether the policy says where anybody is told."""
        return bool(self._channels)

    def raise_alert(self, alert: Alert) -> None:
        """Have people told, once; soon, and never in the way of the caller. May be called on an event loop.

        Names in `alert.to` that the policy's `notify` does not know are left out; the alert is a row of the ledger
        even where nobody is left.
        """
        self._raised.append(alert)
        self._ask()

    def blocked(self, budget: Budget, found: Shortfall) -> None:
        """A call was refused because a budget has no room for it."""
        if not self._channels:
            return
        final = [name for each in budget.thresholds if each.at == 1 for name in each.to]
        to = self._channels.known([budget.owner, *final])
        self._raise_unless_known(messages.blocked(budget, found, to, self._book.now()))

    def asked(self, budget: Budget, found: Shortfall, standing: Standing, task_id: str) -> None:
        """A task waits for a person's decision."""
        if not self._channels:
            return
        act = "approve" if found.threshold is None else "acknowledge"
        asking = [
            name
            for each in budget.thresholds
            if act in each.do and (act == "approve" or int(budget.limit * each.at) == found.threshold)
            for name in each.to
        ]
        to = self._channels.known([budget.owner, *asking, *budget.approvers])
        self._raise_unless_known(messages.question(budget, found, standing, task_id, to))

    def dear_call(
        self, budget: Budget, warn_nanousd: int, cost_nanousd: int, what: str, task_id: str, step_id: str
    ) -> None:
        """A single call cost more than a budget per call warns of."""
        if self._channels:
            to = self._channels.known([budget.owner])
            self.raise_alert(
                messages.dear_call(budget, warn_nanousd, cost_nanousd, what, task_id, step_id, to)
            )

    # Ending

    def close(self, wait_s: float = CLOSING_S) -> None:
        """Look a last time, and wait a little for what is being delivered; the rest is left to the next meter.

        On an event loop it does not wait.
        """
        if _get_running_loop() is not None:
            wait_s = 0.0
        run_elsewhere(lambda: self._close(wait_s))

    def abandon(self) -> None:
        """Stop without looking or waiting: the meter is gone, and this may be the garbage collector's thread."""
        self._stop()
        self._outbox.hurry()

    def _close(self, wait_s: float) -> None:
        if self._is_closed:
            return
        deadline = time.monotonic() + wait_s
        if self._is_watching or self._raised:
            self._ledger.flush()
        self._stop()
        self.look()  # once a look that is under way is over
        with self._looking:
            self._is_closed = True
        self._outbox.close(deadline)
        _open.discard(self)

    def _stop(self) -> None:
        self._book.unwatch(self._note)
        self._is_stopping = True
        self._wake.put(None)

    # Looking

    def _note(self, windows: frozenset[int]) -> None:
        """Called by whoever has committed, who holds the ledger's lock."""
        self._touched.append(windows)
        self._ask()

    def _look_back(self, windows: list[WindowSpent]) -> None:
        """Called in a thread of its own with what the ledger's latest steps count in."""
        still = self._crossings.still_count(windows)
        if still and not self._is_stopping:
            self._note(still)

    def _ask(self) -> None:
        """Have the thread look; never blocks, and takes no lock: a garbage collector's finalizer may get here."""
        if self._is_asked or self._is_stopping:
            return
        self._is_asked = True
        if not self._is_running:
            self._is_running = True
            try:
                # Not threading.Thread, whose start waits for an event, which an event loop's thread must not.
                _thread.start_new_thread(self._run, (self._wake,))
            except RuntimeError:  # the interpreter is ending; closing looks
                self._is_asked = self._is_running = False
                return
        self._wake.put(None)

    def _run(self, wake: SimpleQueue[None]) -> None:
        try:
            self._serve(wake)
        except BaseException:
            # The next one who asks starts a new thread.
            self._is_asked = self._is_running = False
            logger.critical("spendgraph: a notifier's thread failed", exc_info=True)
            raise

    def _serve(self, wake: SimpleQueue[None]) -> None:
        pause = self._take_over()
        while True:
            try:
                wake.get(timeout=pause)
            except Empty:  # somebody's lease is over
                pause = self._take_over()
                continue
            if not self._is_stopping:
                time.sleep(_TOGETHER_S)
            if self._is_stopping:
                return
            self.look()

    def _take_over(self) -> float | None:
        """Deliver what nobody is delivering; the seconds until it has to be looked for again."""
        with self._looking:
            if self._is_stopping or not self._channels:
                return None
            try:
                alerts, others_us = self._book.take_over(self._channels.every)
            except LedgerError as error:
                logger.warning("spendgraph: alerts that wait could not be read: %s", error)
                return _AGAIN_S
            self._outbox.deliver(alerts)
            return None if others_us is None else others_us / 1e6 + 1

    def look(self) -> None:
        """Raise what was handed in and what windows have come to, now; not for the thread of an event loop."""
        with self._looking:
            if self._is_closed:
                return
            self._is_asked = False  # before the queues are emptied: who comes later asks again
            raised = _emptied(self._raised)
            touched = frozenset[int]().union(*_emptied(self._touched))
            try:
                self._raise([*raised, *self._crossings.find(touched)])
            except LedgerError as error:
                # Kept for the next look, which the next commit brings.
                self._raised.extendleft(reversed(raised))
                self._touched.append(touched)
                logger.warning("spendgraph: alerts could not be raised yet: %s", error)
            except Exception:
                # A fault of ours must not end the thread, and what it was about is looked at again with the next commit.
                logger.exception("spendgraph: budgets could not be looked at")

    def _raise_unless_known(self, alert: Alert) -> None:
        if alert.alert_id not in self._known:
            self.raise_alert(alert)

    def _raise(self, alerts: Iterable[Alert]) -> None:
        fresh = {alert.alert_id: alert for alert in alerts if alert.alert_id not in self._known}
        if not fresh:
            return
        now_us = self._book.now()
        new = self._book.raise_new([row_of(alert, self._channels, now_us) for alert in fresh.values()])
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.update(fresh)
        self._crossings.settle(fresh.values())
        self._outbox.deliver(new)

    def _begin(self) -> None:
        self._wake = SimpleQueue()
        self._is_asked = self._is_running = self._is_stopping = False
        self._looking = threading.Lock()

    def after_fork_in_child(self) -> None:
        """Start anew: the parent raises and delivers what it had."""
        self._touched.clear()
        self._raised.clear()
        self._outbox = self._outbox.anew()
        self._begin()


T = TypeVar("T")


def _emptied(queue: deque[T]) -> list[T]:
    taken: list[T] = []
    with contextlib.suppress(IndexError):
        while True:
            taken.append(queue.popleft())
    return taken


_open: weakref.WeakSet[Notifier] = weakref.WeakSet()


def _close_all() -> None:
    for notifier in list(_open):
        notifier.close()


def _after_fork_in_child() -> None:
    for notifier in list(_open):
        notifier.after_fork_in_child()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork_in_child)
