"""Which form of a model call goes out: the first that fits what is left in every budget, reserved as it is chosen.

As requested, if even the longest answer fits; with a bound on the answer, so that it does; then ever cheaper forms.
Each `degrade` threshold that a window has passed takes one form from the front, until the window is five points
below it again. Decisions only: what is asked of a person, and what is refused, is `Reservations`'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from spendgraph.budgets.authority import Need, TooDear, Unbounded
from spendgraph.budgets.bounding import Bounding
from spendgraph.hooks.budget_calls import call_at, call_of
from spendgraph.hooks.handing_over import Held, last_of
from spendgraph.hooks.places import OpenStep
from spendgraph.ids import new_id
from spendgraph.ledger.choosing import Ladder, Room
from spendgraph.money import format_usd

if TYPE_CHECKING:
    from spendgraph.budgets.authority import Call
    from spendgraph.budgets.matching import Counter
    from spendgraph.hooks.forms import Form, Forms
    from spendgraph.hooks.places import Place
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.reserving import Reservations
    from spendgraph.ledger.asks import Ask, Want

_HYSTERESIS: Final = 20
"""A window stops degrading a twentieth of its limit below the threshold."""

_MOST_KEPT: Final = 10_000

_ANYWHERE: Final = 4_096
"""Output tokens that every model takes for a limit: the bound where nobody knows how much a model can answer."""

_BEYOND: Final = 128_000
"""No model answers with more: what pays for so much needs no bound."""


class Outcome(NamedTuple):
    """A form as it may go out.

    Attributes:
        form: The form.
        call: The call as it is reserved for.
        need: What is reserved.
        bound: The bound that is set on its answer, if one is.
        is_bounded: Whether that is less than the answer could have had.
    """

    form: Form
    call: Call
    need: Need
    bound: int | None = None
    is_bounded: bool = False

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What the call gives up."""
        changes = list(self.form.changes)
        if self.is_bounded:
            changes.append({"change": "max_tokens", "to": self.bound, "from": self.form.longest})
        return changes


class Choice(NamedTuple):
    """What was chosen: the outcome, and the hold for it where there is one."""

    outcome: Outcome
    held: Held | None
    changes: list[dict[str, Any]]


class Degrading:
    """Chooses forms for one agent.

    Args:
        recorder: The meter's recorder, which reserves.
        forms: Makes the forms.
    """

    def __init__(self, recorder: StepRecorder, forms: Forms) -> None:
        self._recorder = recorder
        self._forms = forms
        self._passed: set[tuple[str, str, int]] = set()

    def choose(self, place: Place, first: Form) -> Choice | None:
        """Choose a form for a call at a place, and reserve for it; `None` where no budget is about it.

        Raises:
            Refusal: The call may not go out in any form.
        """
        reservations = self._recorder.reservations
        if reservations is None:
            return None
        step_id, said = new_id(), first.said
        started_us, fault = self._recorder.may_start(
            step_id, place, "model", first.name, said.provider, said.model
        )
        if fault is not None:
            return None  # the call goes out as it is, in spite of the ledger: whoever announces it writes that down
        windows = reservations.authority.windows(call_at(place, started_us))
        if not windows:
            return None
        step = OpenStep(
            step_id,
            place,
            "model",
            first.name,
            provider=said.provider,
            model=said.model,
            inputs=first.inputs,
            started_us=started_us,
            is_replay=False,
            max_output_tokens=said.max_output_tokens,
            parameters=first.parameters,
        )
        choosing = _Choosing(self, reservations, step, windows)
        # What the forms are is found out only where they are needed, and never inside the transaction.
        chosen = choosing.choose([first], is_last=False)
        if chosen is None:
            chosen = choosing.choose(self._forms.all(first), is_last=True)
        if chosen is None:
            choosing.refuse()
        outcome, hold_is_there = chosen
        held = None
        if hold_is_there:
            last = last_of(outcome.form.request.messages)
            held = Held(
                self._recorder, step, outcome.call, choosing.wants, last, is_strict=choosing.is_strict
            )
        changes = outcome.changes
        if changes:
            self._write_down(place, step, outcome, changes, choosing.cause)
        return Choice(outcome, held, changes)

    def is_priced(self, form: Form, started_us: int) -> bool:
        """Whether the price of the form's model is known: of another it cannot be said that it is cheaper."""
        return self._recorder.prices.price(form.said.provider, form.said.model, started_us) is not None

    def bounding(self, call: Call, *, is_strict: bool) -> Bounding:
        """What the call costs by the length of its answer."""
        return Bounding(call, self._recorder.prices, is_strict=is_strict)

    @property
    def default_output_tokens(self) -> int:
        """What an answer usually has."""
        return self._recorder.policy.estimates.default_output_tokens

    def passed(self, counter: Counter, room: Room, *, is_last: bool) -> int:
        """How many of its `degrade` thresholds a window has passed and not come back from.

        Only what is said when everything known is counted is remembered: holds of calls that have just ended would
        make it pass too early.
        """
        budget, used = counter.budget, room.spent + room.held
        count = 0
        for threshold in budget.degrades:
            key = budget.name, counter.scope, threshold
            if used < threshold - budget.limit // _HYSTERESIS:
                self._passed.discard(key)
            elif used >= threshold and is_last:
                if len(self._passed) >= _MOST_KEPT:
                    self._passed.clear()
                self._passed.add(key)
            count += used >= threshold or key in self._passed
        return count

    def _write_down(
        self,
        place: Place,
        step: OpenStep,
        outcome: Outcome,
        changes: list[dict[str, Any]],
        cause: Room | None,
    ) -> None:
        detail: dict[str, Any] = {"changes": changes, "model": outcome.call.model}
        why = ""
        if cause is not None:
            want = cause.want
            detail |= {"budget": want.budget, "scope": want.scope, "unit": want.unit, "limit": want.limit}
            detail |= {"spent": cause.spent, "held": cause.held, "left": cause.left}
            whose = f" for {want.scope}" if want.scope and not want.scope.startswith("cap=") else ""
            left = cause.left or 0
            amount = format_usd(left) if want.unit == "nanousd" else f"{left:,} {want.unit}"
            why = f": budget {want.budget!r}{whose} has {amount} left"
        reason = f"the call was made cheaper ({', '.join(each['change'] for each in changes)}){why}"
        self._recorder.decide(place, "budget", "degraded", reason, step_id=step.step_id, **detail)


class _Choosing:
    """One choice."""

    def __init__(
        self,
        degrading: Degrading,
        reservations: Reservations,
        step: OpenStep,
        windows: Sequence[tuple[Counter, Want]],
    ) -> None:
        self._degrading = degrading
        self._reservations = reservations
        self._step = step
        self._windows = [each for each in windows if "call" not in each[0].budget.per]
        self._each = [each for each in windows if "call" in each[0].budget.per]
        self.wants = tuple(want for _, want in self._windows)
        self.is_strict = any(counter.budget.reserve == "strict" for counter, _ in windows)
        self.cause: Room | None = None
        self._problem: Unbounded | TooDear | None = None
        self._failure: Exception | None = None

    def choose(self, forms: Sequence[Form], *, is_last: bool) -> tuple[Outcome, bool] | None:
        """The outcome, and whether something is held for it; `None` where no form may go out."""

        def options(rooms: tuple[Room, ...]) -> Iterator[tuple[Ask, Outcome]]:
            # In the ledger's transaction, perhaps in its thread, where nothing may be raised.
            try:
                found = self._options(forms, rooms, is_last=is_last)
            except Exception as error:  # noqa: BLE001 - raised below, where the caller is
                self._failure, found = error, []
            for outcome in found:
                self._note(outcome)
                yield self._reservations.ask_for(self._step, outcome.need), outcome

        if not self.wants:
            found = self._options(forms, (), is_last=is_last)
            for outcome in found[:1]:
                self._note(outcome)
            return (found[0], False) if found else None
        task_id = self._step.place.task.task_id
        set_aside = self._step.place.task.envelopes
        ladder = Ladder(self.wants, task_id, self._step.step_id, options, is_last, set_aside)
        budgets = [counter.budget for counter, _ in self._windows]
        chosen = self._reservations.choose(self._step, ladder, budgets)
        if self._failure is not None:
            raise self._failure
        return None if chosen is None else (chosen.form, True)

    def refuse(self) -> NoReturn:
        """No form may go out: say why."""
        problem = self._problem
        if isinstance(problem, TooDear):
            self._reservations.refuse(self._step, problem.budget, problem.shortfall)
        assert isinstance(problem, Unbounded)
        self._reservations.refuse_unbounded(self._step, problem)

    def _note(self, outcome: Outcome) -> None:
        """The step, for the row to book should its end never be heard."""
        step, call = self._step, outcome.call
        step.name, step.provider, step.model = call.name, call.provider, call.model
        step.inputs, step.parameters = call.inputs, call.parameters
        step.max_output_tokens = call.max_output_tokens
        step.estimate_nanousd, step.reserved_nanousd = outcome.need.estimate_nanousd, outcome.need.nanousd

    def _options(self, forms: Sequence[Form], rooms: tuple[Room, ...], *, is_last: bool) -> list[Outcome]:
        """The forms that fit what is left, best first; without the last word, only the call as requested."""
        self._problem = None
        passed = self._passed(rooms, is_last=is_last)
        if not is_last and passed:
            return []
        found: list[Outcome] = []
        for number, form in enumerate(forms):
            outcome = self._fit(form, rooms)
            if isinstance(outcome, Outcome):
                found.append(outcome)
            elif not number:
                self._problem = outcome
        if not is_last:
            return [each for each in found if not each.is_bounded and self._surely_fits(each, rooms)]
        skipped = passed
        if not (found and found[0].form is forms[0] and not found[0].is_bounded):
            skipped -= 1  # the call as requested is out of the question anyway
        found = found[max(min(skipped, len(found) - 1), 0) :]
        if not found and self._problem is None:
            least = self._least(forms[0])
            found = [] if least is None else [least]
        return found

    def _passed(self, rooms: tuple[Room, ...], *, is_last: bool) -> int:
        most = 0
        self.cause = None
        for (counter, _), room in zip(self._windows, rooms, strict=True):
            if counter.budget.degrades and room.left is not None:
                passed = self._degrading.passed(counter, room, is_last=is_last)
                if passed > most:
                    most, self.cause = passed, room
        if self.cause is None:  # else the one that has least left
            limited = [room for room in rooms if room.left is not None and room.want.unit != "calls"]
            self.cause = min(limited, key=_share_left, default=None)
        return most

    def _left(self, rooms: tuple[Room, ...], unit: str) -> int | None:
        """What is left everywhere, in this unit; `None` without a limit."""
        left = [room.left for room in rooms if room.want.unit == unit and room.left is not None]
        left += [want.limit for _, want in self._each if want.unit == unit and want.limit is not None]
        return min(left, default=None)

    def _fit(self, form: Form, rooms: tuple[Room, ...]) -> Outcome | Unbounded | TooDear | None:
        """The form as it may go out, bounded if it has to be; else why not, where that is not the room."""
        as_is = self._call(form, form.parameters, form.said.max_output_tokens)
        if form.changes and not self._degrading.is_priced(form, as_is.started_us):
            return None
        asked = self._degrading.bounding(as_is, is_strict=self.is_strict)
        if not asked.is_known:
            return self._outcome(form, as_is)
        nanousd, tokens = self._left(rooms, "nanousd"), self._left(rooms, "tokens")
        most = form.longest
        reach = most if most is not None else _ANYWHERE if self.is_strict else _BEYOND
        has_limit = as_is.max_output_tokens is not None
        if (has_limit or not self.is_strict) and asked.longest(nanousd, tokens, reach) >= reach:
            return self._outcome(form, as_is, asked, most)
        if form.bounded is None:
            if self.is_strict and has_limit:
                return None
            return self._outcome(form, as_is)
        call = self._call(form, form.bounded, None)
        bounding = self._degrading.bounding(call, is_strict=self.is_strict)
        longest = bounding.longest(nanousd, tokens, reach if most is not None else _ANYWHERE)
        if longest < form.floor:
            return None
        is_shorter = longest < (most or _ANYWHERE) or (most is None and not self.is_strict)
        outcome = self._outcome(form, call._replace(max_output_tokens=longest), bounding, longest)
        if isinstance(outcome, Outcome):
            outcome = outcome._replace(bound=longest, is_bounded=is_shorter)
        return outcome

    def _outcome(
        self, form: Form, call: Call, bounding: Bounding | None = None, longest: int | None = None
    ) -> Outcome | Unbounded | TooDear:
        """What a call needs; of money no more than it costs with its longest answer."""
        need = self._reservations.authority.need(call)
        assert need is not None  # there are windows
        if not isinstance(need, Need):
            return need
        if bounding is not None and longest is not None and not self.is_strict:
            dearest = bounding.cost(longest)
            if dearest is not None:
                need = need._replace(
                    nanousd=max(min(need.nanousd, dearest), min(need.nanousd, 1)),
                    tokens=min(need.tokens, bounding.tokens(longest)),
                )
        return Outcome(form, call, need)

    def _surely_fits(self, outcome: Outcome, rooms: tuple[Room, ...]) -> bool:
        need = outcome.need
        asked = {"nanousd": need.nanousd, "tokens": need.tokens, "calls": 1}
        limited = {want[:3] for want in need.wants if want.limit is not None}
        return all(
            room.left is None or room.want[:3] not in limited or asked[room.want.unit] <= room.left
            for room in rooms
        )

    def _least(self, form: Form) -> Outcome | None:
        """What is asked for where nothing fits: the call as requested, with an answer of the usual length."""
        longest: int | None = None
        if form.bounded is None:
            call = self._call(form, form.parameters, form.said.max_output_tokens)
        else:
            longest = min(max(form.floor, self._degrading.default_output_tokens), form.longest or _ANYWHERE)
            call = self._call(form, form.bounded, longest)
        outcome = self._outcome(form, call)
        if not isinstance(outcome, Outcome):
            self._problem = outcome
            return None
        if longest is None:
            return outcome
        if not self.is_strict:
            bounding = self._degrading.bounding(call, is_strict=False)
            need = outcome.need
            dearest, tokens = bounding.cost(longest) or 0, bounding.tokens(longest)
            need = need._replace(nanousd=max(need.nanousd, dearest), tokens=max(need.tokens, tokens))
            outcome = outcome._replace(need=need)
        return outcome._replace(bound=longest, is_bounded=longest < (form.longest or _ANYWHERE))

    def _call(self, form: Form, parameters: Any, max_output_tokens: int | None) -> Call:
        said = form.said
        call = call_of(self._step)
        return call._replace(
            name=form.name,
            provider=said.provider,
            model=said.model,
            inputs=form.inputs,
            parameters=parameters,
            max_output_tokens=max_output_tokens,
        )


def _share_left(room: Room) -> float:
    limit = room.want.limit
    return (room.left or 0) / limit if limit else 0.0
