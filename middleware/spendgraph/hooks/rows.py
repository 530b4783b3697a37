"""What is written of a step: its tokens, its price, its place, its owner."""

from __future__ import annotations

import logging
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from spendgraph.ledger.holds import UNHEARD
from spendgraph.ledger.records import TOKEN_KINDS, CostBasis, StepRow, StepStatus
from spendgraph.pricing import (
    Reported,
    Usage,
    estimate_usage,
    output_ceiling,
    with_cache_ttl,
    with_untold_audio,
)

if TYPE_CHECKING:
    from spendgraph.hooks.places import OpenStep, Place
    from spendgraph.policy import Policy
    from spendgraph.pricing import Price, PriceBook

logger = logging.getLogger(__name__)

_NOTHING_REPORTED = Reported()
_NO_USAGE = Usage()
_MOST_KEPT = 10_000


class Ending(NamedTuple):
    """How a step ended.

    Attributes:
        ended_us: When.
        status: How.
        error: The exception it ended with; only its class name is kept.
        owner: The team that provides the step, before the policy's `owners` are asked.
        note: Why the amounts should be looked at, or empty.
        basis: Where the cost comes from, if that is known beforehand.
        recorded_us: When the end was heard, if not when it ended.
    """

    ended_us: int
    status: StepStatus = "ok"
    error: BaseException | None = None
    owner: str = ""
    note: str = ""
    basis: CostBasis | None = None
    recorded_us: int = 0


class StepRows:
    """Makes the rows of steps.

    Args:
        policy: Says who owns a step.
        prices: The price book.
    """

    def __init__(self, policy: Policy, prices: PriceBook) -> None:
        self._rules = policy.owners
        self._prices = prices
        self._owners: dict[tuple[str, str, str], str] = {}
        self._doubted: set[tuple[str, str]] = set()

    def counted(
        self, step: OpenStep, reported: Reported | None, ending: Ending
    ) -> tuple[StepRow, Price | None]:
        """The row of a step that is priced by its tokens, and the price it was charged at.

        What the response does not say is estimated; a model that answers under a name nobody has priced is
        charged as the one that was asked for.
        """
        reported = reported or _NOTHING_REPORTED
        usage = reported.usage
        basis = ending.basis
        if usage is None:
            usage = estimate_usage(step.inputs, reported.output_text)
            basis = basis or "estimated"
        elif reported.ttl_unknown:
            usage = with_cache_ttl(usage, step.inputs, step.parameters)
        provider = step.provider or reported.provider
        if provider.startswith("google") and reported.usage is not None:
            usage = with_untold_audio(usage, step.inputs)
        if basis is None:
            basis = "estimated" if reported.estimated else "upper_bound" if usage.note else "reported"
        model = reported.model or step.model
        price = self._prices.price(provider, model, step.started_us, reported.service_tier)
        if usage.note:
            self._doubt(provider, model, usage.note)
        notes = [part for part in (usage.note, ending.note) if part]
        if price is None and model != step.model:
            price = self._prices.price(provider, step.model, step.started_us, reported.service_tier)
            if price is not None:
                notes.append(f"no price for {model}: priced as {step.model}")
        cost = saved = 0
        status = ending.status
        if price is None:
            if usage != _NO_USAGE:
                basis = "unpriced"
        elif reported.cache_hit:
            saved = price.cost(usage)
        else:
            cost, saved = price.cost(usage), price.saved(usage)
        if price is not None and price.note:
            notes.append(price.note)
        if reported.cache_hit:
            status = "cache_hit"
        row = self._row(
            step,
            ending,
            cost,
            basis,
            status,
            "; ".join(notes) if notes else "",
            usage,
            reported,
            provider=provider,
            model=model,
            saved=saved,
            price_id=None if price is None else price.price_id,
        )
        return row, price

    def plain(
        self,
        step: OpenStep,
        cost: int | None,
        ending: Ending,
        reported: Reported | None,
        *,
        quantity: float | None = None,
        unit: str = "",
    ) -> StepRow:
        """The row of a step whose cost is known without its tokens; `None` is what nobody has priced."""
        reported = reported or _NOTHING_REPORTED
        basis = ending.basis or ("free" if cost is None else "configured")
        return self._row(
            step,
            ending,
            cost or 0,
            basis,
            ending.status,
            ending.note,
            reported.usage or _NO_USAGE,
            reported,
            provider=step.provider,
            model=reported.model or step.model,
            quantity=quantity,
            unit=unit,
        )

    def lost(self, step: OpenStep, reported: Reported | None, ending: Ending) -> tuple[StepRow, Price | None]:
        """The row of a step that was sent and whose answer nobody heard: at the most it may have cost.

        That is all that is held for it in budgets. Without any it is an upper bound where the request limits its
        answer, else an estimate of what is known of it.
        """
        held = step.hold or step.unheld
        if held is not None:
            return self.unheard(step, ending.ended_us, held.nanousd, held.tokens, ending), None
        if step.kind not in TOKEN_KINDS:
            return self.plain(step, None, ending, reported), None
        ending = ending._replace(note=ending.note or UNHEARD)
        most = output_ceiling(step.parameters, step.max_output_tokens)
        if most is not None:
            reported = reported or _NOTHING_REPORTED
            usage = reported.usage or estimate_usage(step.inputs, "")
            reported = replace(reported, usage=replace(usage, output_tokens=most))
            ending = ending._replace(basis="upper_bound")
        return self.counted(step, reported, ending)

    def unheard(
        self, step: OpenStep, ended_us: int, nanousd: int, tokens: int, ending: Ending | None = None
    ) -> StepRow:
        """The row of a step whose end is not heard, at all that was held for it."""
        answered = min(step.max_output_tokens or tokens, tokens)
        recorded_us, status, owner, error_class = ended_us, "cancelled", "", ""
        if ending is not None:
            recorded_us, status, owner = ending.recorded_us or ended_us, ending.status, ending.owner
            error_class = _class_name(ending.error)
        # Every reservation makes one: without a usage and all else that an end has to say.
        begun = self._begun(step, ended_us, recorded_us, step.provider, step.model, "", "", owner)
        heard = (
            tokens - answered, answered, 0, 0, 0, 0, 0, 0, 0, None, "", nanousd, "upper_bound",
            step.estimate_nanousd, step.reserved_nanousd, 0, None, UNHEARD, status, error_class,
        )  # fmt: skip
        return StepRow._make(begun + heard)

    def _row(
        self,
        step: OpenStep,
        ending: Ending,
        cost: int,
        basis: CostBasis,
        status: StepStatus,
        note: str,
        usage: Usage,
        reported: Reported,
        *,
        provider: str = "",
        model: str = "",
        saved: int = 0,
        price_id: str | None = None,
        quantity: float | None = None,
        unit: str = "",
    ) -> StepRow:
        begun = self._begun(
            step,
            ending.ended_us,
            ending.recorded_us or ending.ended_us,
            provider,
            model,
            reported.service_tier,
            reported.response_id,
            ending.owner,
        )
        heard = (
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.reasoning_tokens,
            usage.audio_input_tokens,
            usage.audio_output_tokens,
            usage.image_tokens,
            quantity,
            unit,
            cost,  # cost_nanousd
            basis,  # cost_basis
            step.estimate_nanousd,
            step.reserved_nanousd,
            saved,  # saved_nanousd
            price_id,
            note,  # usage_note
            status,
            _class_name(ending.error),  # error_class
        )
        # Tuples: 45 arguments, and even more by name, take longer than all else here.
        return StepRow._make(begun + heard)

    def _begun(
        self,
        step: OpenStep,
        ended_us: int,
        recorded_us: int,
        provider: str,
        model: str,
        service_tier: str,
        response_id: str,
        owner: str,
    ) -> tuple[Any, ...]:
        """The columns of who, when and where, in their order; those behind them say how much."""
        place = step.place
        return (
            step.step_id,
            place.task.task_id,
            step.kind,
            place.context.context_id,
            step.started_us,
            ended_us,
            recorded_us,
            "charge",  # entry
            None,  # corrects_step_id
            place.parent_step_id,
            place.thread_id,
            place.graph,
            place.node,
            place.path,
            place.checkpoint_ns,
            place.attempt,
            int(step.is_replay),  # is_replay
            step.name,
            provider,
            step.model,  # model_requested
            model,
            service_tier,
            response_id,
            owner or self._owner(step.kind, step.name, place),  # owner_team
            place.missing or "",  # missing_tags
        )

    def _doubt(self, provider: str, model: str, note: str) -> None:
        """Tell of counts that fit no reading, once a model: every row of them is marked."""
        if (provider, model) not in self._doubted and len(self._doubted) < _MOST_KEPT:
            self._doubted.add((provider, model))
            logger.warning(
                "spendgraph: usage of %s %s is doubtful (%s) and charged at the dearest reading: see usage_note of"
                " its steps",
                provider,
                model,
                note,
            )

    def _owner(self, kind: str, name: str, place: Place) -> str:
        if not self._rules:
            return place.context.team
        key = (kind, name, place.node)
        team = self._owners.get(key)
        if team is None:
            team = ""
            for rule in self._rules:
                if (
                    (rule.kind is None or rule.kind == kind)
                    and (rule.name is None or fnmatchcase(name, rule.name))
                    and (rule.node is None or fnmatchcase(place.node, rule.node))
                ):
                    team = rule.team
                    break
            if len(self._owners) > _MOST_KEPT:
                self._owners.clear()
            self._owners[key] = team
        return team or place.context.team


def _class_name(error: BaseException | None) -> str:
    return "" if error is None else type(error).__name__
