"""A line of an invoice, and how the values in its cells are read: strictly, or with an error that names the place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from spendgraph.money import nanousd
from spendgraph_reports.errors import InvoiceError


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What was billed, or used, on a day for a model.

    Attributes:
        model: The model; of what no model is named for, what the line says it is.
        day: The UTC day; None where the file has months only.
        cost_nanousd: What is billed; None in a usage export, which has tokens only.
        tokens: Input and output tokens; None where the file has none.
    """

    model: str
    day: date | None
    cost_nanousd: int | None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A value from outside and where it stands."""

    text: str
    file: str
    line: int
    column: str

    def wrong(self, expected: str) -> InvoiceError:
        """The error that names this place."""
        return InvoiceError(
            self.file, expected=expected, found=repr(self.text[:80]), line=self.line, column=self.column
        )

    def dollars(self, *, decimal_comma: bool = False, cents: bool = False) -> int:
        """An amount of US dollars (or of cents) as nano-USD, rounded half even.

        Raises:
            InvoiceError: It is no amount, or more than a ledger holds.
        """
        return nano(self, _decimal(self, decimal_comma=decimal_comma), cents=cents)

    def count(self) -> int:
        """A whole number of at least 0; an empty cell is 0.

        Raises:
            InvoiceError: It is something else.
        """
        text = self.text.strip().replace(",", "")
        if not text:
            return 0
        if not (text.isascii() and re.fullmatch(r"\d{1,18}(\.0*)?", text)):
            raise self.wrong("a whole number of at least 0")
        return int(text.partition(".")[0])

    def day(self, pattern: str | None = None) -> date:
        """A UTC day: ISO date or time, a Unix time in seconds, or as the strptime pattern has it.

        Raises:
            InvoiceError: It is something else.
        """
        text = self.text.strip()
        try:
            if pattern is not None:
                return datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day has no zone
            if re.fullmatch(r"\d{9,11}(\.0*)?", text):
                return datetime.fromtimestamp(int(text.partition(".")[0]), UTC).date()
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
        except ValueError:
            raise self.wrong(f"a date as {pattern}" if pattern else "a date such as 2026-08-01") from None

    def currency(self) -> None:
        """US dollars, in either case.

        Raises:
            InvoiceError: It is another currency: the ledger is in US dollars, and no rate is assumed.
        """
        if self.text.strip().upper() != "USD":
            raise self.wrong("US dollars (USD)")


def nano(cell: Cell, amount: Decimal, *, cents: bool = False) -> int:
    """Nano-USD of an amount.

    Raises:
        InvoiceError: It is more than a ledger holds.
    """
    try:
        return nanousd(amount / 100 if cents else amount, signed=True)
    except ValueError:
        raise cell.wrong("an amount that a ledger can hold") from None


_AMOUNT = re.compile(r"-?\$?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d{1,3})?")


def _decimal(cell: Cell, *, decimal_comma: bool) -> Decimal:
    text = cell.text.strip().removesuffix("USD").strip()
    if text.startswith("(") and text.endswith(")"):  # a credit, as accountants write it
        text = f"-{text[1:-1]}"
    if decimal_comma:
        text = text.translate({ord("."): ",", ord(","): "."})
    if not text.isascii() or not _AMOUNT.fullmatch(text):
        raise cell.wrong(
            "an amount of dollars such as 12.34" if not decimal_comma else "an amount such as 12,34"
        )
    try:
        return Decimal(text.replace("$", "").replace(",", ""))
    except InvalidOperation:
        raise cell.wrong("an amount of dollars such as 12.34") from None
