"""Refusals that somebody caught and ignored come back at the end of the run.

A refused call is never sent, but `with_fallbacks`, `batch(return_exceptions=True)` and a plain `except Exception` can
make a run go on as if it had answered. A refusal is settled when the caller says `handled()`, when a later call of
the same parent run is admitted (a cheaper fallback, say), or when the node it was ignored in runs again.

A run that pauses or fails on a thread is not over: what was ignored in it is kept, in this process, for the run that
goes on with the thread.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Final, cast

from spendgraph.hooks.outcomes import is_refusal
from spendgraph.hooks.places import Noted
from spendgraph.hooks.surroundings import is_resume

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.hooks.places import Run
    from spendgraph.hooks.refusals import Refusal, RefusalSwallowed

logger = logging.getLogger(__name__)

_MOST_UNFINISHED: Final = 1_024
_MOST_OPEN: Final = 10_000
_FEW: Final = 16
_MAKING: Final = threading.Lock()


class Refused:
    """The refusals inside one root run that nobody has dealt with so far. Any thread may tell of one.

    It does not grow with a root that lives long: what is handled is dropped, and of what one run has ignored for good
    the first is enough.
    """

    __slots__ = ("_changing", "_count", "_look_again_at", "_noted")

    def __init__(self, noted: Iterable[Noted] = ()) -> None:
        self._changing = threading.Lock()
        self._noted: dict[str, list[Noted]] = {}
        for each in noted:
            self._noted.setdefault(each.namespace, []).append(each)
        self._count = sum(map(len, self._noted.values()))
        self._look_again_at = _FEW

    def note(self, run: Run, refusal: Refusal) -> None:
        """A call of this run was refused."""
        namespace = run.place.checkpoint_ns
        noted = Noted(run, namespace, refusal.bare(), weakref.ref(refusal))
        with self._changing:
            if self._count >= self._look_again_at:
                self._compact()
            if self._count < _MOST_OPEN:
                self._noted.setdefault(namespace, []).append(noted)
                self._count += 1

    def settle(self, run: Run) -> None:
        """A call of this run was admitted."""
        namespace = run.place.checkpoint_ns
        with self._changing:
            if namespace in self._noted:
                self._put(namespace, [each for each in self._noted[namespace] if each.run is not run])

    def again(self, namespace: str) -> None:
        """A node runs, perhaps again: then nothing is left of what it did before.

        Of a subgraph that runs again this says nothing: its nodes that are finished do not.
        """
        with self._changing:
            if namespace in self._noted:
                self._put(namespace, [])

    def still_open(self) -> list[Noted]:
        """Those that nobody has dealt with."""
        with self._changing:
            return [each for noted in self._noted.values() for each in noted if not each.refusal.is_handled]

    def _put(self, namespace: str, noted: list[Noted]) -> None:
        self._count += len(noted) - len(self._noted[namespace])
        if noted:
            self._noted[namespace] = noted
        else:
            del self._noted[namespace]

    def _compact(self) -> None:
        for namespace, noted in list(self._noted.items()):
            kept: list[Noted] = []
            ignored: set[Run | None] = set()
            for each in noted:
                if each.refusal.is_handled or (each.raised() is None and each.run in ignored):
                    continue
                if each.raised() is None:
                    ignored.add(each.run)
                kept.append(each)
            self._put(namespace, kept)
        self._look_again_at = max(_FEW, 2 * self._count)  # so that looking costs each refusal little


class Swallowed:
    """What becomes of the ignored refusals of one meter's runs.

    Args:
        raises: Whether they come back as an exception, or as a line in the log.
    """

    def __init__(self, *, raises: bool) -> None:
        self._raises = raises
        self._unfinished: dict[tuple[str, str], list[Noted]] = {}

    def begins(self, root: Run, inputs: object) -> None:
        """A root starts; if it goes on with a thread, so does what was ignored there."""
        if self._unfinished:
            noted = self._unfinished.pop((root.place.task.task_id, root.thread_id), None)
            if noted and is_resume(inputs):
                root.refused = Refused(noted)

    def ends_well(self, root: Run) -> RefusalSwallowed | None:
        """What to raise at the end of a run that went well although a call inside it was refused."""
        refused, root.refused = root.refused, None
        if refused is None or not (noted := refused.still_open()):
            return None
        if root.paused and root.thread_id:
            self._keep(root, [each for each in noted if not _reached_root(each, root)])
            return None
        from spendgraph.hooks.refusals import RefusalSwallowed

        error = RefusalSwallowed(noted[0].raised() or noted[0].refusal)
        if self._raises:
            return error
        logger.warning("spendgraph: %s", error)
        return None

    def fails(self, root: Run) -> None:
        """A root ends with an exception, and perhaps somebody goes on with its thread."""
        refused, root.refused = root.refused, None
        if refused is not None and root.thread_id:
            noted = refused.still_open()
            self._keep(root, [each for each in noted if each.namespace and not _reached_root(each, root)])

    def _keep(self, root: Run, noted: list[Noted]) -> None:
        if not noted:
            return
        while len(self._unfinished) >= _MOST_UNFINISHED:
            self._unfinished.pop(next(iter(list(self._unfinished)), ("", "")), None)
        key = root.place.task.task_id, root.thread_id
        self._unfinished[key] = [each._replace(run=None) for each in noted]
        logger.warning(
            "spendgraph: a refused call was ignored in a run that has stopped, and comes back at its end if it goes on"
            " in this process: %s",
            noted[0].refusal,
        )


def note_refusal(run: Run, error: BaseException) -> None:
    """Remember a call that was refused, at the root of its run."""
    if run.parent is not None:  # a lone call's refusal reaches its caller, and nobody can be in between
        note_refusal_inside(run.parent, error)


def note_refusal_inside(run: Run | None, error: BaseException) -> None:
    """Remember that a call of this run was refused: a model's or a tool's, a raw one, a gate."""
    refusal = getattr(error, "refusal", error)  # a pause that somebody catches is a refusal ignored, too
    if run is None or not is_refusal(refusal):
        return
    root = run.root
    with _MAKING:  # or of two threads one would tell a list that nobody keeps
        refused = root.refused
        if refused is None:
            refused = root.refused = Refused()
    refused.note(run, cast("Refusal", refusal))


def note_admission(parent: Run | None) -> None:
    """A call of this run was admitted: what the run was refused before is settled."""
    if parent is not None and (refused := parent.root.refused) is not None:
        refused.settle(parent)


def note_node(parent: Run, namespace: str) -> None:
    """A node starts below this run."""
    if (refused := parent.root.refused) is not None:
        refused.again(namespace)


def _reached_root(noted: Noted, root: Run) -> bool:
    """Whether every node around a refusal was left with an exception: it runs again, and is refused again or not."""
    run, is_inside = noted.run, False
    while run is not None and run.parent is not None and run is not root:
        if run.place.checkpoint_ns != run.parent.place.checkpoint_ns:
            is_inside = True
            if not run.failed:
                return False
        run = run.parent
    return is_inside
