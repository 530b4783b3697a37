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
from collections.abc import Iterator
from typing import Literal

from spendgraph.hooks.outcomes import is_ours
from spendgraph.ledger.records import StepStatus
from spendgraph.pricing.counts import field

Outcome = Literal["free", "answered", "unknown"]

_NEVER_SENT = frozenset(
    {
        "ClientConnectorError",  # aiohttp
        "ConnectError",
        "ConnectTimeout",
        "ConnectionRefusedError",
        "NameResolutionError",  # urllib3
        "NewConnectionError",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
        "gaierror",
    }
)
_BOTO_NEVER_SENT = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "NoCredentialsError", "ParamValidationError"}
)
_LOST = frozenset(
    {
        "APIConnectionError",
        "ChunkedEncodingError",
        "ConnectionClosedError",
        "ConnectionError",
        "NetworkError",
        "ProtocolError",
        "ServerDisconnectedError",
        "Timeout",
        "TimeoutError",
        "TimeoutException",
        "TransportError",
    }
)
"""Of the errors that HTTP clients and Python itself raise when they hear no answer: a name they have in their ancestry."""


def outcome_of(error: BaseException) -> Outcome:
    """Whether a failed call was billed: `free`, `answered` (the error carries the answer) or `unknown`."""
    if getattr(error, "completion", None) is not None:
        return "answered"
    if is_ours(error):  # what was called inside was not let out
        return "free"
    if _http_status(error) >= 400:
        return "free"
    # The SDKs raise bare TypeError, ValueError and their base class for requests they refuse to make; subclasses
    # (a JSON or a validation error) are about an answer that came.
    if type(error) in {TypeError, ValueError} or type(error).__name__ in {"OpenAIError", "AnthropicError"}:
        return "free"
    if any(type(each).__name__ in _NEVER_SENT | _BOTO_NEVER_SENT for each in _causes(error)):
        return "free"
    return "unknown"


def is_lost(error: BaseException) -> bool:
    """Whether code that may have bought something ended without hearing of it.

    So end a cancellation, a timeout and a lost connection. Any other exception is the code's own: it bought nothing.
    """
    if not isinstance(error, Exception):
        return True
    return outcome_of(error) == "unknown" and any(
        base.__name__ in _LOST for each in _causes(error) for base in type(each).__mro__
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from; requests does not say so, but raises its errors from what it catches."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        is_of_requests = type(cause).__module__ == "requests.exceptions"
        cause = cause.__cause__ or (cause.__context__ if is_of_requests else None)


def status_of(error: BaseException) -> StepStatus:
    """The step's status: a cancellation is not a provider's error."""
    return "cancelled" if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)) else "error"


def _http_status(error: BaseException) -> int:
    """The HTTP status a provider answered with, or 0."""
    answered = field(getattr(error, "response", None), "ResponseMetadata")  # botocore
    status = field(answered, "HTTPStatusCode") or field(error, "status_code", "code", "status")
    if status is None:  # what `raise_for_status` raises
        status = field(getattr(error, "response", None), "status_code")
    return status if type(status) is int else 0
