"""The chunks of answers under way, counted in bytes of text against what is held for their calls.

This runs at every chunk of every stream: without budgets nothing is done, and with them a lookup, a length and a
comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from spendgraph.hooks.swallowed import note_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from spendgraph.hooks.memory import RunMemory
    from spendgraph.hooks.places import OpenStep, Run
    from spendgraph.hooks.recorder import StepRecorder

_LAST_WORDS: Final = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
_TEXTS: Final = ("text", "reasoning", "thinking", "args", "partial_json", "arguments", "refusal")


class Chunks:
    """Counts the chunks of one meter's runs.

    Args:
        runs: The meter's runs.
        recorder: Finds more room for a stream, or says why there is none.
    """

    def __init__(self, runs: RunMemory, recorder: StepRecorder) -> None:
        self._runs = runs
        self._recorder = recorder

    def token(self, run_id: UUID, token: object, chunk: Any) -> None:
        """A chunk of an answer has come.

        Raises:
            BudgetExceeded: The stream is cut off.
            LedgerUnavailable: It is, because nobody can tell whether there is room.
        """
        run = self._runs.get(run_id)
        if run is None or run.ended or (step := run.step) is None or step.hold is None:
            return
        step.received += size_of(token, chunk)
        if step.received > step.allowance and not is_last(chunk):
            self._outgrown(run, step)

    def event(self, run_id: UUID, event: Mapping[str, Any]) -> None:
        """An event of the v3 protocol has come, which announces no chunks; raises as `token` does."""
        run = self._runs.get(run_id)
        if run is None or run.ended or (step := run.step) is None or step.hold is None:
            return
        step.received += size_of_event(event)
        if step.received > step.allowance:
            self._outgrown(run, step)

    def _outgrown(self, run: Run, step: OpenStep) -> None:
        try:
            self._recorder.outgrown(step)
        except Exception as error:
            note_refusal(run, error)
            raise


def size_of(token: object, chunk: Any) -> int:
    """The bytes of text in a chunk: its words, its thoughts and the arguments of its tool calls."""
    size = 0
    if isinstance(token, str):
        size = _length(token)
    elif isinstance(token, list):
        for block in cast("list[object]", token):
            size += _size_of_block(block)
    message = getattr(chunk, "message", None)
    if message is not None:
        if isinstance(token, str):  # in a list they are blocks, too
            for call in getattr(message, "tool_call_chunks", None) or ():
                size += _length(call.get("args")) + _length(call.get("name"))
        beside = getattr(message, "additional_kwargs", None)
        if beside:
            size += _length(beside.get("reasoning_content"))
    return size


def size_of_event(event: Mapping[str, Any]) -> int:
    """The bytes of text in an event of the v3 protocol; a block's whole content, at its end, has passed already."""
    if event.get("event") != "content-block-delta":
        return 0
    return _size_of_block(event.get("delta"))


def is_last(chunk: Any) -> bool:
    """Whether a chunk is the answer's last: to cut there would save nothing."""
    message = getattr(chunk, "message", None)
    if message is None:
        return False
    if getattr(message, "chunk_position", None) == "last":
        return True
    said: Mapping[str, Any] = getattr(message, "response_metadata", None) or {}
    return any(said.get(name) for name in _LAST_WORDS)


def _size_of_block(block: object) -> int:
    if isinstance(block, str):
        return _length(block)
    if not isinstance(block, dict):
        return 0
    described = cast("dict[str, object]", block)
    return sum(_length(described.get(name)) for name in _TEXTS)


def _length(text: object) -> int:
    if not isinstance(text, str):
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
