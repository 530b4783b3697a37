"""Scripted models: real LangChain models whose answers and usage are written out in the test."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult
from pydantic import ConfigDict, Field

from spendgraph.policy import Policy, parse_policy

PRICES = """
version: 1
prices:
  models:
    - {provider: "*", model: scripted, input_usd_per_mtok: "1", output_usd_per_mtok: "2"}
"""
STEP_NANOUSD = 20_000
"""What one answer of a `ScriptedModel` costs at `PRICES`: 10 tokens in at $1, 5 out at $2 per million."""

USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def scripted_policy(more: str = "") -> Policy:
    """A policy that prices the scripted models, with more sections after it."""
    return parse_policy(PRICES + more)


class ScriptedModel(BaseChatModel):
    """Answers `ok` with a fixed usage; counts the requests that reach it."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    sent: Counter[str] = Field(default_factory=Counter)
    failures: list[BaseException] = Field(default_factory=list[BaseException])
    """Raised, one a request, before it answers at all."""
    seconds: float = 0.0
    """How long an asynchronous answer takes."""
    gate: asyncio.Event | None = None
    """An asynchronous answer waits for it."""
    before_answer: Callable[[], None] | None = None
    """Called when a request has reached it."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def requests(self) -> int:
        """How many requests reached it."""
        return self.sent["requests"]

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "scripted", "ls_model_name": "scripted", "ls_model_type": "chat"}

    def _answer(self) -> AIMessage:
        self.sent["requests"] += 1
        if self.before_answer is not None:
            self.before_answer()
        if self.failures:
            raise self.failures.pop(0)
        metadata = {"model_name": "scripted", "id": f"r{self.requests}"}
        return AIMessage("ok", usage_metadata=USAGE, response_metadata=metadata)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer())])

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> ChatResult:
        self.sent["begun"] += 1
        await asyncio.sleep(self.seconds)
        if self.gate is not None:
            await self.gate.wait()
        return ChatResult(generations=[ChatGeneration(message=self._answer())])

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


class StreamingModel(ScriptedModel):
    """Streams `one two three ` and reports its usage with the last chunk."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any) -> Iterator[Any]:
        self.sent["requests"] += 1
        for word in ("one ", "two "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="three ",
                usage_metadata=USAGE,  # type: ignore[arg-type]
                response_metadata={"model_name": "scripted"},
            )
        )

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> AsyncIterator[Any]:
        for chunk in self._stream(messages):
            await asyncio.sleep(self.seconds)
            yield chunk


class ScriptedCompletion(BaseLLM):
    """A completion model: one generation a prompt, usage in `llm_output`."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "scripted", "ls_model_name": "scripted", "ls_model_type": "llm"}

    def _generate(
        self, prompts: list[str], stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> LLMResult:
        tokens = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return LLMResult(
            generations=[[Generation(text="ok")] for _ in prompts],
            llm_output={"token_usage": tokens, "model_name": "scripted"},
        )
