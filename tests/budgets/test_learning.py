"""A process learns from the ledger what earlier ones paid, and estimates stand beside actuals in every row."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.tools import tool
from openai import OpenAI

from budgets.streaming import ACME, LongModel, limited
from scripted import PRICES, STEP_NANOUSD, ScriptedModel
from spendgraph import BudgetExceeded, Meter, MeteredEmbeddings
from spendgraph.policy import parse_policy
from spendgraph.pricing.expect import ENOUGH

HERE = str(Path(__file__).parents[1])
POLICY = PRICES + "budgets: [{name: cap, limit_usd: 1}]"


class Plain(Embeddings):
    """Embeds everything alike."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[0.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return [0.0]


def learned(meter: Meter) -> bool:
    """Wait until a meter has looked at the ledger's past."""
    reservations: Any = meter.recorder.reservations
    return bool(reservations.authority.learning.wait(10))


def in_another_process(path: Path, calls: int) -> None:
    """Pay for some calls of a scripted model."""
    code = (
        f"import sys; sys.path.insert(0, {HERE!r})\n"
        "from budgets.streaming import ACME\nfrom scripted import ScriptedModel\nfrom spendgraph import Meter\n"
        "from spendgraph.policy import parse_policy\n"
        f"with Meter({str(path)!r}, policy=parse_policy({POLICY!r})) as meter:\n"
        f"    for _ in range({calls}): ScriptedModel().invoke('hi', meter.config(ACME))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_new_process_reserves_what_an_earlier_one_paid(tmp_path: Path) -> None:
    """The quantile of its calls, at the first call; before that the request said 1,024 tokens."""
    path = tmp_path / "ledger.db"
    in_another_process(path, ENOUGH)
    with Meter(path, policy=parse_policy(POLICY)) as meter:
        assert learned(meter)
        ScriptedModel().invoke("hi", meter.config(ACME))
        *earlier, last = [step["reserved_nanousd"] for step in meter.ledger.steps()]
        assert (len(earlier), min(earlier) > 2_000_000, last) == (ENOUGH, True, STEP_NANOUSD)


def test_too_few_calls_teach_nothing(tmp_path: Path) -> None:
    """Nineteen."""
    path = tmp_path / "ledger.db"
    in_another_process(path, ENOUGH - 1)
    with Meter(path, policy=parse_policy(POLICY)) as meter:
        assert learned(meter)
        ScriptedModel().invoke("hi", meter.config(ACME))
        (*_, last) = meter.ledger.steps()
        assert last["reserved_nanousd"] > 2_000_000


def test_a_meter_made_on_a_loop_learns_without_blocking_it(tmp_path: Path) -> None:
    """The look is another thread's."""
    path = tmp_path / "ledger.db"
    in_another_process(path, ENOUGH)

    async def main() -> int:
        async with Meter(path, policy=parse_policy(POLICY)) as meter:
            while not await asyncio.to_thread(learned, meter):
                pass
            await ScriptedModel().ainvoke("hi", meter.config(ACME))
            await meter.aflush()
            (*_, last) = await asyncio.to_thread(lambda: list(meter.ledger.steps()))
            reserved: int = last["reserved_nanousd"]
            return reserved

    assert asyncio.run(main()) == STEP_NANOUSD


def test_every_kind_of_step_says_what_was_expected_and_held(tmp_path: Path) -> None:
    """Models, streams, raw calls, embeddings, tools, blocks and what was recorded."""

    @tool
    def web_search() -> str:
        """Search."""
        return "found"

    body: dict[str, Any] = {
        "id": "r", "object": "chat.completion", "created": 0, "model": "m", "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }  # fmt: skip
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=body))
    policy = parse_policy(
        "prices: {models: [{model: '*', input_usd_per_mtok: '1', output_usd_per_mtok: '2'}]}\n"
        "tools: {web_search: {usd_per_call: '0.005'}}\nbudgets: [{name: cap, limit_usd: 1}]"
    )
    with Meter(tmp_path / "ledger.db", policy=policy) as meter, meter.task(ACME):
        ScriptedModel().invoke("hi")
        list(LongModel().stream("hi"))
        client = OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
        meter.call(client.chat.completions.create, model="m", messages=[{"role": "user", "content": "hi"}])
        MeteredEmbeddings(meter, Plain(), model="e").embed_query("hello there")
        web_search.invoke({})
        with meter.step("sandbox", reserve="0.25") as block:
            block.cost(usd="0.2")
        meter.record("human_review", usd="0.5")
        found = {
            (step["kind"], step["name"]): (step["estimate_nanousd"], step["reserved_nanousd"])
            for step in meter.ledger.steps()
        }
        assert all(estimate and reserved for estimate, reserved in found.values()), found
        assert found["embedding", "Plain"] == (3_000, 3_000)
        assert found["tool", "web_search"] == (5_000_000, 5_000_000)
        assert found["other", "sandbox"] == (250_000_000, 250_000_000)
        assert found["other", "human_review"] == (500_000_000, 500_000_000)
        assert len(found) == 7


def test_an_embedding_holds_no_tokens_of_an_answer(tmp_path: Path) -> None:
    """A budget of tokens is not eaten by answers that embeddings do not have."""
    policy = parse_policy(
        "prices: {models: [{model: e, input_usd_per_mtok: '1', output_usd_per_mtok: 0}]}\n"
        "budgets: [{name: cap, limit_tokens: 10}]"
    )
    with Meter(tmp_path / "ledger.db", policy=policy) as meter, meter.task(ACME):
        MeteredEmbeddings(meter, Plain(), model="e").embed_query("hello there")
        (window,) = meter.ledger.windows()
        assert (window["spent_tokens"], window["held_tokens"]) == (3, 0)


def test_a_cut_answer_teaches_nothing(tmp_path: Path) -> None:
    """What it cost is not what such an answer costs."""
    policy = limited("0.0001")
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        with pytest.raises(BudgetExceeded):
            list(LongModel().stream("hi", meter.config(ACME)))
        reservations: Any = meter.recorder.reservations
        assert reservations.authority.history._costs == {}
