"""Scoring: each bin once, the same whoever scores it and whenever it is begun anew."""

from __future__ import annotations

import pytest

from ledger.rows import change, context_row
from spendgraph.errors import LedgerError
from spendgraph.policy import parse_policy
from spendgraph_anomaly.detectors import Detector, incidents
from spendgraph_anomaly.series import series_of
from spendgraph_anomaly.watching import CutWatch, cuts_of
from spendgraph_reports.period import Period
from watching.conftest import Make
from watching.kit import DAY, GRACE, HOUR, MINUTE, MONDAY, USD, World

TENANTS = ("acme", "globex", "initech")
WEEKS = 2 * 7 * 24


def eventful(world: World) -> None:
    """Two weeks, in which acme loops for two hours on the second Saturday and initech comes on the second Monday."""
    world.usual(WEEKS // 2, ["acme", "globex"])
    world.usual(WEEKS // 2, TENANTS)
    for minute in range(120):
        world.spend(3, MONDAY + 12 * DAY + 3 * HOUR + minute * MINUTE)
    world.now_us += 10 * MINUTE


def test_one_look_after_weeks_is_what_a_look_every_hour_is(make: Make) -> None:
    """States to the byte, incidents to the nano-dollar; begun anew before every look, too."""
    late, hourly = make(), make()
    for world in (late, hourly):
        eventful(world)
    end_us = late.now_us
    late.look()
    for hour in range(WEEKS + 1):
        hourly.now_us = MONDAY + hour * HOUR + 10 * MINUTE
        hourly.begin_anew()
        hourly.look()
    assert hourly.now_us == end_us
    assert hourly.incidents() == late.incidents()
    assert [row[1] for row in late.states()] == ["tenant=acme", "tenant=globex", "tenant=initech"]
    assert hourly.states() == late.states()
    assert late.ledger.verify() == hourly.ledger.verify() == []


def test_the_watch_judges_as_the_detector_does_over_the_whole_series(world: World) -> None:
    """The same incidents as a detector finds in the series at once."""
    eventful(world)
    world.look()
    (cut,) = cuts_of(None)
    through_us = world.now_us - world.now_us % HOUR
    found: list[tuple[str, int, int]] = []
    for one in series_of(world.books, ["tenant"], Period(MONDAY, through_us), "hour", now_us=through_us):
        first = int((one.values > 0).argmax())
        detector = Detector(3600, "UTC", cut.settings, name=f"tenant={one.tags['tenant']}")
        judged = [
            detector.observe(int(start), int(value) / 1e9)
            for start, value in zip(one.starts_us[first:], one.values[first:], strict=True)
        ]
        found += [
            (f"tenant={one.tags['tenant']}", each.start_us, round(each.excess * 1e9))
            for each in incidents(judged)
        ]
    assert found
    assert sorted(found) == sorted((scope, start, excess) for scope, start, _, _, excess in world.incidents())


def test_a_bin_is_scored_once_it_is_over_and_calls_had_time_to_be_booked(world: World) -> None:
    """Five minutes after its end."""
    end_us = world.usual(3 * 24)
    world.now_us = end_us + GRACE - 1
    assert world.look().through_us == end_us - HOUR
    world.now_us += 1
    look = world.look()
    assert (look.through_us, look.scored) == (end_us, 1)
    assert world.look().scored == 0


def test_a_silent_series_is_left_where_it_is_and_goes_on_as_if_it_had_been_scored(make: Make) -> None:
    """Ten silent days are brought up when something is spent; the state is that of a series scored every hour."""
    left, followed = make(), make()
    for world in (left, followed):
        world.usual(4 * 24, ["acme", "globex"])
        world.now_us += GRACE
        world.look()
    for world in (left, followed):
        silent_us = world.now_us
        world.ledger.post(*world.spent(1, silent_us + 10 * DAY, "globex"))
        for hour in range(1, 10 * 24 + 2):
            world.now_us = silent_us + hour * HOUR
            if world is followed or hour > 10 * 24:
                world.look()
    assert left.states() == followed.states()


def test_a_ledger_without_steps_is_watched_in_vain(world: World) -> None:
    """Nothing to score, nothing to say."""
    look = world.look()
    assert (look.scored, look.through_us, look.news) == (0, None, [])


@pytest.mark.parametrize(("usd", "told"), [(0.40, 0), (3000, 1)], ids=["forty cents", "$3,000"])
def test_a_first_day_pages_for_real_money_only(world: World, usd: float, told: int) -> None:
    """Fifty times as much as before in one hour."""
    world.usual(12, usd=usd / 50)
    for minute in range(60):
        world.spend(usd / 60, world.now_us + minute * MINUTE)
    world.now_us += HOUR + GRACE
    look = world.look()
    assert len(look.news) == told
    if told:
        assert look.news[0].notice["spent"] >= 2_999 * USD


@pytest.mark.parametrize("weeks", [1, 5])
def test_a_spike_of_forty_cents_pages_nobody_however_much_is_known(world: World, weeks: int) -> None:
    """A fifty-fold spike that is worth nothing."""
    world.usual(weeks * 7 * 24, usd=0.008)
    world.spend(0.40, world.now_us)
    world.now_us += HOUR + GRACE
    assert world.look().news == []


def test_three_thousand_dollars_in_an_hour_are_told_within_minutes(world: World) -> None:
    """On the first day, long before the hour is over."""
    begun_us = world.usual(6)
    while not world.look().news:
        world.burn(50, 1)
    assert world.now_us - begun_us <= 25 * MINUTE


def test_a_cut_by_several_tags_of_what_matches(make: Make) -> None:
    """Extra tags, a value that must be, and one series of everything beside."""
    world = make(
        "watch: {cuts: [{name: regions, per: [tenant, x_region], match: {environment: production}}, {name: all}]}"
    )
    contexts = [
        context_row(tenant="a=b,c", environment="production", extra={"region": "eu"}),
        context_row(tenant="a=b,c", environment="staging", extra={"region": "eu"}),
        context_row(tenant="acme", environment="production"),
    ]
    world.ledger.post(*contexts)
    for number, context in enumerate(contexts):
        for hour in range(72):
            world.spend(1, world.now_us + hour * HOUR, tenant=f"t{number}", context_id=context.context_id)
    for minute in range(60):
        at_us = world.now_us + 71 * HOUR + minute * MINUTE
        world.spend(50, at_us, tenant="t0", context_id=contexts[0].context_id)
    world.now_us += 72 * HOUR + GRACE
    regions, everything = [watch.look(world.now_us) for watch in world.watches]
    assert [(row[0], row[1]) for row in world.states()] == [
        ("all", ""),
        ("regions", "tenant=a%3Db%2Cc,x_region=eu"),
        ("regions", "tenant=acme,x_region="),
    ]
    assert [news.notice["scope"] for news in regions.news] == ["tenant=a%3Db%2Cc,x_region=eu"]
    assert [news.notice["scope"] for news in everything.news] == [""]
    (row,) = world.ledger.watched.incidents(watch="regions")
    assert row["tags"] == {"tenant": "a=b,c", "x_region": "eu"}


def test_a_damaged_state_is_said_and_not_gone_on_with(world: World) -> None:
    """With what to do; nothing is written."""
    world.usual(48)
    world.now_us += GRACE
    world.look()
    change(world.path, "UPDATE watched_series SET state = x'00'")
    world.usual(2)
    world.now_us += GRACE
    states = world.states()
    with pytest.raises(
        LedgerError, match="cannot go on with tenant=acme: a detector's state must begin with"
    ):
        world.look()
    assert world.states() == states


def test_books_of_another_zone_are_refused(world: World) -> None:
    """Days would begin at two times."""
    (cut,) = cuts_of(parse_policy("watch: {timezone: Europe/Berlin}"))
    with pytest.raises(ValueError, match="expected books in the zone Europe/Berlin"):
        CutWatch(cut, world.ledger, world.books)


def test_a_day_of_the_zone_is_a_bin_of_twenty_five_hours_in_autumn(make: Make) -> None:
    """The day on which clocks go back in Berlin, 25 October 2026."""
    world = make(
        "watch: {timezone: Europe/Berlin, cuts: [{name: days, per: tenant, every: day}]}",
        now_us=MONDAY + 20 * DAY - 2 * HOUR,
    )
    world.usual(11 * 24)
    world.now_us += DAY
    world.look()
    ((_, _, through_us, _, _),) = world.states()
    assert (through_us - MONDAY) % DAY == 23 * HOUR
