"""Which price a call is charged at."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from spendgraph.clock import to_us
from spendgraph.policy import LongContext, ModelPrice, PricesPolicy, Rates
from spendgraph.pricing import Price, PriceBook, Usage

NOW = to_us(datetime(2026, 11, 22, 12, tzinfo=UTC))
MILLION = Usage(input_tokens=1_000_000)


def _entry(model: str, usd: str, **more: object) -> ModelPrice:
    settings: dict[str, object] = {"input_usd_per_mtok": Decimal(usd), "output_usd_per_mtok": Decimal(usd)}
    return ModelPrice.model_validate({"model": model, **settings, **more})


def _book(*entries: ModelPrice) -> PriceBook:
    return PriceBook(PricesPolicy(models=entries))


def _found(price: Price | None) -> Price:
    assert price is not None
    return price


def test_a_price_change_leaves_the_day_before_at_the_old_price() -> None:
    """From 1 March 2026 UTC the new price; a microsecond before it, for ever, the old one."""
    march = to_us(datetime(2026, 3, 1, tzinfo=UTC))
    book = _book(_entry("acme", "1", to=date(2026, 3, 1)), _entry("acme", "2", **{"from": date(2026, 3, 1)}))
    for _ in range(2):  # the second time from what is kept
        assert _found(book.price("x", "acme", march - 1)).cost(MILLION) == 1_000_000_000
        assert _found(book.price("x", "acme", march)).cost(MILLION) == 2_000_000_000
    assert _found(book.price("x", "acme", march)).effective_from == "2026-03-01"


def test_before_a_price_begins_there_is_none() -> None:
    """An entry says nothing of the time before it."""
    book = _book(_entry("acme", "1", **{"from": date(2026, 3, 1)}))
    assert book.price("ollama", "acme", to_us(datetime(2026, 2, 28, tzinfo=UTC))) is None


def test_the_first_matching_entry_counts() -> None:
    """As in the file, top down."""
    book = _book(_entry("acme-large", "5"), _entry("acme-*", "1"))
    assert _found(book.price("x", "acme-large", NOW)).cost(MILLION) == 5_000_000_000
    assert _found(book.price("x", "acme-small", NOW)).cost(MILLION) == 1_000_000_000


@pytest.mark.parametrize("provider", ["google_genai", "google"])
def test_a_policy_may_use_langchains_word_or_the_price_lists(provider: str) -> None:
    """`google` and `google_genai` are the same provider."""
    book = _book(_entry("gemini-x", "1", provider=provider))
    assert _found(book.price("google_genai", "gemini-x", NOW)).source == "policy"


def test_brackets_in_a_model_name_mean_themselves() -> None:
    """Only `*` and `?` are wildcards."""
    book = _book(_entry("acme[v1].?", "1"))
    assert book.price("ollama", "ACME[v1].2", NOW) is not None
    assert book.price("ollama", "acmevx2", NOW) is None


def test_the_policy_goes_before_the_price_list() -> None:
    """A negotiated rate."""
    price = _found(_book(_entry("gpt-4o*", "1")).price("openai", "gpt-4o", NOW))
    assert (price.source, price.model) == ("policy", "gpt-4o*")


def test_a_long_request_at_a_tier_pays_the_higher_rate() -> None:
    """Long context $3 against flex $0.50: never undercharged; an input of a million is long."""
    entry = _entry(
        "acme",
        "1",
        tiers={"flex": Rates(input_usd_per_mtok=Decimal("0.5"))},
        long_context=LongContext(above_tokens=200_000, input_usd_per_mtok=Decimal(3)),
    )
    price = _found(_book(entry).price("x", "acme", NOW, "flex"))
    assert price.cost(Usage(input_tokens=200_000)) == 100_000_000
    assert price.cost(MILLION) == 3_000_000_000


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "acme-1"),
        ("openai", "my-llama-70b"),
        ("openai", "gpt-4o-acme"),
        ("deepseek", "deepseek-chat-mini"),
        ("anthropic", "claude-sonnet-4-50"),
        ("azure", "my-o4-mini-deployment"),
        ("ollama", "llama3.3"),
        ("huggingface", "gpt-4o"),
        ("openai-codex", "gpt-5"),
        ("", "gpt-4o"),
        ("openai", ""),
        ("openai", "whisper-1"),
        ("somebody", "gpt-4o"),
    ],
)
def test_a_model_nobody_priced_has_no_price(provider: str, model: str) -> None:
    """Unknown, self-hosted and differently metered models are unpriced, never matched to a neighbour."""
    assert PriceBook().price(provider, model, NOW) is None


@pytest.mark.parametrize(
    ("provider", "model", "listed"),
    [
        ("openai", "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", ("openai", "ft:gpt-4o-mini")),
        ("azure", "gpt-4o-2024-08-06", ("azure", "gpt-4o")),
        ("anthropic", "claude-sonnet-4-5-20250929", ("anthropic", "claude-sonnet-4-5")),
        ("google_genai", "models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("google_vertexai", "gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("google_anthropic_vertex", "claude-sonnet-4-5@20250929", ("google", "claude-sonnet-4-5")),
        (
            "bedrock_converse",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("aws", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ),
        (
            "amazon_bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ),
        ("mistralai", "mistral-large-latest", ("mistral", "mistral-large")),
        ("groq", "llama-3.3-70b-versatile", ("groq", "llama-3.3-70b-versatile")),
        ("xai", "grok-4", ("x-ai", "grok-4-0709")),
        ("openai", "gpt-5.2-20251211", ("openai", "gpt-5.2")),
    ],
)
def test_langchains_words_find_the_price_list(provider: str, model: str, listed: tuple[str, str]) -> None:
    """Aliases, dated ids, inference profiles and Vertex's `@` are the model they name."""
    price = _found(PriceBook().price(provider, model, NOW))
    assert (price.provider, price.model) == listed
    assert price.source.startswith("genai-prices ")


def test_the_price_lists_tiers_are_used() -> None:
    """gpt-5 at flex costs half: $0.625 a million in."""
    price = _found(PriceBook().price("openai", "gpt-5", NOW, "flex"))
    assert (price.cost(MILLION), price.note) == (625_000_000, "")


def test_a_tier_the_price_list_does_not_know_is_marked() -> None:
    """gpt-4o has no flex price: the standard one stands in, marked."""
    price = _found(PriceBook().price("openai", "gpt-4o", NOW, "flex"))
    assert price.cost(MILLION) == 2_500_000_000
    assert price.note == "no price for service tier 'flex': charged at the standard price"


def test_the_price_lists_start_dates_are_kept() -> None:
    """gpt-5.6 became cheaper on 21 August 2026."""
    book, usage = PriceBook(), Usage(input_tokens=100_000)
    august = to_us(datetime(2026, 8, 21, tzinfo=UTC))
    assert _found(book.price("openai", "gpt-5.6", august - 1)).cost(usage) == 500_000_000
    assert _found(book.price("openai", "gpt-5.6", august)).cost(usage) == 400_000_000
    assert _found(book.price("openai", "gpt-5.6", august)).effective_from == "2026-08-21"


def test_prices_by_the_time_of_day_are_kept() -> None:
    """deepseek-chat is cheaper from 16:30 to 00:30 UTC."""
    book = PriceBook()
    for hour, nano in ((0, 135_000_000), (1, 270_000_000), (16, 270_000_000), (17, 135_000_000)):
        at_us = to_us(datetime(2026, 11, 22, hour, tzinfo=UTC))
        assert _found(book.price("deepseek", "deepseek-chat", at_us)).cost(MILLION) == nano


def test_a_long_context_reprices_the_whole_request() -> None:
    """gpt-5.6 above 272,000 tokens costs double, to the first token."""
    price = _found(PriceBook().price("openai", "gpt-5.6", NOW))
    assert price.cost(Usage(input_tokens=272_000)) == 1_088_000_000
    assert price.cost(Usage(input_tokens=272_001)) == 2_176_008_000


def test_a_kept_price_is_the_same_object() -> None:
    """Asking again resolves nothing."""
    book = PriceBook()
    assert book.price("openai", "gpt-4o", NOW) is book.price("openai", "gpt-4o", NOW + 1)


def test_names_from_outside_do_not_grow_the_book_without_bound() -> None:
    """Five thousand invented models leave at most 4,096 entries."""
    book = PriceBook()
    for number in range(5_000):
        book.price("ollama", f"model-{number}", NOW)
    assert len(book._kept) <= 4_096  # pyright: ignore[reportPrivateUsage]


def test_what_the_policy_prices_does_not_import_the_price_list() -> None:
    """The list costs half a second of CPU: it is imported for the first call that needs it."""
    code = (
        "import sys\n"
        "from spendgraph.policy import ModelPrice, PricesPolicy\n"
        "from spendgraph.pricing import PriceBook\n"
        "entry = ModelPrice(model='m', input_usd_per_mtok='1', output_usd_per_mtok='1')\n"
        "book = PriceBook(PricesPolicy(models=(entry,)))\n"
        "assert book.price('openai', 'm', 0) and not book.price('ollama', 'x', 0)\n"
        "assert 'genai_prices' not in sys.modules and 'langchain_core' not in sys.modules\n"
        "book.preload()\n"
        "assert 'genai_prices' in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
