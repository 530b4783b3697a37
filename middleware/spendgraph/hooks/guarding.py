"""Breakers for the steps of one meter: what is asked of them before a call goes out, and the refusal when one is open."""

from __future__ import annotations

import shlex
import threading
from typing import TYPE_CHECKING, NoReturn

from spendgraph.budgets.breakers import BreakerAuthority
from spendgraph.budgets.loops import LoopDetector, RecentCalls
from spendgraph.clock import from_us
from spendgraph.notify.alert import Alert

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.budgets.breakers import Guarded, Watch
    from spendgraph.hooks.places import OpenStep
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.asks import Guard
    from spendgraph.ledger.breakers import Blocked
    from spendgraph.notify import Notifier
    from spendgraph.policy import Policy


class Guarding:
    """Asks breakers for one meter.

    Args:
        ledger: Where they are.
        policy: The breakers.
        decide: Writes a decision: `decide(place, kind, outcome, reason, **detail)`.
        notifier: Tells people that a breaker has tripped.
    """

    def __init__(
        self, ledger: Ledger, policy: Policy, decide: Callable[..., None], notifier: Notifier | None = None
    ) -> None:
        self._notifier = notifier
        self._authority = BreakerAuthority(ledger, policy)
        self._decide = decide
        self._beginning = threading.Lock()
        looks_for_loops = any(breaker.identical_calls is not None for breaker in policy.breakers)
        self._loops = LoopDetector(ledger.secret) if looks_for_loops else None

    def watches(self, step: OpenStep) -> tuple[Watch, ...]:
        """The breakers that guard a step."""
        place = step.place
        task = place.task
        return self._authority.watches(place.context, task.context, task.task_id, place.thread_id)

    def note(self, step: OpenStep, watches: tuple[Watch, ...]) -> tuple[int, ...]:
        """Count a step among its task's latest calls, where a breaker looks for loops; when identical ones started."""
        if self._loops is None or not any(watch.guard.most for watch in watches):
            return ()
        task = step.place.task
        with self._beginning:
            recent = task.recent = task.recent or RecentCalls()
        name = step.model if step.kind == "model" else step.name
        return self._loops.note(recent, step.kind, name, step.inputs, step.started_us)

    def free(self, step: OpenStep, watches: tuple[Watch, ...], seen: tuple[int, ...]) -> tuple[Guard, ...]:
        """What must be found closed by a step that costs nothing; nothing but in a task that is or may be stuck."""
        recent = step.place.task.recent
        is_stopped = recent is not None and recent.is_stopped
        is_loop = any(0 < watch.guard.most <= len(seen) for watch in watches)
        return self._authority.free(watches, seen) if is_stopped or is_loop else ()

    def guard(
        self,
        step: OpenStep,
        watches: tuple[Watch, ...],
        seen: tuple[int, ...],
        *,
        is_free: bool,
        is_spent: bool,
        compares: bool = True,
    ) -> Guarded:
        """What is asked of a step that may cost something.

        Raises:
            LedgerUnavailable: The ledger cannot be read for what other tasks cost, and the step is compared with them.
        """
        return self._authority.guard(
            watches, step.started_us, seen=seen, is_free=is_free, is_spent=is_spent, compares=compares
        )

    def passed(self, step: OpenStep) -> None:
        """The step was let through: its task is not stuck any more."""
        recent = step.place.task.recent
        if recent is not None:
            recent.is_stopped = False

    def refuse(self, step: OpenStep, found: Blocked) -> NoReturn:
        """Refuse a step.

        Raises:
            BreakerOpen: What stops it, why and until when.
        """
        from spendgraph.hooks.refusals import BreakerOpen

        guard = found.guard
        recent = step.place.task.recent
        if guard.most and recent is not None:
            recent.is_stopped = True
        whose = f" for {guard.scope}" if guard.scope else ""
        by = f" by {found.tripped_by}" if found.tripped_by else ""
        until = from_us(found.until_us).isoformat(timespec="seconds")
        if found.is_new:
            what = f"it trips the breaker {guard.breaker!r}{whose}"
        elif found.state == "open":
            what = f"the breaker {guard.breaker!r} is open{whose}, tripped{by}"
        else:
            what = f"the breaker {guard.breaker!r} is half open{whose}, tripped{by}, and another call is under way to try"
        reason = f"{what} ({found.reason})"
        if found.is_new:
            self._tell(found, reason, until)
        else:  # the trip is a decision of its own, written in its transaction
            detail = {"breaker": guard.breaker, "scope": guard.scope, "until": until}
            self._decide(step.place, "breaker", "refused", reason, step_id=step.step_id, **detail)
        scope = f" --scope {shlex.quote(guard.scope)}" if guard.scope else ""
        command = f"spendgraph breakers reset {shlex.quote(guard.breaker)}{scope} --by NAME --why REASON"
        raise BreakerOpen(
            f"The {step.kind} call was not sent: {reason}.",
            breaker=guard.breaker,
            scope=guard.scope,
            owner=guard.owner,
            why=found.reason,
            tripped_by=found.tripped_by,
            until=until,
            hint=f"From {until} on one call is let through to try; `{command}` closes it now.",
        )

    def _tell(self, found: Blocked, reason: str, until: str) -> None:
        """Tell the breaker's people that it has tripped."""
        if self._notifier is None:
            return
        guard = found.guard
        whose = f" for {guard.scope}" if guard.scope else ""
        alert = Alert(
            "breaker",
            guard.breaker,
            f"Breaker {guard.breaker} has tripped{whose}",
            f"{reason[0].upper()}{reason[1:]}. Calls are refused until {until}; then one is let through to try.",
            to=tuple(name for name in (guard.owner, *guard.to) if name),
            severity="critical",
            scope=guard.scope,
            key=(found.tripped_us,),
        )
        self._notifier.raise_alert(alert)
