"""Budget variance: every budget of a period against what was spent, with what somebody has to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.clock import from_us, utc_us
from spendgraph_reports.amounts import change, counted
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.budgeting.actuals import Actual, read_actuals
from spendgraph_reports.budgeting.flags import FLAGS, Flag, action, amount, flags_of
from spendgraph_reports.months import closed, named
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

COLUMNS: Final = (
    Column("budget", "text", "Its name."),
    Column("scope", "text", "Whose counter, such as tenant=acme; empty for one in all."),
    Column("window", "text", "The window, in the budget's time zone; `each hour`, `rolling 24h` and the like are many, counted together."),
    Column("flags", "text", "What somebody should look at, the worst first; empty where nothing is."),
    Column("limit_nanousd", "money", "The limit of the version that was in force; missing where it is not in dollars."),
    Column("spent_nanousd", "money", "What the window holds; of windows that are counted, the fullest."),
    Column("variance_nanousd", "money", "Spent less the limit: below 0 is left."),
    Column("variance", "change", "The same beside the limit: 0.1 is a tenth beyond it, -1 is nothing used.", label="in percent"),
    Column("leads_to_nanousd", "money", "Of a window that is open: what will be spent at its end at the pace so far.", label="leads to"),
    Column("granted_nanousd", "money", "Room beyond the limit that people gave, to everybody or drawn by tasks."),
    Column("unit", "text", "`usd`, `tokens` or `calls`: what the limit counts."),
    Column("limit_count", "count", "The limit, where it is not in dollars.", label="limit (count)"),
    Column("spent_count", "count", "What is used of it.", label="used (count)"),
    Column("windows", "count", "How many windows the row is about; of a limit on each call, the calls that went over."),
    Column("windows_over", "count", "How many of them went beyond the limit and what was granted.", label="over"),
    Column("refused", "count", "Calls that were refused for it in the period."),
    Column("version", "count", "The budget's version in that window; 0: no meter has had it yet."),
    Column("owner", "text", "Who answers for it."),
    Column("signed_off_by", "text", "Who agreed to it.", label="signed off by"),
    Column("next_action", "text", "What has to be done.", label="next action"),
)  # fmt: skip
"""What `variance` says of each window."""


class Judged(NamedTuple):
    """A budget's row, and what is wrong with it."""

    actual: Actual
    flags: tuple[Flag, ...]


def actuals(books: Books, period: Period, *, now_us: int | None = None) -> list[Judged]:
    """What every budget came to in a period and what is wrong with it, the worst first.

    Args:
        books: The ledger, and the policy's budgets where there is a policy: those without spending have a row too.
        period: A calendar month, or any period with a start and an end.
        now_us: The time, if it is not now.

    Raises:
        ValueError: The period has no end.
    """
    now = utc_us() if now_us is None else now_us
    _, until = closed(period)
    rows = sorted(read_actuals(books, period, now), key=_fullest)
    seen: set[str] = set()
    found: list[Judged] = []
    for row in rows:
        flags = flags_of(row, first=row.budget not in seen, whole=until <= now)
        seen.add(row.budget)
        found.append(Judged(row, flags))
    return sorted(found, key=lambda each: (_worst(each.flags), *_fullest(each.actual)))


@of_one_moment
def variance(books: Books, period: Period, *, flagged: bool = False, now_us: int | None = None) -> Report:
    """Every budget against what was spent, in each scope and window of a period; what needs somebody comes first.

    A window is compared with the version of the budget that was in force in it, not with today's. Budgets overlap, so their
    rows have no total; each is what the ledger counted when it decided about calls.

    Args:
        books: The ledger, and the policy's budgets where there is a policy: those without spending have a row too.
        period: A calendar month, or any period with a start and an end.
        flagged: Only the rows that need somebody; the sentences are of all.
        now_us: The time, if it is not now: windows that are open are looked ahead from it.

    Raises:
        ValueError: The period has no end.
    """
    judged = actuals(books, period, now_us=now_us)
    when = named(period, books.zone)
    return Report(
        name="variance",
        title="Budgets against actuals",
        period=period,
        frame=frame_of([_row(*each) for each in judged if each.flags or not flagged], COLUMNS),
        columns=COLUMNS,
        findings=_findings(judged, when),
        caveats=_caveats(books, judged, period),
        zone=books.zone,
    )


def _row(row: Actual, flags: Sequence[Flag]) -> dict[str, Any]:
    cells: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("budget", "scope", "window", "windows", "windows_over", "refused", "version",
                     "owner", "signed_off_by")
    }  # fmt: skip
    if row.unit == "nanousd":
        cells |= {
            "limit_nanousd": row.limit,
            "spent_nanousd": row.spent,
            "variance_nanousd": row.spent - row.limit,
            "granted_nanousd": row.granted,
            "leads_to_nanousd": row.leads_to,
        }
    else:
        cells |= {"limit_count": row.limit, "spent_count": row.spent}
    return {
        **cells,
        "unit": "usd" if row.unit == "nanousd" else row.unit,
        "flags": ", ".join(flags) or None,
        "variance": change(row.spent, row.limit),
        "next_action": action(row, flags) or None,
    }


def _findings(judged: Sequence[Judged], when: str) -> tuple[str, ...]:
    if not judged:
        return (f"No budget was in force in {when}.",)
    said: list[str] = []
    over = [row for row, flags in judged if "over" in flags]
    budgets = len({row.budget for row, _ in judged})
    if over:
        worst = max(over, key=lambda row: row.over * 1_000_000 // max(row.limit, 1))
        said.append(
            f"{counted(len({row.budget for row in over}), 'budget')} of {budgets:,} went over in {when}; the furthest is"
            f" {_name(worst)} with {amount(worst.spent, worst.unit)} of {amount(worst.limit + worst.granted, worst.unit)}."
        )
    else:
        said.append(f"No budget of {budgets:,} went over in {when}.")
    ahead = [row for row, flags in judged if "ahead" in flags]
    if ahead:
        first = ahead[0]
        said.append(
            f"{counted(len(ahead), 'window')} will go over at the pace so far, first of all {_name(first)}: to"
            f" {amount(first.leads_to or 0, first.unit)} of {amount(first.limit + first.granted, first.unit)}."
        )
    if refused := sum(row.refused for row, _ in judged):
        most = max((row for row, _ in judged), key=lambda row: row.refused)
        said.append(
            f"{counted(refused, 'call')} {'was' if refused == 1 else 'were'} refused, most by {_name(most)}."
        )
    flagged = [each for each in judged if each.flags]
    counts = Counter(flag for each in flagged for flag in each.flags)
    if flagged:
        parts = ", ".join(f"{counts[flag]:,} {flag}" for flag in FLAGS if counts[flag])
        said.append(
            f"{counted(len(flagged), 'row')} of {len(judged):,} {'needs' if len(flagged) == 1 else 'need'} somebody: {parts}."
        )
    return tuple(said)


def _caveats(books: Books, judged: Sequence[Judged], period: Period) -> tuple[str, ...]:
    said: list[str] = []
    _, until = closed(period)
    longer = [
        row for row, _ in judged if row.start_us is not None and (row.end_us is None or row.end_us > until)
    ]
    if longer:
        names = ", ".join(dict.fromkeys(row.budget for row in longer))
        said.append(f"Windows that go on after the period hold what is spent in them by now: {names}.")
    pruned_us = books.reader.rollup_status().pruned_before_us
    if pruned_us > (period.since_us or 0) and any(row.window == "each call" for row, _ in judged):
        said.append(
            f"Steps before {from_us(pruned_us):%Y-%m-%d %H:%M} UTC may be pruned: calls of then are not counted against"
            " limits on each call."
        )
    return tuple(said)


def _fullest(row: Actual) -> tuple[Any, ...]:
    """The fullest windows first."""
    used = row.spent * 1_000_000 // max(row.limit + row.granted, 1)
    return -used, row.budget, row.scope, row.start_us or 0, row.window


def _worst(flags: Sequence[Flag]) -> int:
    return FLAGS.index(flags[0]) if flags else len(FLAGS)


def _name(row: Actual) -> str:
    window = "" if row.window in ("no window", "each call") else f" in {row.window}"
    return f"{row.budget}{f' for {row.scope}' if row.scope else ''}{window}"
