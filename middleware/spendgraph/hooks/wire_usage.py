"""What the wire said of an answer of Anthropic's, in the place of what LangChain's message lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spendgraph.hooks import wire
from spendgraph.hooks.memory import number_of
from spendgraph.pricing import Reported, estimate_tokens, read_provider

if TYPE_CHECKING:
    from uuid import UUID


def with_wire(run_id: UUID, reported: Reported) -> Reported:
    """What the wire said, where LangChain's message lost it.

    Of a stream that was cut before its final counts, the wire knows the exact input; the output is estimated
    from the text.
    """
    raw = wire.collect(number_of(run_id))
    if raw is None:
        return reported
    read = read_provider(raw, provider="anthropic")
    usage = read.usage
    if usage is None:
        return reported
    if raw.get("stop_reason") is None:
        seen = max(usage.output_tokens, estimate_tokens(reported.output_text))
        return replace(read, usage=replace(usage, output_tokens=seen), estimated=True)
    return read
