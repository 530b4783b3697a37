"""Which models the demo runs on: the real one on loopback, or scripted ones with the reason why."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel

from spendgraph_demo.scripted import SCRIPTED_CHAT, SCRIPTED_EMBEDDING, ScriptedChatModel, ScriptedEmbeddings
from spendgraph_demo.server import CHAT_MODEL, EMBEDDING_MODEL, ModelServer, ModelUnavailable

MAX_TOKENS = 28
"""The longest answer: enough for a sentence, and about a second on two cores."""

LOG_NAME = "model.log"


@dataclass(frozen=True, slots=True)
class Models:
    """What the demo calls.

    Attributes:
        chat: Writes text.
        embeddings: Turns texts into vectors.
        provider: Who provides them, in the ledger's words.
        chat_name: The chat model's name.
        embedding_name: The embedding model's name.
        is_real: A language model answers, not a script.
        probe_seconds: How long a short answer takes here; 0 for scripts.
        reason: Why scripts answer; empty when the model does.
        errors: What is raised when the model stops answering.
        stop: Ends the model at once; calls that wait for it fail.
    """

    chat: BaseChatModel
    embeddings: Embeddings
    provider: str
    chat_name: str
    embedding_name: str
    is_real: bool
    probe_seconds: float = 0.0
    reason: str = ""
    errors: tuple[type[Exception], ...] = ()
    stop: Callable[[], None] = lambda: None

    def describe(self) -> str:
        """One line that says what answers."""
        if self.is_real:
            return f"{self.chat_name} writes the text: a real language model, on this machine"
        return f"scripted models write the text, no language model: {self.reason}"


@contextmanager
def open_models(folder: Path, *, scripted: bool = False) -> Generator[Models]:
    """The real model, served while the context is open, or scripted ones where it cannot run.

    Args:
        folder: Where the server's log goes.
        scripted: Do not try the real model.
    """
    with ExitStack() as stack:
        if scripted:
            yield scripted_models("asked for with --scripted")
            return
        try:
            # The client first: a server nobody can call needs no start.
            from langchain_openai import ChatOpenAI as _  # noqa: F401

            server = stack.enter_context(ModelServer(folder / LOG_NAME))
        except ImportError as error:
            models = scripted_models(f"{error.name} is not installed (pip install 'spendgraph[demo]')")
        except ModelUnavailable as error:
            models = scripted_models(str(error))
        else:
            models = _served_models(server, stack)
        yield models


def scripted_models(reason: str) -> Models:
    """Scripted models, and why they are used."""
    return Models(
        chat=ScriptedChatModel(),
        embeddings=ScriptedEmbeddings(),
        provider="scripted",
        chat_name=SCRIPTED_CHAT,
        embedding_name=SCRIPTED_EMBEDDING,
        is_real=False,
        reason=reason,
    )


def _served_models(server: ModelServer, stack: ExitStack) -> Models:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from openai import DefaultHttpxClient, OpenAIError
    from pydantic import SecretStr

    # trust_env=False: a proxy in the environment must not see, or break, a call to loopback.
    http = stack.enter_context(DefaultHttpxClient(trust_env=False))
    key = SecretStr("none: the server is on loopback")
    chat = ChatOpenAI(
        model=CHAT_MODEL,
        base_url=server.base_url,
        api_key=key,
        http_client=http,
        openai_proxy="",
        stream_usage=True,
        temperature=0.2,
        seed=7,
        frequency_penalty=0.3,
        max_completion_tokens=MAX_TOKENS,
        timeout=300,
        max_retries=0,
    )
    embeddings = OpenAIEmbeddings(
        model=EMBEDDING_MODEL,
        base_url=server.base_url,
        api_key=key,
        http_client=http,
        openai_proxy="",
        check_embedding_ctx_length=False,
        timeout=300,
        max_retries=0,
    )
    return Models(
        chat=chat,
        embeddings=embeddings,
        provider="openai",
        chat_name=CHAT_MODEL,
        embedding_name=EMBEDDING_MODEL,
        is_real=True,
        probe_seconds=server.probe_seconds,
        errors=(OpenAIError,),
        stop=server.stop,
    )
