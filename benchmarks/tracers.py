"""Other people's handlers, with everything on but the network: what they send is made ready and then dropped.

They come with `pip install 'spendgraph[bench]'`. Langfuse exports through OpenTelemetry to an exporter that drops;
LangSmith's client batches in its own thread, as it does by default, into a session that answers without sending.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

LANGFUSE = "Langfuse"
LANGSMITH = "LangSmith"

_INGEST = {
    "version": "offline",
    "instance_flags": {"zstd_compression_enabled": True},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
    },
}


def tracers() -> dict[str, Callable[[], Any]]:
    """A maker of handlers for every tracer that is installed."""
    found: dict[str, Callable[[], Any]] = {}
    for name, make in ((LANGFUSE, _langfuse), (LANGSMITH, _langsmith)):
        with contextlib.suppress(ImportError):
            found[name] = make()
    return found


def _langfuse() -> Callable[[], Any]:
    langfuse = importlib.import_module("langfuse")
    langchain = importlib.import_module("langfuse.langchain")
    sdk = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")

    class Drop(export.SpanExporter):  # type: ignore[name-defined,misc]
        """Takes every span and does nothing with it."""

        def export(self, spans: Any) -> Any:
            return export.SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            """Nothing to end."""

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    langfuse.Langfuse(
        public_key="offline",
        secret_key="offline",
        base_url="http://127.0.0.1:9",
        span_exporter=Drop(),
        tracer_provider=sdk.TracerProvider(),
    )
    return lambda: langchain.CallbackHandler(public_key="offline")


def _langsmith() -> Callable[[], Any]:
    langsmith = importlib.import_module("langsmith")
    requests = importlib.import_module("requests")
    core = importlib.import_module("langchain_core.tracers")

    class Drop(requests.Session):  # type: ignore[name-defined,misc]
        """Answers every request that it was accepted."""

        def request(self, *args: Any, **kwargs: Any) -> Any:
            answer = requests.Response()
            answer.status_code = 202
            answer._content = b"{}"  # noqa: SLF001 - requests has no other way to make one
            return answer

    client = langsmith.Client(api_url="http://127.0.0.1:9", api_key="offline", session=Drop(), info=_INGEST)
    return lambda: core.LangChainTracer(client=client, project_name="bench")
