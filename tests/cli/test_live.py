"""`spendgraph doctor --live`: calls that go around the meter are named, with the line they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.kit import Cli, Said
from provider import Provider
from spendgraph.ledger import Ledger

LANGCHAIN = """
from langchain_openai import ChatOpenAI
model = ChatOpenAI(model="gpt-4o")
"""
THREE_WAYS = """
import asyncio, httpx2
async def third():
    async with httpx2.AsyncClient() as http:
        await ChatOpenAI(model="gpt-4o", http_async_client=http).ainvoke("three")
model.invoke("one")
list(model.stream("two"))
asyncio.run(third())
"""
RAW = """
from openai import OpenAI
client = OpenAI()
def around():
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider on the loopback."""
    with Provider() as running:
        yield running


@pytest.fixture(autouse=True)
def account(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs talk to the loopback."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "account-live")


def watch(cli: Cli, folder: Path, text: str) -> Said:
    """The report on a script."""
    (folder / "agent.py").write_text(text)
    return cli("doctor", "--json", "--live", "agent.py")


def test_calls_through_langchain_are_covered(cli: Cli, tmp_path: Path) -> None:
    """Plain, streamed and asynchronous calls belong to a step: nothing went around."""
    said = watch(cli, tmp_path, LANGCHAIN + THREE_WAYS)
    assert said.code == 0
    assert (said.json["covered"], said.json["around"]) == (3, [])


def test_a_raw_sdk_call_goes_around(cli: Cli, tmp_path: Path) -> None:
    """It is reported with host, path, model and the line of code, and it is in no ledger."""
    said = watch(cli, tmp_path, LANGCHAIN + RAW + "model.invoke('one')\naround()\naround()\n")
    assert said.code == 1
    assert said.json["covered"] == 1
    (call,) = said.json["around"]
    assert (call["host"], call["path"], call["model"], call["calls"]) == (
        "127.0.0.1",
        "/v1/chat/completions",
        "gpt-4o",
        2,
    )
    assert call["where"].endswith("agent.py:8")
    with Ledger.open_readonly("spendgraph.db") as ledger:
        assert sum(1 for _ in ledger.steps()) == 1


def test_a_raw_call_inside_a_tool_goes_around(cli: Cli, tmp_path: Path) -> None:
    """A tool's step covers the tool, not the model that it calls by hand."""
    said = watch(
        cli,
        tmp_path,
        RAW + "from langchain_core.tools import tool\n@tool\ndef ask(text: str) -> str:\n"
        "    'Ask.'\n    around()\n    return text\nask.invoke({'text': 'x'})\n",
    )
    assert [call["calls"] for call in said.json["around"]] == [1]


def test_a_retry_inside_the_sdk_belongs_to_its_step(cli: Cli, tmp_path: Path) -> None:
    """The first attempt is refused with 429, the second answered: one step covers both."""
    text = """from provider import ask\nmodel.invoke(ask(purpose="live-retry", fail=[429]))\n"""
    said = watch(cli, tmp_path, LANGCHAIN + text)
    assert (said.code, said.json["covered"], said.json["around"]) == (0, 2, [])


def test_requests_is_seen_too(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    """A call by hand, without any SDK, is recognised by its path and model."""
    said = watch(
        cli,
        tmp_path,
        "import requests\n"
        f"requests.post('{provider.url}/v1/embeddings', json={{'model': 'gpt-4o', 'input': 'x'}}, timeout=9)\n"
        f"requests.get('{provider.url}/v1/embeddings', timeout=9)\n",
    )
    (call,) = said.json["around"]
    assert (call["client"], call["path"], call["model"]) == ("urllib3", "/v1/embeddings", "gpt-4o")
    assert call["where"].endswith("agent.py:2")


def test_what_is_no_model_call_is_nobodys_business(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    """A chat service with /messages in its path and no model in its body is not reported."""
    said = watch(
        cli,
        tmp_path,
        f"import httpx\nhttpx.post('{provider.url}/rooms/7/messages', json={{'text': 'hello'}})\n",
    )
    assert (said.code, said.json["around"]) == (0, [])


def test_the_report_is_readable(cli: Cli, tmp_path: Path) -> None:
    """A person sees how many, which, from where, and what to do."""
    (tmp_path / "agent.py").write_text(RAW + "around()\n")
    said = cli("doctor", "--live", "agent.py")
    assert "1 WENT AROUND THE METER and are in no ledger:" in said.out
    assert "  1 x 127.0.0.1/v1/chat/completions model gpt-4o from " in said.out
    assert "meter.call" in said.out
