"""Telling people from a program that comes and goes, such as a nightly job: it raises, delivers what waits, and ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import orjson

from spendgraph.ledger.alerts import AlertRow
from spendgraph.notify.alert import harmless
from spendgraph.notify.delivery import RETRY_S, SPAN_S
from spendgraph.notify.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.ledger import Ledger
    from spendgraph.notify.alert import Alert
    from spendgraph.notify.channels import Channels


class Told(NamedTuple):
    """What became of alerts.

    Attributes:
        raised: How many were new.
        delivered: How many of them, and of those that waited from before, have reached everybody.
        waiting: How many have not: they are tried again by the next one who tells.
    """

    raised: int
    delivered: int
    waiting: int


def tell(ledger: Ledger, channels: Channels, alerts: Iterable[Alert], *, wait_s: float) -> Told:
    """Raise alerts, deliver them and whatever else waits in the ledger, and wait for that; not for event loops.

    What another process is delivering is left to it. Each channel is tried once.

    Args:
        ledger: Where alerts are kept; raised twice, also by two processes at once, one is one.
        channels: Where people are told.
        alerts: What they are told.
        wait_s: How long to wait for slow channels, in seconds.

    Raises:
        LedgerUnavailable: The ledger cannot be written.
    """
    book = ledger.alerts
    fresh = {alert.alert_id: alert for alert in alerts}
    known = book.known(fresh)
    now_us = book.now()
    new = book.raise_new(
        row_of(alert, channels, now_us) for alert_id, alert in fresh.items() if alert_id not in known
    )
    waiting = [*new, *book.take_over(channels.every)[0]]
    outbox = Outbox(book, channels, RETRY_S, SPAN_S)
    outbox.deliver(waiting)
    outbox.close(time.monotonic() + wait_s)
    given = [alert.alert_id for alert in waiting if alert.waiting]
    left = book.undelivered(given)
    return Told(len(new), len(given) - len(left), len(left))


def row_of(alert: Alert, channels: Channels, now_us: int) -> AlertRow:
    """The row of the ledger that an alert becomes."""
    told = channels.known(alert.to)
    return AlertRow(
        alert.alert_id,
        alert.kind,
        alert.severity,
        alert.about,
        alert.scope,
        alert.window_start_us,
        alert.threshold,
        alert.unit,
        alert.limit,
        alert.spent,
        alert.task_id,
        orjson.dumps(told).decode(),
        harmless(alert.title),
        harmless(alert.message),
        orjson.dumps(channels.of(told)).decode(),
        now_us,
    )
