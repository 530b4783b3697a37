"""Windows whose ids a process knows, because it has asked for room in them before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.ledger.at_once import AtOnce, at_once

if TYPE_CHECKING:
    from spendgraph.ledger.asks import Want, WindowKey

_MOST: Final = 10_000


class Together(NamedTuple):
    """Windows that are asked for together: their ids, and the statement that takes room in all, if there is one."""

    windows: tuple[int, ...]
    at_once: AtOnce | None


class KnownWindows:
    """The ids of windows that are committed.

    The calls of one task ask for room in the same windows, by the same records, again and again: those are known
    together.
    """

    __slots__ = ("_ids", "_together")

    def __init__(self) -> None:
        self._ids: dict[WindowKey, int] = {}
        self._together: dict[tuple[Want, ...], Together] = {}

    def all_of(self, wants: tuple[Want, ...]) -> Together | None:
        """All of these windows, if they were remembered together."""
        return self._together.get(wants)

    def one(self, want: Want) -> int | None:
        """The id of a window, if it is known."""
        return self._ids.get(want[:3])

    def remember(self, wants: tuple[Want, ...], windows: tuple[int, ...]) -> None:
        """Keep ids, the first of which belong to these windows in their order; they must be committed."""
        known = self._together.get(wants)
        if known is not None and known.windows is windows:
            return
        windows = windows[: len(wants)]
        if known is not None and known.windows == windows:
            return
        if len(self._ids) + len(self._together) > _MOST:
            self.clear()
        self._ids.update(zip((want[:3] for want in wants), windows, strict=True))
        self._together[wants] = Together(windows, at_once(wants, windows))

    def clear(self) -> None:
        """Forget all: the file may be another one."""
        self._ids.clear()
        self._together.clear()
