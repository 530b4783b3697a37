"""When a callback handler of ours runs inline in asynchronous code: nearly always.

An inline handler runs on the event loop's thread, in order, at once; one that is not goes through the
loop's default executor, behind whatever synchronous work is queued there. Inline is right for us, with one
exception that LangChain forces: `AsyncCallbackManager.on_llm_start` (completion models) drops the handlers
that are not inline as soon as one is. There we are inline only when another handler already is, so that
nobody loses an event because of us.
"""

from __future__ import annotations

import sys


def inline_here(_handler: object) -> bool:
    """Whether a handler of ours is inline for whoever asks: the body of its `run_inline` property itself.

    LangChain asks three times at every event of a coroutine, so there is nothing in between, and one look is enough.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the only way to see who asks
    if "on_llm_start" not in frame.f_code.co_qualname:
        return True
    if frame.f_code.co_name == "<listcomp>" and frame.f_back is not None:
        frame = frame.f_back  # before Python 3.12 a comprehension has a frame of its own
    manager = frame.f_locals.get("self")
    others = getattr(manager, "handlers", ())
    return any(not hasattr(other, "spendgraph_inline") and other.run_inline for other in others)
