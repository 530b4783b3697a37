"""The context that a caller gives, before anything is done with it."""

from __future__ import annotations

from collections.abc import Mapping

from spendgraph.context.tags import CostContext
from spendgraph.errors import ContextError, unexpected


def given_context(who: str, context: object) -> CostContext:
    """A context from outside; an empty one for `None`.

    Raises:
        ContextError: It is something else, such as the name of a feature, or a mapping.
    """
    if context is None:
        return CostContext()
    if isinstance(context, CostContext):
        return context
    hint = ""
    if isinstance(context, str):
        hint = f": give CostContext(feature={context[:40]!a}, ...)"
    elif isinstance(context, Mapping):
        hint = ": CostContext.from_mapping makes one of a mapping"
    raise ContextError(unexpected(who, "a CostContext", context, hint))  # pyright: ignore[reportUnknownArgumentType] - of whatever
