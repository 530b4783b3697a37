"""What tools cost and who publishes them, by name.

Prices come from two places: the policy file's `tools` (globs over names, the first match wins) and the
`meter.tool` decorator in the code. Where both speak, the policy file does: it is the negotiated one.

A tool of an MCP server has the name `server/tool` here, so that `"billing-mcp/*"` matches. LangChain's MCP
adapters do not put the server's name on their tools; `ToolRegistry.mcp("billing-mcp", tools)` does, as the
metadata key `mcp_server`, which reaches the callbacks. An entry for the bare name (`charge`) matches too, after
those for the full one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from spendgraph.hooks.tool_prices import Charge, ToolPrice, charge, charged, per_unit
from spendgraph.money import nanousd

if TYPE_CHECKING:
    from decimal import Decimal

    from spendgraph.policy import Policy

MCP_SERVER = "mcp_server"
"""Metadata key that carries the name of a tool's MCP server."""

_MCP_KEYS = (MCP_SERVER, "mcp_server_name")
_FREE = ToolPrice()
_ToolT = TypeVar("_ToolT")


class ToolRegistry:
    """Prices and owners of tools, by name.

    Args:
        policy: Its `tools` section.
    """

    def __init__(self, policy: Policy) -> None:
        self._globs = [
            (
                glob,
                ToolPrice(
                    owner=entry.owner or "",
                    usd_per_call=entry.usd_per_call,
                    usd_per_unit=entry.usd_per_unit,
                    unit=entry.unit or "",
                ),
            )
            for glob, entry in policy.tools.items()
        ]
        self._decorated: dict[str, ToolPrice] = {}
        self._found: dict[str, ToolPrice] = {}

    def register(self, name: str, price: ToolPrice) -> None:
        """Set what a tool costs in the code; the policy file overrides it.

        Raises:
            ValueError: Another price is registered for the name. LangChain tells tools apart by name alone.
        """
        known = self._decorated.setdefault(name, price)
        if known is not price and not known.is_like(price):
            raise ValueError(
                f"meter.tool: {name!r} has another price or owner already: found {price}, expected {known}. "
                "Give one of the two a name of its own with meter.tool(name=...)"
            )
        self._decorated[name] = price
        self._found.clear()

    def mcp(self, server: str, tools: Iterable[_ToolT]) -> list[_ToolT]:
        """Say which MCP server tools came from; returns them.

        Args:
            server: The server's name, as the policy's `tools` use it.
            tools: LangChain tools, as `langchain-mcp-adapters` makes them.
        """
        marked = list(tools)
        for tool in marked:
            target: Any = tool
            target.metadata = {**(target.metadata or {}), MCP_SERVER: server}
        return marked

    def qualified(self, name: str, metadata: Mapping[str, Any] | None) -> str:
        """A tool's full name: `server/tool` for one whose metadata names its MCP server."""
        if metadata:
            for key in _MCP_KEYS:
                server = metadata.get(key)
                if isinstance(server, str) and server and not name.startswith(f"{server}/"):
                    return f"{server}/{name}"
        return name

    def find(self, name: str) -> ToolPrice:
        """Owner and price of a tool; an unknown one is free and nobody's."""
        found = self._found.get(name)
        if found is None:
            if len(self._found) > 10_000:
                self._found.clear()
            found = self._found[name] = self._lookup(name)
        return found

    def own(self, name: str, price: ToolPrice) -> ToolPrice:
        """Owner and price of a tool whose entry in the code is at hand; the policy file overrides that."""
        return self._under_policy(name, price)

    def owner(self, name: str) -> str:
        """The team that publishes a tool, or an empty string."""
        return self.find(name).owner

    def upfront(self, name: str) -> tuple[bool, int | None]:
        """Whether a tool costs anything, and what a call costs if that is known beforehand, in nano-USD."""
        price = self.find(name)
        if not price.is_priced:
            return False, None
        if price.usd_per_unit is not None or price.price is not None or price.usd_per_call is None:
            return True, None
        return True, nanousd(price.usd_per_call)

    def charge(self, name: str, result: object) -> Charge:
        """What a call of a tool that returned `result` costs; never raises."""
        return charged(self.find(name), result)

    def charge_units(self, name: str, quantity: Decimal | float) -> Charge:
        """What a known number of units costs: per unit where that is priced, else per call."""
        price = self.find(name)
        if not price.is_priced:
            return Charge(owner=price.owner, quantity=float(quantity), unit=price.unit)
        if price.usd_per_unit is None:
            return charge(price, None)._replace(quantity=float(quantity))
        return per_unit(price, quantity)

    def _lookup(self, name: str) -> ToolPrice:
        bare = name.rpartition("/")[2]
        decorated = self._decorated.get(name) or self._decorated.get(bare) or _FREE
        return self._under_policy(name, decorated)

    def _under_policy(self, name: str, decorated: ToolPrice) -> ToolPrice:
        bare = name.rpartition("/")[2]
        for candidate in dict.fromkeys((name, bare)):
            for glob, entry in self._globs:
                if fnmatchcase(candidate, glob):
                    return _merged(entry, decorated)
        return decorated


def _merged(entry: ToolPrice, decorated: ToolPrice) -> ToolPrice:
    priced = entry if entry.is_priced else decorated
    return ToolPrice(
        owner=entry.owner or decorated.owner,
        usd_per_call=priced.usd_per_call,
        usd_per_unit=priced.usd_per_unit,
        unit=entry.unit or decorated.unit,
        price=priced.price,
    )
