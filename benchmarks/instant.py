"""A chat model that answers at once with usage, so that only the handlers' work is timed."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from spendgraph import CostContext

CONTEXT = CostContext(
    feature="inbox-triage",
    team="support",
    tenant="acme",
    workload_class="interactive",
    environment="production",
)

USAGE = {
    "input_tokens": 2_006,
    "output_tokens": 300,
    "total_tokens": 2_306,
    "input_token_details": {"cache_read": 1_920},
    "output_token_details": {"reasoning": 0},
}


class InstantModel(BaseChatModel):
    """Answers `ok`, as gpt-4o would say that it did."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "gpt-4o", "ls_model_type": "chat"}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = AIMessage(
            content="ok",
            usage_metadata=USAGE,
            response_metadata={
                "model_name": "gpt-4o-2024-08-06",
                "model_provider": "openai",
                "id": "chatcmpl-1",
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])
