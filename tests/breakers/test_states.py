"""Open, half open, closed: in every process alike, with one call that tries, by time and by person."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from langchain_core.tools import tool

from breakers.kit import ACME, CALL_NANOUSD, GLOBEX, MINUTE, WAYS, Clock, call, decisions, meter, state
from scripted import ScriptedModel
from spendgraph import BreakerOpen, LedgerError, Meter
from spendgraph.ledger import Ledger
from spendgraph.ledger.holds import LEASE_US

EVERY_WAY = pytest.mark.parametrize("way", WAYS)
VELOCITY = "name: velocity, per: tenant, usd_per_minute: '0.03'"
BY_HAND = "name: workspace, per: tenant, open_for: 15m"
TESTS = Path(__file__).parents[1]


def tripped(tmp_path: Path, clock: Clock, breaker: str = VELOCITY) -> Meter:
    """A meter whose breaker has just tripped."""
    metered = meter(tmp_path, breaker, clock)
    for _ in range(4):
        call(metered)
    with pytest.raises(BreakerOpen):
        call(metered)
    return metered


@EVERY_WAY
def test_after_its_time_one_call_tries_and_closes_it(tmp_path: Path, way: str) -> None:
    """To the microsecond; every step of it is a decision."""
    clock = Clock()
    with tripped(tmp_path, clock) as metered:
        clock.pass_(15 * MINUTE - 1)
        with pytest.raises(BreakerOpen, match="is open"):
            call(metered, way=way)
        clock.pass_(1)
        assert call(metered, way=way).requests == 1
        assert state(metered) == "closed"
        assert call(metered, way=way).requests == 1
        (row,) = metered.ledger.breakers()
        assert (row["closed_by"], row["trips"], row["reset_us"]) == ("", 1, None)
        assert metered.ledger.breakers(closed=False) == []
        assert metered.ledger.verify() == []
    assert decisions(tmp_path) == [
        ("breaker", "tripped"),
        ("breaker", "refused"),
        ("breaker", "probe"),
        ("breaker", "closed"),
    ]


def test_while_one_call_tries_nobody_else_goes_out(tmp_path: Path) -> None:
    """Neither from this process nor from another one."""
    clock = Clock()
    with tripped(tmp_path, clock) as metered:
        clock.pass_(15 * MINUTE)
        begun, answer = Event(), Event()

        def wait() -> None:
            begun.set()
            assert answer.wait(30)

        with ThreadPoolExecutor(1) as pool:
            trying = pool.submit(ScriptedModel(before_answer=wait).invoke, "hi", metered.config(ACME))
            assert begun.wait(30)
            with pytest.raises(BreakerOpen, match=r"half open.*another call is under way"):
                call(metered)
            assert elsewhere(tmp_path, clock) == "BreakerOpen"
            assert call(metered, GLOBEX).requests == 1
            answer.set()
            trying.result()
        assert elsewhere(tmp_path, clock) == "ok"


ELSEWHERE = """
import sys
from breakers.kit import ACME, Clock, call, meter
from pathlib import Path
from spendgraph import BreakerOpen
clock = Clock()
clock.now_us = int(sys.argv[2])
with meter(Path(sys.argv[1]), sys.argv[3], clock) as metered:
    try:
        call(metered)
        print("ok")
    except BreakerOpen:
        print("BreakerOpen")
"""


def elsewhere(tmp_path: Path, clock: Clock, breaker: str = VELOCITY) -> str:
    """What becomes of a call in another process."""
    arguments = [sys.executable, "-c", ELSEWHERE, str(tmp_path), str(clock.now_us), breaker]
    return subprocess.run(arguments, cwd=TESTS, check=True, capture_output=True, text=True).stdout.strip()


def test_processes_that_share_a_ledger_share_its_breakers(tmp_path: Path) -> None:
    """What trips in one is open in the other, and what was spent in both is counted."""
    clock = Clock()
    with meter(tmp_path, VELOCITY, clock) as metered:
        for _ in range(2):
            call(metered)
        assert [elsewhere(tmp_path, clock) for _ in range(3)] == ["ok", "ok", "BreakerOpen"]
        with pytest.raises(BreakerOpen, match="is open"):
            call(metered)
        clock.pass_(15 * MINUTE)
        assert elsewhere(tmp_path, clock) == "ok"
        assert state(metered) == "closed"


def test_many_processes_at_once_send_one_call_to_try(tmp_path: Path) -> None:
    """They start together; the call of the first is not answered before all others were refused."""
    clock = Clock()
    tripped(tmp_path, clock).close()
    clock.pass_(15 * MINUTE)
    answer = tmp_path / "answer"
    code = ELSEWHERE.replace("call(metered)", "slow(metered)").replace(
        "clock = Clock()",
        "import time\nfrom scripted import ScriptedModel\nclock = Clock()\n"
        f"answer = Path({str(answer)!r})\n"
        "def wait():\n    while not answer.exists(): time.sleep(0.01)\n"
        "def slow(metered):\n    ScriptedModel(before_answer=wait).invoke('hi', metered.config(ACME))",
    )
    arguments = [sys.executable, "-c", code, str(tmp_path), str(clock.now_us), VELOCITY]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=TESTS) for _ in range(4)]
    until = time.monotonic() + 120
    while sum(process.poll() is None for process in running) > 1 and time.monotonic() < until:
        time.sleep(0.05)
    answer.touch()
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert sorted(said) == ["BreakerOpen", "BreakerOpen", "BreakerOpen", "ok"]


@EVERY_WAY
def test_a_call_that_tries_and_fails_lets_the_next_one_try(tmp_path: Path, way: str) -> None:
    """It says nothing about spending."""
    clock = Clock()
    with tripped(tmp_path, clock) as metered:
        clock.pass_(15 * MINUTE)
        with pytest.raises(RuntimeError):
            WAYS[way](ScriptedModel(failures=[RuntimeError("down")]), metered.config(ACME), "hi")
        assert state(metered) == "half_open"
        assert call(metered, way=way).requests == 1
        assert state(metered) == "closed"


@pytest.mark.parametrize("breaker", [VELOCITY, BY_HAND.replace("workspace", "velocity")])
def test_a_call_that_tries_and_is_cancelled_lets_the_next_one_try(tmp_path: Path, breaker: str) -> None:
    """Its end is not heard, and it is booked at its full amount, whether the breaker counts money or not."""
    clock = Clock()
    with meter(tmp_path, breaker, clock) as metered:
        metered.ledger.switchboard.trip("velocity", "tenant=acme", by="a", why="b", open_for_us=MINUTE)
        clock.pass_(15 * MINUTE)

        async def cancelled() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ScriptedModel(seconds=30).ainvoke("hi", metered.config(ACME)), 0.2)

        asyncio.run(cancelled())
        (step,) = metered.ledger.steps()
        assert (step["cost_nanousd"], step["cost_basis"]) == (CALL_NANOUSD, "upper_bound")
        assert state(metered) == "half_open"
        assert call(metered).requests == 1
        assert metered.ledger.verify() == []


def test_a_killed_process_does_not_keep_the_breaker_half_open(tmp_path: Path) -> None:
    """Until its lease is over nobody else may try; then the next one may."""
    clock = Clock()
    tripped(tmp_path, clock).close()
    clock.pass_(15 * MINUTE)
    code = ELSEWHERE.replace("call(metered)", "die(metered)").replace(
        "clock = Clock()",
        "import os, signal\nfrom scripted import ScriptedModel\nclock = Clock()\n"
        "kill = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        "def die(metered):\n    ScriptedModel(before_answer=kill).invoke('hi', metered.config(ACME))",
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, tmp_path, str(clock.now_us), VELOCITY], cwd=TESTS, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with meter(tmp_path, VELOCITY, clock) as metered:
        clock.pass_(LEASE_US)
        with pytest.raises(BreakerOpen, match="half open"):
            call(metered)
        clock.pass_(1)
        assert call(metered).requests == 1
        assert state(metered) == "closed"
        assert metered.ledger.verify() == []


@EVERY_WAY
def test_a_call_that_would_trip_it_again_opens_it_again(tmp_path: Path, way: str) -> None:
    """For its whole time, and is not sent."""
    clock = Clock()
    with tripped(tmp_path, clock, f"{VELOCITY}, open_for: 1m") as metered:
        clock.pass_(MINUTE)
        with metered.task(ACME):
            metered.record("spent elsewhere", usd="1")
        with pytest.raises(BreakerOpen, match="it trips"):
            call(metered, way=way)
        clock.pass_(MINUTE - 1)
        with pytest.raises(BreakerOpen, match="is open"):
            call(metered, way=way)
        assert metered.ledger.breakers()[0]["trips"] == 2


@EVERY_WAY
def test_what_the_call_that_tries_does_itself_goes_out(tmp_path: Path, way: str) -> None:
    """A priced tool that asks a model is one try."""

    @tool
    def search() -> str:
        """Ask a model."""
        return str(model.invoke("hi").content)

    clock, model = Clock(), ScriptedModel()
    with meter(tmp_path, VELOCITY, clock, "tools: {search: {usd_per_call: '0.001'}}") as metered:
        metered.ledger.switchboard.trip("velocity", "tenant=acme", by="a", why="b", open_for_us=MINUTE)
        clock.pass_(MINUTE)
        tool_way: Any = search
        if way == "invoke":
            tool_way.invoke({}, metered.config(ACME))
        else:
            asyncio.run(tool_way.ainvoke({}, metered.config(ACME)))
        assert (model.requests, state(metered)) == (1, "closed")
        assert metered.ledger.verify() == []
    assert [outcome for _, outcome in decisions(tmp_path)] == ["tripped", "probe", "closed"]


@EVERY_WAY
def test_a_person_trips_it_and_a_person_closes_it(tmp_path: Path, way: str) -> None:
    """A breaker without a condition is for that; who and why is kept, and shown to whoever is refused."""
    with meter(tmp_path, BY_HAND) as metered:
        assert call(metered, way=way).requests == 1
        board = metered.ledger.switchboard
        until_us = board.trip(
            "workspace", "tenant=acme", by="watch", why="ten times the usual", open_for_us=MINUTE, to=["lead"]
        )
        with pytest.raises(BreakerOpen) as caught:
            call(metered, way=way)
        assert (caught.value.tripped_by, caught.value.why) == ("watch", "ten times the usual")
        assert call(metered, GLOBEX, way).requests == 1
        (row,) = metered.ledger.breakers(closed=False)
        assert (row["state"], row["open_until_us"]) == ("open", until_us)
        board.reset("workspace", "tenant=acme", by="ann", why="a launch")
        assert call(metered, way=way).requests == 1
        (row,) = metered.ledger.breakers()
        assert (row["state"], row["closed_by"], row["closed_why"]) == ("closed", "ann", "a launch")
        assert metered.ledger.verify() == []
    assert decisions(tmp_path) == [("breaker", "tripped"), ("breaker", "refused"), ("breaker", "closed")]


def test_a_breaker_without_counters_lets_one_call_try_too(tmp_path: Path) -> None:
    """Its hold has no window; a lease it has."""
    clock = Clock()
    with meter(tmp_path, BY_HAND, clock) as metered:
        metered.ledger.switchboard.trip("workspace", "tenant=acme", by="a", why="b", open_for_us=MINUTE)
        clock.pass_(MINUTE)
        nested: list[BaseException] = []

        def another() -> None:
            try:
                call(metered)
            except BreakerOpen as refusal:
                nested.append(refusal.handled())

        ScriptedModel(before_answer=another).invoke("hi", metered.config(ACME))
        assert len(nested) == 1
        assert state(metered) == "closed"
        assert metered.ledger.verify() == []
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert connection.execute("SELECT count(*) FROM holds").fetchone() == (0,)


@pytest.mark.parametrize(
    "breaker",
    [
        "name: velocity, per: tenant, usd_per_minute: '0.03'",
        "name: velocity, per: tenant, limit_usd: '0.03', period: day",
        "name: velocity, per: tenant, limit_usd: '0.03', period: total",
    ],
)
def test_what_was_counted_before_a_person_closed_it_counts_no_more(tmp_path: Path, breaker: str) -> None:
    """Else it would trip again at once: four more calls fit, and the fifth trips it."""
    clock = Clock()
    with tripped(tmp_path, clock, breaker) as metered:
        for _ in range(2):
            metered.ledger.switchboard.reset("velocity", "tenant=acme", by="ann", why="a launch")
            for _ in range(4):
                call(metered)
            with pytest.raises(BreakerOpen, match="it trips"):
                call(metered)
        assert metered.ledger.verify() == []


def test_what_was_forgiven_is_not_forgiven_in_the_next_period(tmp_path: Path) -> None:
    """Tomorrow's limit is tomorrow's."""
    clock = Clock()
    with tripped(tmp_path, clock, "name: c, per: tenant, limit_usd: '0.03', period: day") as metered:
        metered.ledger.switchboard.reset("c", "tenant=acme", by="ann", why="a launch")
        clock.pass_(24 * 60 * MINUTE)
        for _ in range(4):
            call(metered)
        with pytest.raises(BreakerOpen, match="it trips"):
            call(metered)


def test_what_is_closed_cannot_be_closed(tmp_path: Path) -> None:
    """Nor what never tripped; a name and a reason are needed, and a time."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        board = ledger.switchboard
        with pytest.raises(LedgerError, match="'velocity' is not open for 'tenant=acme'"):
            board.reset("velocity", "tenant=acme", by="ann", why="because")
        with pytest.raises(ValueError, match="a name and a reason"):
            board.trip("velocity", "", by=" ", why="because", open_for_us=1)
        with pytest.raises(ValueError, match="a name and a reason"):
            board.reset("velocity", "", by="ann", why="")
        with pytest.raises(ValueError, match="above 0"):
            board.trip("velocity", "", by="ann", why="because", open_for_us=0)
        assert ledger.breakers() == []


def test_an_open_breaker_and_its_time(tmp_path: Path) -> None:
    """Who reads the ledger is told that the next call may try."""
    with Ledger.open(tmp_path / "ledger.db", clock=lambda: 1_000) as ledger:
        ledger.switchboard.trip("velocity", "", by="ann", why="because", open_for_us=5)
        (row,) = ledger.breakers()
        assert (row["state"], row["tripped_us"], row["open_until_us"]) == ("half_open", 1_000, 1_005)


def test_a_hold_that_came_too_late_gives_the_try_back(tmp_path: Path) -> None:
    """An event loop that gave up waiting for the ledger has not sent its call."""
    clock = Clock()
    with tripped(tmp_path, clock) as metered:
        clock.pass_(15 * MINUTE)

        async def late() -> None:
            model = ScriptedModel()
            with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(LedgerError):
                    await model.ainvoke("hi", metered.config(ACME))
                other.execute("COMMIT")
            assert model.requests == 0

        asyncio.run(late())
        asyncio.run(metered.aflush())  # behind the late hold and its return, in the thread that does both
        assert call(metered).requests == 1
        assert state(metered) == "closed"
