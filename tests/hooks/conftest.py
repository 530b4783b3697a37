"""A provider on the loopback, a meter on a real ledger, and SDK clients with an account of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import SecretStr

from provider import POLICY, Invoice, Provider
from scripted import scripted_policy
from spendgraph.ledger import Ledger
from spendgraph.meter import Meter
from spendgraph.policy import parse_policy

GEMINI = """  models:
    - provider: google_genai
      model: "gemini-2.5-flash*"
      input_usd_per_mtok: "0.30"
      output_usd_per_mtok: "2.50"
"""

TOOLS = """
tools:
  web_search: {owner: search-platform, usd_per_call: "0.005"}
  "billing-mcp/*": {owner: payments, usd_per_unit: "0.0007", unit: page}
  human_review: {owner: operations, usd_per_unit: "0.50", unit: minute}
  ScriptedReranker: {owner: search, usd_per_unit: "0.002", unit: search_unit}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The loopback provider; each test has its own account."""
    with Provider() as running:
        yield running


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    """A meter that prices as the provider does, and records what has no price."""
    prices = POLICY.replace("unpriced: block", "unpriced: record").replace("  models:\n", GEMINI, 1)
    policy = parse_policy(prices + TOOLS)
    with Meter(tmp_path / "ledger.db", policy=policy) as metered:
        yield metered


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Meter]:
    """A meter that prices the scripted models."""
    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as metered:
        yield metered


@dataclass
class Desk:
    """A meter, an account, and what each of them wrote down."""

    meter: Meter
    provider: Provider
    account: str

    @property
    def invoice(self) -> Invoice:
        """What the provider billed this account."""
        return self.provider.invoice(self.account)

    @property
    def ledger(self) -> Ledger:
        """The meter's books."""
        return self.meter.ledger

    def rows(self, **filters: Any) -> list[dict[str, Any]]:
        """The booked steps."""
        self.meter.flush()
        return list(self.ledger.steps(**filters))

    def row(self) -> dict[str, Any]:
        """The only booked step."""
        rows = self.rows()
        assert len(rows) == 1
        return rows[0]

    def openai(self, *, base_url: str = "", timeout: float = 30) -> OpenAI:
        """An OpenAI client of this account."""
        url = base_url or f"{self.provider.url}/v1"
        return OpenAI(api_key=self.account, base_url=url, timeout=timeout, max_retries=0)

    def async_openai(self) -> AsyncOpenAI:
        """An asynchronous OpenAI client of this account."""
        return AsyncOpenAI(api_key=self.account, base_url=f"{self.provider.url}/v1", max_retries=0)

    def anthropic(self) -> Anthropic:
        """An Anthropic client of this account."""
        return Anthropic(api_key=self.account, base_url=self.provider.url, max_retries=0)

    def async_anthropic(self) -> AsyncAnthropic:
        """An asynchronous Anthropic client of this account."""
        return AsyncAnthropic(api_key=self.account, base_url=self.provider.url, max_retries=0)

    @property
    def key(self) -> SecretStr:
        """The account's API key, as LangChain wants it."""
        return SecretStr(self.account)


@pytest.fixture
def desk(meter: Meter, provider: Provider) -> Desk:
    """A meter and an account at the provider."""
    return Desk(meter, provider, f"sk-{uuid4().hex}")
