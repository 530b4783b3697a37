"""What an application of the acceptance set is given: clients of the provider and a way to be metered.

An application never sees which way it is attached. It passes `kit.config(...)` where it would pass its own
config, wraps functions for raw threads in `kit.carry`, and takes embeddings and raw SDK calls from the kit.
"""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from anthropic import Anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI, OpenAI
from pydantic import SecretStr

from provider import ask

P = ParamSpec("P")
R = TypeVar("R")


class Metering(Protocol):
    """One way of attaching a meter, as far as an application meets it."""

    def config(self, config: RunnableConfig) -> RunnableConfig: ...
    def carry(self, function: Callable[P, R]) -> Callable[P, R]: ...
    def embeddings(self, embeddings: Embeddings) -> Embeddings: ...
    def reranker(self, reranker: Any) -> Any: ...
    def call(self, function: Callable[..., R], **request: Any) -> R: ...
    async def acall(self, function: Callable[..., Awaitable[R]], **request: Any) -> R: ...


class Unmetered:
    """No meter at all: an application run this way shows what the provider bills for it."""

    def config(self, config: RunnableConfig) -> RunnableConfig:
        """The application's own config, untouched."""
        return config

    def carry(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function itself."""
        return function

    def embeddings(self, embeddings: Embeddings) -> Embeddings:
        """The embeddings themselves."""
        return embeddings

    def reranker(self, reranker: Any) -> Any:
        """The reranker itself."""
        return reranker

    def call(self, function: Callable[..., R], **request: Any) -> R:
        """The plain SDK call."""
        return function(**request)

    async def acall(self, function: Callable[..., Awaitable[R]], **request: Any) -> R:
        """The plain SDK call."""
        return await function(**request)


@dataclass(frozen=True, slots=True)
class Kit:
    """Clients of one account of the provider, working for one tenant."""

    url: str
    account: str
    tenant: str = "acme"
    metering: Metering = field(default_factory=Unmetered)

    def ask(self, purpose: str, **script: Any) -> str:
        """A prompt that says what it is for and how to be answered."""
        return ask(purpose=purpose, tenant=self.tenant, **script)

    def config(self, **config: Any) -> RunnableConfig:
        """The config of a root run: the application's own keys and, where attached that way, the meter's."""
        return self.metering.config(cast("RunnableConfig", config))

    def thread(self, thread_id: str) -> RunnableConfig:
        """The config of a root run on a thread."""
        return self.config(configurable={"thread_id": thread_id})

    def openai(self, model: str = "gpt-4o", **options: Any) -> ChatOpenAI:
        """A Chat Completions client; streams carry usage unless the options say otherwise."""
        options = {"stream_usage": True, "max_retries": 0, **options}
        return ChatOpenAI(model=model, base_url=f"{self.url}/v1", api_key=SecretStr(self.account), **options)

    def responses(self, **options: Any) -> ChatOpenAI:
        """A Responses API client."""
        return self.openai("gpt-5", use_responses_api=True, **options)

    def anthropic(self, **options: Any) -> ChatAnthropic:
        """A Messages client."""
        options = {"max_retries": 0, "max_tokens": 1024, **options}
        return ChatAnthropic(
            model_name="claude-sonnet-4-6", base_url=self.url, api_key=SecretStr(self.account), **options
        )

    def embeddings(self, **options: Any) -> Embeddings:
        """An embeddings client, metered; for asynchronous use it needs a client that somebody closes."""
        return self.metering.embeddings(
            OpenAIEmbeddings(
                model="text-embedding-3-small",
                base_url=f"{self.url}/v1",
                api_key=SecretStr(self.account),
                check_embedding_ctx_length=False,
                **options,
            )
        )

    def openai_sdk(self) -> OpenAI:
        """The raw OpenAI SDK."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=self.account, max_retries=0)

    def async_openai_sdk(self) -> AsyncOpenAI:
        """The raw OpenAI SDK, asynchronous."""
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key=self.account, max_retries=0)

    def anthropic_sdk(self) -> Anthropic:
        """The raw Anthropic SDK."""
        return Anthropic(base_url=self.url, api_key=self.account, max_retries=0)


@dataclass(frozen=True, slots=True)
class App:
    """One application and what it must cost.

    Attributes:
        name: The application's name.
        run: Runs it once, with what it is given.
        calls: How many billed responses each purpose has.
        nodes: The graph node that a purpose is charged to, where the application has one.
        hits: How many answers come from LangChain's own cache.
        fails: Whether a run of it ends with an exception.
    """

    name: str
    run: Callable[[Kit], None] | Callable[[Kit], Awaitable[None]]
    calls: Mapping[str, int]
    nodes: Mapping[str, str]
    hits: int = 0
    fails: bool = False


AppFunction = Callable[[Kit], None] | Callable[[Kit], Awaitable[None]]


def app(
    calls: Mapping[str, int],
    *,
    nodes: Mapping[str, str] | None = None,
    hits: int = 0,
    fails: bool = False,
) -> Callable[[AppFunction], App]:
    """Make a function an application that states what it will be billed for."""

    def make(function: AppFunction) -> App:
        return App(getattr(function, "__name__", "app"), function, calls, nodes or {}, hits, fails)

    return make
