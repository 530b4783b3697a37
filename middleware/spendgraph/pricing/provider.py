"""Reading a provider's own response, whatever SDK or decoded JSON it comes from."""

from __future__ import annotations

from spendgraph.pricing.anthropic import read_anthropic
from spendgraph.pricing.bedrock import read_bedrock
from spendgraph.pricing.counts import field
from spendgraph.pricing.gemini import read_gemini
from spendgraph.pricing.langchain import read_message
from spendgraph.pricing.openai import openai_text, read_openai
from spendgraph.pricing.usage import Reported


def read_provider(response: object, *, provider: str = "") -> Reported:
    """What a raw response says of its usage, model, id and tier.

    The shape decides, not the provider's name: many servers speak another's format. Understood are OpenAI
    (Chat Completions, Responses, embeddings, images, transcriptions), Anthropic Messages, Gemini, Bedrock
    Converse, and LangChain messages; of anything else only a text is kept, for an estimate.
    """
    metadata = field(response, "usage_metadata", "usageMetadata")
    if metadata is not None:
        if field(metadata, "input_tokens") is not None:
            return read_message(response, provider=provider)
        return read_gemini(response, provider=provider)
    usage = field(response, "usage")
    if field(response, "candidates") is not None:
        return read_gemini(response, provider=provider)
    if field(usage, "inputTokens") is not None or field(field(response, "output"), "message") is not None:
        return read_bedrock(response, provider=provider)
    if field(response, "type") == "message" and field(response, "role") is not None:
        return read_anthropic(response, provider=provider)
    if usage is not None or field(response, "choices", "output") is not None:
        return read_openai(response, provider=provider)
    if isinstance(response, str):
        return Reported(provider=provider, output_text=response)
    return Reported(provider=provider, output_text=openai_text(response))
