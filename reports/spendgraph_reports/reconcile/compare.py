"""The comparison: what the invoice bills, what the ledger holds, and the rows that explain the difference.

What is billed and not booked is a line of its own, the residual. It is spread over nobody: a team that is charged
for what nobody can show it spent does not believe the rest either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.reconcile.booked import Booked, booked
from spendgraph_reports.reconcile.lines import InvoiceLine
from spendgraph_reports.reconcile.names import UNGROUPED, align

Unit = Literal["nanousd", "tokens"]
Cause = Literal[
    "equal", "rounding", "not in the ledger", "not on the invoice", "no price", "within estimates", "differs"
]

GOAL: Final = 0.05
"""At most this share of an invoice has no owner."""

_CENT: Final = 10_000_000
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """A model's day (where the invoice names days and models) on both sides, in the comparison's unit.

    Attributes:
        estimated: The part of `ledger` that no provider reported.
        unpriced_steps: Steps that are in the ledger at 0 because no price is known.
        cause: What the difference most likely is.
    """

    day: date | None
    model: str
    invoice: int
    ledger: int
    estimated: int
    unpriced_steps: int
    unit: Unit

    @property
    def difference(self) -> int:
        """What the invoice has more than the ledger."""
        return self.invoice - self.ledger

    @property
    def cause(self) -> Cause:
        """What the difference most likely is; the first that fits."""
        gap = abs(self.difference)
        if gap == 0:
            return "equal"
        if self.unpriced_steps:
            return "no price"
        if self.ledger == 0:
            return "not in the ledger"
        if self.invoice == 0:
            return "not on the invoice"
        if self.unit == "nanousd" and gap * 2 <= _CENT and gap * 100 <= self.invoice:
            return "rounding"
        return "within estimates" if gap <= self.estimated else "differs"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """An invoice beside the ledger. Amounts are in `unit`; `rows` stand by the size of their difference.

    Attributes:
        invoice: What is billed (of a usage export: used) in the period.
        ledger: What the ledger has of the provider in it.
        unattributed: The part of `ledger` that lacks required tags.
        outside_lines: Lines of other days, left out.
        outside: What they add up to.
    """

    period: Period
    provider: str | None
    unit: Unit
    invoice: int
    ledger: int
    unattributed: int
    rows: Sequence[Row] = field(repr=False)
    outside_lines: int = 0
    outside: int = 0

    @property
    def residual(self) -> int:
        """What the invoice has and the ledger has not; negative where the ledger has more."""
        return self.invoice - self.ledger

    @property
    def coverage(self) -> float | None:
        """The ledger's share of the invoice; None without an invoice."""
        return self.ledger / self.invoice if self.invoice > 0 else None

    @property
    def unattributed_share(self) -> float | None:
        """The share of the invoice without an owner: booked without required tags, or not booked at all."""
        if self.invoice <= 0:
            return None
        return (self.unattributed + max(self.residual, 0)) / self.invoice

    @property
    def reaches_goal(self) -> bool:
        """Whether at most 5 percent of the invoice have no owner."""
        share = self.unattributed_share
        return share is not None and share <= GOAL

    def document(self) -> dict[str, Any]:
        """Everything, for machines; amounts are whole numbers in keys that end in the unit."""
        unit = self.unit
        return {
            "since": self.period.since,
            "until": self.period.until,
            "provider": self.provider,
            f"invoice_{unit}": self.invoice,
            f"ledger_{unit}": self.ledger,
            f"unattributed_{unit}": self.unattributed,
            f"residual_{unit}": self.residual,
            "coverage": self.coverage,
            "unattributed_share": self.unattributed_share,
            "goal": GOAL,
            "reaches_goal": self.reaches_goal,
            "outside_lines": self.outside_lines,
            f"outside_{unit}": self.outside,
            "rows": [
                {
                    "day": None if row.day is None else row.day.isoformat(),
                    "model": row.model,
                    f"invoice_{unit}": row.invoice,
                    f"ledger_{unit}": row.ledger,
                    f"difference_{unit}": row.difference,
                    f"estimated_{unit}": row.estimated,
                    "unpriced_steps": row.unpriced_steps,
                    "cause": row.cause,
                }
                for row in self.rows
            ],
        }


def reconcile(
    ledger: str | Path, lines: Iterable[InvoiceLine], period: Period, *, provider: str | None = None
) -> Reconciliation:
    """Compare an invoice's lines with what the ledger has of a provider.

    Args:
        ledger: The ledger.
        lines: The invoice's, as `read_invoice` reads them.
        period: The invoice's month, of whole UTC days; lines of other days are left out and counted.
        provider: Whose steps are compared, as the ledger names it; None compares all.

    Raises:
        ValueError: The period begins or ends within a day.
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        QueryError: DuckDB failed.
        LedgerError: It is not a ledger in a file, or not of this version.
    """
    if not period.whole_days:
        raise ValueError(f"expected a period of whole days UTC, found {period.text}")
    every = list(lines)
    unit: Unit = "nanousd" if any(line.cost_nanousd is not None for line in every) or not every else "tokens"
    billed = [line for line in every if _within(line.day, period)]
    outside = [line for line in every if not _within(line.day, period)]
    mine = list(booked(ledger, period, provider))
    amounts = [(row, row.cost_nanousd if unit == "nanousd" else row.tokens) for row in mine]
    return Reconciliation(
        period=period,
        provider=provider,
        unit=unit,
        invoice=sum(_amount(line, unit) for line in billed),
        ledger=sum(amount for _, amount in amounts),
        unattributed=sum(
            row.unattributed_nanousd if unit == "nanousd" else row.unattributed_tokens for row in mine
        ),
        rows=_rows(billed, mine, unit),
        outside_lines=len(outside),
        outside=sum(_amount(line, unit) for line in outside),
    )


def _rows(billed: Sequence[InvoiceLine], mine: Sequence[Booked], unit: Unit) -> list[Row]:
    """Both sides by day and model, as far as the invoice tells them apart; the largest difference first."""
    has_days = not billed or all(line.day is not None for line in billed)
    has_models = not billed or not {line.model for line in billed} <= UNGROUPED
    shown = align((line.model for line in billed), (row.model for row in mine))
    everything = billed[0].model if billed else ""

    def key(day: date | None, model: str) -> tuple[date | None, str]:
        return (day if has_days else None, shown[model] if has_models else everything)

    invoice: defaultdict[tuple[date | None, str], int] = defaultdict(int)
    held: defaultdict[tuple[date | None, str], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for line in billed:
        invoice[key(line.day, line.model)] += _amount(line, unit)
    for row in mine:
        amount, estimated, unpriced = held[key(row.day, row.model)]
        held[key(row.day, row.model)] = (
            amount + (row.cost_nanousd if unit == "nanousd" else row.tokens),
            estimated + (row.estimated_nanousd if unit == "nanousd" else row.estimated_tokens),
            unpriced + (row.unpriced_steps if unit == "nanousd" else 0),
        )
    keys = invoice.keys() | held.keys()
    rows = [Row(day, model, invoice[day, model], *held[day, model], unit) for day, model in keys]
    return sorted(rows, key=lambda row: (-abs(row.difference), row.day or _EPOCH, row.model))


def _within(day: date | None, period: Period) -> bool:
    if day is None:
        return True
    start_us = (day - _EPOCH).days * DAY_US
    return (period.since_us is None or period.since_us <= start_us) and (
        period.until_us is None or start_us < period.until_us
    )


def _amount(line: InvoiceLine, unit: Unit) -> int:
    if unit == "nanousd":
        return line.cost_nanousd or 0
    return line.tokens.total if line.tokens is not None else 0
