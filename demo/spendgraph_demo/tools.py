"""The tools and the retriever of the demo's application.

`web_search` has a price per call in the policy. `plain_words` is free itself and calls the model: what it
spends belongs to whoever called it. The retriever works on real vectors.
"""

from __future__ import annotations

from operator import mul

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, tool
from pydantic import ConfigDict

_PAGES = (
    "Notice periods of three to six months are usual in hosting contracts.",
    "Data protection law asks for a report to the authority within 72 hours.",
    "Carriers call a parcel lost after ten working days.",
    "Accounts without logins for five days renew half as often.",
)
"""What the paid search finds: a bundled page set, since the demo asks nobody on the internet."""


class ShelfRetriever(BaseRetriever):
    """Finds the nearest document of one shelf by the dot product of unit vectors."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    embeddings: Embeddings
    texts: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...]

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 -- LangChain passes it by name
    ) -> list[Document]:
        vector = self.embeddings.embed_query(query)
        scores = [sum(map(mul, vector, candidate)) for candidate in self.vectors]
        return [Document(self.texts[scores.index(max(scores))])]


class Library:
    """The shelves that have been embedded so far, one for each feature and tenant."""

    def __init__(self, embeddings: Embeddings, shelves: dict[str, tuple[str, ...]]) -> None:
        self._embeddings = embeddings
        self._texts = shelves
        self._retrievers: dict[str, ShelfRetriever] = {}

    def index(self, shelf: str) -> None:
        """Embed a shelf's documents, unless that was done before."""
        if shelf in self._retrievers:
            return
        texts = self._texts[shelf]
        vectors = tuple(map(tuple, self._embeddings.embed_documents(list(texts))))
        self._retrievers[shelf] = ShelfRetriever(
            name="knowledge_base", embeddings=self._embeddings, texts=texts, vectors=vectors
        )

    def retriever(self, shelf: str) -> ShelfRetriever:
        """The retriever of a shelf that has been indexed."""
        return self._retrievers[shelf]


def make_tools(chat: BaseChatModel) -> list[BaseTool]:
    """The tools of the application; `plain_words` calls `chat`."""

    @tool
    def web_search(query: str) -> str:
        """Search the web."""
        words = set(query.lower().split())
        return max(_PAGES, key=lambda page: len(words & set(page.lower().split())))

    @tool
    def plain_words(text: str) -> str:
        """Say a sentence in plain words."""
        return str(chat.invoke([("human", f"Say this in plain words, in one sentence: {text}")]).text)

    return [web_search, plain_words]
