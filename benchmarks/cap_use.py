"""How much of a cap gets used by calls of random cost, and by how much it is passed.

    python benchmarks/cap_use.py [--calls N] [--workers N] [--seeds N] [--json]

Real meters on real ledgers; `--workers` threads call a model of random answers (log-normal, a mean of 400 tokens,
at most 2,048, of which a fifth is longer than twice the median) until each has been refused once: nobody waits for
what others give back, so what is left is left. The cap is what `--calls` calls cost on average. Shown are the share
of it that was spent and the overshoot, the worst of all seeds. `learned`: an earlier process has paid for 200 calls.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict

from instant import CONTEXT
from spendgraph import BudgetExceeded, Meter
from spendgraph.ledger import Ledger
from spendgraph.policy import parse_policy

MEAN_TOKENS = 400
MOST_TOKENS = 2_048
INPUT_TOKENS = 8
MEAN_NANOUSD = INPUT_TOKENS * 1_000 + MEAN_TOKENS * 4_000
PRICES = """
prices:
  models:
    - {provider: "*", model: random, input_usd_per_mtok: "1", output_usd_per_mtok: "4"}
"""


class Use(NamedTuple):
    """What became of a cap, in nano-USD."""

    cap: int
    spent: int
    calls: int

    @property
    def share(self) -> float:
        """The share of the cap that was spent."""
        return self.spent / self.cap

    @property
    def overshoot(self) -> float:
        """By what share of the cap it was passed."""
        return max(self.spent - self.cap, 0) / self.cap


class RandomModel(BaseChatModel):
    """Answers after some milliseconds, with a usage that nobody can foresee."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    random: random.Random

    @property
    def _llm_type(self) -> str:
        return "random"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "random", "ls_model_name": "random", "ls_model_type": "chat"}

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        time.sleep(self.random.uniform(0.001, 0.006))  # the calls of all workers are under way at once
        tokens = min(int(self.random.lognormvariate(5.67, 0.8)) + 1, MOST_TOKENS)
        usage: Any = {
            "input_tokens": INPUT_TOKENS,
            "output_tokens": tokens,
            "total_tokens": INPUT_TOKENS + tokens,
        }
        message = AIMessage("ok", usage_metadata=usage, response_metadata={"model_name": "random"})
        return ChatResult(generations=[ChatGeneration(message=message)])


def use_of_cap(reserve: str, *, calls: int, workers: int, seed: int, learned: bool = True) -> Use:
    """Spend a cap as far as it goes.

    Args:
        reserve: `expected` or `strict`.
        calls: The cap is what so many calls cost on average.
        workers: Threads that call until they are refused.
        seed: Of the random answers.
        learned: An earlier meter has paid for 200 calls.
    """
    cap = calls * MEAN_NANOUSD
    policy = parse_policy(
        f"{PRICES}\nbudgets: [{{name: cap, per: tenant, limit_usd: '{cap / 1e9:.9f}', reserve: {reserve}}}]"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        model = RandomModel(random=random.Random(seed))
        if learned:
            roomy = parse_policy(f"{PRICES}\nbudgets: [{{name: roomy, limit_usd: 1000}}]")
            with Meter(path, policy=roomy) as meter:
                for _ in range(200):
                    model.invoke("hi there", meter.config(CONTEXT))
        with Meter(path, policy=policy) as meter:
            _wait_until_it_has_learned(meter)
            bounded = model.bind(max_tokens=MOST_TOKENS)

            def work(_: int) -> int:
                done = 0
                while True:
                    try:
                        bounded.invoke("hi there", meter.config(CONTEXT))
                    except BudgetExceeded:
                        return done
                    done += 1

            with ThreadPoolExecutor(workers) as pool:
                made = sum(pool.map(work, range(workers)))
            gc.collect()  # a refused run ends with its exception, and its task's row needs the ledger
        with Ledger.open_readonly(path) as ledger:
            assert ledger.verify() == []
            (window,) = (row for row in ledger.windows() if row["budget"] == "cap")
    return Use(cap, window["spent_nanousd"], made)


def _wait_until_it_has_learned(meter: Meter) -> None:
    reservations: Any = meter.recorder.reservations
    reservations.authority.learning.wait(10)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=400, help="the cap, in calls of average cost")
    parser.add_argument("--workers", type=int, default=8, help="threads that call at once")
    parser.add_argument("--seeds", type=int, default=5, help="how often, with other answers")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name, reserve, learned in (
        ("expected, learned", "expected", True),
        ("expected, a new ledger", "expected", False),
        ("strict", "strict", True),
    ):
        uses = [
            use_of_cap(reserve, calls=options.calls, workers=options.workers, seed=seed, learned=learned)
            for seed in range(options.seeds)
        ]
        found[name] = {
            "least_share_used": min(use.share for use in uses),
            "mean_share_used": sum(use.share for use in uses) / len(uses),
            "greatest_overshoot": max(use.overshoot for use in uses),
            "calls": sum(use.calls for use in uses) / len(uses),
        }
    if options.json:
        print(json.dumps(found))
        return
    print(f"a cap of {options.calls} calls of average cost, {options.workers} workers, {options.seeds} seeds")
    for name, numbers in found.items():
        print(
            f"  {name:24} uses {numbers['least_share_used']:6.1%} at least,"
            f" {numbers['mean_share_used']:6.1%} on average, passes it by"
            f" {numbers['greatest_overshoot']:.2%} at most"
        )


if __name__ == "__main__":
    main()
