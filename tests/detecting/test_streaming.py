"""A judgement knows only the past, costs no more as the past grows, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detecting.kit import MONDAY_US, hourly, judge, working_hours
from spendgraph_anomaly.detectors import Detector, Settings

METRIC = Settings.for_any_metric()
AMOUNTS = st.floats(0, 1e6, allow_nan=False)


@st.composite
def rhythms(draw: st.DrawFn) -> list[float]:
    """Up to six equal days, with up to four hours forty times as dear."""
    day = draw(st.lists(AMOUNTS, min_size=24, max_size=24))
    values = day * draw(st.integers(1, 6))
    for place in draw(st.sets(st.integers(0, len(values) - 1), max_size=4)):
        values[place] *= 40
    return values


@given(rhythms(), st.data())
@settings(max_examples=25)
def test_a_prefix_is_judged_the_same(values: list[float], data: st.DataObject) -> None:
    """What comes later changes no judgement."""
    cut = data.draw(st.integers(0, len(values)))

    assert judge(values)[:cut] == judge(values[:cut])


@given(rhythms(), st.data())
@settings(max_examples=25)
def test_a_state_goes_on_as_if_nothing_had_happened(values: list[float], data: st.DataObject) -> None:
    """Stored and restored at any point, a detector says the same of the rest."""
    cut = data.draw(st.integers(0, len(values)))

    assert resumed(values, [cut], Settings()) == judge(values)


@pytest.mark.parametrize("every_s", [600, 3600], ids=["ten minutes", "hours"])
def test_real_tenants_are_judged_causally_and_resumably(
    tenants: dict[str, list[float]], every_s: int
) -> None:
    """Real series: a prefix and a detector that was restored each day say the same."""
    for tens in list(tenants.values())[:3]:
        values = hourly(tens) if every_s == 3600 else tens[: 5 * 144]
        everything = judge(values, every_s)
        half = len(values) // 2

        assert judge(values[:half], every_s) == everything[:half]
        assert resumed(values, range(0, len(values), 97), Settings(), every_s) == everything


def test_metrics_are_judged_causally_and_resumably(tenants: dict[str, list[float]]) -> None:
    """The same of what is not money."""
    values = hourly(next(iter(tenants.values())))

    assert resumed(values, [10, 100, 200], METRIC) == judge(values, settings=METRIC)


def test_a_state_does_not_grow(tenants: dict[str, list[float]]) -> None:
    """64 kB hold all that is remembered, after six weeks of hours, and after three of the finest bins."""
    tens = next(iter(tenants.values()))
    for every_s, values in ((3600, hourly(tens) * 3), (300, tens * 3)):
        detector = Detector(every_s)
        for place, value in enumerate(values):
            detector.observe(MONDAY_US + place * every_s * 1_000_000, value + place % 7)

        assert len(detector.state()) <= 64 * 1024


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (b"", "it is of another version or no state"),
        (b"spendgraph detector 0\nxyz", "it is of another version or no state"),
        (b"spendgraph detector 1\nxyz", "is damaged"),
    ],
    ids=["empty", "another version", "damaged"],
)
def test_what_is_no_state_is_refused(state: bytes, words: str) -> None:
    """The message says what to do: learn anew."""
    with pytest.raises(ValueError, match=words):
        Detector.restore(state)


def test_what_it_is_told_survives_with_it() -> None:
    """Zone, settings and name are part of a state."""
    restored = Detector.restore(Detector(600, "Europe/Berlin", METRIC, name="acme").state())

    assert (restored.every_s, restored.zone, restored.settings, restored.name) == (
        600,
        "Europe/Berlin",
        METRIC,
        "acme",
    )


def test_names_only_move_the_hour_of_fitting() -> None:
    """Two names fit their seasons at different hours, and alert alike."""
    values = [*working_hours(15), *[0.0] * 3, 60.0, 60.0]
    alerts: list[list[int]] = []
    for name in ("acme", "globex"):
        detector = Detector(3600, name=name)
        said = [detector.observe(MONDAY_US + at * 3_600_000_000, value) for at, value in enumerate(values)]
        alerts.append([at for at, each in enumerate(said) if each.alert])

    assert alerts == [[363], [363]]


def resumed(
    values: Sequence[float], cuts: Sequence[int], told: Settings, every_s: int = 3600
) -> list[object]:
    """Judgements of a detector that is stored and restored before each of these bins."""
    detector = Detector(every_s, settings=told)
    said: list[object] = []
    for place, value in enumerate(values):
        if place in cuts:
            detector = Detector.restore(detector.state())
        said.append(detector.observe(MONDAY_US + place * every_s * 1_000_000, value))
    return said
