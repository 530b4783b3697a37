"""Repricing: the calls of a model one by one, at the price they were charged at and at another's.

Each call's tokens are priced by themselves, for a long context is one of a call and not of a sum. Nothing is kept
but the sums: a million calls take seconds, and no memory.
"""

# ruff: noqa: S608 - names are checked, values are parameters
from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.ledger.records import TOKEN_KINDS
from spendgraph.pricing import Price, Usage
from spendgraph_reports.calls import TOKENS, bounds, columns

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period


SUMS: Final = (
    "actual_nanousd",
    "hypothetical_nanousd",
    "beside_nanousd",
    "steps",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
)
"""What is summed of calls."""

_KINDS: Final = ", ".join(f"'{kind}'" for kind in sorted(TOKEN_KINDS))

# A correction that names another model than its step is of that other model's cost, as in the rollups: it changes no count here.
_MODEL: Final = f"""\
named AS (
  SELECT unnest(getvariable('models')::JSON::VARCHAR[]) AS model
), within AS (
  SELECT * FROM steps WHERE started_us >= getvariable('since_us') AND started_us < getvariable('until_us')
    AND kind IN ({_KINDS}) AND model IN (SELECT model FROM named)
), late AS (
  SELECT corrects_step_id, arg_max(price_id, seq) AS price_id, any_value(context_id) AS context_id, any_value(kind) AS kind,
    sum(cost_nanousd)::BIGINT AS cost_nanousd, {", ".join(f"sum({name})::BIGINT AS {name}" for name in TOKENS)}
  FROM within WHERE entry = 'correction' GROUP BY corrects_step_id
)"""


class Call(NamedTuple):
    """One call of the model, as its corrections left it.

    Attributes:
        payer: The values of what is asked by.
        started_us: When it started, which says what prices hold.
        provider: Who answered.
        service_tier: The tier it was answered at.
        price_id: The price it was charged at, if any.
        is_sent: It went to a provider: LangChain's cache did not answer it.
        cost_nanousd: What it cost.
        usage: Its tokens; none for the correction of a call that another model answered.
    """

    payer: tuple[Any, ...]
    started_us: int
    provider: str
    service_tier: str
    price_id: str | None
    is_sent: bool
    cost_nanousd: int
    usage: Usage | None


def calls_of(books: Books, models: Sequence[str], by: Sequence[str], period: Period) -> Iterator[Call]:
    """The calls that some models answered in a period, as they are read, in no order.

    Raises:
        QueryError: The question failed.
    """
    counted = ", ".join(f"s.{name} + coalesce(k.{name}, 0)" for name in TOKENS)
    found = books.stream(
        f"WITH {_MODEL} SELECT {columns(by)}s.started_us AS at_, s.provider AS provider_, s.service_tier AS tier_,"
        " coalesce(k.price_id, s.price_id) AS price_, s.status <> 'cache_hit' AS is_sent_,"
        f" s.cost_nanousd + coalesce(k.cost_nanousd, 0) AS cost_, [{counted}] AS tokens_"
        " FROM within AS s JOIN contexts AS c ON c.context_id = s.context_id"
        " LEFT JOIN late AS k ON k.corrects_step_id = s.step_id WHERE s.entry = 'charge'"
        f" UNION ALL SELECT {columns(by)}s.started_us, s.provider, s.service_tier, NULL, true, s.cost_nanousd, NULL"
        " FROM within AS s JOIN contexts AS c ON c.context_id = s.context_id"
        " WHERE s.entry = 'correction' AND s.corrects_step_id NOT IN (SELECT step_id FROM within WHERE entry = 'charge')",
        **bounds(period),
        models=json.dumps(list(models)),
    )
    for row in found:
        values = tuple(row.values())
        at, provider, tier, price_id, is_sent, cost, tokens = values[len(by) :]
        yield Call(
            values[: len(by)], at, provider, tier, price_id, is_sent, cost, Usage(*tokens) if tokens else None
        )


class Repricing:
    """What calls cost, and would cost at other prices.

    Args:
        kept: The prices that the ledger keeps, by id.
        price: The other price of a call by provider, time and tier.
    """

    def __init__(self, kept: dict[str, Price], price: Callable[[str, int, str], Price]) -> None:
        self._kept = kept
        self._price = price
        self.notes: set[str] = set()
        """Why other prices are not exact."""
        self.held_nanousd = 0
        """What calls cost that were charged at no price, but what was held for them."""
        self.totals: dict[str, int] = dict.fromkeys(SUMS, 0)
        """The sums of all calls so far."""

    def sums(self, calls: Iterable[Call], by: Sequence[str]) -> list[dict[str, Any]]:
        """Rows with the names in `by` and `SUMS`."""
        found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(SUMS))
        for call in calls:
            sums = found[call.payer]
            for at, amount in enumerate(self._amounts(call)):
                sums[at] += amount
        for at, name in enumerate(SUMS):
            self.totals[name] += sum(sums[at] for sums in found.values())
        return [dict(zip((*by, *SUMS), (*payer, *sums), strict=True)) for payer, sums in found.items()]

    def _amounts(self, call: Call) -> tuple[int, ...]:
        """What a call brings to each of `SUMS`."""
        usage, cost = call.usage, call.cost_nanousd
        if usage is None or not call.is_sent:
            return cost, cost, cost, 0, 0, 0, 0
        counts = 1, usage.input_tokens, usage.cache_read_tokens, usage.output_tokens
        own = None if call.price_id is None else self._kept.get(call.price_id)
        if not (usage.input_tokens or usage.output_tokens or (own is not None and cost)):
            return cost, cost, cost, *counts  # nobody answered, or nobody said of how many tokens
        other = self._price(call.provider, call.started_us, call.service_tier)
        if other.note:
            self.notes.add(other.note)
        if own is None:
            self.held_nanousd += cost
        beside = 0 if own is None else cost - own.cost(usage)
        return cost, other.cost(usage) + beside, beside, *counts
