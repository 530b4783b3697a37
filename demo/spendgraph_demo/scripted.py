"""Models without a model: they copy from what they are given, and count what they read and write.

They take the place of the language model where it cannot run. The graph, the calls, the counts and the
ledger's rows are as real as with it; only the text is dull.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

SCRIPTED_CHAT = "scripted-chat"
SCRIPTED_EMBEDDING = "scripted-embedding"
DIMENSIONS = 64
_TOKEN = re.compile(r"\w+|[^\w\s]")
_MESSAGE_OVERHEAD = 4
"""Tokens a chat template adds to each message."""


def count_tokens(text: str) -> int:
    """Words and punctuation marks, each one token."""
    return len(_TOKEN.findall(text))


class ScriptedChatModel(BaseChatModel):
    """Answers with the beginning of the last thing it was told, and reports exact usage.

    It does not choose tools, and it writes the same text for the same messages.
    """

    model_name: str = SCRIPTED_CHAT
    max_words: int = 24
    max_tokens: int = 40
    """What it announces as its longest answer: words and their punctuation."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "scripted"
        params["ls_model_name"] = self.model_name
        params["ls_max_tokens"] = self.max_tokens
        return params

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 -- LangChain passes these by name
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        text = self._write(messages)
        message = AIMessage(
            text, usage_metadata=_usage(messages, text), response_metadata={"model_name": self.model_name}
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[ChatGenerationChunk]:
        text = self._write(messages)
        for piece in re.findall(r"\s*\S+", text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        last = AIMessageChunk(
            content="",
            usage_metadata=_usage(messages, text),
            response_metadata={"model_name": self.model_name},
        )
        yield ChatGenerationChunk(message=last)

    def _write(self, messages: list[BaseMessage]) -> str:
        words = str(messages[-1].text).split()
        return " ".join(words[: self.max_words])


class ScriptedEmbeddings(Embeddings):
    """Vectors of word hashes: texts that share words are near each other."""

    model: str = SCRIPTED_EMBEDDING

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector of length 1 for each text."""
        return [_vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return _vector(text)


def _usage(messages: list[BaseMessage], text: str) -> UsageMetadata:
    read = sum(count_tokens(str(message.text)) + _MESSAGE_OVERHEAD for message in messages)
    written = count_tokens(text)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _vector(text: str) -> list[float]:
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.blake2b(word.encode(), digest_size=2).digest()
        vector[int.from_bytes(digest, "big") % DIMENSIONS] += 1.0
    length = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / length for x in vector]
