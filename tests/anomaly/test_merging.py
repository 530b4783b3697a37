"""What several cuts say at once is one incident, and each dollar counts once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import context_row, step, task
from reporting.kit import DAY
from spendgraph.ledger import Ledger
from spendgraph_anomaly.review.cuts import Cuts, Tags
from spendgraph_anomaly.review.merging import Alarm, Judged, merged, parts
from spendgraph_reports.books import Books
from spendgraph_reports.period import DAY_US, Period

HOUR_US = 3_600_000_000
TENANTS, FEATURES = ("acme", "globex", "initech"), ("chat", "triage")
BY = ("tenant", "feature")
Costs = Mapping[tuple[str, str], Sequence[int]]


def cuts_of(folder: str | Path, costs: Costs) -> Cuts:
    """The cuts of a day in which each tenant and feature cost so much in each hour."""
    path = Path(folder, "ledger.db")
    contexts = {key: context_row(tenant=key[0], feature=key[1]) for key in costs}
    steps = [
        step(
            f"{'-'.join(key)}-{hour}",
            context_id=contexts[key].context_id,
            started_us=DAY + hour * HOUR_US,
            cost_nanousd=cost,
        )
        for key, hours in costs.items()
        for hour, cost in enumerate(hours)
    ]
    with Ledger.open(path) as ledger:
        first = next(iter(contexts.values()))
        ledger.post(*contexts.values(), task(context_id=first.context_id), *steps)
    with Books(path) as books:
        return Cuts(books, BY, Period(DAY, DAY + DAY_US), "hour", now_us=DAY + DAY_US)


def usual(cuts: Cuts, each: int) -> Callable[[Tags], Judged]:
    """As if so much were to be expected of every tenant's feature in every hour."""

    def judged(tags: Tags) -> Judged:
        count = int(cuts.within(tags).sum())
        return Judged(cuts.values(tags), np.full(len(cuts.starts_us), each * count, dtype=np.int64))

    return judged


def alarms(*cuts: dict[str, str], first: int = 10, last: int = 12) -> list[Alarm]:
    """Alarms of these cuts at one time."""
    return [Alarm(tags, first, last, "spike", "high") for tags in cuts]


def flat(**dear: Sequence[int]) -> dict[tuple[str, str], list[int]]:
    """Ten an hour for everybody; for those who are named, as `tenant_feature`, other costs from 10:00 on."""
    found = {(tenant, feature): [10] * 24 for tenant, feature in product(TENANTS, FEATURES)}
    for name, hours in dear.items():
        tenant, _, feature = name.partition("_")
        found[tenant, feature][10 : 10 + len(hours)] = hours
    return found


def test_a_loop_is_one_incident_of_its_tenants_feature(tmp_path: Path) -> None:
    """Its tenant, its feature and both together raise alarm: the most specific one is told, whole."""
    cuts = cuts_of(tmp_path, flat(acme_chat=[500, 500]))
    loop = {"tenant": "acme", "feature": "chat"}
    told = merged(alarms({"tenant": "acme"}, {"feature": "chat"}, loop), usual(cuts, 10))
    assert [alarm.tags for alarm in told] == [loop]
    (part,) = parts(told, cuts, usual(cuts, 10))
    assert (part.observed_nanousd, part.expected_nanousd, part.excess_nanousd) == (1000, 20, 980)


def test_what_a_deploy_costs_every_tenant_is_one_incident_of_its_feature(tmp_path: Path) -> None:
    """Each tenant has a third of it: they are its parts."""
    dear = [40, 40]
    cuts = cuts_of(tmp_path, flat(acme_chat=dear, globex_chat=dear, initech_chat=dear))
    each = [{"tenant": tenant, "feature": "chat"} for tenant in TENANTS]
    tenants = [{"tenant": tenant} for tenant in TENANTS]
    told = merged(alarms(*each, *tenants, {"feature": "chat"}), usual(cuts, 10))
    assert [alarm.tags for alarm in told] == [{"feature": "chat"}]
    (part,) = parts(told, cuts, usual(cuts, 10))
    assert (part.observed_nanousd, part.expected_nanousd) == (240, 60)


def test_a_loop_within_a_dear_deploy_stands_by_itself(tmp_path: Path) -> None:
    """A day of a dearer feature, and in two of its hours a loop of one tenant: two incidents, and no dollar in both."""
    hours = [40] * 14
    cuts = cuts_of(tmp_path, flat(acme_chat=[540, 540, *hours[2:]], globex_chat=hours, initech_chat=hours))
    loop = alarms({"tenant": "acme", "feature": "chat"})
    deploy = alarms({"feature": "chat"}, first=10, last=24)
    told = merged([*deploy, *loop], usual(cuts, 10))
    assert told == [*loop, *deploy]
    found = parts(told, cuts, usual(cuts, 10))
    assert [part.observed_nanousd for part in found] == [1080, 14 * 120 - 80]
    assert [part.expected_nanousd for part in found] == [20, 14 * 30 - 20]


def test_incidents_of_other_payers_and_times_are_left_alone(tmp_path: Path) -> None:
    """Two tenants at once are two incidents, and so is one tenant twice."""
    cuts = cuts_of(tmp_path, flat(acme_chat=[500, 500, 10, 10, 500], globex_triage=[300, 300]))
    acme, globex = {"tenant": "acme", "feature": "chat"}, {"tenant": "globex", "feature": "triage"}
    given_ = [*alarms(acme), *alarms(globex), *alarms(acme, first=14, last=15)]
    assert merged(given_, usual(cuts, 10)) == given_


def test_two_cuts_that_share_what_is_dear_are_one(tmp_path: Path) -> None:
    """A tenant and a feature alone raise alarm, and most of the smaller one's excess is the larger one's: the larger is told."""
    cuts = cuts_of(tmp_path, flat(acme_chat=[200, 200], globex_chat=[300, 300]))
    told = merged(alarms({"tenant": "acme"}, {"feature": "chat"}), usual(cuts, 10))
    assert [alarm.tags for alarm in told] == [{"feature": "chat"}]


CELLS = tuple(product(TENANTS, FEATURES))
TAGS: list[dict[str, str]] = [
    *({"tenant": tenant} for tenant in TENANTS),
    *({"feature": feature} for feature in FEATURES),
    *({"tenant": tenant, "feature": feature} for tenant, feature in CELLS),
]


@st.composite
def raised(draw: st.DrawFn) -> Alarm:
    """An alarm of any cut and time."""
    first = draw(st.integers(0, 22))
    return Alarm(draw(st.sampled_from(TAGS)), first, draw(st.integers(first + 1, 24)), "spike", "low")


COSTS = st.fixed_dictionaries(
    {key: st.lists(st.integers(0, 1000), min_size=24, max_size=24) for key in CELLS}
)


@settings(max_examples=20)
@given(COSTS, st.lists(raised(), max_size=8))
def test_each_dollar_counts_in_one_incident(costs: Costs, found: list[Alarm]) -> None:
    """Whatever is raised: the incidents come to what was spent within any of them, once."""
    with tempfile.TemporaryDirectory() as folder:
        cuts = cuts_of(folder, costs)
    told = merged(found, usual(cuts, 100))
    within = {
        ((tenant, feature), hour)
        for alarm in told
        for tenant, feature in CELLS
        for hour in range(alarm.first, alarm.last)
        if alarm.tags.get("tenant", tenant) == tenant and alarm.tags.get("feature", feature) == feature
    }
    each = parts(told, cuts, usual(cuts, 100))
    assert sum(part.observed_nanousd for part in each) == sum(costs[key][hour] for key, hour in within)
    assert all(part.expected_nanousd >= 0 for part in each)
    assert bool(told) == bool(found)
