"""Mappings and splits in the policy file: what may be said, and what an error says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from spendgraph.errors import PolicyError
from spendgraph.policy import SplitPart, parse_policy

MAPPING = "from: 2026-07-01, when: {team: growth}"
LINES = "from: 2026-07-01\n    when: {team: growth}"
PART = "{share: 40%, set: {team: sales}}"


def test_what_a_mapping_and_a_split_say() -> None:
    """A single value is a list of one; extra tags and the provider's team can be named; shares are exact."""
    policy = parse_policy("""\
mappings:
  - name: growth joins sales
    from: 2026-07-01
    to: 2026-10-01
    when: {team: [growth, outreach], x_region: eu}
    set: {owner_team: sales, x_region: emea}
splits:
  - name: index
    from: 2026-07-01
    when: {owner_team: data}
    into: [{share: 33.33%}, {share: 66.67%, set: {cost_center: cc-1}}]
""")
    (mapping,) = policy.mappings
    assert (mapping.name, mapping.from_, mapping.to) == (
        "growth joins sales",
        date(2026, 7, 1),
        date(2026, 10, 1),
    )
    assert mapping.when == {"team": ("growth", "outreach"), "x_region": ("eu",)}
    assert mapping.set_ == {"owner_team": "sales", "x_region": "emea"}
    (split,) = policy.splits
    assert (split.when, split.to) == ({"owner_team": ("data",)}, None)
    assert split.into == (
        SplitPart.model_validate({"share": "33.33%"}),
        SplitPart.model_validate({"share": "66.67%", "set": {"cost_center": "cc-1"}}),
    )
    assert split.into[0].share == Decimal("0.3333")


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        (
            "mappings:\n  - name: a\n    from: 2026-07-01\n    when: {team: growth}\n    set: {task: x}",
            5,
            "mappings[0].set: unknown tag 'task'",
        ),
        (
            "mappings:\n  - name: a\n    when: {team: growth}\n    set: {team: sales}",
            2,
            "mappings[0]: expected the key 'from', found none",
        ),
        (
            "mappings:\n  - {name: a, from: 2026-07-01, to: 2026-07-01, when: {team: growth}, set: {team: sales}}",
            2,
            "mappings[0]: expected `from` before `to`, found 2026-07-01 and 2026-07-01",
        ),
        (
            "mappings:\n  - {name: a, from: 2026-07-01, when: {taem: growth}, set: {team: sales}}",
            2,
            "mappings[0].when: unknown tag 'taem'",
        ),
        (
            "mappings:\n  - {name: a, from: 2026-07-01, when: {}, set: {team: sales}}",
            2,
            "mappings[0].when: expected at least 1 entry, found none",
        ),
        (f"mappings:\n  - {{name: a, {MAPPING}}}", 2, "mappings[0]: expected the key 'set', found none"),
        (
            f"mappings:\n  - {{name: a, {MAPPING}, set: {{workload_class: bach}}}}",
            2,
            "mappings[0].set: tag 'workload_class': expected one of interactive, batch, eval, background, found 'bach'",
        ),
        (
            f"mappings:\n  - {{name: a, {MAPPING}, until: 2026-10-01, set: {{team: sales}}}}",
            2,
            "mappings[0]: unknown key 'until': expected one of name, from, to, when, set",
        ),
        (
            f"splits:\n  - name: a\n    {LINES}\n    into:\n      - {PART}\n      - {{share: 61%}}",
            6,
            "splits[0].into: expected shares that add up to 100%, found 101%",
        ),
        (
            f"splits:\n  - name: a\n    {LINES}\n    into:\n      - {PART}\n      - {{share: 59.99999999%}}",
            6,
            "splits[0].into: expected shares that add up to 100%, found 99.99999999%",
        ),
        (
            f"splits:\n  - name: a\n    {LINES}\n    into:\n      - {PART}\n      - {{share: 60}}",
            7,
            "splits[0].into[1].share: expected a percentage up to 1000% such as 80%, found '60'",
        ),
        (
            f"splits:\n  - {{name: a, {MAPPING}, into: [{{share: 100%, set: {{team: sales}}}}]}}",
            2,
            "splits[0].into: expected two parts or more, found 1: all for one payer is a mapping",
        ),
        (
            f"splits:\n  - {{name: a, {MAPPING}, into: [{PART}, {{share: 20%}}, {PART}]}}",
            2,
            "splits[0].into: expected parts that differ, found two that set team: sales: add them up",
        ),
        (
            f"splits:\n  - {{name: a, {MAPPING}, into: [{{share: 50%}}, {{share: 50%}}]}}",
            2,
            "splits[0].into: expected parts that differ, found two that set nothing: add them up",
        ),
        (
            f"mappings:\n  - {{name: a, {MAPPING}, set: {{team: sales}}}}\n  - {{name: a, {MAPPING}, set: {{team: it}}}}",
            2,
            "mappings: expected a name of its own for every mapping and split, found 'a' twice",
        ),
        (
            f"mappings: [{{name: a, {MAPPING}, set: {{team: sales}}}}]\nsplits: [{{name: a, {MAPPING}, into: [{PART}, {{share: 60%}}]}}]",
            2,
            "splits: expected a name of its own for every mapping and split, found 'a' twice",
        ),
    ],
)
def test_an_error_names_the_line_and_what_was_expected(body: str, line: int, message: str) -> None:
    """Whatever is wrong with a rule."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(body)
    assert caught.value.line == line
    assert message in str(caught.value)
