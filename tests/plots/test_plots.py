"""What plots say is true, nothing in them is cut or covered, and they can be drawn of any spending."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plots.kit import SEPTEMBER, Words, all_plots, report_of, series_of, words_of
from spendgraph_reports.months import closed
from spendgraph_reports.period import Period
from spendgraph_reports.plots import (
    Expectation,
    Fan,
    Mark,
    beside,
    fan,
    multiples,
    over_time,
    ranked,
    spread,
    svg,
    unusual,
)
from spendgraph_reports.plots.bars import bars_of
from spendgraph_reports.plots.over_time import stacked
from spendgraph_reports.plots.sheet import NARROW, WIDE, apart
from spendgraph_reports.plots.spread import percentile

DAY = date(2026, 9, 1)
ROWS = [
    ("inbox", DAY, 3_000_000_000),
    ("inbox", DAY + timedelta(days=4), 1_000_000_000),
    ("chat", DAY + timedelta(days=4), 2_500_000_000),
    ("", DAY + timedelta(days=9), 500_000_000),
]

NAMES = st.one_of(
    st.sampled_from(
        ["inbox", "", "contract-review-of-the-european-subsidiaries-and-more", "$x$", "请求", "WWWWWWWWWWWW"]
    ),
    st.text(max_size=60),
)
SPENDING = st.lists(
    st.tuples(
        NAMES, st.integers(0, 29).map(lambda day: DAY + timedelta(days=day)), st.integers(-(10**9), 10**12)
    ),
    max_size=25,
)


def overlap(first: Words, second: Words) -> bool:
    """Whether two texts cover each other by more than a hair."""
    across = min(first.right, second.right) - max(first.left, second.left)
    down = min(first.base, second.base) - max(first.base - first.size * 0.7, second.base - second.size * 0.7)
    return across > 1 and down > 1


@pytest.mark.parametrize("width", [WIDE, NARROW])
# A smaller example says no more than the name of the plot does, and takes minutes to find.
@settings(max_examples=6, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(SPENDING)
def test_no_text_is_cut_or_covered(width: int, rows: list[tuple[str, date, int]]) -> None:
    """Whatever tags are called and whatever they cost, on a screen and on a phone."""
    for name, plot in all_plots(rows).items():
        drawn = svg(plot.figure(width))
        across, down = (float(side) for side in ET.fromstring(drawn).attrib["viewBox"].split()[2:])
        texts = [words for words in words_of(drawn) if words.text]
        cut = [
            words
            for words in texts
            if words.left < -1
            or words.right > across + 1
            or words.base > down
            or words.base < words.size * 0.6
        ]
        assert not cut, name
        covered = [
            (first.text, second.text)
            for at, first in enumerate(texts)
            for second in texts[:at]
            if overlap(first, second)
        ]
        assert not covered, name


@given(
    st.lists(st.integers(0, 100), max_size=8).map(sorted),
    st.floats(1, 40),
)
def test_labels_stand_apart_in_their_order(wanted: list[int], gap: float) -> None:
    """Within the ends, with the gap where there is room for it, and where they were wanted when that is free."""
    placed = apart(wanted, gap, 0, 100)
    room = min(gap, 100 / max(len(wanted) - 1, 1))
    assert all(later - earlier >= room - 1e-6 for earlier, later in pairwise(placed))
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in placed)
    if all(later - earlier >= gap for earlier, later in pairwise(wanted)):
        assert placed == pytest.approx(wanted, abs=1e-6)


@given(SPENDING, st.integers(1, 5), st.sampled_from([30, 90]))
def test_bars_add_up_to_the_series(rows: list[tuple[str, date, int]], top: int, days: int) -> None:
    """By day and by week, whoever has a band of their own: nothing is lost and nothing counted twice."""
    period = Period.between("2026-09-01", (DAY + timedelta(days=days)).isoformat())
    bars = bars_of(series_of(rows), "feature", period, "UTC")
    total = sum(cost for _, _, cost in rows)
    assert sum(bars.sums) == total
    bands = stacked(bars.spent, top)
    assert sum(band.total for band in bands) == total
    assert len(bands) <= top + 1


def test_a_day_of_25_hours_is_one_bar() -> None:
    """When the clock goes back in Berlin, and the week that it is in."""
    october = Period.month("2026-10", "Europe/Berlin")
    series = series_of([("inbox", date(2026, 10, 25), 7)])
    series["start"] = series["start"].dt.tz_convert("Europe/Berlin").dt.floor("D")
    bars = bars_of(series, "feature", october, "Europe/Berlin")
    assert len(bars.starts) == 31
    assert [start for start, cost in zip(bars.starts, bars.sums, strict=True) if cost] == [date(2026, 10, 25)]


def test_a_long_period_is_shown_by_week() -> None:
    """From the Monday on or before its start."""
    period = Period.between("2026-09-01", "2026-12-01")
    bars = bars_of(
        series_of([("inbox", date(2026, 9, 6), 5), ("inbox", date(2026, 9, 7), 6)]), "feature", period, "UTC"
    )
    assert (bars.unit, bars.starts[0], bars.sums[:2]) == ("week", date(2026, 8, 31), [5, 6])
    assert bars.note("UTC") == "Each bar is a week in UTC; the first and the last may be shorter."


def test_titles_say_the_finding() -> None:
    """With the numbers that are drawn."""
    plots = all_plots(ROWS)
    assert {name: plot.title for name, plot in plots.items()} == {
        "over_time": "inbox spent 57.1 % of $7.00; 5 Sep was the dearest day with $3.50.",
        "multiples": "inbox had the dearest day of all: $3.00 on 1 Sep.",
        "ranked": "inbox is the largest with $4.00, 57.1 % of $7.00.",
        "beside": "inbox moved most: it grew by $2.00 to $4.00.",
        "spread": "Half of the tasks cost at most $1.00, and 95 % at most $3.00.",
        "unusual": "inbox spent $1.50 more than was to be expected, on 1 Sep.",
        "fan": "$7.00 is expected by 30 Sep, 80 times of 100 between $3.50 and $10.50.",
    }
    assert plots["ranked"].alt == (
        "A bar for each row by cost, the largest first: inbox $4.00, chat $2.50, (none) $0.5000."
    )
    assert plots["over_time"].picture().alt == (
        "A bar for each day of 2026-09, stacked by feature: inbox $4.00, chat $2.50, (none) $0.5000. In all $7.00;"
        " 5 Sep was the dearest day with $3.50."
    )


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-09-20T08:00Z", "2026-09-20T12:30Z", "on 20 Sep from 10:00 to 14:30"),
        ("2026-09-20T20:00Z", "2026-09-21T04:00Z", "from 20 Sep 22:00 to 21 Sep 06:00"),
        ("2026-09-19T22:00Z", "2026-09-22T22:00Z", "from 20 Sep to 22 Sep"),
    ],
    ids=["of one day", "over midnight", "whole days"],
)
def test_what_stood_out_is_named_by_its_times(since: str, until: str, said: str) -> None:
    """As the zone's clocks have them."""
    edges = [
        closed(Period.between(f"2026-09-{day}", "2026-09-25", "Europe/Berlin"))[0] for day in range(19, 24)
    ]
    bins = tuple([3_000_000_000] * 4)
    seen = Expectation(tuple(edges[:-1]), edges[-1], bins, bins, bins, bins)
    marks = [Mark(*closed(Period.between(since, until)), 1_500_000_000)]
    plot = unusual("acme", seen, marks, "day", "Europe/Berlin")
    assert plot.title == f"acme spent $1.50 more than was to be expected, {said}."
    assert words_of(plot.picture().narrow)[-1].text == "+$1.50"


def test_a_sum_that_is_known_to_its_end_is_not_expected() -> None:
    """Of a month that is over the plot says what was spent; one band edge too few is a mistake of whoever draws it."""
    days = (date(2026, 9, 29), date(2026, 9, 30))
    spent = (1_000_000_000, 3_000_000_000)
    plot = fan(Fan(days, spent, spent, spent, 2))
    assert plot.title == "$3.00 was spent by 30 Sep."
    assert words_of(plot.picture().wide)[-1].text == "$3.00 spent"
    with pytest.raises(ValueError, match="expected as many amounts as days"):
        Fan(days, spent, spent[:1], spent, 1)


def test_every_bin_has_all_its_amounts() -> None:
    """A band that is shorter than its line is a mistake of whoever draws it."""
    with pytest.raises(ValueError, match=r"expected as many amounts as bins \(2\), found \[1, 2\]"):
        Expectation((0, 1), 2, (1, 1), (1,), (0, 0), (2, 2))


def test_amounts_stand_at_the_bars() -> None:
    """No legend: who it is and how much stands where it is drawn."""
    said = [words.text for words in words_of(all_plots(ROWS)["ranked"].picture().wide)]
    assert said == ["inbox", "$4.00", "57.1 %", "chat", "$2.50", "35.7 %", "(none)", "$0.50", "7.1 %"]


def test_what_is_new_is_said_to_be() -> None:
    """Nothing grows by itself to itself."""
    assert beside(report_of([("chat", 5_000_000_000, 0)])).title == "chat moved most: it is new with $5.00."
    assert (
        beside(report_of([("chat", 5, 5)]), was="2026-08").title
        == "Nothing moved between 2026-08 and 2026-09."
    )


def test_all_others_are_one_bar() -> None:
    """The dearest on their own, and the sum of the rest."""
    plot = ranked(report_of([(f"f{number}", number * 10**9, 0) for number in range(1, 16)]))
    said = [words.text for words in words_of(plot.picture().narrow)]
    assert said[:2] == ["f15", "$15.00"]
    assert said[-2:] == ["3 others", "$6.00"]


def test_an_empty_period_has_plots_that_say_so() -> None:
    """And can be drawn."""
    for plot in all_plots([]).values():
        assert plot.title.startswith(("Nothing", "No", "There is no"))
        assert plot.picture().wide == ""
        assert plot.figure().axes == []


@pytest.mark.parametrize(
    ("counts", "half", "most"),
    [
        ({5: 1}, 5, 5),
        ({1: 1, 2: 1}, 1, 2),
        ({0: 50, 10: 50}, 0, 10),
        ({1: 95, 100: 5}, 1, 1),
        ({1: 94, 100: 6}, 1, 100),
    ],
)
def test_a_percentile_is_what_something_really_cost(counts: dict[int, int], half: int, most: int) -> None:
    """At rank ceil(q * n), from the cheapest."""
    assert (percentile(counts, 50), percentile(counts, 95)) == (half, most)


def test_tasks_that_cost_nothing_are_counted_and_not_drawn() -> None:
    """A logarithmic axis has no zero."""
    assert spread({0: 3, 10**9: 1}).note == "3 of 4 tasks cost nothing and are not drawn."
    assert spread({0: 3}).title == "No task cost anything."


def test_only_money_is_drawn_as_money() -> None:
    """A wrong column is named, and those there are."""
    with pytest.raises(
        ValueError, match=r"expected a column of money \(cost_nanousd, before_nanousd\), found feature"
    ):
        ranked(report_of([]), "feature")


def test_plots_of_a_month_of_credits_go_down() -> None:
    """Corrections below zero are drawn below zero."""
    series = series_of([("inbox", DAY, -2_000_000_000), ("chat", DAY, 1_000_000_000)])
    said = [words.text for words in words_of(over_time(series, "feature", SEPTEMBER).picture().wide)]
    assert "-$2" in said
    assert multiples(series, "feature", SEPTEMBER).title == "chat had the dearest day of all: $1.00 on 1 Sep."
