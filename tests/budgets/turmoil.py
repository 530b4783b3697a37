"""A process that spends as badly as it can: at random, much at once, cancelled, cached, failed, late.

    python -m budgets.turmoil LEDGER BILLS SEED

`BILLS` is the provider's own record: a line for every request that reached it, with what it charges, written before the
answer is given. It ends when both tenants have been refused often. `acme` is under a strict budget, `globex` only under the wide one, whose holds are guesses.
"""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from pydantic import ConfigDict

from scripted import ScriptedModel
from spendgraph import CostContext, Meter, Refusal
from spendgraph.policy import parse_policy

AT_ONCE = 4
"""Calls of one process that are under way at once, at most."""
STRICT_NANOUSD = 2_000_000
WIDE_NANOUSD = 5_000_000
TOKEN_NANOUSD = 1_000
REFUSED_OFTEN = 5
LONGEST = 100
"""Tokens of an answer at most; what is asked for of acme's calls, and not said of globex's."""

POLICY = parse_policy(f"""
prices:
  models: [{{provider: "*", model: scripted, input_usd_per_mtok: "1", output_usd_per_mtok: "1"}}]
estimates: {{default_output_tokens: 20}}
loop_wait_ms: 5000
budgets:
  - {{name: strict, match: {{tenant: acme}}, per: tenant, limit_usd: "{STRICT_NANOUSD / 1e9}", reserve: strict}}
  - {{name: wide, limit_usd: "{WIDE_NANOUSD / 1e9}", quantile: "0.5"}}
""")
TENANTS = {
    "acme": CostContext(feature="triage", team="support", tenant="acme"),
    "globex": CostContext(feature="search", team="growth", tenant="globex"),
}


class ProviderError(Exception):
    """What a provider fails with."""


class Provider(ScriptedModel):
    """Answers at any length up to `LONGEST`, after a while, and writes its bill first."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    bills: int
    tenant: str
    chance: Any
    pause: float = 0.0

    def _bill(self) -> AIMessage:
        length = self.chance.randrange(1, LONGEST + 1)
        os.write(self.bills, f"{self.tenant} {(1 + length) * TOKEN_NANOUSD}\n".encode())
        usage: Any = {"input_tokens": 1, "output_tokens": length, "total_tokens": 1 + length}
        return AIMessage("ok", usage_metadata=usage, response_metadata={"model_name": "scripted"})

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if self.failures:
            raise self.failures.pop()
        answer = self._bill()
        time.sleep(self.pause)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if self.failures:
            raise self.failures.pop()
        answer = self._bill()
        await asyncio.sleep(self.pause)
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Turmoil:
    """Calls at random under one meter."""

    def __init__(self, meter: Meter, bills: int, chance: random.Random) -> None:
        self.meter = meter
        self.bills = bills
        self.chance = chance
        self.threads = ThreadPoolExecutor(AT_ONCE)
        self.cache = InMemoryCache()
        self.refused: Counter[str] = Counter()

    def model(self, tenant: str, **settings: Any) -> Any:
        """The provider, asked for answers of at most `LONGEST` tokens where a ceiling is wanted."""
        pause = self.chance.uniform(0, 0.02)
        model = Provider(bills=self.bills, tenant=tenant, chance=self.chance, pause=pause, **settings)
        return model.bind(max_tokens=LONGEST) if tenant == "acme" else model

    async def call(self) -> None:
        """One call, of any kind."""
        tenant = self.chance.choice(["acme", "globex"])
        config = self.meter.config(TENANTS[tenant])
        kind = self.chance.choice(["awaited", "threaded", "cancelled", "failed", "cached", "late"])
        try:
            if kind == "awaited":
                await self.model(tenant).ainvoke("hi", config)
            elif kind == "threaded":
                await asyncio.wrap_future(self.threads.submit(self.model(tenant).invoke, "hi", config))
            elif kind == "cancelled":
                await asyncio.wait_for(
                    self.model(tenant).ainvoke("hi", config), self.chance.uniform(0.001, 0.02)
                )
            elif kind == "failed":
                await self.model(tenant, failures=[ProviderError()]).ainvoke("hi", config)
            elif kind == "cached":
                await self.model(tenant, cache=self.cache).ainvoke(f"hi {self.chance.randrange(3)}", config)
            else:
                await self.late(tenant, config)
        except (ProviderError, TimeoutError):
            pass
        except Refusal:
            self.refused[tenant] += 1

    async def late(self, tenant: str, config: Any) -> None:
        """A call whose root ends before it does: what is booked for it is corrected by its late end."""
        running: list[Future[Any]] = []

        def leave(_: str) -> str:
            running.append(self.threads.submit(self.meter.carry(self.model(tenant).invoke), "hi"))
            return "left"

        try:
            await RunnableLambda(leave).ainvoke("go", config)
        finally:
            await asyncio.wrap_future(running[0])  # still among those under way

    async def run(self) -> None:
        """Calls, some at once, until both tenants have been refused often."""

        async def some() -> None:
            while min(self.refused[tenant] for tenant in TENANTS) < REFUSED_OFTEN:
                await self.call()

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def main() -> None:
    """Spend."""
    ledger, bills, seed = sys.argv[1:]
    with Meter(ledger, policy=POLICY) as meter:
        print("ready", flush=True)
        file = os.open(bills, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        asyncio.run(Turmoil(meter, file, random.Random(seed)).run())
    print("done", flush=True)


if __name__ == "__main__":
    main()
