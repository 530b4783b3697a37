"""Writing down the acts of one task, one after the other, on a clock of its own.

Small mishaps that any fleet of agents has are written in here: a provider that is too busy and is asked again, an
answer that cannot be parsed and is paid for twice, a server that reports no usage, a row that reaches the ledger late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.pricing import Usage
from spendgraph_demo.history.acts import Act, Heard
from spendgraph_demo.history.chance import around

if TYPE_CHECKING:
    from random import Random

    from spendgraph.ledger import StepKind

TOO_BUSY: Final = 0.006
UNPARSED: Final = 0.007
NO_USAGE: Final = 0.004
LATE: Final = 0.002

_HOUR_US: Final = 3_600_000_000

_ANSWERS: Final = {
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
"""The model that answers, by the one that is asked for."""

_CLASSES: Final = {"openai": "ChatOpenAI", "anthropic": "ChatAnthropic", "vllm": "ChatVLLM"}


class Script:
    """The acts of one task as they are written down.

    Attributes:
        rng: The task's chance.
        now_us: The time that the script has come to.
        acts: What has been written down.
    """

    def __init__(self, rng: Random, started_us: int) -> None:
        self.rng = rng
        self.now_us = started_us
        self.acts: list[Act] = []

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_us += round(seconds * 1_000_000)

    def model(
        self,
        node: str,
        provider: str,
        model: str,
        usage: Usage,
        *,
        template: str = "",
        tier: str = "",
        heard: Heard = "reported",
        parent: int | None = None,
        planted: str = "",
        baseline: Usage | None = None,
    ) -> int:
        """A model call, with the mishaps of a model call; its place among the acts."""
        rng, attempt = self.rng, 1
        seconds = 0.3 + usage.output_tokens / rng.uniform(55, 95)
        act = Act(
            "model",
            _CLASSES[provider],
            node,
            self.now_us,
            self.now_us,
            provider,
            model,
            _ANSWERS.get(model, model),
            usage,
            tier=tier,
            template=template,
            heard=heard,
            parent=parent,
            planted=planted,
            baseline=baseline,
        )
        if heard == "cache_hit":
            return self._add(act, 0.004)
        if rng.random() < TOO_BUSY:
            busy = act._replace(answered="", usage=Usage(), status="error", error="RateLimitError")
            if baseline is not None:
                busy = busy._replace(planted="", baseline=None)
            self._add(busy, 0.4)
            self.wait(rng.uniform(1, 20))
            attempt += 1
        if rng.random() < UNPARSED and not planted:
            self._add(act._replace(attempt=attempt), seconds)
            attempt += 1
        act = act._replace(attempt=attempt, is_replay=attempt > 1)
        if not planted and rng.random() < NO_USAGE:
            act = act._replace(heard="estimated")
        return self._add(act, seconds)

    def tool(
        self, name: str, node: str, seconds: float, *, quantity: int | None = None, planted: str = ""
    ) -> int:
        """A tool call; its place among the acts."""
        return self._add(Act("tool", name, node, 0, 0, quantity=quantity, planted=planted), seconds)

    def retrieve(self, node: str, name: str = "kb-search") -> int:
        """A retriever, with the embedding of its question inside."""
        place = self._add(Act("retriever", name, node, 0, 0), 0.12)
        question = Usage(input_tokens=around(self.rng, 40, 0.4))
        self.embed(node, question, parent=place)
        return place

    def embed(self, node: str, usage: Usage, *, parent: int | None = None, planted: str = "") -> int:
        """An embedding call; its place among the acts."""
        model = "text-embedding-3-large"
        act = Act(
            "embedding",
            "OpenAIEmbeddings",
            node,
            0,
            0,
            "openai",
            model,
            model,
            usage,
            parent=parent,
            planted=planted,
        )
        return self._add(act, 0.2 + usage.input_tokens / 200_000)

    def rerank(self, node: str, documents: int) -> int:
        """A reranker's call, priced by request; its place among the acts."""
        usage = Usage(input_tokens=documents * 180)
        act = Act("rerank", "CohereRerank", node, 0, 0, "cohere", "rerank-v3.5", "rerank-v3.5", usage)
        return self._add(act, 0.25)

    def other(self, name: str, node: str, quantity: int) -> int:
        """A cost that no machine makes, such as a person's minutes; its place among the acts."""
        kind: StepKind = "other"
        return self._add(Act(kind, name, node, 0, 0, quantity=quantity), quantity * 60)

    def _add(self, act: Act, seconds: float) -> int:
        ended_us = self.now_us + max(1_000, round(seconds * 1_000_000))
        late_us = round(self.rng.uniform(0.05, 9) * _HOUR_US) if self.rng.random() < LATE else 0
        self.acts.append(act._replace(started_us=self.now_us, ended_us=ended_us, late_us=late_us))
        self.now_us = ended_us + self.rng.randrange(2_000, 60_000)
        return len(self.acts) - 1
