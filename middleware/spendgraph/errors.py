"""The errors spendgraph raises, except refusals.

Refusals (`Refusal`, `ContextMissing`, `UnpricedModel`, ...) derive from LangGraph's `GraphBubbleUp` and
therefore live in `spendgraph.hooks.refusals`, which is imported only when one is raised. Every message says
what was expected, what was found and what to do; the values are attributes.
"""

from __future__ import annotations

_MOST_SHOWN = 60


class SpendgraphError(Exception):
    """Base of every error spendgraph raises."""


class PolicyError(SpendgraphError):
    """The policy file cannot be read or does not say what a policy may say.

    Attributes:
        path: The file, or `<policy>` for a policy given as text.
        line: 1-based line of the offending node, or 0 when the file as a whole is at fault.
    """

    def __init__(self, message: str, *, path: str = "<policy>", line: int = 0) -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {message}")
        self.path = path
        self.line = line


class ContextError(SpendgraphError, ValueError):
    """A tag has a name or a value that a cost context does not accept."""


class GateError(SpendgraphError, ValueError):
    """A budget gate would send its graph to a node that is not there.

    Attributes:
        node: The name that was given.
        nodes: The names of the graph's nodes.
    """

    def __init__(self, message: str, *, node: str = "", nodes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.node = node
        self.nodes = nodes


class PriceError(SpendgraphError):
    """A price cannot be read, or a step cannot be priced with it."""


class LedgerError(SpendgraphError):
    """The ledger refused an operation, or does not hold what was asked for."""


class LedgerUnavailable(LedgerError):  # noqa: N818 - the public name
    """The ledger cannot be opened, read or written: nothing paid for may start.

    Attributes:
        had_no_room: Before it failed, a budget had no room for the call: `on_ledger_error` does not let it out.
    """

    had_no_room = False


class LedgerBusy(LedgerUnavailable):
    """The ledger did not answer in time: another process holds its write lock."""


class ApprovalError(LedgerError):
    """An approval cannot be decided like this.

    Attributes:
        reason: `unknown`, `expired`, `decided` or `not_an_approver`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def unexpected(where: str, expected: str, found: object, hint: str = "") -> str:
    """What is said of a wrong argument: the start of what was found is shown, in ASCII.

    >>> unexpected("meter.config", "a CostContext", 3)
    'meter.config: expected a CostContext, found 3'
    """
    shown = ascii(found)
    shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."
    said = f"expected {expected}, found {shown}"
    return f"{where}: {said}{hint}" if where else f"{said}{hint}"
