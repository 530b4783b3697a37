"""How old the bundled price list is, by what it knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date


def latest_price_change(today: date) -> date | None:
    """The latest day, up to today, on which the bundled list knows a price to have changed.

    Providers change some price every few weeks: a day long ago means a list that has not been updated since.
    """
    return max((day for day in _starts() if day <= today), default=None)


def _starts() -> Iterator[date]:
    from genai_prices.data_snapshot import get_snapshot

    for provider in get_snapshot().providers:
        for model in provider.models:
            for conditional in model.prices if isinstance(model.prices, list) else ():
                start = getattr(conditional.constraint, "start_date", None)
                if isinstance(start, date):
                    yield start
