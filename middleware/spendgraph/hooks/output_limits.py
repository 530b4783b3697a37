"""What each provider's LangChain integration calls the most tokens an answer may hold, as a keyword of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OUTPUT_LIMITS: Final[Mapping[str, tuple[str, ...]]] = {
    # Both: with the Responses API, `max_tokens` alone loses against a `max_tokens` of the model's own.
    "openai": ("max_tokens", "max_completion_tokens"),
    # The other name would be sent beside a `max_tokens` of the model's own, which Azure rejects.
    "azure": ("max_completion_tokens",),
    "anthropic": ("max_tokens",),
    "google_genai": ("max_output_tokens",),
}
"""By `ls_provider`. Names that were tried on the wire; of others nothing is guessed."""


def limit_names(provider: str, more: Mapping[str, str | tuple[str, ...]]) -> tuple[str, ...]:
    """The keywords that bound a provider's answer, all of which are set; none where nobody has said.

    Args:
        provider: The provider, in LangChain's `ls_provider` words.
        more: What the user has said, which comes first.
    """
    said = more.get(provider)
    if said is not None:
        return (said,) if isinstance(said, str) else said
    return OUTPUT_LIMITS.get(provider, ())
