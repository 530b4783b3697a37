"""The child process that serves the model: `python -m spendgraph_demo.serving WEIGHTS NAME`.

It prints one JSON line with its address, and how long a short answer took, once it has generated one, and ends
when its standard input closes: also when the parent was killed and could not say goodbye. It imports nothing
but the server.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from typing import Any

CONTEXT_TOKENS = 4096
PARALLEL = 2
"""Requests served side by side; each has its share of the context."""

MAX_THREADS = 4
PROBE = "A customer was charged twice for an order and wants the money back. What is to be done?"
PROBE_TOKENS = 16
"""What is written to see how fast this machine is: a second's work, of which the speed is told."""


def serve(weights: str, name: str) -> None:
    """Serve chat and embeddings on an ephemeral loopback port until standard input closes.

    The port listens on 127.0.0.1 alone; chat answers call the model `name`.
    """
    # What native code prints belongs in the log: the address alone goes up the pipe, which nobody reads later.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {name}
    params.n_ctx = CONTEXT_TOKENS
    params.n_batch = params.n_ubatch = CONTEXT_TOKENS // PARALLEL
    params.n_parallel = PARALLEL
    params.n_threads_http = 2 * PARALLEL
    params.n_gpu_layers = 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = min(MAX_THREADS, os.cpu_count() or 1)
        cpu.poll = 0
    params.cache_ram_mib = 128
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.offline = True
    params.ui = False
    params.verbosity = 1
    server = xllamacpp.Server(params)
    first_token = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    server.handle_chat_completions(first_token)
    began = time.monotonic()
    server.handle_chat_completions(
        {"messages": [{"role": "user", "content": PROBE}], "max_tokens": PROBE_TOKENS, "ignore_eos": True}
    )
    ready = {"address": server.listening_address, "probe_seconds": time.monotonic() - began}
    print(json.dumps(ready), file=answers, flush=True)
    sys.stdin.read()
    # The native threads outlive `del server` now and then; nothing here is worth a wait.
    os._exit(0)


if __name__ == "__main__":
    # Ctrl-C reaches the whole terminal group; the parent decides when the server ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.argv[1], sys.argv[2])
