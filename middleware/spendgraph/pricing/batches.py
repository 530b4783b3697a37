"""Batches of a completion model, whose usage LangChain puts on one of their prompts.

`OpenAI().batch([...])` and `generate` with several prompts answer in one `LLMResult` with the usage of all
requests. LangChain splits it: the first prompt's result keeps the whole batch's usage, all others get
`token_usage: {}`. A streamed batch reports nothing, and its results look exactly like those others: whether an
empty usage means *counted already* or *not reported* cannot be read from a result, nor from the size of its
batch. It can be from the batch: LangChain announces all its prompts with one and the same object of invocation
parameters, and the first prompt's result is the first that is heard.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from spendgraph.pricing.counts import field, items, mapping
from spendgraph.pricing.langchain import read_langchain
from spendgraph.pricing.usage import Reported, Usage

if TYPE_CHECKING:
    from langchain_core.outputs import LLMResult

MOST_KEPT = 512
"""Batches remembered; results of one that is forgotten are estimated, which is too much and labelled."""


class CompletionBatches:
    """Reads results like `read_langchain`, and counts a completion batch's usage once.

    A prompt whose usage is on another prompt of its batch used nothing of its own: its usage is zero. Where no
    prompt of the batch carries one (a streamed batch), each stays without usage, and is estimated.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[int, object] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, response: LLMResult, parameters: object, *, provider: str = "") -> Reported:
        """What a finished run says of itself.

        Args:
            response: What `on_llm_end` was given.
            parameters: The very object that the run's start got as `invocation_params`; it tells the batch.
            provider: The run's `ls_provider`.
        """
        reported = read_langchain(response, provider=provider)
        if parameters is None or not _is_completion(response):
            return reported
        if _usage_is_its_own(response):
            return reported
        key = id(parameters)
        with self._lock:
            if key in self._told:  # kept alive here, so that no other object has its id
                return replace(reported, usage=Usage(), output_text="")
            if reported.usage is not None:
                self._told[key] = parameters
                if len(self._told) > MOST_KEPT:
                    self._told.popitem(last=False)
        return reported


def _is_completion(response: object) -> bool:
    for generations in items(field(response, "generations")):
        for generation in items(generations):
            return field(generation, "message") is None
    return False


def _usage_is_its_own(response: object) -> bool:
    """Whether the prompt's generation carries usage, which LangChain does not take off."""
    for generations in items(field(response, "generations")):
        for generation in items(generations):
            return bool(mapping(field(generation, "generation_info")).get("usage_metadata"))
    return False
