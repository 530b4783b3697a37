"""A simulated history: repeatable, sound, and what is planted in it is there to the nano-dollar."""

from __future__ import annotations

import csv
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendgraph.clock import from_us
from spendgraph.ledger import Ledger, LedgerReader
from spendgraph.policy import load_policy
from spendgraph.pricing import PriceBook, Usage
from spendgraph_demo.history import FILES, LedgerNotEmpty, Parameters, Written, write_history

SHORT = Parameters(end=date(2026, 10, 1), days=10, scale=0.4, seed=3)
TABLES = (
    "contexts",
    "prices",
    "tasks",
    "steps",
    "decisions",
    "budgets",
    "windows",
    "step_windows",
    "holds",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Ten days of a small company."""
    return write_history(tmp_path_factory.mktemp("history") / "history.db", SHORT)


@pytest.fixture
def reader(written: Written) -> Iterator[LedgerReader]:
    """Its ledger."""
    with Ledger.open_readonly(written.ledger) as reader:
        yield reader


def planted(written: Written, name: str) -> dict[str, Any]:
    """What is known of a planted event."""
    return next(event for event in written.document["planted"] if event["name"] == name)


def between(event: dict[str, Any]) -> dict[str, Any]:
    """The time of a planted event, as a filter."""
    return {"since": datetime.fromisoformat(event["from"]), "until": datetime.fromisoformat(event["until"])}


def content(ledger: Path) -> dict[str, str]:
    """A digest of each table: every row in order."""
    connection = sqlite3.connect(ledger)
    found = {
        table: hashlib.sha256(
            "\n".join(map(repr, connection.execute(f"SELECT * FROM {table}"))).encode()
        ).hexdigest()
        for table in TABLES
    }
    connection.close()
    return found


def states(written: Written) -> dict[str, int]:
    """How many tasks of a ledger are in each state."""
    connection = sqlite3.connect(written.ledger)
    found = dict(connection.execute("SELECT status, count(*) FROM tasks GROUP BY status"))
    connection.close()
    return found


def files(written: Written) -> dict[str, bytes]:
    """What lies beside a ledger."""
    return {name: path.read_bytes() for name, path in written.files.items()}


def test_equal_parameters_make_equal_ledgers_and_files(written: Written, tmp_path: Path) -> None:
    """Every row of every table and every byte of every file beside it, written twice."""
    again = write_history(tmp_path / "history.db", SHORT)
    assert content(again.ledger) == content(written.ledger)
    assert files(again) == files(written)


def test_another_seed_makes_another_history(written: Written, tmp_path: Path) -> None:
    """Not a single table is the same but the empty one."""
    other = write_history(tmp_path / "history.db", replace(SHORT, seed=4))
    same = {name for name, digest in content(other.ledger).items() if digest == content(written.ledger)[name]}
    assert same == {"holds", "budgets"}


def test_the_books_are_sound(reader: LedgerReader) -> None:
    """Every hash, reference, part of a count and counter of a window is derived again."""
    assert reader.verify() == []


def test_the_truth_is_what_the_ledger_says(written: Written, reader: LedgerReader) -> None:
    """Totals, what nobody is named for, what was not reported, corrections and states of tasks."""
    (total,) = reader.spend()
    kinds = written.document["kinds"]
    assert total["cost_nanousd"] == written.document["total_nanousd"]
    assert total["steps"] == written.document["steps"]
    assert total["unattributed_nanousd"] == kinds["unattributed"]["nanousd"]
    assert total["unpriced_steps"] == kinds["unpriced"]["steps"]
    assert total["not_reported_nanousd"] == sum(
        kinds[kind]["nanousd"] for kind in ("estimated", "upper_bound")
    )
    (corrections,) = reader.spend(entry="correction")
    assert corrections["cost_nanousd"] == kinds["correction"]["nanousd"]
    (replays,) = reader.spend(is_replay=1)
    assert replays["cost_nanousd"] == kinds["replay"]["nanousd"]
    assert states(written) == {state: count for state, count in written.document["tasks"].items() if count}


def test_nothing_is_started_outside_of_the_days(written: Written, reader: LedgerReader) -> None:
    """The period is half-open, and the ledger has seen nothing from after it."""
    steps = list(reader.steps())
    assert min(step["started_us"] for step in steps) >= written.document["from_us"]
    assert max(step["recorded_us"] for step in steps) < written.document["until_us"]


def test_the_stuck_loop_is_one_task_of_hours(written: Written, reader: LedgerReader) -> None:
    """Its tags and times find it, and the dearest task there is the loop, to the nano-dollar."""
    event = planted(written, "stuck loop")
    dearest = reader.spend(["task_id"], **event["tags"], **between(event))[0]
    assert (dearest["cost_nanousd"], dearest["steps"]) == (event["nanousd"], event["steps"])
    assert event["last_us"] - event["first_us"] > 3_600_000_000


def test_the_off_hours_loop_is_all_that_happens_at_night(written: Written, reader: LedgerReader) -> None:
    """Nobody reviews contracts on a Saturday before six."""
    event = planted(written, "off-hours loop")
    (found,) = reader.spend(**event["tags"], **between(event))
    assert (found["cost_nanousd"], found["steps"]) == (event["nanousd"], event["steps"])
    assert from_us(event["first_us"]).astimezone(SHORT.zone).weekday() == 5


def test_the_regressed_versions_prompt_is_twice_as_long(written: Written, reader: LedgerReader) -> None:
    """The tags find the version; beside the one before, a draft takes 2.1 times the tokens."""
    event = planted(written, "prompt growth after a deploy")
    sums = {row["version"]: row for row in reader.spend(["version"], feature="inbox-triage", node="draft")}
    lengths = {version: row["input_tokens"] / row["steps"] for version, row in sums.items()}
    assert 1.8 < lengths["3.2.0"] / lengths["3.1.0"] < 2.4
    assert 0 < event["nanousd"] < sums["3.2.0"]["cost_nanousd"]


def test_the_broken_template_finds_nothing_in_the_cache(written: Written, reader: LedgerReader) -> None:
    """It reads six percent of its prompt where the others read most of it, and costs more than they do."""
    event = planted(written, "broken prompt cache")
    ratios = {
        row["template_version"]: row["cache_read_tokens"] / row["input_tokens"]
        for row in reader.spend(["template_version"], feature="support-chat", kind="model")
    }
    assert ratios.pop("t8") < 0.07
    assert min(ratios.values()) > 0.5
    assert event["nanousd"] > 0


def test_unattributed_spend_is_found_by_its_empty_tags(written: Written, reader: LedgerReader) -> None:
    """A script without tags, and research without its cost center; together less than 5 percent."""
    (script,) = reader.spend(feature="", tenant="")
    assert script["cost_nanousd"] == script["unattributed_nanousd"]
    (research,) = reader.spend(feature="lead-research", cost_center="", entry="charge")
    assert research["cost_nanousd"] == planted(written, "missing cost center")["nanousd"]
    assert 0 < written.document["unattributed_share"] < 0.05


def test_a_days_searches_are_credited_on_the_next_one(written: Written, reader: LedgerReader) -> None:
    """Corrections that belong to the start of what they correct."""
    event = planted(written, "credit for failed searches")
    credits_ = [step for step in reader.steps(entry="correction") if step["name"] == "web_search"]
    assert sum(step["cost_nanousd"] for step in credits_) == event["nanousd"] < 0
    assert {step["recorded_us"] - step["started_us"] > 3_600_000_000 for step in credits_} == {True}


def test_the_openai_export_is_the_ledger_and_a_known_rest(written: Written, reader: LedgerReader) -> None:
    """Its amounts add up to the nano-dollar; what it has more is a key nobody meters, and estimates."""
    with written.files["openai"].open(newline="") as file:
        billed = sum(Decimal(row["amount_value"]) for row in csv.DictReader(file))
    known = written.document["invoices"]["openai"]
    assert billed * 10**9 == known["invoice_nanousd"]
    assert reader.spend(provider="openai")[0]["cost_nanousd"] == known["ledger_nanousd"]
    assert known["residual_nanousd"] == known["unmetered_nanousd"] + known["estimates_nanousd"]
    assert 0 < known["residual_nanousd"] < 0.02 * known["invoice_nanousd"]


def test_the_anthropic_export_is_the_ledger_and_a_known_rest(written: Written, reader: LedgerReader) -> None:
    """Its tokens at the list's prices are what was billed."""
    prices, billed = PriceBook(), 0
    with written.files["anthropic"].open(newline="") as file:
        for row in csv.DictReader(file):
            price = prices.price("anthropic", row["model_version"], written.document["from_us"])
            assert price is not None
            counts = {name: int(text) for name, text in row.items() if name.startswith("usage_input")}
            plain, written_5m, _, read = counts.values()
            billed += plain * price.cost(Usage(1)) + read * price.cost(Usage(1, 0, 1))
            billed += written_5m * price.cost(Usage(1, 0, 0, 1))
            billed += int(row["usage_output_tokens"]) * price.cost(Usage(0, 1))
    known = written.document["invoices"]["anthropic"]
    assert billed == known["invoice_nanousd"]
    assert reader.spend(provider="anthropic")[0]["cost_nanousd"] == known["ledger_nanousd"]
    assert abs(known["residual_nanousd"]) < 0.02 * known["invoice_nanousd"]


def test_every_customer_has_a_contract_and_one_was_sold_too_cheap(
    written: Written, reader: LedgerReader
) -> None:
    """The tenant on the smallest plan is among those that cost the most."""
    with written.files["contracts"].open(newline="") as file:
        contracts = {row["tenant"]: row for row in csv.DictReader(file)}
    spent = [row["tenant"] for row in reader.spend(["tenant"])]
    assert set(spent) - set(contracts) == {"", "internal"}
    cheap = planted(written, "sold too cheap")["tags"]["tenant"]
    assert contracts[cheap]["plan"] == "starter"
    assert cheap in spent[:6]


def test_tenants_differ_by_two_orders_of_magnitude(reader: LedgerReader) -> None:
    """The largest costs more than ten times what the one in the middle does."""
    costs = [row["cost_nanousd"] for row in reader.spend(["tenant"]) if row["tenant"] not in ("", "internal")]
    assert costs[0] > 10 * costs[len(costs) // 2]


def test_people_work_by_day_and_in_the_week(reader: LedgerReader) -> None:
    """By the clock on the wall, triage happens between 6 and 24, and hardly on Saturdays and Sundays."""
    moments = [
        from_us(step["started_us"]).astimezone(SHORT.zone) for step in reader.steps(feature="inbox-triage")
    ]
    assert min(moment.hour for moment in moments) >= 6
    weekend = sum(moment.weekday() >= 5 for moment in moments)
    assert weekend < 0.1 * len(moments)


def test_a_budget_has_two_versions_and_every_budget_a_window(written: Written, reader: LedgerReader) -> None:
    """The tenants' ceiling is raised on the day the truth names; the policy beside the ledger has the latest."""
    latest = {budget["budget"]: budget for budget in reader.budgets()}
    raised = date.fromisoformat(planted(written, "budget raised")["from_day"])
    changed = latest["tenant ceiling"]
    assert changed["version"] == 2
    assert from_us(changed["valid_from_us"]).astimezone(SHORT.zone).date() == raised
    assert set(latest) == {window["budget"] for window in reader.windows()}
    policy = load_policy(written.files["policy"])
    assert {budget.name: budget.limit for budget in policy.budgets} == {
        name: budget["limit_amount"] for name, budget in latest.items()
    }


def test_a_refused_call_ends_its_task_and_says_whose_budget_it_was(tmp_path: Path) -> None:
    """A company whose largest tenant outgrows its ceiling: one decision each, and no window far beyond its limit."""
    written = write_history(tmp_path / "history.db", replace(SHORT, days=28, scale=0.3, growth=2.0))
    with sqlite3.connect(written.ledger) as connection:
        refused = Counter(
            budget
            for (budget,) in connection.execute(
                "SELECT detail ->> 'budget' FROM decisions WHERE outcome = 'refused'"
            )
        )
        (tasks,) = connection.execute("SELECT count(*) FROM tasks WHERE status = 'refused'").fetchone()
    connection.close()
    assert refused == written.document["refusals"]
    assert tasks == refused.total() > 0
    assert states(written) == {state: count for state, count in written.document["tasks"].items() if count}


def test_a_ledger_that_is_not_empty_is_left_alone(written: Written, tmp_path: Path) -> None:
    """Neither what was spent really nor a file beside it is touched."""
    before = content(written.ledger)
    for path in written.files.values():
        path.rename(tmp_path / path.name)
    with pytest.raises(LedgerNotEmpty) as caught:
        write_history(written.ledger, SHORT)
    for path in written.files.values():
        (tmp_path / path.name).rename(path)
    assert caught.value.path == written.ledger
    assert content(written.ledger) == before


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    """What somebody wrote beside the ledger is not overwritten, and no ledger is made."""
    path = tmp_path / f"history{FILES['contracts']}"
    path.write_text("mine")
    with pytest.raises(LedgerNotEmpty) as caught:
        write_history(tmp_path / "history.db", SHORT)
    assert caught.value.path == path
    assert path.read_text() == "mine"
    assert not (tmp_path / "history.db").exists()


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    days=st.integers(7, 16),
    tenants=st.integers(20, 60),
    end=st.dates(date(2024, 1, 1), date(2026, 10, 1)),
    timezone=st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "UTC"]),
)
def test_any_history_is_sound_and_has_what_is_planted(
    seed: int, days: int, tenants: int, end: date, timezone: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the parameters, over changes of the clock too: clean books, and both loops are there."""
    parameters = Parameters(
        end=end, days=days, seed=seed, tenants=tenants, timezone=timezone, scale=0.03, growth=0
    )
    written = write_history(tmp_path_factory.mktemp("any") / "history.db", parameters)
    with Ledger.open_readonly(written.ledger) as reader:
        assert reader.verify() == []
        assert reader.spend()[0]["cost_nanousd"] == written.document["total_nanousd"]
    assert states(written) == {state: count for state, count in written.document["tasks"].items() if count}
    assert planted(written, "stuck loop")["steps"] > 0
    assert planted(written, "off-hours loop")["steps"] > 0
    assert parameters.day(days) - parameters.first == timedelta(days=days)
