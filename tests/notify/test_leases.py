"""Who delivers an alert: one notifier at a time, which can, and whoever comes after it sends nothing a second time."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from notify.kit import MONDAY_US, Time, call, policy, rows, until_delivered
from notify.receiver import Receiver, until
from notify.test_delivery import FULL, hasten
from spendgraph import Meter
from spendgraph.ledger.alerts import LEASE_US
from spendgraph.notify import Alert

MINUTE_US = 60_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


def raise_some(meter: Meter, count: int) -> None:
    """Raise alerts that are called by their number."""
    for number in range(count):
        meter.notifier.raise_alert(Alert("test", "b", f"number {number}", "text", ("growth",), key=(number,)))


def waiting(path: Path) -> list[list[str]]:
    """The channels that each alert has not reached."""
    return [json.loads(text) for (text,) in rows(path, "waiting")]


def test_what_is_being_sent_when_the_meter_closes_is_sent_once(path: Path) -> None:
    """The next meter does not send it; its end is noted when it comes."""
    with Receiver(seconds=3.5) as slow:
        given = policy(FULL, growth=slow.url)
        meter = Meter(path, policy=given)
        call(meter)
        until(lambda: slow.requests)
        meter.close()
        assert waiting(path) == [["growth[0]"]]
        with Meter(path, policy=given):
            until_delivered(path, 1)
            time.sleep(0.3)
        with Meter(path, policy=given):
            time.sleep(0.3)
        assert slow.requests == 1
    assert rows(path, "waiting, attempts, error") == [("[]", 1, "")]


def test_what_is_being_sent_when_the_meter_closes_and_fails_is_the_next_ones(path: Path) -> None:
    """Its failure is noted, and its lease given back."""
    with Receiver(seconds=3, status=500) as slow:
        given = policy(FULL, growth=slow.url)
        meter = Meter(path, policy=given)
        call(meter)
        until(lambda: slow.requests)
        meter.close()
        until(lambda: rows(path, "lease_until_us, attempts, error") == [(0, 1, "growth[0]: NotDelivered")])
        slow.seconds, slow.status = 0, 200
        with Meter(path, policy=given):
            until_delivered(path, 1)
        assert len(slow.got) == 1


def test_what_is_being_sent_to_two_channels_when_the_meter_closes_is_sent_to_each_once(path: Path) -> None:
    """The lease is given back when the last of them is over."""
    with Receiver(seconds=2.6) as growth, Receiver(seconds=3.6) as lead:
        given = policy(FULL.replace("[notify]}", "[notify], to: [lead]}"), growth=growth.url, lead=lead.url)
        meter = Meter(path, policy=given)
        call(meter)
        until(lambda: growth.requests and lead.requests)
        meter.close()
        until(lambda: waiting(path) == [["lead[0]"]])
        with Meter(path, policy=given):
            until_delivered(path, 1)
        assert (growth.requests, lead.requests) == (1, 1)


def test_what_a_closed_meter_has_not_begun_to_send_only_the_next_one_sends(path: Path) -> None:
    """Its channel stops: eight alerts, of which a slow channel takes three while closing waits."""
    with Receiver(seconds=0.8) as slow:
        given = policy(FULL, growth=slow.url)
        meter = Meter(path, policy=given)
        raise_some(meter, 8)
        until(lambda: slow.requests)
        meter.close()
        assert len(slow.got) < 8
        slow.seconds = 0
        with Meter(path, policy=given):
            until(lambda: waiting(path) == [[]] * 8)
        time.sleep(0.5)
        assert sorted(slow.titles) == [f"number {each}" for each in range(8)]


def test_a_retry_that_is_under_way_when_the_meter_closes_is_sent_once(path: Path) -> None:
    """Closing does not wait for it, and gives it to nobody else."""
    with Receiver(status=500) as hook:
        given = policy(FULL, growth=hook.url)
        meter = Meter(path, policy=given)
        hasten(meter, given, retry_s=(1.0, 1.0))
        call(meter)
        until(lambda: rows(path, "attempts") == [(1,)])
        hook.status, hook.seconds = 200, 3
        until(lambda: hook.requests == 2)
        meter.close()
        with Meter(path, policy=given):
            until_delivered(path, 1)
        assert len(hook.got) == 1


def test_what_waited_longer_than_its_lease_is_sent_by_who_has_it_now(path: Path) -> None:
    """Behind a channel that is slow; another process has taken it meanwhile, and it is not sent by both."""
    clock = Time()
    gate = threading.Event()
    with Receiver(gate=gate) as slow, Receiver() as quick:
        meter = Meter(path, policy=policy(FULL, growth=slow.url), clock=clock)
        raise_some(meter, 3)
        until(lambda: slow.requests)
        clock.us += LEASE_US + MINUTE_US
        with Meter(path, policy=policy(FULL, growth=quick.url), clock=clock):
            until(lambda: len(quick.got) == 3)
        gate.set()
        meter.close()
        assert slow.titles == [
            "number 0"
        ]  # whose lease ran out in the middle of sending: nobody can know of it
    assert sorted(quick.titles) == ["number 0", "number 1", "number 2"]


def test_what_waited_longer_than_its_lease_and_nobody_took_is_sent(path: Path) -> None:
    """The lease is renewed before it is sent, so that nobody takes it then."""
    clock = Time()
    gate = threading.Event()
    with Receiver(gate=gate) as slow:
        with Meter(path, policy=policy(FULL, growth=slow.url), clock=clock) as meter:
            raise_some(meter, 2)
            until(lambda: slow.requests)
            clock.us += LEASE_US + MINUTE_US
            gate.set()
            until_delivered(path, 2)
        assert slow.titles == ["number 0", "number 1"]
    leases = [us for (us,) in rows(path, "lease_until_us")]
    assert leases[1] == MONDAY_US + 2 * LEASE_US + MINUTE_US


def test_a_delivery_that_could_not_be_noted_is_noted_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process has the ledger's lock for long; when it gives it back, nothing is sent again."""
    gate = threading.Event()
    with Receiver(gate=gate) as hook:
        given = policy(FULL, growth=hook.url)
        with Meter(path, policy=given) as meter:
            call(meter)
            until(lambda: hook.requests)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                gate.set()
                until(lambda: "could not be noted" in caplog.text, 15)
                other.execute("ROLLBACK")
        assert rows(path, "waiting, attempts") == [("[]", 1)]
        assert hook.requests == 1


def test_who_has_none_of_the_channels_leaves_an_alert_to_who_has(path: Path) -> None:
    """Another process with another policy keeps nobody waiting for a lease that it has no use for."""
    with Receiver(status=500) as hook, Receiver() as other:
        given = policy(FULL, growth=hook.url)
        with Meter(path, policy=given) as meter:
            call(meter)
            until(lambda: hook.requests)
        with Meter(path, policy=policy("limit_usd: 1", lead=other.url)) as stranger:
            raise_nothing(stranger)
            hook.status = 200
            with Meter(path, policy=given):
                until_delivered(path, 1)
        assert len(hook.got) == 1


def test_who_has_one_of_the_channels_leaves_the_others_to_who_has_them(path: Path) -> None:
    """It reaches its own, and gives the lease back."""
    both = FULL.replace("[notify]}", "[notify], to: [lead]}")
    with Receiver(status=500) as growth, Receiver(status=500) as lead:
        given = policy(both, growth=growth.url, lead=lead.url)
        with Meter(path, policy=given) as meter:
            call(meter)
            until(lambda: growth.requests and lead.requests)
        growth.status = lead.status = 200
        with Meter(path, policy=policy("limit_usd: 1", growth=growth.url)):
            until(lambda: waiting(path) == [["lead[0]"]])
            with Meter(path, policy=given):
                until_delivered(path, 1)
        assert (len(growth.got), len(lead.got)) == (1, 1)


def raise_nothing(meter: Meter) -> None:
    """Wait until a notifier has looked for what nobody delivers."""
    meter.notifier.raise_alert(Alert("test", "b", "beside it", "text", ("lead",)))
    until(lambda: len(rows(Path(meter.ledger.place.name))) == 2)
