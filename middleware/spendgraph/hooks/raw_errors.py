"""What a raw call that failed has cost.

Providers bill what they answered, not what they refused, and what they worked on even if nobody was there to
hear the answer:

- an HTTP error status (429, 500, ...): nothing;
- a connection that was never made, or arguments the SDK itself refused: nothing, it was not sent;
- an answer that came and could not be used (cut off by `max_tokens` under structured output): what the answer
  says;
- everything else (a timeout while waiting, a dropped connection, a cancellation): it was sent and nobody knows.
  It is booked at all that is held for it in budgets; without any as an upper bound when the request limits its
  answer, else as an estimate of its input. The SDKs retry such errors on their own; what those retries cost is
  visible on the provider's invoice alone.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from spendgraph.ledger.records import StepStatus
from spendgraph.pricing.counts import field

Outcome = Literal["free", "answered", "unknown"]

_NEVER_SENT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
)
_BOTO_NEVER_SENT = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "NoCredentialsError", "ParamValidationError"}
)


def outcome_of(error: BaseException) -> Outcome:
    """Whether a failed call was billed: `free`, `answered` (the error carries the answer) or `unknown`."""
    if getattr(error, "completion", None) is not None:
        return "answered"
    if _http_status(error) >= 400:
        return "free"
    # The SDKs raise bare TypeError, ValueError and their base class for requests they refuse to make; subclasses
    # (a JSON or a validation error) are about an answer that came.
    if type(error) in {TypeError, ValueError} or type(error).__name__ in {"OpenAIError", "AnthropicError"}:
        return "free"
    chain: BaseException | None = error
    while chain is not None:
        if type(chain).__name__ in _NEVER_SENT | _BOTO_NEVER_SENT:
            return "free"
        chain = chain.__cause__
    return "unknown"


def status_of(error: BaseException) -> StepStatus:
    """The step's status: a cancellation is not a provider's error."""
    return "cancelled" if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)) else "error"


def _http_status(error: BaseException) -> int:
    """The HTTP status a provider answered with, or 0."""
    answered = field(getattr(error, "response", None), "ResponseMetadata")  # botocore
    status = field(answered, "HTTPStatusCode") or field(error, "status_code", "code")
    return status if type(status) is int else 0
