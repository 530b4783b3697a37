"""What people say of an incident, and what is not told for it."""

from __future__ import annotations

import pytest

from spendgraph.errors import LedgerError
from spendgraph.ledger.incidents import Mute
from spendgraph_anomaly.watching import expected_mute, noise_mute
from spendgraph_anomaly.watching.muting import hours_of_week
from watching.conftest import Make
from watching.kit import DAY, GRACE, HOUR, MINUTE, MONDAY, STOPPING, USD, World

WEEK = 7 * DAY


@pytest.fixture
def world(make: Make) -> World:
    """Six usual weeks of one tenant; the last hour is scored."""
    world = make()
    world.usual(6 * 7 * 24)
    return world


def spike(world: World, usd: float = 60) -> list[str]:
    """An hour in which so much more is spent, and the look after it: the titles of what people are told."""
    world.burn(usd / 10, 10)
    world.now_us += 50 * MINUTE
    titles: list[str] = []
    for _ in range(13):
        titles += [news.notice["title"] for news in world.look().news]
        world.now_us += HOUR
    return titles


def latest(world: World) -> str:
    """The id of the incident that was found last."""
    return str(world.ledger.watched.incidents()[0]["incident_id"])


def say_noise(world: World) -> None:
    """Say that the latest incident was noise."""
    (row,) = world.ledger.watched.incidents(named=latest(world))
    world.ledger.watch_book.say(
        row["incident_id"], "noise", by="ann", why="a test", mute=noise_mute(row, world.now_us)
    )


def test_after_noise_nobody_is_told_of_as_much_again(world: World) -> None:
    """The incident is kept, and says for which word it is muted; another tenant's is told."""
    assert len(spike(world)) == 1
    say_noise(world)
    world.usual(7 * 24 - 14)
    assert spike(world) == []
    (row,) = world.ledger.watched.incidents(named=latest(world))
    assert (row["muted_by"], row["told_us"], row["verdict"]) == (1, None, "")
    assert world.ledger.verify() == []


def test_after_noise_much_more_is_told(world: World) -> None:
    """Noise of sixty dollars is a bar of ninety."""
    spike(world)
    say_noise(world)
    world.now_us += WEEK
    assert len(spike(world, 400)) >= 1


def test_noise_is_muted_for_a_month(world: World) -> None:
    """Then the same is told again."""
    spike(world)
    say_noise(world)
    world.now_us += 31 * DAY
    assert len(spike(world)) == 1


def test_a_real_one_ends_what_mutes_its_like(world: World) -> None:
    """Said of a later incident of the same tenant."""
    spike(world)
    say_noise(world)
    world.now_us += WEEK
    spike(world)
    world.ledger.watch_book.say(latest(world), "real", by="bob", why="it was a loop")
    assert world.ledger.watched.mutes(world.now_us) == []
    world.now_us += WEEK
    assert len(spike(world)) == 1


def test_the_newest_word_on_an_incident_counts(world: World) -> None:
    """Both stay."""
    spike(world)
    say_noise(world)
    world.ledger.watch_book.say(latest(world), "real", by="bob", why="it was a loop")
    assert world.ledger.watched.mutes(world.now_us) == []
    assert [row["verdict"] for row in world.ledger.watched.verdicts(latest(world))] == ["noise", "real"]
    say_noise(world)
    assert [row.verdict_id for row in world.ledger.watched.mutes(world.now_us)] == [3]


def test_what_is_expected_at_an_hour_of_the_week_is_not_told_at_that_hour_only(world: World) -> None:
    """The same on the next day is told; a week later, at the same hour, it is not."""
    first_us = world.now_us
    spike(world)
    (row,) = world.ledger.watched.incidents(named=latest(world))
    mute = expected_mute(row, "UTC", world.now_us)
    assert mute.hours
    world.ledger.watch_book.say(row["incident_id"], "expected", by="ann", why="the weekly batch", mute=mute)
    world.now_us = first_us + WEEK
    assert spike(world) == []
    world.now_us = first_us + 2 * WEEK + 3 * DAY
    assert len(spike(world, 100)) == 1


def test_what_is_expected_until_a_day_is_not_told_at_any_hour_before_it(world: World) -> None:
    """A launch: twice as much is muted, too; afterwards it is told."""
    spike(world)
    (row,) = world.ledger.watched.incidents(named=latest(world))
    mute = expected_mute(row, "UTC", world.now_us, until_us=world.now_us + WEEK)
    assert (mute.hours, mute.below_nanousd) == ((), 2 * row["excess_nanousd"])
    world.ledger.watch_book.say(row["incident_id"], "expected", by="ann", why="a launch", mute=mute)
    world.now_us += 3 * DAY
    assert spike(world) == []
    world.now_us += WEEK
    assert len(spike(world, 100)) >= 1


def test_whoever_is_muted_is_not_stopped_either(make: Make) -> None:
    """A word on what goes on counts at once."""
    world = make(STOPPING)
    world.usual(28 * 24)
    world.burn(5, 10)
    world.look()
    (row,) = world.ledger.watched.incidents()
    mute = expected_mute(row, "UTC", world.now_us, until_us=world.now_us + DAY)
    world.ledger.watch_book.say(row["incident_id"], "expected", by="ann", why="a load test", mute=mute)
    for _ in range(30):
        world.burn(10, 1)
        assert world.look().news == []
    assert world.stopped() == []


def test_nothing_is_said_without_a_name_a_reason_and_an_incident(world: World) -> None:
    """And a real one mutes nothing."""
    spike(world)
    book, named = world.ledger.watch_book, latest(world)
    with pytest.raises(ValueError, match="expected a name and a reason"):
        book.say(named, "real", by=" ", why="why")
    with pytest.raises(ValueError, match="expected a mute unless an incident is real"):
        book.say(named, "real", by="ann", why="why", mute=Mute(1, 1))
    with pytest.raises(ValueError, match="expected a mute unless an incident is real"):
        book.say(named, "noise", by="ann", why="why")
    with pytest.raises(LedgerError, match="there is no incident 'none'"):
        book.say("none", "real", by="ann", why="why")
    assert world.ledger.watched.verdicts(named) == []


@pytest.mark.parametrize(
    ("start_us", "until_us", "zone", "hours"),
    [
        (MONDAY, MONDAY + 2 * HOUR, "UTC", {0, 1}),
        (MONDAY, MONDAY + HOUR, "Asia/Kathmandu", {5, 6}),
        (MONDAY - HOUR, MONDAY + HOUR, "UTC", {167, 0}),
        (MONDAY, MONDAY + 15 * DAY, "UTC", set(range(168))),
        (MONDAY + GRACE, MONDAY + 2 * GRACE, "Europe/Berlin", {2}),
    ],
    ids=["two hours", "quarters beside", "around the week", "more than a week", "within an hour"],
)
def test_the_hours_of_the_week(start_us: int, until_us: int, zone: str, hours: set[int]) -> None:
    """Those of which it has a part, by the zone's clock."""
    assert hours_of_week(start_us, until_us, zone) == hours


def test_a_mute_has_a_bar(world: World) -> None:
    """Half as much again after noise, twice as much where it was expected."""
    row = {"excess_nanousd": 10 * USD, "start_us": MONDAY, "until_us": MONDAY + HOUR}
    assert noise_mute(row, 0) == Mute(15 * USD, 30 * DAY)
    assert expected_mute(row, "UTC", 0) == Mute(20 * USD, 90 * DAY, (0,), "UTC")
    assert noise_mute({**row, "excess_nanousd": -1}, 0, DAY) == Mute(0, DAY)
    assert world.ledger.watched.mutes(0) == []
