"""One request on its way to an answer: what every wire format needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provider.invoice import Line
from provider.rates import PRICE_LIST, Tokens, amount
from provider.script import Script, Turn, next_calls

JSON = dict[str, Any]
"""A decoded JSON object."""

_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""What requests call the most tokens an answer may have; it is never longer."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream and the share of the answer that exists once it is sent, from 0 to 1."""

    data: str
    produced: float


@dataclass(frozen=True, slots=True)
class Call:
    """One request that will be answered.

    Attributes:
        number: The provider's running number; default token counts are made from it, so no two are alike.
        api: The endpoint.
        body: The request.
        script: What the request asks for.
        turns: The conversation so far.
        tier: The tier it is served at, empty for standard.
    """

    number: int
    api: str
    body: JSON
    script: Script
    turns: Sequence[Turn]
    tier: str

    @property
    def asked(self) -> str:
        """The model asked for."""
        return str(self.body["model"])

    @property
    def model(self) -> str:
        """The model that answers, dated."""
        return PRICE_LIST[self.asked].answers_as

    @property
    def tokens(self) -> Tokens:
        """What the whole answer is billed for."""
        script = self.script
        inputs = script.input if script.input is not None else 1_000 + self.number * 7
        least = script.cache_read + script.write_5m + script.write_1h
        outputs = script.output if script.output is not None else 100 + self.number * 3 + script.reasoning
        outputs = min(outputs, *(self.body[name] for name in _LIMITS if self.body.get(name)), outputs)
        embeds = self.api in {"embeddings", "rerank"}
        return Tokens(
            input=0 if self.api == "rerank" else inputs if script.input is not None else inputs + least,
            output=0 if embeds else outputs,
            cache_read=script.cache_read,
            cache_write_5m=script.write_5m,
            cache_write_1h=script.write_1h,
            reasoning=min(script.reasoning, outputs),
            web_searches=script.searches,
        )

    @property
    def calls(self) -> list[tuple[str, JSON]]:
        """The tool calls of this answer."""
        return next_calls(self.script, self.turns)

    @property
    def pieces(self) -> list[str]:
        """The answer's text, cut into the chunks of a stream."""
        text, count = self.script.text, max(1, self.script.chunks)
        size = max(1, -(-len(text) // count))
        return [text[start : start + size] for start in range(0, len(text), size)]

    def bill(self, response_id: str, produced: float = 1.0) -> Line:
        """The invoice line of this answer, of which a share was produced before it broke off."""
        whole = self.tokens
        share = Tokens(
            input=whole.input,
            output=-(-int(whole.output * produced * 1000) // 1000),
            cache_read=whole.cache_read,
            cache_write_5m=whole.cache_write_5m,
            cache_write_1h=whole.cache_write_1h,
            reasoning=int(whole.reasoning * produced),
            web_searches=whole.web_searches,
        )
        billed = whole if produced >= 1.0 else share
        return Line(
            response_id=response_id,
            model=self.model,
            api=self.api,
            tier=self.tier,
            tokens=billed,
            amount=amount(self.asked, self.tier, billed),
            purpose=self.script.purpose,
            tenant=self.script.tenant,
            whole=produced >= 1.0,
        )
