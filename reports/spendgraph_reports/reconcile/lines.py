"""A line of an invoice, and how values in cells are read: strictly, or with an error that names the place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from spendgraph.errors import ContextError
from spendgraph.money import nanousd
from spendgraph.policy.vocabulary import MAX_TAG_CHARS, tag_text
from spendgraph_reports.errors import InputError


class Tokens(NamedTuple):
    """What was used, counted as the ledger counts.

    Attributes:
        input: All of it, what was read from the cache or written to it included.
        output: All of it, reasoning included.
        cache_read: Of the input, what was read from the cache.
        cache_write_5m: Of the input, what was written to it for five minutes.
        cache_write_1h: And for an hour.
    """

    input: int
    output: int
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What was billed, or used, on a day for a model.

    Attributes:
        model: The model; of what no model is named for, what the line says it is.
        day: The UTC day; None where the file has months only.
        cost_nanousd: What is billed; None in a usage export, which has tokens only.
        tokens: What was used; None where the file has no tokens.
        item: What of the model is billed, in the file's words; may be empty.
    """

    model: str
    day: date | None
    cost_nanousd: int | None
    tokens: Tokens | None = None
    item: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value from outside and where it stands."""

    text: str
    file: str
    line: int
    column: str

    def wrong(self, expected: str) -> InputError:
        """The error that names this place."""
        return InputError(
            self.file, expected=expected, found=repr(self.text[:80]), line=self.line, column=self.column
        )

    def dollars(self, *, decimal_comma: bool = False, cents: bool = False) -> int:
        """An amount of US dollars (or of cents) as nano-USD, rounded half even.

        Raises:
            InputError: It is no amount, or more than a ledger holds.
        """
        return nano(self, _decimal(self, decimal_comma=decimal_comma), cents=cents)

    def count(self) -> int:
        """A whole number of at least 0; an empty cell is 0.

        Raises:
            InputError: It is something else.
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
            InputError: It is something else.
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

    def plain_date(self, pattern: str | None = None) -> date:
        """A date that is the same in every time zone: `2026-08-01`, or as the strptime pattern has it.

        Raises:
            InputError: It is something else, or a time, too.
        """
        if pattern is None and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", self.text.strip()):
            raise self.wrong("a date such as 2026-08-01")
        return self.day(pattern)

    def words(self) -> str:
        """A text in one line, which may be empty: what is billed, in the file's words.

        Raises:
            InputError: It is too long, or holds what nobody sees.
        """
        return self._kept(" ".join(self.text.split()))

    def name(self) -> str:
        """A name, letter by letter as it stands there, but for blanks around it.

        Raises:
            InputError: It is empty, too long, or holds what nobody sees.
        """
        text = self._kept(self.text.strip())
        if not text:
            raise self.wrong("a name")
        return text

    def _kept(self, text: str) -> str:
        """The text in the form in which the ledger keeps tags."""
        try:
            return tag_text(self.column, text)
        except ContextError:
            raise self.wrong(f"visible text of at most {MAX_TAG_CHARS} characters") from None

    def currency(self) -> None:
        """US dollars, in either case.

        Raises:
            InputError: It is another currency: the ledger is in US dollars, and no rate is assumed.
        """
        if self.text.strip().upper() != "USD":
            raise self.wrong("US dollars (USD)")


def nano(cell: Cell, amount: Decimal, *, cents: bool = False) -> int:
    """Nano-USD of an amount.

    Raises:
        InputError: It is more than a ledger holds.
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
