"""A scripted chat model for agents: a provider and a name of choice, an answer as long as it is allowed to be."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from scripted import ScriptedModel
from spendgraph import CostContext
from spendgraph.policy import Policy, parse_policy

CTX = CostContext(feature="triage", team="support", tenant="acme")

PRICES = """
version: 1
prices:
  models:
    - {provider: "*", model: dear, input_usd_per_mtok: "1", output_usd_per_mtok: "10"}
    - {provider: "*", model: cheap, input_usd_per_mtok: "0.1", output_usd_per_mtok: "1"}
    - {provider: "*", model: cheapest, input_usd_per_mtok: "0.01", output_usd_per_mtok: "0.1"}
"""

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


class Talker(ScriptedModel):
    """Answers with `output` tokens, or as many as the request allows; keeps what it was sent.

    `dear` costs $10 per million output tokens: 100 tokens are a tenth of a cent.
    """

    model_name: str = "dear"
    provider: str = "openai"
    max_tokens: int | None = None
    input: int = 10
    output: int = 1_000_000
    calls: list[list[dict[str, Any]]] = Field(default_factory=list[list[dict[str, Any]]])
    """Tool calls of the coming answers."""
    seen: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    """Model, messages and keywords of each request."""

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        said = {"ls_provider": self.provider, "ls_model_name": self.model_name, "ls_model_type": "chat"}
        limit = self._limit(kwargs)
        return said | ({} if limit is None else {"ls_max_tokens": limit})

    def _limit(self, kwargs: dict[str, Any]) -> int | None:
        return next((kwargs[name] for name in LIMITS if name in kwargs), self.max_tokens)

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _say(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> ChatResult:
        self.seen.append({"model": self.model_name, "messages": list(messages), **kwargs})
        self.sent["requests"] += 1
        if self.before_answer is not None:
            self.before_answer()
        if self.failures:
            raise self.failures.pop(0)
        limit = self._limit(kwargs)
        output = self.output if limit is None else min(self.output, limit)
        message = AIMessage(
            "ok",
            tool_calls=self.calls.pop(0) if self.calls else [],
            usage_metadata={
                "input_tokens": self.input,
                "output_tokens": output,
                "total_tokens": self.input + output,
            },
            response_metadata={"model_name": self.model_name, "id": f"r{self.requests}"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return self._say(messages, kwargs)

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.sent["begun"] += 1
        if self.gate is not None:
            await self.gate.wait()
        return self._say(messages, kwargs)


def call(name: str, **args: Any) -> dict[str, Any]:
    """A tool call of an answer."""
    return {"name": name, "args": args, "id": f"call-{name}", "type": "tool_call"}


def budget(limit_usd: str, more: str = "", *, reserve: str = "expected", per: str = "tenant") -> Policy:
    """The prices and one budget."""
    return parse_policy(
        f"{PRICES}\nbudgets:\n  - {{name: cap, owner: growth, per: {per}, limit_usd: '{limit_usd}', reserve: {reserve}{more}}}\n"
    )
