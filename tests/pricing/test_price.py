"""What a usage costs, to the nano-dollar."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph.clock import to_us
from spendgraph.errors import PriceError
from spendgraph.policy import ModelPrice, PricesPolicy
from spendgraph.pricing import Price, PriceBook, Usage, is_edition

NOW = to_us(datetime(2026, 3, 15, tzinfo=UTC))


def _price(book: PriceBook, provider: str, model: str, tier: str = "") -> Price:
    price = book.price(provider, model, NOW, tier)
    assert price is not None
    return price


def _only(**rates: Decimal | int | str) -> Price:
    return Price.of(
        {name: Decimal(rate) for name, rate in rates.items()}, provider="p", model="m", source="policy"
    )


@pytest.mark.parametrize(
    ("provider", "model", "usage", "nano"),
    [
        pytest.param(
            "openai",
            "gpt-4o",
            Usage(input_tokens=17_903, cache_read_tokens=17_817),
            22_486_250,
            id="almost all cached: $0.02248625",
        ),
        pytest.param(
            "openai",
            "gpt-4o",
            Usage(input_tokens=2_006, cache_read_tokens=1_920, output_tokens=300),
            5_615_000,
            id="cached prompt with an answer: $0.005615",
        ),
        pytest.param(
            "anthropic",
            "claude-sonnet-4-5",
            Usage(
                input_tokens=10_000, cache_read_tokens=8_000, cache_write_5m_tokens=1_000, output_tokens=500
            ),
            16_650_000,
            id="read and written: $0.01665",
        ),
        pytest.param(
            "anthropic",
            "claude-sonnet-4-5",
            Usage(input_tokens=60_000, cache_write_1h_tokens=50_000, output_tokens=2_000),
            360_000_000,
            id="one-hour writes: $0.360",
        ),
        pytest.param(
            "openai",
            "text-embedding-3-small",
            Usage(input_tokens=1_000_000),
            20_000_000,
            id="a million embedded tokens: $0.02",
        ),
        pytest.param(
            "anthropic",
            "claude-sonnet-4-5",
            Usage(input_tokens=1_000, output_tokens=100, web_searches=3),
            34_500_000,
            id="three web searches: $0.0345",
        ),
        pytest.param(
            "google_genai",
            "gemini-2.5-pro",
            Usage(input_tokens=200_000, output_tokens=1_000),
            260_000_000,
            id="at the threshold: standard",
        ),
        pytest.param(
            "google_genai",
            "gemini-2.5-pro",
            Usage(input_tokens=200_001, cache_read_tokens=200_000, output_tokens=1_000),
            65_002_500,
            id="above it, cached tokens included: the whole request",
        ),
        pytest.param("openai", "gpt-4o", Usage(), 0, id="explicit zero"),
    ],
)
def test_a_usage_costs_what_the_invoice_says(
    book: PriceBook, provider: str, model: str, usage: Usage, nano: int
) -> None:
    """Fixed prices, amounts computed by hand."""
    assert _price(book, provider, model).cost(usage) == nano


def test_the_flex_tier_has_its_own_price(book: PriceBook) -> None:
    """2,000 in of which 1,000 cached, 100 out: 0.00125 + 0.000625 + 0.0005."""
    usage = Usage(input_tokens=2_000, cache_read_tokens=1_000, output_tokens=100)
    price = _price(book, "openai", "gpt-4o", "flex")
    assert price.cost(usage) == 2_375_000
    assert price.note == ""


def test_a_tier_without_a_price_is_marked_not_silently_standard(book: PriceBook) -> None:
    """The standard price stands in, and the price says that it does."""
    price = _price(book, "openai", "gpt-4o", "priority")
    assert price.cost(Usage(input_tokens=1_000)) == 2_500_000
    assert price.note == "no price for service tier 'priority': charged at the standard price"
    assert price.price_id != _price(book, "openai", "gpt-4o").price_id


def test_a_million_tiny_steps_add_up_exactly() -> None:
    """1,000,000 steps of $0.0000002 are $0.20."""
    price = _only(input_usd_per_mtok="0.2", output_usd_per_mtok=0)
    step = price.cost(Usage(input_tokens=1))
    assert step == 200
    assert sum(step for _ in range(1_000_000)) == 200_000_000


@pytest.mark.parametrize(
    ("rate", "tokens", "nano"),
    [("0.0005", 1, 0), ("0.0005", 3, 2), ("0.0015", 1, 2), ("0.00051", 1, 1), ("0.0025", 1, 2)],
)
def test_a_cost_is_rounded_once_and_half_even(rate: str, tokens: int, nano: int) -> None:
    """Half a nano-dollar goes to the even neighbour, after all buckets are summed."""
    assert _only(input_usd_per_mtok=rate).cost(Usage(input_tokens=tokens)) == nano


def test_the_cache_saved_the_difference_to_the_full_price(book: PriceBook) -> None:
    """8,000 read and 1,000 written of 10,000: $0.0216 saved, $0.00075 paid for writing."""
    usage = Usage(
        input_tokens=10_000, cache_read_tokens=8_000, cache_write_5m_tokens=1_000, output_tokens=500
    )
    assert _price(book, "anthropic", "claude-sonnet-4-5").saved(usage) == 20_850_000


def test_a_cache_that_is_only_written_costs_more_than_none(book: PriceBook) -> None:
    """Savings may be negative: 50,000 one-hour writes cost $0.15 more than plain input."""
    usage = Usage(input_tokens=50_000, cache_write_1h_tokens=50_000)
    assert _price(book, "anthropic", "claude-sonnet-4-5").saved(usage) == -150_000_000


def test_audio_image_and_reasoning_have_their_own_rates() -> None:
    """Each bucket at its rate: 100 text, 50 audio in; 10 text, 20 reasoning, 30 audio, 40 image out."""
    price = _only(
        input_usd_per_mtok=1,
        audio_input_usd_per_mtok=10,
        output_usd_per_mtok=2,
        reasoning_usd_per_mtok=3,
        audio_output_usd_per_mtok=20,
        image_output_usd_per_mtok=30,
    )
    usage = Usage(
        input_tokens=150,
        audio_input_tokens=50,
        output_tokens=100,
        reasoning_tokens=20,
        audio_output_tokens=30,
        image_tokens=40,
    )
    assert price.cost(usage) == 100_000 + 500_000 + 20_000 + 60_000 + 600_000 + 1_200_000


def test_a_rate_not_given_falls_back_to_the_more_general_one() -> None:
    """One-hour writes without a price of their own cost what five-minute ones do."""
    price = _only(input_usd_per_mtok=3, cache_write_5m_usd_per_mtok="3.75", output_usd_per_mtok=15)
    assert price.cost(Usage(input_tokens=1_000, cache_write_1h_tokens=1_000)) == 3_750_000
    assert price.cost(Usage(input_tokens=1_000, cache_read_tokens=1_000)) == 3_000_000


def test_a_fee_for_each_request_is_charged_without_tokens() -> None:
    """$0.005 a request, whatever it used."""
    price = _only(input_usd_per_mtok=0, output_usd_per_mtok=0, usd_per_request="0.005")
    assert price.cost(Usage()) == 5_000_000
    assert not price.is_free


def test_a_configured_zero_is_free_and_a_price() -> None:
    """Zero is not missing."""
    entry = ModelPrice(model="acme-1", input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))
    price = PriceBook(PricesPolicy(models=(entry,))).price("openai", "acme-1", NOW)
    assert price is not None
    assert price.is_free
    assert price.cost(Usage(input_tokens=5_000, output_tokens=5_000)) == 0


def test_contradicting_counts_are_charged_at_the_dearest_reading(book: PriceBook) -> None:
    """150 cached of 100 input tokens: all 250 are charged."""
    usage = Usage(input_tokens=100, cache_read_tokens=150)
    assert _price(book, "openai", "gpt-4o").cost(usage) == 100 * 2_500 + 150 * 1_250


def test_equal_prices_have_equal_ids_and_the_rates_are_readable() -> None:
    """The id is of the content; the rates are canonical JSON in dollars."""
    one, two = _only(input_usd_per_mtok="2.50"), _only(input_usd_per_mtok="2.5")
    assert one.price_id == two.price_id
    assert len(one.price_id) == 32
    assert one.rates == '{"input_usd_per_mtok":"2.5"}'


@pytest.mark.parametrize("rate", ["-1", "NaN", "Infinity"])
def test_a_rate_that_is_no_amount_is_refused(rate: str) -> None:
    """A price is a finite amount of at least zero."""
    with pytest.raises(PriceError, match="input_usd_per_mtok: expected a finite amount"):
        _only(input_usd_per_mtok=rate)


_COUNT = st.integers(0, 300_000)


@given(_COUNT, _COUNT, _COUNT, _COUNT, st.integers(1, 1_000))
def test_more_tokens_never_cost_less(
    book: PriceBook, tokens: int, read: int, written: int, output: int, more: int
) -> None:
    """The cost grows with the input and with the output, over a long-context threshold too."""
    price = _price(book, "google_genai", "gemini-2.5-pro")
    input_tokens = tokens + read + written
    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
    )
    longer = Usage(
        input_tokens=input_tokens + more,
        output_tokens=output + more,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
    )
    assert price.cost(longer) > price.cost(usage)


@given(st.lists(st.tuples(_COUNT, _COUNT), max_size=20))
def test_costs_add_up_where_every_rate_is_whole(book: PriceBook, calls: list[tuple[int, int]]) -> None:
    """With whole nano-dollars a token, the sum of steps is the price of the sum."""
    price = _price(book, "openai", "gpt-4o")
    steps = sum(price.cost(Usage(input_tokens=i, output_tokens=o)) for i, o in calls)
    whole = Usage(input_tokens=sum(i for i, _ in calls), output_tokens=sum(o for _, o in calls))
    assert steps == price.cost(whole)


_RATES = st.fixed_dictionaries(
    {"input_usd_per_mtok": st.decimals(0, 20, places=3), "output_usd_per_mtok": st.decimals(0, 90, places=4)},
    optional={
        "cache_read_usd_per_mtok": st.decimals(0, 20, places=5),
        "cache_write_5m_usd_per_mtok": st.decimals(0, 30, places=2),
        "cache_write_1h_usd_per_mtok": st.decimals(0, 30, places=2),
        "usd_per_request": st.decimals(0, 1, places=5),
    },
)


@given(
    _RATES,
    st.lists(st.tuples(st.integers(1, 400_000), _RATES), max_size=2, unique_by=lambda band: band[0]),
    st.sampled_from(["", "batch"]),
    st.integers(0, 500_000),
    st.integers(0, 10_000),
)
def test_a_price_that_the_ledger_keeps_charges_what_it_charged(
    rates: dict[str, Decimal],
    bands: list[tuple[int, dict[str, Decimal]]],
    tier: str,
    tokens: int,
    written: int,
) -> None:
    """From the row alone: the same id, and the same cost in every band."""
    price = Price.of(rates, provider="p", model="m", source="policy", tier=tier, note="why", bands=bands)
    names = ("provider", "model", "source", "effective_from", "rates", "note")
    kept = Price.kept({name: getattr(price, name) for name in names})
    usage = Usage(input_tokens=tokens + written, output_tokens=tokens, cache_write_5m_tokens=written)
    assert kept == price
    assert kept.cost(usage) == price.cost(usage)


def test_writing_to_the_cache_costs_what_is_more_than_plain_input(book: PriceBook) -> None:
    """$0.75 a million for five minutes, $3 for an hour; where a model has no price for it, nothing."""
    claude = _price(book, "anthropic", "claude-sonnet-4-5")
    assert claude.writing(1_000_000, 0) == 750_000_000
    assert claude.writing(0, 1_000_000) == 3_000_000_000
    assert _price(book, "openai", "gpt-4o").writing(1_000_000, 1_000_000) == 0


def test_writing_in_a_long_request_costs_by_its_own_rates() -> None:
    """Above 200,000 tokens of input both rates double, and so does the difference."""
    price = Price.of(
        {"input_usd_per_mtok": Decimal(3), "cache_write_5m_usd_per_mtok": Decimal("3.75")},
        provider="p",
        model="m",
        source="policy",
        bands=[(200_000, {"input_usd_per_mtok": Decimal(6), "cache_write_5m_usd_per_mtok": Decimal("7.5")})],
    )
    assert price.writing(1_000_000, 0) == 750_000_000
    assert price.writing(1_000_000, 0, above=200_000) == 1_500_000_000


def test_a_price_says_whether_it_has_one_for_the_cache(book: PriceBook) -> None:
    """An embedding's has none: what it reads from a cache costs what input does."""
    assert _price(book, "openai", "gpt-4o").has_cache_price
    assert not _price(book, "openai", "text-embedding-3-small").has_cache_price


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("gpt-5", True),
        ("gpt-5-2025-08-07", True),
        ("GPT-5-latest", True),
        ("gpt-5-mini", False),
        ("gpt-5-pro-2025-10-06", False),
        ("gpt-50", False),
        ("my-gpt-5", False),
    ],
)
def test_an_edition_of_a_model_has_a_date_or_version_behind_its_name(name: str, is_one: bool) -> None:
    """Another word is another model."""
    assert is_edition(name, "gpt-5") is is_one


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4o"), ("openai", "gpt-5-nano"), ("google_genai", "gemini-2.5-pro")],
)
@given(tokens=_COUNT)
def test_plain_input_costs_what_a_usage_of_it_costs(
    book: PriceBook, provider: str, model: str, tokens: int
) -> None:
    """Over a long-context threshold, and where a token costs a fraction of a nano-dollar."""
    price = _price(book, provider, model)
    assert price.of_input(tokens) == price.cost(Usage(input_tokens=tokens))
