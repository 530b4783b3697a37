"""Tags sent along to the provider, so that its own usage export can be joined with the ledger.

Opt-in: nothing is sent unless somebody passes what `provider_metadata` returns to a model or a raw call.
The user is always sent as its pseudonym.
"""

from __future__ import annotations

from typing import Any

from spendgraph.context import CostContext, pseudonym

MAX_PAIRS = 16
"""OpenAI accepts 16 metadata pairs."""

MAX_KEY = 64
MAX_VALUE = 512
"""OpenAI's limits; a cost context's values are shorter than the second."""


def provider_metadata(context: CostContext, provider: str, key: bytes) -> dict[str, Any]:
    """Keyword arguments that carry a context's tags in a provider's own request metadata.

    Pass them to `model.bind(**...)` or to a raw call. OpenAI and Azure get `metadata` (the flat `spend_` tags;
    OpenAI keeps them with stored completions and responses) and `safety_identifier`; Anthropic accepts one
    opaque `metadata.user_id` and nothing else, so it gets the user's pseudonym or, without a user, the
    context's id. Other providers take no request metadata: an empty mapping.

    Args:
        context: The tags.
        provider: The provider in LangChain's words (`openai`, `azure`, `anthropic`).
        key: The key of the pseudonyms, `ledger.secret`.
    """
    user = pseudonym(context.user, key) if context.user else ""
    if provider in {"openai", "azure"}:
        tags = context.replace(user=user).metadata() if user else context.metadata()
        # A task's id comes first, then the standard tags: extra tags are what falls off at OpenAI's limit.
        ordered = sorted(tags, key=lambda name: (name != "spend_task_id", name.startswith("spend_x_")))
        fields = {name[:MAX_KEY]: tags[name][:MAX_VALUE] for name in ordered[:MAX_PAIRS]}
        arguments: dict[str, Any] = {"metadata": fields} if fields else {}
        return arguments | ({"safety_identifier": user} if user else {})
    if provider == "anthropic":
        opaque = user or ("" if context.is_empty else context.context_id)
        return {"metadata": {"user_id": opaque}} if opaque else {}
    return {}
