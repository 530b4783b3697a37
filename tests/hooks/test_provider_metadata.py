"""Tags that travel with a request to the provider."""

from __future__ import annotations

import pytest

from spendgraph.context import CostContext, pseudonym
from spendgraph.hooks.provider_metadata import provider_metadata

KEY = b"k" * 32
CONTEXT = CostContext(feature="triage", tenant="acme", user="ada@example.com", task_id="t-1")


@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_openai_gets_tags_and_a_pseudonymous_user(provider: str) -> None:
    """The user's name never leaves."""
    user = pseudonym("ada@example.com", KEY)
    assert provider_metadata(CONTEXT, provider, KEY) == {
        "metadata": {
            "spend_task_id": "t-1",
            "spend_feature": "triage",
            "spend_tenant": "acme",
            "spend_user": user,
        },
        "safety_identifier": user,
    }


def test_openais_sixteen_pairs_drop_extra_tags_first() -> None:
    """The task's id and the standard tags are what joins the provider's export."""
    context = CONTEXT.replace(extra={f"k{i:02}": "v" for i in range(16)})
    metadata = provider_metadata(context, "openai", KEY)["metadata"]
    assert len(metadata) == 16
    assert list(metadata)[:4] == ["spend_task_id", "spend_feature", "spend_tenant", "spend_user"]
    assert "spend_x_k11" in metadata
    assert "spend_x_k12" not in metadata


def test_anthropic_gets_one_opaque_id() -> None:
    """The user's pseudonym, or the id of the context."""
    user = pseudonym("ada@example.com", KEY)
    assert provider_metadata(CONTEXT, "anthropic", KEY) == {"metadata": {"user_id": user}}
    nobody = CostContext(feature="triage")
    assert provider_metadata(nobody, "anthropic", KEY) == {"metadata": {"user_id": nobody.context_id}}


@pytest.mark.parametrize(
    ("context", "provider"),
    [(CONTEXT, "google_genai"), (CostContext(), "openai"), (CostContext(), "anthropic")],
)
def test_nothing_is_sent_where_there_is_nothing_to_send(context: CostContext, provider: str) -> None:
    """No tags, or a provider that takes none."""
    assert provider_metadata(context, provider, KEY) == {}
