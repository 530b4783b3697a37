"""What goes around us: calls to language models that no step covers, caught on their way out.

A `WireWatch` wraps, for the length of a `with` block, the places where Python's HTTP clients send a request
(httpx, httpx2 and urllib3, which requests and botocore use) and the two ends of a step. A request to a language
model is covered when a model, embedding or rerank step is open that has not been answered yet; the first
answer uses the step up, a failed attempt does not, because SDKs retry inside one step. What is not covered is
counted by host, path, model and the line of code it came from. Nothing but the name of the model is read from a
request, and nothing is changed in it.

It does not see other clients (aiohttp, grpc, http.client), nor child processes.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import json
import re
import sysconfig
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import spendgraph
from spendgraph.hooks.places import OpenStep
from spendgraph.hooks.recorder import StepRecorder
from spendgraph.ledger.records import TOKEN_KINDS

# Vertex AI and Bedrock name the model in the path, which says enough without the host.
KNOWN_HOSTS = (
    "api.openai.com",
    ".openai.azure.com",
    ".services.ai.azure.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "api.mistral.ai",
    "api.cohere.com",
    "api.cohere.ai",
    "api.groq.com",
    "api.together.xyz",
    "api.fireworks.ai",
    "api.deepseek.com",
    "api.x.ai",
    "api.perplexity.ai",
    "api.voyageai.com",
    "openrouter.ai",
)

_PAID_PATH = re.compile(
    r"/(chat/completions|completions|responses|messages|embeddings|rerank|chat|embed|images/\w+|audio/\w+)$"
    r"|:(stream)?(generateContent|rawPredict|predict)$|:(batch)?embedContents?$"
    r"|/model/[^/]+/(converse|invoke)[a-z-]*$"
)
_MODEL_IN_PATH = re.compile(r"/(?:models?|deployments)/([^/:]+)")
_NOT_THE_USERS = tuple(
    {
        str(Path(spendgraph.__file__).parent),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        "<frozen",
    }
)


class Around(NamedTuple):
    """Calls that no step covers: to whom, for which model, by which client, from which line."""

    host: str
    path: str
    model: str
    client: str
    where: str


class _Cover:
    """An open step and the request it covers."""

    __slots__ = ("answered", "in_flight", "step", "thread")

    def __init__(self, step: OpenStep) -> None:
        self.step = step
        self.thread = threading.get_ident()
        self.in_flight = False
        self.answered = False

    def is_open(self) -> bool:
        """Whether the step has neither ended nor been settled."""
        return self.step.step_id in self.step.place.task.open_steps


class WireWatch:
    """Counts requests to language models in this process while the context is open.

    Attributes:
        covered: How many requests a step covered.
        around: How many requests no step covered, by where they came from.
        clients: The HTTP clients that are watched.

    Example:
        with WireWatch() as watch:
            agent.invoke(inputs)
        print(watch.covered, watch.around)
    """

    def __init__(self) -> None:
        self.covered = 0
        self.around: Counter[Around] = Counter()
        self.clients: list[str] = []
        self._open: dict[int, _Cover] = {}
        self._lock = threading.Lock()
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        """Wrap the clients and the recorder."""
        self._replace(StepRecorder, "open", self._opening)
        for name in ("httpx", "httpx2"):
            if importlib.util.find_spec(name) is not None:
                client: Any = importlib.import_module(name)
                self._replace(client.Client, "send", functools.partial(self._sending, name))
                self._replace(client.AsyncClient, "send", functools.partial(self._asending, name))
                self.clients.append(name)
        if importlib.util.find_spec("urllib3") is not None:
            pools: Any = importlib.import_module("urllib3.connectionpool")
            self._replace(pools.HTTPConnectionPool, "urlopen", self._opening_url)
            self.clients.append("urllib3")
        return self

    def __exit__(self, *ended: object) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()

    def _replace(
        self, owner: type, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        original = getattr(owner, name)
        setattr(owner, name, functools.wraps(original)(wrap(original)))
        self._undo.append(lambda: setattr(owner, name, original))

    def _opening(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def opened(*arguments: Any, **options: Any) -> OpenStep:
            step: OpenStep = original(*arguments, **options)
            if step.kind in TOKEN_KINDS:
                with self._lock:
                    self._open[id(step)] = _Cover(step)
            return step

        return opened

    def _sending(self, client: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def send(http: Any, request: Any, **options: Any) -> Any:
            with self._request(
                client, request.method, request.url.host, request.url.path, request
            ) as answered:
                response = original(http, request, **options)
                answered(response.status_code)
            return response

        return send

    def _asending(self, client: str, original: Callable[..., Any]) -> Callable[..., Any]:
        async def send(http: Any, request: Any, **options: Any) -> Any:
            with self._request(
                client, request.method, request.url.host, request.url.path, request
            ) as answered:
                response = await original(http, request, **options)
                answered(response.status_code)
            return response

        return send

    def _opening_url(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def urlopen(
            pool: Any, method: str, url: str, body: Any = None, *arguments: Any, **options: Any
        ) -> Any:
            path = re.sub(r"^https?://[^/]+", "", url).partition("?")[0]
            with self._request("urllib3", method, pool.host, path, body) as answered:
                response = original(pool, method, url, body, *arguments, **options)
                answered(response.status)
            return response

        return urlopen

    @contextmanager
    def _request(
        self, client: str, method: str, host: str, path: str, content: object
    ) -> Generator[Callable[[int], None]]:
        cover: _Cover | None = None
        if method == "POST" and _PAID_PATH.search(path):
            model = _model_of(path, content)
            if model or host.endswith(KNOWN_HOSTS):
                cover = self._claim(model)
                if cover is None:
                    self.around[Around(host, path, model, client, _users_line())] += 1

        def answered(status: int) -> None:
            # An embedding step sends its texts in several requests; a model step sends one that is answered.
            if cover is not None and status < 400 and cover.step.kind == "model":
                cover.answered = True

        try:
            yield answered
        finally:
            if cover is not None:
                cover.in_flight = False

    def _claim(self, model: str) -> _Cover | None:
        """The open step that covers a request: of this thread if there is one, else the latest."""
        with self._lock:
            for key in [key for key, cover in self._open.items() if not cover.is_open()]:
                del self._open[key]
            free = [
                cover
                for cover in self._open.values()
                if not cover.in_flight and not cover.answered and _same_model(model, cover.step.model)
            ]
            if not free:
                return None
            here = threading.get_ident()
            chosen = max(free, key=lambda cover: (cover.thread == here, cover.step.started_us))
            chosen.in_flight = True
            self.covered += 1
            return chosen


def _same_model(asked: str, opened: str) -> bool:
    """Whether a request for one model can belong to a step of the other; unknown names can be anything."""
    if not asked or not opened:
        return True
    return asked.rpartition("/")[2].lower() == opened.rpartition("/")[2].lower()


def _model_of(path: str, content: object) -> str:
    found = _MODEL_IN_PATH.search(path)
    if found:
        return found[1]
    if not isinstance(content, str | bytes | type(None)):
        content = _read_body(content)
    if not content:
        return ""
    try:
        body: object = json.loads(content)
    except ValueError:
        return ""
    model: object = body.get("model") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return model if isinstance(model, str) else ""


def _read_body(request: Any) -> bytes:
    try:
        return bytes(request.content)
    except RuntimeError:  # httpx's RequestNotRead: a streamed body is left alone
        return b""


def _users_line() -> str:
    """`file:line` of the innermost frame that belongs neither to Python, nor to a library, nor to us."""
    frame = inspect.currentframe()  # inspect.stack() would read source files for every frame
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_NOT_THE_USERS):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"
