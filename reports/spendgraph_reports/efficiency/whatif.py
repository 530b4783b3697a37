"""What if: the calls of one model at the prices of another, token for token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph.clock import from_us
from spendgraph.ledger.records import TOKEN_KINDS
from spendgraph.pricing import Price, is_edition
from spendgraph_reports.amounts import change, dollars, percent
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.calls import pruned
from spendgraph_reports.efficiency.repricing import SUMS, Repricing, calls_of
from spendgraph_reports.report import UNNAMED, Column, Report, expect_tags, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

COLUMNS: Final = (
    Column("actual_nanousd", "money", "What the model's calls cost.", adds=True, label="actual"),
    Column(
        "hypothetical_nanousd",
        "money",
        "What the same tokens cost at the other model's prices of the time.",
        adds=True,
        label="hypothetical",
    ),
    Column(
        "difference_nanousd",
        "money",
        "The hypothetical cost less the actual one: negative is saved.",
        adds=True,
        label="difference",
    ),
    Column("change", "change", "The hypothetical cost beside the actual one."),
    Column(
        "beside_nanousd",
        "money",
        "The part of both that is no matter of tokens: searches, credits, calls that nobody answered.",
        adds=True,
        label="of both beside tokens",
    ),
    Column("steps", "count", "Calls.", adds=True, label="calls"),
    Column("input_tokens", "count", "Their input, cached tokens included.", adds=True),
    Column("cache_read_tokens", "count", "The cached part of it.", adds=True, label="cached"),
    Column("output_tokens", "count", "Their output, reasoning included.", adds=True),
)
"""What `whatif` says of each row, after the names it is by."""

UNKNOWN: Final = (
    "What cannot be known: another model counts the same text as more or fewer tokens, answers and reasons at another length, and may"
    " need more attempts or not be good enough."
)


@of_one_moment
def whatif(
    books: Books,
    period: Period,
    *,
    model: str,
    as_: str,
    provider: str = "",
    by: Sequence[str] = ("feature",),
) -> Report:
    """What the calls of one model would have cost on another; where most changes comes first.

    Args:
        books: The ledger, and the prices of its policy.
        period: Calls by their start; it has a start and an end.
        model: The model that answered, such as `gpt-5`; its dated names are meant too.
        as_: The model whose prices are taken, those in force when each call started.
        provider: Who would answer; whoever did, when not given.
        by: Tags and dimensions of rollups, as in `waste`.

    Returns:
        The names in `by` and `COLUMNS`.

    Raises:
        ValueError: There is no such name, nobody has said a price of the other model, or the period has no end.
    """
    expect_tags(by)
    booked = books.rows(["model"], period, sums=("cost_nanousd",), kind=sorted(TOKEN_KINDS))
    models = sorted(row["model"] for row in booked if is_edition(row["model"], model))
    kept = {row["price_id"]: Price.kept(row) for row in books.reader.prices()}
    has_cache_price = True

    def price(who: str, at_us: int, tier: str) -> Price:
        nonlocal has_cache_price
        found = books.prices.price(provider or who, as_, at_us, tier)
        if found is None:
            raise ValueError(
                f"nobody has said a price of {as_} of {provider or who or 'no provider'} on {from_us(at_us):%Y-%m-%d}: name who"
                " would answer, or put a price into the policy's prices.models"
            )
        has_cache_price = has_cache_price and found.has_cache_price
        return found

    repricing = Repricing(kept, price)

    def read(names: Sequence[str], part: Period) -> list[dict[str, Any]]:
        return repricing.sums(calls_of(books, models, names, part), names)

    rows = books.seen(by, period, read, sums=SUMS) if models else []
    for row in rows:
        row |= _compared(row)
    rows.sort(
        key=lambda row: (-abs(row["difference_nanousd"]), -row["actual_nanousd"], *(row[name] for name in by))
    )
    totals: dict[str, int] = dict(repricing.totals)
    gone = pruned(books, period, books.doubts(period).cost_nanousd)
    if not gone:
        totals["actual_nanousd"] = _booked(books, models, period)
    compared = _compared(totals)
    totals |= {"difference_nanousd": compared["difference_nanousd"]}
    caveats = (
        UNKNOWN,
        *_about_cache(as_, totals["cache_read_tokens"], has_price=has_cache_price),
        *(f"{as_}: {note}." for note in sorted(repricing.notes)),
        *_about_held(repricing.held_nanousd),
        *(books.caveats(period, model=models, kind=sorted(TOKEN_KINDS)) if models else ()),
        *gone,
    )
    columns = (*map(tag_column, by), *COLUMNS)
    return Report(
        name="whatif",
        title=f"{model} at the prices of {as_}, by {', '.join(name.replace('_', ' ') for name in by)}",
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals=totals,
        findings=_findings(
            by, rows, totals, compared["change"], model, as_, [row["model"] for row in booked]
        ),
        caveats=caveats,
        zone=books.zone,
        settings={
            "by": ", ".join(by),
            "model": model,
            "as": as_,
            "provider": provider,
            "answered": ", ".join(models),
        },
    )


def _booked(books: Books, models: Sequence[str], period: Period) -> int:
    """What the ledger says that models cost."""
    rows = books.rows((), period, sums=("cost_nanousd",), model=models, kind=sorted(TOKEN_KINDS))
    return sum(row["cost_nanousd"] for row in rows)


def _compared(sums: dict[str, int]) -> dict[str, Any]:
    actual, hypothetical = sums["actual_nanousd"], sums["hypothetical_nanousd"]
    return {"difference_nanousd": hypothetical - actual, "change": change(hypothetical, actual)}


def _about_cache(as_: str, cached_tokens: int, *, has_price: bool) -> tuple[str, ...]:
    if not cached_tokens:
        return ()
    if has_price:
        return (
            f"What was found in the prompt cache is taken to be found in {as_}'s too, and priced as such.",
        )
    return (f"{as_} has no price for tokens from a prompt cache: they are priced as other input.",)


def _about_held(held_nanousd: int) -> tuple[str, ...]:
    if not held_nanousd:
        return ()
    said = (
        f"{dollars(held_nanousd)} of the actual cost is what was held for calls that nobody heard of again: at the other model"
        " the most tokens they may have used are priced."
    )
    return (said,)


def _findings(
    by: Sequence[str],
    rows: Sequence[dict[str, Any]],
    totals: dict[str, int],
    changed: float,
    model: str,
    as_: str,
    there: Sequence[str],
) -> tuple[str, ...]:
    if not rows:
        named = ", ".join(name for name in there[:8] if name)
        return (f"{model} answered no call in this period{f'; {named} did' if named else ''}.",)
    difference = totals["difference_nanousd"]
    cost = f"{model} cost {dollars(totals['actual_nanousd'])}; the same tokens at the prices of {as_} cost"
    if difference:
        moved = f"{dollars(abs(difference))} {'more' if difference > 0 else 'less'}"
        cost += f" {dollars(totals['hypothetical_nanousd'])}: {moved} ({percent(changed, signed=True)})."
    else:
        cost += " the same."
    said = [cost]
    first = rows[0]["difference_nanousd"]
    if len(rows) > 1 and first:
        who = ", ".join(str(rows[0][name]) or UNNAMED for name in by)
        said.append(f"Most changes for {who}: {dollars(abs(first))} {'more' if first > 0 else 'less'}.")
    if dearer := [row for row in rows if row["difference_nanousd"] > 0 > difference]:
        said.append(
            f"{', '.join(str(dearer[0][name]) or UNNAMED for name in by)} would cost more all the same."
        )
    return tuple(said)
