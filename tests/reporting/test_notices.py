"""What owners are told of a night's variance: each flag of a window once."""

from __future__ import annotations

from dataclasses import replace

from spendgraph.notify import Alert
from spendgraph_reports.budgeting import Actual, Flag, Judged
from spendgraph_reports.nightly import notices

DAY = Actual(
    "daily", "tenant=acme", "2026-09-20", 1, "growth", "", "nanousd", 5_000_000_000, 6_000_000_000,
    start_us=1_789_862_400_000_000, end_us=1_789_948_800_000_000, windows=1, windows_over=1, refused=3,
)  # fmt: skip


def ids(row: Actual, *flags: Flag) -> list[str]:
    """What makes each alert of a row this alert."""
    return [Alert(**notice._asdict()).alert_id for notice in notices([Judged(row, flags)], "2026-09")]


def test_the_owner_is_told_what_is_wrong_and_what_to_do() -> None:
    """One alert for each flag, with figures, in words."""
    over, refused = notices([Judged(DAY, ("over", "refused"))], "2026-09")
    assert (over.title, over.to, over.severity) == (
        "Budget daily is flagged for tenant=acme: over",
        ("growth",),
        "critical",
    )
    assert over.message == (
        "$6.00 of $5.00 for tenant=acme in 2026-09-20. Decide: raise the limit, or cut what spends it (`spendgraph report"
        " showback` says what does). Owner: growth."
    )
    assert (refused.severity, "Refused: 3." in refused.message) == ("warning", True)


def test_a_window_is_told_of_once_however_much_is_spent() -> None:
    """Another window, another flag or another limit is another alert."""
    (first,) = ids(DAY, "over")
    assert ids(replace(DAY, spent=9_000_000_000), "over") == [first]
    others = {
        *ids(DAY, "refused"),
        *ids(replace(DAY, start_us=1_789_948_800_000_000, window="2026-09-21"), "over"),
        *ids(replace(DAY, scope="tenant=globex"), "over"),
        *ids(replace(DAY, limit=4_000_000_000), "over"),
    }
    assert len(others - {first}) == 4


def test_what_is_wrong_with_a_budget_is_told_once_a_month() -> None:
    """Whichever of its windows is the fullest that night."""
    (today,) = ids(DAY, "unsigned")
    assert ids(replace(DAY, start_us=1_789_948_800_000_000, window="2026-09-21", scope="tenant=globex"), "unsigned") == [
        today
    ]  # fmt: skip


def test_without_an_owner_nobody_is_told() -> None:
    """That nobody answers for it stands in the report."""
    assert ids(replace(DAY, owner=""), "over", "no owner") == []
