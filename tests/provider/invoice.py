"""What the provider billed, one line a response."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from provider.rates import Tokens


@dataclass(frozen=True, slots=True)
class Line:
    """One billed response.

    Attributes:
        response_id: The id the response carried; embeddings and reranks carry none.
        model: The model that answered, dated as providers date them.
        api: The endpoint: `chat`, `responses`, `messages`, `embeddings` or `rerank`.
        tier: The service tier it was served at, empty for standard.
        tokens: What it is billed for.
        amount: The exact price in nano-USD.
        purpose: What the request said it was for.
        tenant: On whose behalf the request said it was.
        whole: Whether the response was delivered to its end.
    """

    response_id: str
    model: str
    api: str
    tier: str
    tokens: Tokens
    amount: int
    purpose: str
    tenant: str
    whole: bool = True


class Invoice:
    """The lines of one account, safe to read while the provider writes."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self.refusals = 0

    def add(self, line: Line) -> None:
        """Bill one response."""
        with self._lock:
            self._lines.append(line)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every billed response so far, in billing order."""
        with self._lock:
            return tuple(self._lines)

    @property
    def total(self) -> int:
        """The sum of the invoice in nano-USD."""
        return sum(line.amount for line in self.lines)

    def purposes(self) -> dict[str, int]:
        """How many billed responses each purpose has."""
        counts: dict[str, int] = {}
        for line in self.lines:
            counts[line.purpose] = counts.get(line.purpose, 0) + 1
        return counts
