"""`verify` finds what somebody changed behind the ledger's back, and is silent about a sound one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, START_US, change, step, task
from spendgraph.ledger import Ledger, PriceRow, TaskEnd
from spendgraph.pricing import PriceBook

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = [
    "pages",
    "schema",
    "references",
    "contexts",
    "prices",
    "corrections",
    "steps",
    "tasks",
    "windows",
    "rollups",
    "imports",
    "watch",
    "spools",
]


def test_sound_ledger_has_no_problems_and_progress_is_told(ledger: Ledger) -> None:
    """Every check is announced once, then the end."""
    told: list[tuple[str, int, int]] = []
    ledger.post(step("s1"), TaskEnd("task-1", "finished", START_US + 9))

    def tell(check: str, done: int, of: int) -> None:
        told.append((check, done, of))

    assert ledger.verify(tell) == []
    assert told == [*((name, number, 13) for number, name in enumerate(CHECKS)), ("", 13, 13)]


def test_prices_as_the_price_book_makes_them_are_sound(ledger: Ledger) -> None:
    """The hash that names a price is derived from its row alone."""
    price = PriceBook().price("openai", "gpt-4o", START_US)
    assert price is not None
    ledger.post(
        PriceRow(
            price.price_id,
            price.provider,
            price.model,
            price.source,
            price.effective_from,
            price.rates,
            price.note,
        ),
        step("s1", price_id=price.price_id),
    )

    assert ledger.verify() == []


@pytest.mark.parametrize(
    ("statements", "check", "message"),
    [
        (["DROP TRIGGER steps_refuse_update"], "schema", "is missing"),
        (["DROP INDEX steps_started"], "schema", "is missing"),
        (
            ["DROP TRIGGER steps_refuse_update", "UPDATE steps SET price_id = 'gone'"],
            "references",
            "refers to a row of prices that does not exist",
        ),
        (
            [
                "DROP TRIGGER contexts_refuse_update",
                "UPDATE contexts SET tenant = 'evil' WHERE tenant = 'acme'",
            ],
            "contexts",
            "they were changed",
        ),
        (
            ["DROP TRIGGER prices_refuse_update", "UPDATE prices SET rates = '{\"input\":1}'"],
            "prices",
            "it was changed",
        ),
        (
            ["DROP TRIGGER steps_refuse_delete", "DELETE FROM steps WHERE step_id = 's1'"],
            "corrections",
            "corrects the step s1, which does not exist",
        ),
        (
            ["DROP TRIGGER steps_refuse_update", "UPDATE steps SET cost_nanousd = -1 WHERE step_id = 's1'"],
            "steps",
            "charges less than nothing",
        ),
        (
            [
                "DROP TRIGGER steps_refuse_update",
                "UPDATE steps SET cache_read_tokens = 11 WHERE step_id = 's1'",
            ],
            "steps",
            "larger than its input or output tokens",
        ),
        (
            ["DROP TRIGGER steps_refuse_update", "UPDATE steps SET ended_us = 0 WHERE step_id = 's1'"],
            "steps",
            "ends before it starts",
        ),
        (["DELETE FROM tasks"], "steps", "belongs to a task that does not exist"),
        (["UPDATE tasks SET status = 'finished'"], "tasks", "has no time of its end"),
    ],
    ids=[
        "trigger",
        "index",
        "reference",
        "context",
        "price",
        "correction",
        "negative",
        "parts",
        "times",
        "task",
        "task end",
    ],
)
def test_what_was_changed_is_found(
    ledger: Ledger, path: Path, statements: list[str], check: str, message: str
) -> None:
    """Each kind of tampering is found by the check it concerns."""
    ledger.post(PriceRow("p1", "openai", "gpt-5", "policy", "", "{}"), step("s1"))
    ledger.correct("s1", reason="invoice", cost_nanousd=-1)
    ledger.close()
    change(path, *statements)

    with Ledger.open_readonly(path) as reader:
        found = [problem for problem in reader.verify() if problem.check == check]
    assert any(message in problem.message for problem in found), found


def test_quarantined_counts_are_no_problem(ledger: Ledger) -> None:
    """Counts the provider itself contradicted are kept as it said them, with a note."""
    ledger.post(step("s1", reasoning_tokens=99, usage_note="reasoning exceeds output"))

    assert ledger.verify() == []


def test_long_lists_of_problems_are_cut(ledger: Ledger) -> None:
    """A hundred examples are enough."""
    ledger.post(ACME, task(), *[step(ended_us=0) for _ in range(150)])
    found = ledger.verify()

    assert len(found) == 101
    assert found[-1].message == "and more: only the first 100 are listed"
