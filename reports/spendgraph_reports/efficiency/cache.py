"""The prompt cache: how much of the input was found there, what that saved, what writing it cost, and where it fell."""

# ruff: noqa: S608 - names are checked
from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph.pricing import Price
from spendgraph_reports.amounts import dollars, percent, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.calls import CALLS, QUARTER, bounds, columns, pruned
from spendgraph_reports.months import before, closed, named
from spendgraph_reports.period import Period, midnight
from spendgraph_reports.report import UNNAMED, Column, Report, expect_tags, frame_of, tag_column

DAY: Final = "day"
"""In `by` it is a day of the books' time zone, and a row is compared with the day before."""

COLUMNS: Final = (
    Column(
        "input_tokens", "count", "Input tokens that were sent to models, cached ones included.", adds=True
    ),
    Column(
        "cache_read_tokens",
        "count",
        "The part of them that the provider found in its prompt cache.",
        adds=True,
        label="found in cache",
    ),
    Column("hit_ratio", "share", "The found part of the input."),
    Column(
        "before_ratio",
        "share",
        "The same in the period before; missing where nothing was sent.",
        label="before",
    ),
    Column(
        "cache_write_tokens",
        "count",
        "The part of the input that was written to the cache, for whatever time.",
        adds=True,
        label="written",
    ),
    Column(
        "writing_nanousd",
        "money",
        "What writing cost beyond plain input, at the prices that were charged.",
        adds=True,
        label="writing",
    ),
    Column(
        "saved_nanousd",
        "money",
        "What the cache saved, less what writing it cost; negative where writing cost more.",
        adds=True,
        label="saved",
    ),
    Column(
        "langchain_hits",
        "count",
        "Calls that LangChain's own cache answered: nothing was sent, and they are in no other column.",
        adds=True,
        label="LangChain hits",
    ),
)
"""What `cache` says of each row, after the names it is by."""

_ADDS: Final = tuple(column.name for column in COLUMNS if column.adds)
_WRITTEN: Final = ("cache_write_5m_tokens", "cache_write_1h_tokens")
_SUMS: Final = ("steps", "input_tokens", "cache_read_tokens", *_WRITTEN, "saved_nanousd")
_FELL: Final = 0.05
"""A ratio that fell by so much is worth a sentence."""
_FELL_IN_A_DAY: Final = 0.25
"""The same from one day to the next, which differ by themselves."""

_PRICED: Final = (
    "SELECT price_id, json_extract(rates, '$.long_context[*].above_tokens')::BIGINT[] AS steps_ FROM prices"
)
_ABOVE: Final = "coalesce(list_max([x for x in p.steps_ if s.input_tokens > x]), 0)"
"""The highest threshold of the price that the call's input has passed."""

Key = tuple[Any, ...]


@of_one_moment
def cache(books: Books, period: Period, *, by: Sequence[str] = ("feature",)) -> Report:
    """How much of the models' input the prompt cache held, and what that saved; what sent most comes first.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end.
        by: Tags and dimensions of rollups, such as `feature`, `template_version`, `tenant` and `model`, and `day`, which is one of the
            books' time zone: each row is then compared with the day before.

    Returns:
        The names in `by` and `COLUMNS`. What sent nothing to a model in the period has no row.

    Raises:
        ValueError: There is no such name, or the period has no end.
    """
    expect_tags(by)
    is_daily = DAY in by
    earlier = _day_before(period, books.zone) if is_daily else before(period, books.zone)
    found, past = _sums(books, by, period), _sums(books, by, earlier)
    for key, writing in _writing(books, by, period).items():
        found.setdefault(key, dict.fromkeys(_ADDS, 0))["writing_nanousd"] = writing
    days = found | past
    rows: list[dict[str, Any]] = []
    for key, sums in found.items():
        tags = dict(zip(by, key, strict=True))
        then = days.get(_day_earlier(by, key)) if is_daily else past.get(key)
        rows.append({**tags, **sums, "hit_ratio": _ratio(sums), "before_ratio": _ratio(then)})
    if is_daily:
        rows.sort(key=lambda row: (*(row[name] for name in by if name != DAY), row[DAY]))
    else:
        rows.sort(key=lambda row: (-row["input_tokens"], *(row[name] for name in by)))
    totals = _totals(_sums(books, (), period)) | {"writing_nanousd": _writing(books, (), period).get((), 0)}
    all_columns = (
        *(Column(name, "day", f"A day in {books.zone}.") if name == DAY else tag_column(name) for name in by),
        *COLUMNS,
    )
    return Report(
        name="cache",
        title=f"Prompt cache by {', '.join(name.replace('_', ' ') for name in by)}",
        period=period,
        frame=frame_of(rows, all_columns),
        columns=all_columns,
        totals=totals,
        findings=_findings(by, rows, totals, _ratio(_totals(past)), named(earlier, books.zone)),
        caveats=(*books.caveats(period), *pruned(books, period, books.doubts(period).cost_nanousd)),
        zone=books.zone,
        settings={"by": ", ".join(by), "before": earlier.text},
    )


def _sums(books: Books, by: Sequence[str], period: Period) -> dict[Key, dict[str, int]]:
    """What adds, but for the cost of writing, by the names."""
    found: defaultdict[Key, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_ADDS, 0))
    names = _asked(by)
    for row in books.rows([*dict.fromkeys([*names, "status"])], period, sums=_SUMS, kind="model"):
        sums = found[_key(by, row, books.zone)]
        if row["status"] == "cache_hit":
            sums["langchain_hits"] += row["steps"]
            continue
        for name in ("input_tokens", "cache_read_tokens", "saved_nanousd"):
            sums[name] += row[name]
        sums["cache_write_tokens"] += sum(row[name] for name in _WRITTEN)
    return dict(found)


def _writing(books: Books, by: Sequence[str], period: Period) -> dict[Key, int]:
    """What writing cost, from the calls and the prices that they were charged at: the rollups keep no price."""
    written = ", ".join(f"sum(s.{name})::BIGINT AS {name}" for name in _WRITTEN)

    def read(wide: Sequence[str], part: Period) -> list[dict[str, Any]]:
        rows = books.ask(
            f"WITH {CALLS}, priced AS ({_PRICED}), summed AS ("
            f"SELECT {columns(wide)}s.price_id AS price_id_, {_ABOVE} AS above_, {written}"
            " FROM calls AS s JOIN contexts AS c ON c.context_id = s.context_id JOIN priced AS p ON p.price_id = s.price_id"
            " WHERE s.kind = 'model' AND s.status <> 'cache_hit'"
            f" AND ({' OR '.join(f's.{name} <> 0' for name in _WRITTEN)}) GROUP BY ALL"
            ") SELECT summed.*, prices AS price_ FROM summed JOIN prices ON prices.price_id = summed.price_id_",
            **bounds(part),
        )
        return [
            {name: row[name] for name in wide}
            | {
                "writing_nanousd": Price.kept(row["price_"]).writing(
                    *(row[name] for name in _WRITTEN), above=row["above_"]
                )
            }
            for row in rows
        ]

    found: defaultdict[Key, int] = defaultdict(int)
    for row in books.seen(_asked(by), period, read, sums=["writing_nanousd"]):
        found[_key(by, row, books.zone)] += row["writing_nanousd"]
    return found


def _totals(found: Mapping[Key, dict[str, int]]) -> dict[str, int]:
    return {name: sum(sums[name] for sums in found.values()) for name in _ADDS}


def _ratio(sums: Mapping[str, int] | None) -> float | None:
    return share(sums["cache_read_tokens"], sums["input_tokens"]) if sums and sums["input_tokens"] else None


def _findings(
    by: Sequence[str],
    rows: Sequence[dict[str, Any]],
    totals: Mapping[str, int],
    past: float | None,
    earlier: str,
) -> tuple[str, ...]:
    ratio, saved = _ratio(totals), totals["saved_nanousd"]
    if ratio is None:
        return ("Nothing was sent to a model in this period.",)
    beside = "" if past is None or DAY in by else f", {percent(past)} in {earlier}"
    did = "saved" if saved >= 0 else "cost"
    first = (
        f"{percent(ratio)} of the input was found in the prompt cache{beside}; that {did} {dollars(abs(saved))}, with"
        f" {dollars(totals['writing_nanousd'])} for writing it taken off."
    )
    said = [first]
    least = _FELL_IN_A_DAY if DAY in by else _FELL
    fallen = [
        row
        for row in rows
        if row["hit_ratio"] is not None
        and row["before_ratio"] is not None
        and row["before_ratio"] - row["hit_ratio"] >= least
    ]
    fallen.sort(key=lambda row: (row["hit_ratio"] - row["before_ratio"]) * row["input_tokens"])
    for row in fallen[:3]:
        more = _missed(row)
        said.append(
            f"{_who(by, row)} fell from {percent(row['before_ratio'])} to {percent(row['hit_ratio'])} of"
            f" {row['input_tokens']:,} tokens"
            + (f": as before, reading would have saved about {dollars(more)} more." if more else ".")
        )
    losing = min(rows, key=lambda row: row["saved_nanousd"], default=None)
    if losing and losing["saved_nanousd"] < 0:
        said.append(
            f"{_who(by, losing)} paid {dollars(-losing['saved_nanousd'])} more than without a cache: it was written more than"
            " it was found."
        )
    return tuple(said)


def _missed(row: dict[str, Any]) -> int:
    """What the ratio of before would have saved more by reading, at what reading a token saved; 0 where none was read."""
    read, saved_by_reading = row["cache_read_tokens"], row["saved_nanousd"] + row["writing_nanousd"]
    missing = row["before_ratio"] * row["input_tokens"] - read
    return max(round(missing * saved_by_reading / read), 0) if read > 0 else 0


def _who(by: Sequence[str], row: dict[str, Any]) -> str:
    return ", ".join(str(row[name]) or UNNAMED for name in by)


def _asked(by: Sequence[str]) -> list[str]:
    """What the ledger is asked by: of a day in a time zone, its quarters of an hour."""
    return [QUARTER if name == DAY else name for name in by]


def _key(by: Sequence[str], row: Mapping[str, Any], zone: str) -> Key:
    return tuple(_day(row[QUARTER], zone) if name == DAY else row[name] for name in by)


@lru_cache(maxsize=10_000)
def _day(moment_us: int, zone: str) -> str:
    """The calendar day of a moment, as ISO text."""
    return from_us(moment_us).astimezone(ZoneInfo(zone)).date().isoformat()


def _day_earlier(by: Sequence[str], key: Key) -> Key:
    """The same, a day earlier."""
    return tuple(
        (date.fromisoformat(value) - timedelta(days=1)).isoformat() if name == DAY else value
        for name, value in zip(by, key, strict=True)
    )


def _day_before(period: Period, zone: str) -> Period:
    """The calendar day before the one in which a period starts."""
    first = date.fromisoformat(_day(closed(period)[0], zone))
    return Period(midnight(first - timedelta(days=1), zone), midnight(first, zone))
