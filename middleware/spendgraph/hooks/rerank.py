"""A reranker that is booked: LangChain announces no document compressor.

What it costs, first hit wins: the policy's `tools` entry for its name (per call, or per search unit), the price
of its model. Cohere's `CohereRerank` drops what its server says it billed (`meta.billed_units`); its client is
tapped on a copy, the original object stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor
from pydantic import ConfigDict, PrivateAttr

from spendgraph.errors import unexpected
from spendgraph.hooks.attachable import require_meter
from spendgraph.hooks.raw_errors import outcome_of, status_of
from spendgraph.pricing import Reported, Usage
from spendgraph.pricing.counts import MOST_TOKENS, field

if TYPE_CHECKING:
    from langchain_core.callbacks import Callbacks

    from spendgraph.hooks.attachable import Attachable
    from spendgraph.hooks.places import OpenStep

_PER_SEARCH_UNIT = "search_unit"


class MeteredReranker(BaseDocumentCompressor):
    """Wraps a document compressor that calls a paid reranking service.

    It does not fit compressors made of a language model or of embeddings: their calls are booked already.

    Args:
        meter: Books the steps.
        compressor: What reranks.
        model: The model, where the wrapped object does not say it.
        provider: The provider, where the wrapped object's package does not say it (`langchain_<provider>`).
        name: The name the policy's `tools` price; by default the class of the compressor.

    Raises:
        ValueError: It is given no meter, or nothing that reranks.

    Example:
        ```python
        compressor = MeteredReranker(meter, CohereRerank(model="rerank-v3.5"))
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    compressor: BaseDocumentCompressor
    model: str = ""
    provider: str = ""
    name: str = ""

    _meter: Any = PrivateAttr()

    def __init__(
        self,
        meter: Attachable,
        compressor: BaseDocumentCompressor,
        *,
        model: str | None = None,
        provider: str | None = None,
        name: str | None = None,
    ) -> None:
        require_meter(meter, "MeteredReranker")
        if not isinstance(compressor, BaseDocumentCompressor):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(  # noqa: TRY004 - bad arguments are one kind of error
                unexpected("MeteredReranker", "a BaseDocumentCompressor of LangChain", compressor)
            )
        fields: dict[str, Any] = {
            "compressor": compressor,
            "model": model or _text(compressor, "model", "model_name", "model_id"),
            "provider": provider or _provider_of(compressor),
            "name": name or type(compressor).__name__,
        }
        super().__init__(**fields)
        self._meter = meter

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Rerank documents."""
        if not documents:
            return self.compressor.compress_documents(documents, query, callbacks)
        step, inner, heard = self._start(documents, query)
        try:
            ranked = inner.compress_documents(documents, query, callbacks)
        except BaseException as error:
            self._failed(step, error)
            raise
        self._done(step, heard)
        return ranked

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Rerank documents asynchronously."""
        if not documents:
            return await self.compressor.acompress_documents(documents, query, callbacks)
        step, inner, heard = self._start(documents, query)
        try:
            ranked = await inner.acompress_documents(documents, query, callbacks)
        except BaseException as error:
            self._failed(step, error)
            raise
        self._done(step, heard)
        return ranked

    def _start(
        self, documents: Sequence[Document], query: str
    ) -> tuple[OpenStep, BaseDocumentCompressor, _Billed]:
        recorder = self._meter.recorder
        step = recorder.open_here(
            "rerank",
            self.name,
            provider=self.provider,
            model=self.model,
            inputs=[query, *(document.page_content for document in documents)],
        )
        heard = _Billed()
        return step, _listening(self.compressor, heard), heard

    def _done(self, step: OpenStep, heard: _Billed) -> None:
        recorder, tools = self._meter.recorder, self._meter.tools
        units = heard.search_units
        quantity, unit = (None, "") if units is None else (units, _PER_SEARCH_UNIT)
        owner = tools.owner(self.name)
        if tools.find(self.name).is_priced:
            charge = tools.charge_units(self.name, 1 if units is None else units)
            recorder.close(
                step,
                cost_nanousd=charge.cost_nanousd,
                cost_basis=charge.basis,
                quantity=quantity,
                unit=unit,
                owner=owner,
            )
            return
        price = recorder.prices.price(self.provider, self.model, step.started_us) if self.model else None
        if price is None:
            recorder.close(
                step, cost_nanousd=0, cost_basis="unpriced", quantity=quantity, unit=unit, owner=owner
            )
        elif heard.tokens is not None:
            recorder.close(step, Reported(usage=Usage(input_tokens=heard.tokens)), owner=owner)
        elif price.cost(Usage(input_tokens=1_000_000)) != price.cost(Usage()):
            recorder.close(step, None, owner=owner)
        elif units is None or units == 1:
            recorder.close(step, Reported(usage=Usage()), owner=owner)
        else:
            cost = round(price.cost(Usage()) * units)
            recorder.close(
                step, cost_nanousd=cost, cost_basis="reported", quantity=quantity, unit=unit, owner=owner
            )

    def _failed(self, step: OpenStep, error: BaseException) -> None:
        recorder, tools = self._meter.recorder, self._meter.tools
        if outcome_of(error) == "free":
            recorder.close(step, Reported(usage=Usage()), status=status_of(error), error=error)
            return
        if step.is_held:
            recorder.close(step, status=status_of(error), error=error, is_unheard=True)
            return
        charge = tools.charge_units(self.name, 1)
        basis = "upper_bound" if charge.cost_nanousd is not None else charge.basis
        recorder.close(
            step, status=status_of(error), error=error, cost_nanousd=charge.cost_nanousd, cost_basis=basis
        )


class _Billed:
    """What the responses heard during one call say they billed."""

    def __init__(self) -> None:
        self.search_units: float | None = None
        self.tokens: int | None = None

    def read(self, response: object) -> None:
        """Add a response's units: Cohere's `meta.billed_units`, or the `usage.total_tokens` of others."""
        billed = field(field(response, "meta"), "billed_units")
        units = _number(field(billed, "search_units"))
        if units is not None:
            self.search_units = (self.search_units or 0) + units
        tokens = _number(field(billed, "input_tokens"))
        if tokens is None:
            tokens = _number(field(field(response, "usage"), "total_tokens"))
        if tokens is not None:
            self.tokens = (self.tokens or 0) + int(tokens)


class _ListeningClient:
    """A reranking client whose `rerank` responses are read as they pass."""

    def __init__(self, client: Any, heard: _Billed) -> None:
        self._client = client
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def rerank(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._client.rerank(*args, **kwargs)
        if hasattr(answer, "__await__"):
            return self._awaited(answer)
        self._heard.read(answer)
        return answer

    async def _awaited(self, answer: Any) -> Any:
        response = await answer
        self._heard.read(response)
        return response


def _listening(compressor: BaseDocumentCompressor, heard: _Billed) -> BaseDocumentCompressor:
    """A copy for one call whose clients report what was billed, or the compressor itself."""
    taps = {
        name: _ListeningClient(getattr(compressor, name), heard)
        for name in ("client", "async_client")
        if callable(getattr(getattr(compressor, name, None), "rerank", None))
    }
    return compressor.model_copy(update=taps) if taps else compressor


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_TOKENS:
        return None
    return value


def _text(source: object, *names: str) -> str:
    values = (getattr(source, name, None) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _provider_of(compressor: object) -> str:
    package = type(compressor).__module__.partition(".")[0]
    return package.removeprefix("langchain_") if package.startswith("langchain_") else ""
