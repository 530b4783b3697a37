"""`meter.step`: a block of code that is one step, and is told what it used."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from spendgraph.hooks.raw_errors import is_lost, outcome_of, status_of
from spendgraph.hooks.raw_reading import read_answer
from spendgraph.hooks.tool_prices import amount_used, dollars
from spendgraph.ledger.records import TOKEN_KINDS
from spendgraph.pricing import Reported, Usage

if TYPE_CHECKING:
    from types import TracebackType

    from spendgraph.hooks.places import OpenStep
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger.records import StepKind

_OWN_CODE = frozenset({"tool", "retriever"})
"""Kinds of steps whose exceptions say that nothing was bought, as those of a decorated tool do."""


class RawStep:
    """One step around a block of code, synchronous or not.

    It opens on entering, where it may be refused, and is booked on leaving. Tell it one of `response`, `usage`
    or `cost`; a step of a model that is told nothing is estimated from its `inputs`. A block that fails before it has
    told anything is booked at all that is held for it, unless the error shows that nothing was sent; one of a tool or
    retriever only where it was cancelled, timed out or lost its connection.

    Example:
        ```python
        with meter.step("model", provider="acme", model="acme-1") as step:
            step.response(my_client.complete("..."))
        ```
    """

    def __init__(
        self,
        recorder: StepRecorder,
        tools: ToolRegistry,
        kind: StepKind,
        name: str,
        *,
        provider: str,
        model: str,
        owner: str,
        inputs: object,
        max_output_tokens: int | None,
        reserve_nanousd: int | None,
    ) -> None:
        self._recorder = recorder
        self._tools = tools
        self._kind: StepKind = kind
        self._name = name
        self._provider = provider
        self._model = model
        self._owner = owner
        self._inputs = inputs
        self._max_output_tokens = max_output_tokens
        self._reserve_nanousd = reserve_nanousd
        self._step: OpenStep | None = None
        self._reported: Reported | None = None
        self._cost_nanousd: int | None = None
        self._quantity: float | None = None
        self._unit = ""
        self._note = ""
        self._result: object = None

    def response(self, response: object) -> None:
        """The provider's own response, as an SDK object or a mapping: usage, model and id are read from it."""
        self._result = response
        self._reported, self._note = read_answer(lambda: response, self._provider)

    def usage(self, usage: Usage | None = None, *, model: str = "", **tokens: int) -> None:
        """The usage itself, as a `Usage` or as its fields: `usage(input_tokens=900, output_tokens=120)`.

        Raises:
            ValueError: A field is unknown or negative.
        """
        if usage is None:
            unknown = tokens.keys() - (set(Usage.__dataclass_fields__) - {"note"})
            if unknown or any(type(count) is not int or count < 0 for count in tokens.values()):
                raise ValueError(
                    f"step.usage: expected token counts of at least 0 as of Usage, found {tokens!r}"
                )
            fields: dict[str, Any] = dict(tokens)
            usage = Usage(**fields)
        elif tokens:
            raise ValueError("step.usage: expected a Usage or its fields, found both")
        self._reported = Reported(usage=usage, provider=self._provider, model=model or self._model)

    def cost(
        self,
        *,
        usd: Decimal | str | float | None = None,
        quantity: Decimal | float | None = None,
        unit: str = "",
    ) -> None:
        """What it cost in dollars (whole numbers too), or how much was used where the policy prices the name.

        Raises:
            ValueError: The amount is not usable, or there is neither one nor a price.
        """
        said = f"step {self._name!r}"
        used = None if quantity is None else amount_used(quantity, name=said)
        if usd is not None:
            self._cost_nanousd = dollars(usd, name=said)
        elif used is not None:
            charge = self._tools.charge_units(self._name, used)
            if charge.cost_nanousd is None:
                problem = charge.note or "expected usd=..., or a price under `tools` in the policy"
                raise ValueError(f"{said}: {problem}")
            self._cost_nanousd = charge.cost_nanousd
            unit = unit or charge.unit
        else:
            raise ValueError(f"{said}: expected usd=... or quantity=...")
        self._quantity = None if used is None else float(used)
        self._unit = unit

    def __enter__(self) -> Self:
        if self._step is not None:
            raise RuntimeError(f"step {self._name!r} was entered before: a step is one billable act")
        self._step = self._recorder.open_here(
            self._kind,
            self._name,
            provider=self._provider,
            model=self._model,
            inputs=self._inputs,
            max_output_tokens=self._max_output_tokens,
            fixed_nanousd=self._reserve_nanousd,
            is_told=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        step = self._step
        assert step is not None
        status = "ok" if error is None else status_of(error)
        told = self._reported is not None or self._cost_nanousd is not None
        is_unheard = error is not None and not told and self._may_have_paid(error)
        if self._kind in TOKEN_KINDS:
            reported, note = self._reported, self._note
            if not told and error is None:
                note = "nobody said what it used"
            elif not told and not is_unheard:
                reported = Reported(usage=Usage())
            self._recorder.close(
                step,
                reported,
                status=status,
                error=error,
                cost_nanousd=self._cost_nanousd,
                quantity=self._quantity,
                unit=self._unit,
                owner=self._owner,
                note=note,
                is_unheard=is_unheard,
            )
        elif self._cost_nanousd is not None or error is not None:
            self._recorder.close(
                step,
                status=status,
                error=error,
                cost_nanousd=self._cost_nanousd,
                quantity=self._quantity,
                unit=self._unit,
                owner=self._owner or self._tools.owner(self._name),
                is_unheard=is_unheard,
            )
        else:
            charge = self._tools.charge(self._name, self._result)
            self._recorder.close(
                step,
                cost_nanousd=charge.cost_nanousd,
                cost_basis=charge.basis,
                quantity=charge.quantity,
                unit=charge.unit,
                owner=self._owner or charge.owner,
                note=charge.note,
            )

    def _may_have_paid(self, error: BaseException) -> bool:
        """Whether a block that failed without saying what it used may have used it all the same."""
        if self._kind in _OWN_CODE:
            return is_lost(error)
        return outcome_of(error) != "free"

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
