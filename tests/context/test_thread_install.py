"""Installing the thread carriers, more than once, and taking them out again."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from context.places import ACME, GLOBEX, in_thread, plain, under
from spendgraph.context import TaskScope, current_scope, threads


def test_installing_twice_needs_uninstalling_twice() -> None:
    """Two meters may each install; the originals come back with the last."""
    start = threading.Thread.start
    threads.install(current_scope)
    once = threading.Thread.start
    threads.install(current_scope)
    assert threading.Thread.start is once
    threads.uninstall()
    with under(ACME):
        assert in_thread(plain) == "t-acme"
    threads.uninstall()
    assert threading.Thread.start is start
    threads.uninstall()
    assert threading.Thread.start is start


def test_of_several_captures_the_latest_with_a_scope_is_heard() -> None:
    """A meter without a task here does not hide the other's."""

    def globex() -> TaskScope | None:
        return GLOBEX

    def nothing() -> TaskScope | None:
        return None

    threads.install(globex)
    threads.install(nothing)
    try:
        assert in_thread(plain) == "t-globex"
        threads.uninstall(globex)
        assert in_thread(plain) == ""
        threads.uninstall(globex)
    finally:
        threads.uninstall(nothing)
    with under(ACME):
        assert in_thread(plain) == ""


def test_where_somebody_wrapped_over_us_we_become_a_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their wrapper stays and works; a new install works on top of it."""
    original: Any = threading.Thread.start
    threads.install(current_scope)
    ours: Any = threading.Thread.start
    theirs_ran: list[bool] = []

    def theirs(thread: threading.Thread) -> None:
        theirs_ran.append(True)
        ours(thread)

    monkeypatch.setattr(threading.Thread, "start", theirs)
    try:
        with under(ACME):
            assert in_thread(plain) == "t-acme"
            threads.uninstall()
            assert threading.Thread.start is theirs
            assert in_thread(plain) == ""
            threads.install(current_scope)
            assert in_thread(plain) == "t-acme"
            threads.uninstall()
            assert threading.Thread.start is theirs
    finally:
        monkeypatch.setattr(threading.Thread, "start", original)
    assert len(theirs_ran) == 3
