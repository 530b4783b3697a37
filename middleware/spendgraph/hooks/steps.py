"""A step between its start and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spendgraph.budgets.authority import Answer, Need
    from spendgraph.budgets.breakers import Watch
    from spendgraph.hooks.places import Place, Run
    from spendgraph.ledger.asks import Hold
    from spendgraph.ledger.records import StepRow


WindowKey = tuple[str, str, int, int | None]
"""A window by budget, scope, start and end."""


class Unheld(NamedTuple):
    """Room that could not be taken: the windows, and how much it would have been."""

    windows: tuple[WindowKey, ...]
    nanousd: int
    tokens: int


class OpenStep:
    """A step that has started and has not been booked yet.

    `inputs` and `parameters` are what was sent, kept by reference until the end, only to estimate usage that
    a provider does not report; they are never written.
    """

    __slots__ = (
        "allowance",
        "answer",
        "booked",
        "cut",
        "estimate_nanousd",
        "hold",
        "inputs",
        "is_called",
        "is_replay",
        "kind",
        "max_output_tokens",
        "model",
        "name",
        "need",
        "parameters",
        "place",
        "provider",
        "received",
        "reserved_nanousd",
        "run",
        "started_us",
        "step_id",
        "unheld",
        "watched",
    )

    def __init__(
        self,
        step_id: str,
        place: Place,
        kind: str,
        name: str,
        *,
        provider: str,
        model: str,
        inputs: object,
        started_us: int,
        is_replay: bool,
        max_output_tokens: int | None = None,
        run: Run | None = None,
        parameters: object = None,
    ) -> None:
        self.step_id = step_id
        self.place = place
        self.kind = kind
        self.name = name
        self.provider = provider
        self.model = model
        self.inputs = inputs
        self.started_us = started_us
        self.is_replay = is_replay
        self.max_output_tokens = max_output_tokens
        self.run = run
        self.parameters = parameters
        self.estimate_nanousd: int | None = None
        self.reserved_nanousd: int | None = None
        self.hold: Hold | None = None
        """What is held for it in budgets."""
        self.unheld: Unheld | None = None
        """What would be, had the ledger not failed."""
        self.is_called = False
        """The decorated function of the tool that runs here was called: another call of it is another step."""
        self.watched: tuple[tuple[Watch, ...], tuple[int, ...]] | None = None
        """The breakers that guard it, and when calls identical to it started."""
        self.need: Need | None = None
        """The room it asked for."""
        self.received = 0
        """The bytes of text that its stream has sent, if something is held for it."""
        self.allowance = 0
        """The bytes of text that what is held covers; worked out at the first chunk."""
        self.answer: Answer | None = None
        """What its answer costs while it comes."""
        self.cut: Exception | None = None
        """Why its stream is cut off."""
        self.booked: StepRow | None = None
        """The row already booked, when the step was settled before its end was heard."""

    @property
    def is_held(self) -> bool:
        """Whether room is held for it in budgets, or would be, had the ledger not failed."""
        return self.hold is not None or self.unheld is not None
