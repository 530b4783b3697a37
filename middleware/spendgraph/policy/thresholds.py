"""The model of what happens as a budget fills up; no behaviour."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from spendgraph.policy.scalars import Percent, Texts, percent_text
from spendgraph.policy.section import Section

Action = Literal["notify", "degrade", "acknowledge", "approve", "block"]

_ACTIONS = ("notify", "degrade", "acknowledge", "approve", "block")

_Actions = Annotated[
    tuple[Action, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"type": "array", "items": {"enum": list(_ACTIONS)}}),
]


class Threshold(Section):
    """What happens once so much of a limit is used."""

    at: Percent
    """How much of the limit, such as 80%; `approve` and `block` happen at `100%`."""

    do: _Actions = Field(min_length=1)
    """`notify` tells the owner and `to`; `degrade` has the agent's middleware make calls cheaper; `acknowledge` asks a person once a window to take note; `approve` pauses the graph and asks a person for more; `block` refuses, as without a threshold."""

    to: Texts = ()
    """Who is told beside the owner: names under `notify`."""

    @model_validator(mode="after")
    def _limits_are_at_the_limit(self) -> Self:
        final = [action for action in self.do if action in {"approve", "block"}]
        if final and self.at != 1:
            raise ValueError(f"expected `at: 100%` for {final[0]}, found {percent_text(self.at)}")
        if len(final) > 1:
            raise ValueError("expected approve or block, found both")
        if self.at > 1:
            raise ValueError(f"expected `at` up to 100%, found {percent_text(self.at)}")
        return self
