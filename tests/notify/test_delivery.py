"""How alerts get to people: through apprise to a real receiver, past dead channels, kills and floods."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from budgets.fanout import ACME
from notify.kit import call, look, policy, rows, until_delivered
from notify.receiver import Receiver, until
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, Meter
from spendgraph.clock import utc_us
from spendgraph.notify import Alert, Notifier, read_channels
from spendgraph.policy import Policy

SECRET = "s3cret-t0ken"
FULL = "per: tenant, limit_usd: '0.0075', thresholds: [{at: 100%, do: [notify]}]"

CHILD = """
import os, signal, sys, time
from notify.kit import call, look, policy, rows
from spendgraph import Meter
path, url, budget, then = sys.argv[1:]
meter = Meter(path, policy=policy(budget, growth=url))
call(meter)
if then == "race":
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(9):
        call(meter)
        look(meter)
    meter.close()
elif then == "kill":
    meter.flush()
    while not rows(path):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


def child(path: Path, url: str, then: str, budget: str = FULL) -> subprocess.Popen[str]:
    """A process that makes one call and does something then."""
    command = [sys.executable, "-c", CHILD, str(path), url, budget, then]
    folder, pipe = Path(__file__).parents[1], subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True)


def test_people_are_told_while_the_meter_lives(path: Path) -> None:
    """Nothing has to be called: the crossing is committed, looked at, raised and sent; the row says so."""
    with Receiver() as hook, Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
        call(meter)
        until(lambda: hook.got)
        until_delivered(path, 1)
        assert hook.got[0]["title"] == "Budget b has reached 100% for tenant=acme"
        assert hook.got[0]["type"] == "failure"
        assert "Its owner is growth." in hook.got[0]["message"]
        assert rows(path, "kind, told, waiting, attempts, error") == [
            ("threshold", '["growth"]', "[]", 1, "")
        ]
        assert meter.ledger.verify() == []


def test_closing_delivers_what_was_crossed_last(path: Path) -> None:
    """A script that ends at once tells as well."""
    with Receiver() as hook:
        with Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
            call(meter)
        assert len(hook.got) == 1


def test_a_script_that_never_closes_its_meter_tells_too(path: Path) -> None:
    """At the interpreter's end, or at the latest when the next meter is made."""
    with Receiver() as hook:
        with child(path, hook.url, "nothing") as script:
            script.communicate(timeout=60)
        assert script.returncode == 0
        assert [kind for (kind,) in rows(path, "kind")] == ["threshold"]
        with Meter(path, policy=policy(FULL, growth=hook.url)):
            until(lambda: len(hook.got) == 1)


def test_on_an_event_loop_a_refusal_is_told_and_nothing_waits(path: Path) -> None:
    """The loop goes on while a slow channel is being told."""

    async def run(hook: Receiver) -> float:
        worst = 0.0
        guard = BlockBuster()  # blocking calls in the loop's thread raise
        guard.activate()
        async with Meter(path, policy=policy("limit_usd: 0", growth=hook.url)) as meter:
            with pytest.raises(BudgetExceeded):
                await ScriptedModel().ainvoke("hi", meter.config(ACME))
            second = Meter(path, policy=meter.policy)
            second.close()
            guard.deactivate()
            while not hook.requests:
                before = time.monotonic()
                await asyncio.sleep(0.005)
                worst = max(worst, time.monotonic() - before)
        return worst

    with Receiver(seconds=0.5) as hook:
        assert asyncio.run(run(hook)) < 0.25
        until(lambda: hook.got)
    assert hook.titles == ["Budget b refuses calls"]


def test_a_dead_channel_holds_up_no_other_one(path: Path) -> None:
    """The one is told at once; the other is tried again; what has arrived is not sent twice."""
    with Receiver() as good, Receiver(status=500) as bad:
        given = policy(FULL.replace("[notify]}", "[notify], to: [lead]}"), growth=bad.url, lead=good.url)
        with Meter(path, policy=given) as meter:
            hasten(meter, given, retry_s=(0.05, 0.05, 0.05))
            call(meter)
            until(lambda: bad.requests == 4)
            until(lambda: rows(path, "attempts") == [(5,)])
        assert len(good.got) == 1
        assert rows(path, "waiting, delivered_us, error") == [
            ('["growth[0]"]', None, "growth[0]: NotDelivered")
        ]
        bad.status = 200
        with Meter(path, policy=given):
            until(lambda: len(bad.got) == 1)
            until_delivered(path, 1)
        assert len(good.got) == 1
        assert rows(path, "waiting, error") == [("[]", "")]


def test_closing_does_not_wait_for_long(path: Path) -> None:
    """A channel that does not answer costs two seconds; until it is known what became of the alert it is nobody else's."""
    with Receiver(seconds=3) as slow:
        meter = Meter(path, policy=policy(FULL, growth=slow.url))
        call(meter)
        until(lambda: slow.requests)
        before = time.monotonic()
        meter.close()
        assert time.monotonic() - before < 4
        ((waiting, delivered_us, lease_until_us),) = rows(path, "waiting, delivered_us, lease_until_us")
        assert (waiting, delivered_us) == ('["growth[0]"]', None)
        assert lease_until_us > utc_us()
        until_delivered(path, 1)


def test_of_processes_that_cross_at_once_one_tells(path: Path) -> None:
    """Both see every threshold that is passed; each is one row, and told once by whoever wrote it."""
    every = ", ".join(f"{{at: {share}%, do: notify}}" for share in range(10, 101, 10))
    with Receiver() as hook:
        budget = f"per: tenant, limit_usd: '0.15', thresholds: [{every}]"
        processes = [child(path, hook.url, "race", budget) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("now\n")
            process.stdin.flush()
        for process in processes:
            process.communicate(timeout=60)
        assert [process.returncode for process in processes] == [0, 0]
        with Meter(path, policy=policy(budget, growth=hook.url)) as meter:  # what they had no time for
            until(lambda: {waiting for (waiting,) in rows(path, "waiting")} == {"[]"})
            assert [row["spent_calls"] for row in meter.ledger.windows()] == [20]
        told = rows(path, "threshold, title, told")
        assert sorted(at for at, *_ in told) == [15_000_000 * each for each in range(1, 11)]
        assert sorted(hook.titles) == sorted(title for _, title, names in told if names == '["growth"]')


def test_what_a_killed_process_has_not_told_the_next_one_tells(path: Path) -> None:
    """Once its lease is over: until then it may be telling it."""
    with Receiver(seconds=5) as hook:
        with child(path, hook.url, "kill") as killed:
            killed.communicate(timeout=60)
        assert killed.returncode == -signal.SIGKILL
        hook.seconds = 0
        ((lease_until_us, waiting),) = rows(path, "lease_until_us, waiting")
        assert waiting == '["growth[0]"]'
        with Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
            time.sleep(0.3)
            assert rows(path, "waiting") == [('["growth[0]"]',)]
        with Meter(path, policy=policy(FULL, growth=hook.url), clock=lambda: lease_until_us + 1) as meter:
            until_delivered(path, 1)
            look(meter)
        assert len(rows(path)) == 1


def test_an_alert_of_yesterday_is_not_told_any_more(path: Path) -> None:
    """It is in the ledger for whoever wants to know."""
    with Receiver(status=500) as hook:
        with Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
            call(meter)
        hook.status = 200
        ((raised_us,),) = rows(path, "raised_us")
        with Meter(
            path, policy=policy(FULL, growth=hook.url), clock=lambda: raised_us + 86_400_000_001
        ) as meter:
            time.sleep(0.3)
            look(meter)
        assert hook.got == []


def test_a_flood_ends_in_one_message(path: Path) -> None:
    """Ten go one by one; the other fifteen as one, when there is room again."""
    with Receiver() as hook, Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
        hasten(meter, meter.policy, span_s=1.0)
        for number in range(25):
            meter.notifier.raise_alert(
                Alert("test", "b", f"number {number}", "text", ("growth",), key=(number,))
            )
        until(lambda: len(hook.got) == 10)
        time.sleep(0.2)
        assert len(hook.got) == 10
        until(lambda: len(hook.got) == 11)
        until_delivered(path, 25)
        assert hook.titles == [*(f"number {each}" for each in range(10)), "15 more alerts"]
        assert [f"- number {each}" in hook.got[10]["message"] for each in (9, 10, 24)] == [False, True, True]
        assert {attempts for (attempts,) in rows(path, "attempts")} == {1}


def test_a_flood_is_not_lost_when_the_meter_closes(path: Path) -> None:
    """What waits for the minute to end goes at once, as one message."""
    with Receiver() as hook:
        with Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
            for number in range(13):
                meter.notifier.raise_alert(
                    Alert("test", "b", f"number {number}", "text", ("growth",), key=(number,))
                )
        assert hook.titles[10:] == ["3 more alerts"]
        assert {waiting for (waiting,) in rows(path, "waiting")} == {"[]"}


def test_the_address_is_in_no_log_and_nowhere_in_the_ledger(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Delivered or not, at DEBUG, with HTTP libraries that log what they request."""
    caplog.set_level(logging.DEBUG)
    with Receiver(status=500) as hook, Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
        call(meter)
        until(lambda: hook.requests == 1)
        hook.status = 200
        until(lambda: hook.got)
    with Meter(path, policy=policy(FULL, growth=f"json://127.0.0.1:9/{SECRET}")) as meter:
        meter.notifier.raise_alert(Alert("test", "b", "t", "m", ("growth",)))
        until(lambda: rows(path, "error")[-1] != ("",))
    assert "did not reach growth[0] (NotDelivered)" in caplog.text
    assert SECRET not in caplog.text
    for file in path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_other_threads_requests_are_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Only what sends an alert is silent."""
    import requests

    caplog.set_level(logging.DEBUG)
    with Receiver() as hook:
        read_channels(policy("limit_usd: 1", growth=hook.url))
        requests.post(hook.url.replace("json://", "http://"), json={}, timeout=5)
    assert "/hooks/" in caplog.text


def test_tags_are_data(path: Path) -> None:
    """A tenant's name calls nobody out and draws no link."""
    with Receiver() as hook, Meter(path, policy=policy(FULL, growth=hook.url)) as meter:
        with meter.task(ACME.replace(tenant="<!channel> @everyone <http://evil|click>")):
            ScriptedModel().invoke("hi")
        until(lambda: hook.got)
    text = hook.got[0]["title"] + hook.got[0]["message"]
    assert "<" not in text
    assert "@everyone" not in text
    assert "‹!channel›" in text


def test_a_forked_child_tells_what_it_crosses_and_not_what_its_parent_has(path: Path) -> None:
    """No thread survives a fork; the notifier of the child starts its own."""
    with Receiver() as hook:
        given = policy(
            "per: tenant, limit_usd: '0.0225', thresholds: [{at: 33%, do: [notify]}, {at: 66%, do: [notify]}]",
            growth=hook.url,
        )
        with Meter(path, policy=given) as meter:
            call(meter)
            until_delivered(path, 1)
            pid = os.fork()
            if pid == 0:
                call(meter)
                meter.close()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        assert hook.titles == [
            "Budget b has reached 33% for tenant=acme",
            "Budget b has reached 66% for tenant=acme",
        ]


def test_an_alert_may_be_of_any_kind_and_is_raised_once(path: Path) -> None:
    """What another room or a program of your own has to say; names that nobody knows are left out."""
    alert = Alert(
        "breaker", "velocity", "Breaker velocity is open", "Too fast.", ("growth", "nobody"), "critical"
    )
    with Receiver() as hook:
        for _ in range(2):
            with Meter(path, policy=policy("limit_usd: 1", growth=hook.url)) as meter:
                meter.notifier.raise_alert(alert)
                meter.notifier.raise_alert(alert)
        assert hook.titles == ["Breaker velocity is open"]
    ((told, alert_id),) = rows(path, "told, alert_id")
    assert json.loads(told) == ["growth"]
    assert alert_id == alert.alert_id
    with pytest.raises(ValueError, match="severity"):
        Alert("x", "b", "t", "m", severity="loud")  # type: ignore[arg-type]


def hasten(meter: Meter, given: Policy, **pauses: object) -> None:
    """Give a meter a notifier with shorter pauses."""
    meter.notifier.close()
    meter.notifier = Notifier(meter.ledger, given, read_channels(given), **pauses)  # type: ignore[arg-type]
