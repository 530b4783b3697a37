"""The one object a user holds: ledger, prices and policy, tied to the hooks."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from langchain_core.callbacks import BaseCallbackManager, CallbackManager
from langchain_core.runnables import RunnableConfig

from spendgraph.clock import Clock, utc_us
from spendgraph.context import CostContext, carry, given_context
from spendgraph.context import threads as carrying_threads
from spendgraph.errors import LedgerError, unexpected
from spendgraph.hooks.attribution import Resolver
from spendgraph.hooks.dispatcher import DISPATCHER
from spendgraph.hooks.handler import SpendCallbackHandler
from spendgraph.hooks.listener import Listener
from spendgraph.hooks.provider_metadata import provider_metadata
from spendgraph.hooks.raw import RawCalls
from spendgraph.hooks.raw_step import RawStep
from spendgraph.hooks.recorder import StepRecorder
from spendgraph.hooks.tasks import TaskBlock, limit_of
from spendgraph.hooks.tool_decorator import tool_decorator
from spendgraph.hooks.tool_prices import dollars
from spendgraph.hooks.tools import ToolRegistry
from spendgraph.ledger import Ledger
from spendgraph.ledger.elsewhere import run_elsewhere
from spendgraph.ledger.records import TaskOutcome
from spendgraph.notify import Notifier, read_channels
from spendgraph.policy import Policy, load_policy
from spendgraph.pricing import PriceBook

CAP = "meter.cap"
"""The name under which the limit of a `Meter.cap` refuses."""

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Meter:
    """Books what agents spend.

    A meter is passive until something attaches it: `handler` or `config` for one run, `task` for a block of
    code, `install` for the whole process. All ways in are safe together: a call is booked once.

    Args:
        ledger: Path of the ledger file (made when it is not there), or an open `Ledger`.
        policy: Path of a policy file, or a `Policy`; without one nothing is required and nothing refused.
        context: Finds the context of a run whose tags nobody gave: `context(config, runtime)`, where `config`
            holds the run's `metadata` and `tags` and `runtime` is LangGraph's inside a node, else `None`.
        clock: Microseconds UTC, for tests.

    Raises:
        ValueError: An argument is not what it has to be.
        PolicyError: The policy file is not valid.
        LedgerUnavailable: The ledger cannot be opened.

    Example:
        ```python
        meter = Meter("ledger.db", policy="spendgraph.yaml")
        ctx = CostContext(feature="inbox-triage", team="support", tenant="acme")
        graph.invoke(inputs, meter.config(ctx, thread_id="42"))
        ```
    """

    def __init__(
        self,
        ledger: str | os.PathLike[str] | Ledger,
        *,
        policy: str | os.PathLike[str] | Policy | None = None,
        context: Resolver | None = None,
        clock: Clock = utc_us,
    ) -> None:
        self.policy, path = _read_policy(policy)
        if not isinstance(ledger, str | os.PathLike | Ledger):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(unexpected("Meter", "the path of a ledger, or a Ledger", ledger))  # noqa: TRY004 - bad arguments are one kind of error
        if context is not None and not callable(context):
            hint = (
                ": meter.config or meter.task take a CostContext" if isinstance(context, CostContext) else ""
            )
            raise ValueError(
                unexpected("Meter", "a function of config and runtime for context", context, hint)
            )
        channels = run_elsewhere(lambda: read_channels(self.policy, path))  # before anything is opened
        self.ledger = ledger if isinstance(ledger, Ledger) else Ledger.open(os.fspath(ledger), clock=clock)
        self.prices = PriceBook(self.policy.prices)
        run_elsewhere(self.prices.preload)  # half a second once a process, which no call should wait for
        self.tools = ToolRegistry(self.policy)
        self.notifier = Notifier(self.ledger, self.policy, channels)
        weakref.finalize(self, self.notifier.abandon).atexit = False  # then it is closed
        self.recorder = StepRecorder(self.ledger, self.policy, self.prices, self.tools, self.notifier)
        self._raw = RawCalls(self.recorder, self.tools)
        self.listener = Listener(self.recorder, self.tools, object(), context)
        self.attribution = self.listener.attribution
        self.recorder.here = self.attribution.here
        self.recorder.enclosing = self.attribution.enclosing
        self._handler: SpendCallbackHandler | None = None
        self._carries_threads = False
        weakref.finalize(self, DISPATCHER.detach, self.listener)

    # Attaching

    @property
    def handler(self) -> SpendCallbackHandler:
        """The callback handler of this meter, for `config["callbacks"]`."""
        if self._handler is None:
            self._handler = SpendCallbackHandler(self)
        return self._handler

    def config(
        self,
        context: CostContext | None = None,
        config: RunnableConfig | None = None,
        *,
        thread_id: str | None = None,
    ) -> RunnableConfig:
        """A `RunnableConfig` that attaches this meter, with a context's tags as metadata.

        Args:
            context: Who pays; `None` attaches the meter without tags, for example to resume a thread.
            config: A config to merge into; it is not changed.
            thread_id: Sets `configurable.thread_id`.

        Raises:
            ContextError: `context` is no context.
            ValueError: `config` is no config.
        """
        given = given_context("meter.config", context)
        if config is not None and not isinstance(config, dict):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(unexpected("meter.config", "a RunnableConfig, a dict, for config", config))
        merged: RunnableConfig = RunnableConfig() if config is None else config.copy()
        callbacks = merged.get("callbacks")
        if callbacks is None or isinstance(callbacks, list):
            manager: BaseCallbackManager = CallbackManager(handlers=[])
            for each in callbacks or ():
                manager.add_handler(each, inherit=True)
        else:
            manager = callbacks.copy()
        if self.handler not in manager.handlers:
            # The root's alone: what runs inside is found by its parent, without hearing of every event twice.
            manager.add_handler(self.handler, inherit=False)
        merged["callbacks"] = manager
        if context is not None:
            tags = self.attribution.private(given).metadata()
            merged["metadata"] = {**merged.get("metadata", {}), **tags}
        if thread_id is not None:
            merged["configurable"] = {**merged.get("configurable", {}), "thread_id": thread_id}
        return merged

    def task(self, context: CostContext | None = None, **tags: str) -> TaskBlock:
        """A block of code (or every call of a decorated function) as one task.

        Args:
            context: Who pays; inside another task, tags it does not set are inherited.
            tags: Tags to set, in place of a context or on top of it.

        Raises:
            ContextError: A tag is not accepted, or `context` is no context.
        """
        given = given_context("meter.task", context)
        return TaskBlock(given.replace(**tags) if tags else given, self.listener, keep=self)

    def cap(
        self,
        *,
        usd: str | Decimal | float | None = None,
        tokens: int | None = None,
        calls: int | None = None,
        strict: bool = False,
        context: CostContext | None = None,
    ) -> TaskBlock:
        """A block of code that may spend only so much: a task with a limit of its own, beside the policy's budgets.

        Args:
            usd: The most it may cost, in dollars; whole numbers too.
            tokens: The most tokens, instead.
            calls: The most calls that cost something, instead.
            strict: Admit only calls with a proven ceiling, so that the limit is never exceeded.
            context: Who pays; inside another task, tags it does not set are inherited.

        Raises:
            ValueError: There is not exactly one limit, or it is not an amount.
            ContextError: `context` is no context.

        Example:
            ```python
            with meter.cap(usd="5"):
                agent.invoke(inputs)
            ```
        """
        limits = {"usd": usd, "tokens": tokens, "calls": calls}
        limit = limit_of(
            CAP, {name: most for name, most in limits.items() if most is not None}, strict=strict
        )
        return TaskBlock(given_context("meter.cap", context), self.listener, keep=self, cap=limit)

    def install(self, *, threads: bool = False) -> None:
        """Attach this meter to every run in this process, until `uninstall`.

        Args:
            threads: Carry the task into raw threads and thread pools too, by wrapping
                `threading.Thread.start` and `ThreadPoolExecutor.submit`.
        """
        self.listener.installed = True
        DISPATCHER.attach(self.listener)
        _INSTALLED.add(self)
        if threads and not self._carries_threads:
            self._carries_threads = True
            carrying_threads.install(self.attribution.capture)

    def uninstall(self) -> None:
        """Undo `install`. Runs under a handler or a task of this meter are still booked."""
        self.listener.installed = False
        _INSTALLED.discard(self)
        if self._carries_threads:
            self._carries_threads = False
            carrying_threads.uninstall(self.attribution.capture)

    def carry(self, fn: Callable[P, R]) -> Callable[P, R]:
        """A function that takes the task it was made in along, into whatever thread runs it."""
        return carry(fn, self.attribution.capture())

    # Spending that LangChain does not announce

    def call(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a provider's SDK method and book it; returns what the method returns.

        Known are the OpenAI, Anthropic and Google SDKs and Bedrock's `converse`. A stream is booked at its
        end, and estimated if it is cut off before.

        Example:
            ```python
            response = meter.call(client.responses.create, model="gpt-5", input="...", max_output_tokens=500)
            ```

        Raises:
            ValueError: The method is not a known one, or is asynchronous.
            Refusal: The call was not sent.
        """
        return self._raw.call(fn, *args, **kwargs)

    async def acall(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Like `call`, for an asynchronous SDK method (a synchronous one runs in a thread)."""
        return await self._raw.acall(fn, *args, **kwargs)

    def step(self, kind: str, **details: Any) -> RawStep:
        """A block of code as one step, which is told what it used; see `RawCalls.step`."""
        return self._raw.step(kind, **details)

    def record(self, kind: str, **details: Any) -> None:
        """Book a cost of any kind under the current context; see `RawCalls.record`."""
        self._raw.record(kind, **details)

    def tool(self, **price: Any) -> Callable[[T], T]:
        """Decorate a tool with its owner and price; see `tool_decorator`."""
        return tool_decorator(self.recorder, self.tools, **price)

    # Telling

    def outcome(
        self,
        *,
        success: bool,
        value_usd: str | Decimal | float | None = None,
        task_id: str | None = None,
    ) -> None:
        """Say how a task turned out, and what it was worth.

        Args:
            success: Whether it did what it was for.
            value_usd: Its worth in dollars, if known.
            task_id: The task; the current one when not given.

        Raises:
            LedgerError: There is no current task.
            ValueError: The value is not an amount of money.
        """
        if task_id is None:
            task = self.attribution.current_task()
            if task is None:
                raise LedgerError(
                    "outcome() was called outside of a task: call it inside one, or pass its task_id."
                )
            self.recorder.announce(task)
            task_id = task.task_id
        else:
            self.ledger.task(task_id)  # raises where the ledger has no such task
        value = None if value_usd is None else dollars(value_usd, name="value_usd")
        self.ledger.post(TaskOutcome(task_id, "success" if success else "failure", value))

    # Other processes

    def current_context(self) -> CostContext:
        """The context of this point of the program, with its task's id; empty where nobody pays.

        Its `baggage()` is the header for a request to another process, its `to_mapping()` fits a message.
        """
        place = self.attribution.here()
        if place.task.is_lone:
            return place.context
        return place.context.replace(task_id=place.task.task_id)

    def context_from_baggage(self, header: str) -> CostContext | None:
        """The context that an inbound W3C `baggage` header gives, of the tags that the policy trusts.

        Args:
            header: The header's value.

        Returns:
            `None` when it holds no tag of `attribution.trust_baggage`, which trusts none unless told to.
        """
        return CostContext.from_baggage(header, self.policy.attribution.trust_baggage)

    def provider_metadata(self, provider: str) -> dict[str, Any]:
        """Arguments that send the current tags along where the provider takes metadata, users as pseudonyms.

        For `model.bind(**meter.provider_metadata("openai"))` or a raw SDK call, so that the provider's own
        usage export can be joined with the ledger. Nothing is sent unless you ask for it.

        Args:
            provider: `openai` or `anthropic`.
        """
        return provider_metadata(self.current_context(), provider, self.ledger.secret)

    # Ending

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything booked so far is in the file; whether it is."""
        return self.ledger.flush(timeout)

    async def aflush(self) -> bool:
        """Like `flush`, without blocking the event loop."""
        return await self.ledger.aflush()

    def close(self) -> None:
        """Detach the meter, settle what never ended, write everything and close the ledger.

        Off an event loop it waits up to two seconds for alerts that are being delivered.
        """
        self.uninstall()
        self.listener.closed = True
        DISPATCHER.detach(self.listener)
        self.recorder.settle(self.recorder.open_steps.values())
        self.notifier.close()
        self.recorder.envelopes.close()
        self.ledger.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


_INSTALLED: set[Meter] = set()
"""Keeps installed meters alive: `Meter(...).install()` needs no variable."""


def _read_policy(policy: str | os.PathLike[str] | Policy | None) -> tuple[Policy, str]:
    """A policy, and its file for messages.

    Raises:
        ValueError: It is neither a policy nor a path.
        PolicyError: The file is not valid.
    """
    if policy is None or isinstance(policy, Policy):
        return policy or Policy(), "<policy>"
    is_text = isinstance(policy, str) and "\n" in policy
    if is_text or not isinstance(policy, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
        hint = ": parse_policy reads one from text" if is_text else ""
        raise ValueError(
            unexpected("Meter", "the path of a policy file, or a Policy, for policy", policy, hint)
        )
    return load_policy(Path(policy)), os.fspath(policy)
