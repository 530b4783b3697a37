"""Token buckets: every token once, nothing clipped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spendgraph.pricing import Buckets, Usage, buckets, settled

_COUNT = st.integers(0, 2_000)
_ANY_USAGE = st.builds(
    Usage,
    input_tokens=_COUNT,
    output_tokens=_COUNT,
    cache_read_tokens=_COUNT,
    cache_write_5m_tokens=_COUNT,
    cache_write_1h_tokens=_COUNT,
    reasoning_tokens=_COUNT,
    audio_input_tokens=_COUNT,
    audio_output_tokens=_COUNT,
    image_tokens=_COUNT,
    cached_audio_tokens=_COUNT,
    image_input_tokens=_COUNT,
    cached_image_tokens=_COUNT,
)


@given(_ANY_USAGE)
def test_the_buckets_of_any_usage_add_up_to_its_input_and_output(usage: Usage) -> None:
    """Whatever a provider says, the priced buckets add up to the recorded totals, and none is negative."""
    split, recorded = buckets(usage), settled(usage)
    assert min(split) >= 0
    assert sum(split[:8]) == recorded.input_tokens
    assert sum(split[8:]) == recorded.output_tokens


@given(_ANY_USAGE)
def test_settling_never_lowers_a_count_and_marks_every_raised_one(usage: Usage) -> None:
    """Contradicting counts are raised to the dearest reading and marked; consistent ones stay."""
    recorded = settled(usage)
    assert recorded.input_tokens >= usage.input_tokens
    assert recorded.output_tokens >= usage.output_tokens
    raised = (recorded.input_tokens, recorded.output_tokens) != (usage.input_tokens, usage.output_tokens)
    assert bool(recorded.note) or not raised


@given(_ANY_USAGE)
def test_settling_twice_is_settling_once(usage: Usage) -> None:
    """A settled usage is consistent."""
    assert settled(settled(usage)) == settled(usage)


def test_cached_and_written_tokens_are_taken_out_of_the_input() -> None:
    """10,000 input tokens with 8,000 read and 1,000 written leave 1,000 at the full price."""
    usage = Usage(
        input_tokens=10_000, output_tokens=500, cache_read_tokens=8_000, cache_write_5m_tokens=1_000
    )
    assert buckets(usage) == Buckets(1_000, 8_000, 1_000, 0, 0, 0, 0, 0, 500, 0, 0, 0)


def test_audio_that_must_be_cached_is_counted_once() -> None:
    """900 audio and 800 cached tokens in 1,000 overlap by 700, without any contradiction."""
    usage = settled(Usage(input_tokens=1_000, audio_input_tokens=900, cache_read_tokens=800))
    assert usage.cached_audio_tokens == 700
    assert usage.note == ""
    assert buckets(usage) == Buckets(0, 100, 0, 0, 200, 700, 0, 0, 0, 0, 0, 0)


def test_more_cached_tokens_than_input_are_quarantined_not_clipped() -> None:
    """150 cached tokens of 100 are read as standing beside them, and the usage says so."""
    usage = settled(Usage(input_tokens=100, cache_read_tokens=150))
    assert usage.input_tokens == 250
    assert usage.note == "150 cached, written and media tokens exceed 100 input tokens"
    assert buckets(usage).text_input == 100


def test_explicit_zero_is_a_usage_of_zero() -> None:
    """Zero stays zero: it is not absent."""
    assert buckets(Usage()) == Buckets(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
