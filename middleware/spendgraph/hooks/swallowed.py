"""Refusals that somebody caught and ignored come back at the end of the run.

A refused call is never sent, but `with_fallbacks`, `batch(return_exceptions=True)` and a plain `except Exception` can
make a run go on as if it had answered. A refusal is settled when the caller says `handled()`, or when a later
call of the same parent run is admitted: a cheaper fallback, say.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from spendgraph.hooks.outcomes import is_refusal

if TYPE_CHECKING:
    from spendgraph.hooks.places import Run
    from spendgraph.hooks.refusals import Refusal, RefusalSwallowed

logger = logging.getLogger(__name__)


def note_refusal(run: Run, error: BaseException) -> None:
    """Remember a call that was refused, at the root of its run."""
    if is_refusal(error):
        root = run.root
        if root is not run:  # a lone call's refusal reaches its caller, and nobody can be in between
            root.refused = [*(root.refused or ()), (run.parent, cast("Refusal", error))]


def note_refusal_inside(run: Run | None, error: BaseException) -> None:
    """Remember that something inside this run was refused that LangChain had not announced: a raw call, say, or a gate."""
    refusal = getattr(error, "refusal", error)  # a pause that somebody catches is a refusal ignored, too
    if run is not None and is_refusal(refusal):
        root = run.root
        root.refused = [*(root.refused or ()), (run, cast("Refusal", refusal))]


def note_admission(parent: Run | None) -> None:
    """A call of this run was admitted: what the run was refused before is settled."""
    if parent is not None and (root := parent.root).refused:
        root.refused = [each for each in root.refused if each[0] is not parent]


def swallowed(root: Run, *, raises: bool) -> RefusalSwallowed | None:
    """What to raise at the end of a run that went well although a call inside it was refused."""
    open_refusals = [refusal for _, refusal in root.refused or () if not refusal.is_handled]
    root.refused = None
    if not open_refusals:
        return None
    from spendgraph.hooks.refusals import RefusalSwallowed

    error = RefusalSwallowed(open_refusals[0])
    if raises:
        return error
    logger.warning("spendgraph: %s", error)
    return None
