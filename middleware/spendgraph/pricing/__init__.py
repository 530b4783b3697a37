"""From a provider's usage to nano-USD: token buckets, prices, costs. The only room that knows prices."""

from __future__ import annotations

from spendgraph.pricing.batches import CompletionBatches
from spendgraph.pricing.book import PriceBook
from spendgraph.pricing.cache_ttl import with_cache_ttl
from spendgraph.pricing.ceiling import input_ceiling, output_ceiling
from spendgraph.pricing.estimate import estimate_tokens, estimate_usage
from spendgraph.pricing.expect import KEPT, CostHistory, expected_input, expected_output, quantile_of
from spendgraph.pricing.langchain import read_langchain, read_langchain_error
from spendgraph.pricing.price import Price
from spendgraph.pricing.price_list import is_edition
from spendgraph.pricing.provider import read_provider
from spendgraph.pricing.stream import StreamReader, merge_stream
from spendgraph.pricing.untold_audio import with_untold_audio
from spendgraph.pricing.usage import Buckets, Reported, Usage, buckets, settled

__all__ = [
    "KEPT",
    "Buckets",
    "CompletionBatches",
    "CostHistory",
    "Price",
    "PriceBook",
    "Reported",
    "StreamReader",
    "Usage",
    "buckets",
    "estimate_tokens",
    "estimate_usage",
    "expected_input",
    "expected_output",
    "input_ceiling",
    "is_edition",
    "merge_stream",
    "output_ceiling",
    "quantile_of",
    "read_langchain",
    "read_langchain_error",
    "read_provider",
    "settled",
    "with_cache_ttl",
    "with_untold_audio",
]
