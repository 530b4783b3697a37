"""Embeddings that are booked: LangChain announces none of them.

`OpenAIEmbeddings` (Azure's too) drops the usage its server returned. Its client is tapped on a copy: each request
to the provider is one step with the usage the response reports, and the original object stays as it was. Any
other embeddings are one step per call, estimated from the texts and labelled so. Either way the step belongs
to the graph node that called, and the sum is what was asked of the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from spendgraph.errors import unexpected
from spendgraph.hooks.attachable import require_meter
from spendgraph.hooks.raw_errors import outcome_of, status_of
from spendgraph.hooks.raw_reading import read_answer
from spendgraph.pricing import Reported, Usage

if TYPE_CHECKING:
    from spendgraph.hooks.attachable import Attachable
    from spendgraph.hooks.places import OpenStep
    from spendgraph.hooks.recorder import StepRecorder

_PROVIDERS = {
    "langchain_openai.embeddings.azure": "azure",
    "langchain_openai": "openai",
    "langchain_google_genai": "google_genai",
    "langchain_google_vertexai": "google_vertexai",
    "langchain_aws": "amazon_bedrock",
    "langchain_cohere": "cohere",
    "langchain_mistralai": "mistralai",
    "langchain_ollama": "ollama",
    "langchain_huggingface": "huggingface",
}


class MeteredEmbeddings(Embeddings):
    """Wraps any LangChain embeddings, for use wherever those are used, vector stores included.

    Wrap the innermost object: around a `CacheBackedEmbeddings` it would book what the cache answered.

    Args:
        meter: Books the steps.
        embeddings: What embeds.
        model: The model, where the wrapped object does not say it.
        provider: The provider in LangChain's words, where its package does not say it.

    Raises:
        ValueError: It is given no meter, or nothing that embeds.

    Example:
        ```python
        store = InMemoryVectorStore(MeteredEmbeddings(meter, OpenAIEmbeddings(model="text-embedding-3-small")))
        ```
    """

    def __init__(
        self,
        meter: Attachable,
        embeddings: Embeddings,
        *,
        model: str | None = None,
        provider: str | None = None,
    ) -> None:
        require_meter(meter, "MeteredEmbeddings")
        if not hasattr(embeddings, "embed_documents"):
            raise ValueError(unexpected("MeteredEmbeddings", "Embeddings of LangChain", embeddings))
        self.embeddings = embeddings
        self._booking = _EmbeddingSteps(
            meter.recorder,
            name=type(embeddings).__name__,
            model=model or _model_of(embeddings),
            provider=provider or _provider_of(embeddings),
        )
        tapped = _tapped(embeddings, self._booking)
        self._is_tapped = tapped is not None
        self._inner: Embeddings = tapped or embeddings

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "embeddings":
            raise AttributeError(name)
        return getattr(self.embeddings, name)

    def embed_documents(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
        """Embed documents."""
        if self._is_tapped or not texts:
            return self._inner.embed_documents(texts, **kwargs)
        step = self._booking.start(texts)
        try:
            vectors = self._inner.embed_documents(texts, **kwargs)
        except BaseException as error:
            self._booking.failed(step, error)
            raise
        self._booking.done(step, None)
        return vectors

    def embed_query(self, text: str, **kwargs: Any) -> list[float]:
        """Embed a query."""
        if self._is_tapped:
            return self._inner.embed_query(text, **kwargs)
        step = self._booking.start(text)
        try:
            vector = self._inner.embed_query(text, **kwargs)
        except BaseException as error:
            self._booking.failed(step, error)
            raise
        self._booking.done(step, None)
        return vector

    async def aembed_documents(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
        """Embed documents asynchronously."""
        if self._is_tapped or not texts:
            return await self._inner.aembed_documents(texts, **kwargs)
        step = self._booking.start(texts)
        try:
            vectors = await self._inner.aembed_documents(texts, **kwargs)
        except BaseException as error:
            self._booking.failed(step, error)
            raise
        self._booking.done(step, None)
        return vectors

    async def aembed_query(self, text: str, **kwargs: Any) -> list[float]:
        """Embed a query asynchronously."""
        if self._is_tapped:
            return await self._inner.aembed_query(text, **kwargs)
        step = self._booking.start(text)
        try:
            vector = await self._inner.aembed_query(text, **kwargs)
        except BaseException as error:
            self._booking.failed(step, error)
            raise
        self._booking.done(step, None)
        return vector


class _EmbeddingSteps:
    """Opens and closes the steps of one embeddings object."""

    def __init__(self, recorder: StepRecorder, *, name: str, model: str, provider: str) -> None:
        self._recorder = recorder
        self._name = name
        self._model = model
        self._provider = provider

    def start(self, inputs: object, model: str = "") -> OpenStep:
        return self._recorder.open_here(
            "embedding",
            self._name,
            provider=self._provider,
            model=model or self._model,
            inputs=inputs,
        )

    def done(self, step: OpenStep, response: object) -> None:
        reported, note = (None, "") if response is None else read_answer(lambda: response, self._provider)
        self._recorder.close(step, reported, note=note)

    def failed(self, step: OpenStep, error: BaseException) -> None:
        is_free = outcome_of(error) == "free"
        reported = Reported(usage=Usage()) if is_free else None
        self._recorder.close(step, reported, status=status_of(error), error=error, is_unheard=not is_free)


class _TappedClient:
    """The provider's embeddings resource: one step for each `create`, all else its own."""

    def __init__(self, client: Any, booking: _EmbeddingSteps) -> None:
        self._client = client
        self._booking = booking

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create(self, **kwargs: Any) -> Any:
        step = self._booking.start(kwargs.get("input"), str(kwargs.get("model") or ""))
        try:
            response = self._client.create(**kwargs)
        except BaseException as error:
            self._booking.failed(step, error)
            raise
        self._booking.done(step, response)
        return response


class _TappedAsyncClient(_TappedClient):
    """The asynchronous twin of `_TappedClient`."""

    async def create(self, **kwargs: Any) -> Any:
        step = self._booking.start(kwargs.get("input"), str(kwargs.get("model") or ""))
        try:
            response = await self._client.create(**kwargs)
        except BaseException as error:
            self._booking.failed(step, error)
            raise
        self._booking.done(step, response)
        return response


def _tapped(embeddings: Any, booking: _EmbeddingSteps) -> Any:
    """A copy whose clients book, or `None` when the object does not embed through `client.create`."""
    if not any(base.__name__ == "OpenAIEmbeddings" for base in type(embeddings).__mro__):
        return None
    client, async_client = embeddings.client, embeddings.async_client
    if not any(callable(getattr(each, "create", None)) for each in (client, async_client)):
        return None
    return embeddings.model_copy(
        update={
            "client": None if client is None else _TappedClient(client, booking),
            "async_client": None if async_client is None else _TappedAsyncClient(async_client, booking),
        }
    )


def _model_of(embeddings: object) -> str:
    for name in ("model", "model_name", "model_id"):
        value = getattr(embeddings, name, None)
        if isinstance(value, str) and value:
            return value
    return ""


def _provider_of(embeddings: object) -> str:
    modules = [base.__module__ for base in type(embeddings).__mro__]
    for module in modules:
        for prefix, provider in _PROVIDERS.items():
            if module == prefix or module.startswith(f"{prefix}."):
                return provider
    return ""
