"""A resolved price: what a step is charged at, frozen, and the arithmetic.

Rates are dollars in `Decimal` where they are read and integers of one common scale where they are used, so
that a cost is exact over all token buckets, is rounded once, half even, to nano-USD, and takes microseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from spendgraph.errors import PriceError
from spendgraph.pricing.usage import Buckets, Usage, buckets

Rates = Mapping[str, Decimal]
"""Dollars by the policy file's keys: `input_usd_per_mtok`, `web_search_usd_per_1k`, `usd_per_request`, ..."""

_NANO_PER_RATE = {"web_search_usd_per_1k": 10**6, "usd_per_request": 10**9}
_NANO_PER_MTOK_RATE = 10**3


class _Scaled(NamedTuple):
    """Rates of one band as integers: nano-USD of one unit, times the price's scale, in `Buckets` order."""

    text_input: int
    cached_text: int
    write_5m: int
    write_1h: int
    audio_input: int
    cached_audio: int
    image_input: int
    cached_image: int
    text_output: int
    reasoning: int
    audio_output: int
    image_output: int
    web_search: int
    request: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs at one time and service tier.

    Attributes:
        price_id: 32 hex digits of the content: equal prices have equal ids.
        provider: The provider whose price it is, in the source's words.
        model: The source's name of the model, or the policy's pattern.
        source: `policy`, or the price list and its version.
        effective_from: ISO date from which the source gives this price, or empty.
        rates: The dollars as canonical JSON, for the ledger's `prices` table.
        note: Empty, or why the price is not the exact one: no price is known for the response's tier.
    """

    price_id: str
    provider: str
    model: str
    source: str
    effective_from: str
    rates: str
    note: str = ""
    _base: _Scaled = field(default=_Scaled(*[0] * 14), repr=False, compare=False)
    _bands: tuple[tuple[int, _Scaled], ...] = field(default=(), repr=False, compare=False)
    _scale: int = field(default=1, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        rates: Rates,
        *,
        provider: str,
        model: str,
        source: str,
        effective_from: str = "",
        tier: str = "",
        note: str = "",
        bands: Sequence[tuple[int, Rates]] = (),
    ) -> Price:
        """A price from dollars.

        Args:
            rates: The dollars; a rate not given falls back to the more general one.
            provider: The provider, in the source's words.
            model: The model, in the source's words.
            source: Where the price comes from.
            effective_from: ISO date from which it holds, or empty.
            tier: The service tier it is for, or empty.
            note: Why it is not the exact price, or empty.
            bands: Full rates of longer requests, each above a number of input tokens.

        Raises:
            PriceError: A rate is not a finite amount of at least 0.
        """
        ordered = sorted(bands, key=lambda band: band[0], reverse=True)
        content = _canonical(rates, ordered, tier)
        identity = json.dumps([provider, model, source, effective_from, content, note])
        scale = _scale_of([rates, *(band for _, band in ordered)])
        return cls(
            price_id=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
            provider=provider,
            model=model,
            source=source,
            effective_from=effective_from,
            rates=content,
            note=note,
            _base=_scaled(rates, scale),
            _bands=tuple((above, _scaled(band, scale)) for above, band in ordered),
            _scale=scale,
        )

    @classmethod
    def kept(cls, row: Mapping[str, str]) -> Price:
        """The price that a row of the ledger's `prices` keeps: it charges what it charged.

        >>> price = Price.of({"input_usd_per_mtok": Decimal(3)}, provider="a", model="b", source="policy")
        >>> row = {name: getattr(price, name) for name in ("provider", "model", "source", "effective_from", "rates", "note")}
        >>> Price.kept(row) == price
        True
        """
        content = json.loads(row["rates"])
        tier = content.pop("service_tier", "")
        bands = [(int(band.pop("above_tokens")), _read(band)) for band in content.pop("long_context", [])]
        return cls.of(
            _read(content),
            provider=row["provider"],
            model=row["model"],
            source=row["source"],
            effective_from=row["effective_from"],
            tier=tier,
            note=row["note"],
            bands=bands,
        )

    @property
    def has_cache_price(self) -> bool:
        """Whether tokens from the prompt cache have a price of their own; else they cost what input does."""
        return any(name.startswith("cache_read") for name in json.loads(self.rates))

    @property
    def is_free(self) -> bool:
        """Nothing that is counted costs anything: a configured zero, which is not a missing price."""
        return not any(self._base) and not any(any(band) for _, band in self._bands)

    def cost(self, usage: Usage) -> int:
        """What the usage costs in nano-USD: exact over every bucket, rounded once, half even."""
        if not (usage.audio_input_tokens or usage.image_input_tokens or usage.web_searches):
            # the common call, without taking the usage apart
            read, write_5m = usage.cache_read_tokens, usage.cache_write_5m_tokens
            write_1h, reasoning = usage.cache_write_1h_tokens, usage.reasoning_tokens
            text = usage.input_tokens - read - write_5m - write_1h
            text_out = usage.output_tokens - reasoning
            media = usage.audio_output_tokens or usage.image_tokens or usage.cached_audio_tokens
            if text >= 0 and text_out >= 0 and not (media or usage.cached_image_tokens):
                rates = self._rates_above(usage.input_tokens) if self._bands else self._base
                exact = rates[0] * text + rates[8] * text_out + rates[13]
                if read or write_5m or write_1h:
                    exact += rates[1] * read + rates[2] * write_5m + rates[3] * write_1h
                if reasoning:
                    exact += rates[9] * reasoning
                return exact if self._scale == 1 else _rounded(exact, self._scale)
        split = buckets(usage)
        return _rounded(_exact(split, self._rates_of(split), usage.web_searches), self._scale)

    def of_input(self, tokens: int) -> int:
        """What so many tokens of plain input cost: `cost(Usage(input_tokens=tokens))`, without a usage."""
        rates = self._rates_above(tokens) if self._bands else self._base
        return _rounded(rates[0] * tokens + rates[13], self._scale)

    def ceiling(self, input_tokens: int, output_tokens: int | None) -> int | None:
        """The dearest cost in nano-USD of any call with at most so many tokens, rounded up.

        Whatever class its tokens are of, and whichever band the input lands in. Searches are not counted.

        Args:
            input_tokens: The most input tokens.
            output_tokens: The most output tokens; `None` where nothing limits them.

        Returns:
            `None` where unlimited output would cost something.
        """
        reachable = [self._base, *(rates for above, rates in self._bands if input_tokens > above)]
        dearest = 0
        for rates in reachable:
            output = max(rates[8:12])
            if output_tokens is None and output:
                return None
            exact = max(rates[:8]) * input_tokens + output * (output_tokens or 0) + rates[13]
            dearest = max(dearest, -(-exact // self._scale))
        return dearest

    def saved(self, usage: Usage) -> int:
        """What the provider's prompt cache saved in nano-USD; negative when writing it cost more."""
        read, write_5m = usage.cache_read_tokens, usage.cache_write_5m_tokens
        write_1h = usage.cache_write_1h_tokens
        if not (read or write_5m or write_1h):
            return 0
        media = usage.audio_input_tokens or usage.image_input_tokens or usage.cached_audio_tokens
        if not (media or usage.cached_image_tokens) and self._scale == 1:
            # the common call: the difference is that of the cached and written tokens alone
            rates = self._rates_above(usage.input_tokens) if self._bands else self._base
            plain = rates[0]
            return (plain - rates[1]) * read + (plain - rates[2]) * write_5m + (plain - rates[3]) * write_1h
        split = buckets(usage)
        rates = self._rates_of(split)
        uncached = Buckets(
            split.text_input + split.cached_text + split.write_5m + split.write_1h,
            0,
            0,
            0,
            split.audio_input + split.cached_audio,
            0,
            split.image_input + split.cached_image,
            0,
            *split[8:],
        )
        without = _rounded(_exact(uncached, rates, usage.web_searches), self._scale)
        return without - _rounded(_exact(split, rates, usage.web_searches), self._scale)

    def writing(self, write_5m: int, write_1h: int, *, above: int = 0) -> int:
        """What so many tokens cost in nano-USD beyond plain input for being written to the cache; negative where it is cheaper.

        Args:
            write_5m: Tokens written for five minutes, of one request or of many.
            write_1h: Tokens written for an hour.
            above: The threshold that those requests have passed; 0 for none.
        """
        rates = self._rates_above(above + 1)
        exact = (rates[2] - rates[0]) * write_5m + (rates[3] - rates[0]) * write_1h
        return _rounded(exact, self._scale)

    def _rates_of(self, split: Buckets) -> _Scaled:
        return self._rates_above(sum(split[:8])) if self._bands else self._base

    def _rates_above(self, input_tokens: int) -> _Scaled:
        for above, rates in self._bands:
            if input_tokens > above:
                return rates
        return self._base


def _exact(split: Buckets, rates: _Scaled, web_searches: int) -> int:
    text, cached, write_5m, write_1h, audio, cached_audio, image, cached_image, *outputs = split
    text_out, reasoning, audio_out, image_out = outputs
    exact = rates[0] * text + rates[8] * text_out + rates[13]
    if cached or write_5m or write_1h:
        exact += rates[1] * cached + rates[2] * write_5m + rates[3] * write_1h
    if audio or cached_audio or image or cached_image:
        exact += rates[4] * audio + rates[5] * cached_audio + rates[6] * image + rates[7] * cached_image
    if reasoning or audio_out or image_out:
        exact += rates[9] * reasoning + rates[10] * audio_out + rates[11] * image_out
    if web_searches:
        exact += rates[12] * web_searches
    return exact


def _rounded(exact: int, scale: int) -> int:
    if scale == 1:
        return exact
    whole, rest = divmod(exact, scale)
    if rest * 2 > scale or (rest * 2 == scale and whole & 1):
        return whole + 1
    return whole


def _scaled(rates: Rates, scale: int) -> _Scaled:
    def per_token(*names: str) -> int:
        for name in names:
            rate = rates.get(f"{name}_usd_per_mtok")
            if rate is not None:
                return int(rate * _NANO_PER_MTOK_RATE * scale)
        return 0

    def per_unit(name: str) -> int:
        return int(rates.get(name, Decimal(0)) * _NANO_PER_RATE[name] * scale)

    return _Scaled(
        text_input=per_token("input"),
        cached_text=per_token("cache_read", "input"),
        write_5m=per_token("cache_write_5m", "input"),
        write_1h=per_token("cache_write_1h", "cache_write_5m", "input"),
        audio_input=per_token("audio_input", "input"),
        cached_audio=per_token("cache_read_audio", "cache_read", "audio_input", "input"),
        image_input=per_token("image_input", "input"),
        cached_image=per_token("cache_read_image", "cache_read", "image_input", "input"),
        text_output=per_token("output", "input"),
        reasoning=per_token("reasoning", "output", "input"),
        audio_output=per_token("audio_output", "output", "input"),
        image_output=per_token("image_output", "output", "input"),
        web_search=per_unit("web_search_usd_per_1k"),
        request=per_unit("usd_per_request"),
    )


def _scale_of(bands: Sequence[Rates]) -> int:
    """The smallest power of ten that makes every rate, in nano-USD of one unit, a whole number."""
    places = 0
    for rates in bands:
        for name, rate in rates.items():
            if not rate.is_finite() or rate < 0:
                raise PriceError(f"{name}: expected a finite amount of at least 0, found {rate}")
            exponent = (rate * _NANO_PER_RATE.get(name, _NANO_PER_MTOK_RATE)).normalize().as_tuple().exponent
            if isinstance(exponent, int):
                places = max(places, -exponent)
    return int(10**places)


def _canonical(rates: Rates, bands: Sequence[tuple[int, Rates]], tier: str) -> str:
    content: dict[str, object] = {name: _plain(rate) for name, rate in rates.items()}
    if tier:
        content["service_tier"] = tier
    if bands:
        content["long_context"] = [
            {"above_tokens": above, **{name: _plain(rate) for name, rate in band.items()}}
            for above, band in reversed(bands)
        ]
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _read(rates: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(rate) for name, rate in rates.items()}


def _plain(rate: Decimal) -> str:
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
