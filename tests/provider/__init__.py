"""A model provider on the loopback that keeps the invoice the ledger must equal.

It speaks OpenAI's Chat Completions, Responses and Embeddings and Anthropic's Messages, streams included, and a
small rerank endpoint. Requests script their own answers (`script.ask`), and every response that a provider
would bill becomes one line of the caller's invoice, priced from a table that shares no code with spendgraph.
"""

from provider.invoice import Invoice, Line
from provider.rates import POLICY, Tokens
from provider.script import ask
from provider.server import Provider

__all__ = ["POLICY", "Invoice", "Line", "Provider", "Tokens", "ask"]
