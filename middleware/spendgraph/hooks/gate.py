"""`BudgetGate`: the node of a graph that asks whether there is room for what follows, before anything is paid for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import Runnable, RunnableConfig

from spendgraph.hooks.attachable import require_meter
from spendgraph.hooks.envelopes import Taker, Turn
from spendgraph.hooks.goto import go_nowhere_else, promise, require_node
from spendgraph.hooks.swallowed import note_refusal_inside
from spendgraph.hooks.tool_prices import dollars
from spendgraph.ids import new_id

if TYPE_CHECKING:
    from spendgraph.hooks.attachable import Attachable
    from spendgraph.hooks.gating import Gating
    from spendgraph.hooks.places import Place
    from spendgraph.hooks.refusals import Refusal

Amount = str | Decimal | int | float
"""Dollars."""

Reserve = Amount | Callable[[Any], Amount | Awaitable[Amount]]
"""Dollars, or a function of the graph's state that says how many."""

RAISE: Final = "raise"

_A_NO: Final = frozenset({"budget_exceeded", "approval_denied", "approval_expired"})
"""Reasons that mean no. Where nobody could be asked, or what was said is no decision, nobody has said no."""


class BudgetGate(Runnable[Any, Any]):
    """A node that lets a graph go on while its budgets have room for what follows.

    Without `reserve` it looks ahead: is there room, in every budget that counts this task, for what tasks of this feature usually cost (the
    95th percentile of those that are finished)? Nothing is held. With `reserve` it sets that amount aside for the task, so that nobody
    else can take it: the task's steps draw from it first, and the rest goes back when the task ends or pauses.

    Where there is not enough room, a budget with an `approve` threshold pauses the graph until a person has decided; when the graph is
    resumed the gate asks again, and nothing before it is run again. Otherwise, and when the answer is no, it refuses.

    It is a look at the budgets, not what guards them: every call still reserves for itself.

    Args:
        meter: The meter whose budgets count. The graph has to run under it.
        reserve: Dollars to set aside (`"2.00"`), or a function of the state that says how many.
        on_deny: `"raise"` raises the refusal; anything else is the node to go to instead, and no edge or branch that leaves the gate's
            node is followed then. A graph without that node cannot be compiled.

    Raises:
        ValueError: `meter` is none, `reserve` is no amount, or `on_deny` no name.

    Example:
        ```python
        builder.add_node("budget", BudgetGate(meter, reserve="2.00", on_deny="sorry"))
        builder.add_edge("budget", "research")
        ```
    """

    def __init__(self, meter: Attachable, reserve: Reserve | None = None, on_deny: str = RAISE) -> None:
        if not isinstance(on_deny, str) or not on_deny:  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(f"BudgetGate: expected on_deny='raise' or the name of a node, found {on_deny!r}")
        require_meter(meter, "BudgetGate")
        self.meter = meter
        self.on_deny = on_deny
        self._reserve = reserve
        self._is_fixed = reserve is not None and not callable(reserve)
        self._fixed = _nanousd(reserve) if self._is_fixed else 0
        self._id = new_id()
        if on_deny != RAISE:
            promise(self, on_deny)

    def __call__(self, state: Any) -> Any:
        """As `invoke`: LangGraph asks what can be called where it goes."""
        return self.invoke(state)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002 - the base class's names
        """Return `{}` where there is room, or LangGraph's `Command(goto=on_deny)`; the state is only read.

        Raises:
            BudgetExceeded: A budget has not enough room.
            ApprovalRequired: A person would have to agree, and cannot be asked or said no.
            GateError: The graph has no node that is called as `on_deny` says.
            Refusal: The graph does not run under the gate's meter.
            LedgerUnavailable: The ledger cannot be read or written.
        """
        gating = self._gating(config)
        return {} if gating is None else self._pass(gating, input, None, config or {}, Turn())

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002 - as above
        """The asynchronous twin of `invoke`: the ledger is asked in a thread, and awaited."""
        gating = self._gating(config)
        if gating is None:
            return {}
        amount = None
        if inspect.iscoroutinefunction(self._reserve):
            amount = _nanousd(await self._reserve(input))
        turn = Turn()
        passing = asyncio.ensure_future(
            asyncio.to_thread(self._pass, gating, input, amount, config or {}, turn)
        )
        try:
            return await asyncio.shield(passing)
        except asyncio.CancelledError:
            self.meter.recorder.envelopes.give_up(turn)
            passing.add_done_callback(_heard)
            raise

    def _gating(self, config: RunnableConfig | None) -> Gating | None:
        """What asks the budgets; `None` where there are none.

        Raises:
            GateError: There is nowhere to go to.
            Refusal: The meter does not see what runs here, so that nothing that follows would be counted.
        """
        if config is not None and self.on_deny != RAISE:
            require_node(config, self.on_deny)
        reservations = self.meter.recorder.reservations
        if reservations is None:
            return None
        listener = self.meter.listener
        if listener.closed or not listener.attribution.is_inside():
            from spendgraph.hooks.refusals import Refusal

            said = "was closed" if listener.closed else "is not attached to this run"
            raise Refusal(
                f"The budget gate stayed closed: its meter {said}, so that nothing that follows would be counted.",
                reason="meter_not_attached",
                hint="Run the graph with meter.config(...), inside meter.task(...) or after meter.install().",
            )
        return reservations.gating

    def _pass(
        self, gating: Gating, state: object, amount: int | None, config: RunnableConfig, turn: Turn
    ) -> Any:
        if amount is None and self._reserve is not None:
            amount = self._amount(state)
        recorder = self.meter.recorder
        place = recorder.here()
        try:
            if amount:
                superstep = config.get("metadata", {}).get("langgraph_step")
                taker = Taker(self._id, self.get_name(), place.task.task_id, place.checkpoint_ns, superstep)
                gating.take(place, taker, amount, recorder.envelopes, turn)
            else:
                gating.look(place, None if amount is None else 1)
        except Exception as error:
            refusal: Any = getattr(error, "refusal", error)  # of a pause, what it stands for
            is_no = error is refusal and getattr(refusal, "reason", "") in _A_NO
            is_avoided = is_no and self.on_deny != RAISE
            if is_no:
                self._decide(place, refusal, goto=self.on_deny if is_avoided else "")
            if not is_avoided:
                run = self.meter.listener.attribution.enclosing()
                if run is not None and not turn.is_given_up:
                    note_refusal_inside(run, refusal)
                raise
            refusal.handled()
        else:
            return {}
        from langgraph.types import Command

        go_nowhere_else(config, self.on_deny)
        return Command(goto=self.on_deny)

    def _amount(self, state: object) -> int:
        """Nano-USD to set aside."""
        if not callable(self._reserve):
            return self._fixed
        said = self._reserve(state)
        if inspect.isawaitable(said):
            if inspect.iscoroutine(said):
                said.close()
            raise TypeError(
                "BudgetGate: `reserve` has to be awaited: make it an `async def` function, and run the graph with ainvoke or astream"
            )
        return _nanousd(said)

    def _decide(self, place: Place, refusal: Refusal, goto: str) -> None:
        about = {"goto": goto} if goto else {}
        if refusal.approval_id:
            about["approval_id"] = refusal.approval_id
        self.meter.recorder.decide(
            place,
            "budget",
            "refused",
            str(refusal).removesuffix(refusal.hint).rstrip(),
            gate=place.node or self.get_name(),
            budget=refusal.budget,
            scope=refusal.scope,
            window=refusal.window,
            limit=refusal.limit,
            spent=refusal.spent,
            held=refusal.held,
            asked=refusal.asked,
            **about,
        )


def _nanousd(amount: Any) -> int:
    return dollars(amount, name="BudgetGate: reserve")


def _heard(passing: asyncio.Future[Any]) -> None:
    """Nobody waits for the gate any more, and what it found is nobody's trouble."""
    if not passing.cancelled():
        passing.exception()
