"""What the hooks need of a meter, which stands above them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from spendgraph.errors import unexpected

if TYPE_CHECKING:
    from spendgraph.hooks.listener import Listener
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.tools import ToolRegistry


class Attachable(Protocol):
    """A `Meter`, as far as a hook that is given one looks at it."""

    @property
    def recorder(self) -> StepRecorder:
        """Books steps."""
        ...

    @property
    def listener(self) -> Listener:
        """Hears LangChain's events."""
        ...

    @property
    def tools(self) -> ToolRegistry:
        """Knows tools' prices."""
        ...


def require_meter(meter: object, who: str) -> None:
    """Check that a hook is given a meter.

    Raises:
        ValueError: It is something else, such as the ledger's path.
    """
    if not hasattr(meter, "recorder") or not hasattr(meter, "listener"):
        raise ValueError(unexpected(who, "a Meter", meter))
