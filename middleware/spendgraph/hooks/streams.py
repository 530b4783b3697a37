"""Streams that outgrow what is held for them: they get more room, or they are cut off.

What passes is counted in bytes of text, a quarter of a token each, against an allowance that is worked out at the
first chunk. A stream beyond it takes more room in the windows it is held in, twice as much each time, and is cut off
where there is none: what was received is booked and the rest given back. A call whose hold is a ceiling, or covers its
`max_tokens`, is never asked about.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger.asks import Shortfall
from spendgraph.ledger.growth import Wish, extend
from spendgraph.pricing import Reported, Usage, estimate_usage
from spendgraph.pricing.estimate import BYTES_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.budgets.authority import Answer, BudgetAuthority, Need
    from spendgraph.hooks.places import OpenStep
    from spendgraph.hooks.refusals import BudgetExceeded
    from spendgraph.hooks.rows import StepRows
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.asks import Hold
    from spendgraph.ledger.records import StepRow
    from spendgraph.policy import Budget

UNLIMITED: Final = sys.maxsize
"""The allowance of a stream that cannot outgrow what is held for it."""

LEAST_TOKENS: Final = 64
"""A stream asks for at least so many tokens more, that it need not ask at every chunk."""


class Streams:
    """Lets streams grow, or cuts them off with a decision that says why.

    Args:
        ledger: Where the room is.
        authority: Knows what an answer costs.
        rows: Makes the row to book should a call's end never be heard.
        cut: Writes that a stream is cut off for want of room, and makes the refusal: `cut(step, budget, shortfall)`.
        loop_wait_s: How long an event loop waits for the ledger thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        authority: BudgetAuthority,
        rows: StepRows,
        cut: Callable[[OpenStep, Budget, Shortfall], BudgetExceeded],
        loop_wait_s: float,
    ) -> None:
        self._ledger = ledger
        self._authority = authority
        self._rows = rows
        self._cut = cut
        self._loop_wait_s = loop_wait_s

    def outgrown(self, step: OpenStep) -> None:
        """Make room for what a stream has sent so far, and for more.

        Raises:
            BudgetExceeded: There is no room: the stream is cut off. It says so again if it is asked again.
            LedgerUnavailable: The ledger cannot be written: nothing more is let through.
        """
        if step.cut is not None:
            raise step.cut
        hold, need = step.hold, step.need
        if hold is None or need is None:
            step.allowance = UNLIMITED
            return
        answer = step.answer
        if answer is None:
            answer = step.answer = self._answer(step, need)
            step.allowance = UNLIMITED if answer is None else _allowance(answer, need, hold)
        if answer is None or step.received <= step.allowance:
            return
        allowed, said = step.allowance // BYTES_PER_TOKEN, -(-step.received // BYTES_PER_TOKEN)
        least = max(said - allowed, 1)
        more = max(least, allowed, LEAST_TOKENS)
        if answer.most_tokens is not None:
            more = max(least, min(more, answer.most_tokens - allowed))
        rows, started_us = self._rows, step.started_us

        def unheard(nanousd: int, tokens: int) -> StepRow:
            return rows.unheard(step, started_us, nanousd, tokens)

        wish = Wish(
            step.step_id,
            step.place.task.task_id,
            need.wants,
            hold,
            *_beyond(answer, hold, allowed + more),
            *_beyond(answer, hold, said),
            unheard,
            step.place.task.envelopes,
        )
        now_us = self._ledger.end_time(step.started_us)
        try:
            found = extend(self._ledger, wish, now_us, loop_wait_s=self._loop_wait_s)
        except LedgerUnavailable as error:
            step.cut = error
            raise
        if isinstance(found, Shortfall):
            step.cut = self._cut(step, need.budgets[need.wants.index(found.want)], found)
            raise step.cut
        step.hold = found
        step.reserved_nanousd = found.nanousd
        step.allowance = max(_allowance(answer, need, found), step.received)

    def _answer(self, step: OpenStep, need: Need) -> Answer | None:
        """What it costs a step to go on; `None` of one that cannot outgrow its hold."""
        if need.is_ceiling or step.inputs is None:
            return None
        return self._authority.answer(step)


def _allowance(answer: Answer, need: Need, hold: Hold) -> int:
    """How much text is covered by what is held, in bytes."""
    tokens: list[int] = []
    for want in need.wants:
        if want.limit is None:
            continue
        if want.unit == "tokens":
            tokens.append(hold.tokens - answer.sent)
        elif want.unit == "nanousd" and answer.mtok_nanousd:
            tokens.append((hold.nanousd - answer.base_nanousd) * 10**6 // answer.mtok_nanousd)
    if not tokens:
        return UNLIMITED
    allowed = max(min(tokens), 0)
    if answer.most_tokens is not None and allowed >= answer.most_tokens:
        return UNLIMITED  # the provider ends it
    return allowed * BYTES_PER_TOKEN


def _beyond(answer: Answer, hold: Hold, tokens: int) -> tuple[int, int]:
    """The money and tokens, beyond what is held, of an answer of so many tokens."""
    nanousd = answer.base_nanousd - (-tokens * answer.mtok_nanousd // 10**6)
    return max(nanousd - hold.nanousd, 0), max(answer.sent + tokens - hold.tokens, 0)


def received(step: OpenStep, reported: Reported) -> Reported:
    """What a stream that was cut off says, with its output estimated from what was received of it."""
    usage = reported.usage or Usage(input_tokens=estimate_usage(step.inputs, "").input_tokens)
    tokens = max(usage.output_tokens, -(-step.received // BYTES_PER_TOKEN))
    return replace(reported, usage=replace(usage, output_tokens=tokens), estimated=True)
