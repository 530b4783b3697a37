"""One provider and one event loop for the whole acceptance run.

LangChain's clients share their asynchronous HTTP connections by address, so every asynchronous program has to
run on the loop those connections belong to.
"""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.kit import Kit
from provider import POLICY, Provider
from spendgraph import Meter
from spendgraph.policy import parse_policy

RECORDING = """\
attribution:
  required: [feature, team, tenant, workload_class, environment]
  on_missing: record
"""

_accounts = itertools.count(1)


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """The provider every program of this run talks to."""
    with Provider() as running:
        yield running


@pytest.fixture(scope="session")
def loop(provider: Provider) -> Iterator[asyncio.AbstractEventLoop]:
    """The loop of every asynchronous program; it ends before the provider does."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture
def kit(provider: Provider) -> Kit:
    """Clients of an account nobody else uses."""
    return Kit(provider.url, f"account-{next(_accounts)}")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Where the ledger of a test is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def meter(ledger: Path) -> Iterator[Meter]:
    """A meter that requires the five standard tags, records what lacks them and prices by the provider's list."""
    with Meter(ledger, policy=parse_policy(POLICY + RECORDING)) as opened:
        yield opened
