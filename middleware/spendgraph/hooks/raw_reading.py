"""Reading an answer that has been paid for: what cannot be read never costs the caller his answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spendgraph.pricing import Reported, read_provider


def read_answer(answer: Callable[[], object], provider: str) -> tuple[Reported, str]:
    """What an answer says, and why it could not be read, or an empty string.

    Args:
        answer: Fetches the answer; it may be what fails, as with a body that is no JSON.
        provider: The provider in LangChain's words.
    """
    try:
        response = answer()
        reported = read_provider(response, provider=provider)
        # google-genai answers function calls itself when functions are passed as tools, in several requests,
        # and reports the usage of the last one alone.
        history = getattr(response, "automatic_function_calling_history", None)
    except Exception as error:  # noqa: BLE001 - the answer is the caller's; the row says that it was not read
        return Reported(provider=provider), unreadable(error)
    if reported.usage is not None and history:
        note = "automatic function calling: the usage of its earlier requests is not reported"
        reported = replace(reported, usage=replace(reported.usage, note=reported.usage.note or note))
    return reported, ""


def unreadable(error: BaseException) -> str:
    """The note of a row whose answer could not be read."""
    return f"the answer could not be read ({type(error).__name__}): its usage is estimated"
