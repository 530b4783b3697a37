"""Raw sqlite3, making reservations as directly as can be: what everything else is compared with.

One connection, `synchronous=NORMAL`, the ledger's own tables, one cursor whose statements SQLite keeps prepared. A
reservation is one transaction, the booking of the row another. No usage is read, no price, no context, nothing is looked up.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from instant import CONTEXT, InstantModel
from spendgraph import Meter
from spendgraph.ledger import Ledger, StepRow, TaskStart
from spendgraph.ledger.statements import STATEMENTS

COST = 5
"""What a raw step costs, in nano-USD."""

_INSERT_STEP = STATEMENTS[StepRow][0]


class RawReservations:
    """The statements of a reservation and of a booking, and nothing else.

    Args:
        path: A ledger made by `make_ledger`.
        windows: Names of the budgets to count in.
        busy_timeout_ms: Let SQLite wait for other processes; 0 waits by trying again after a random pause, as
            spendgraph does.
    """

    def __init__(self, path: Path, windows: list[str], *, busy_timeout_ms: int = 0) -> None:
        self.connection = sqlite3.connect(
            path, timeout=busy_timeout_ms / 1000, isolation_level=None, check_same_thread=False
        )
        self.execute = self.connection.cursor().execute
        self.longest_wait = 0.0
        for pragma in (
            "synchronous = NORMAL",
            "wal_autocheckpoint = 10000",
            "foreign_keys = ON",
            "temp_store = MEMORY",
        ):
            self.execute(f"PRAGMA {pragma}")
        self.windows: list[int] = []
        for name in windows:
            query = "SELECT window_id FROM windows WHERE budget = ?"
            self.windows.append(self.execute(query, (name,)).fetchone()[0])

    def begin(self) -> None:
        """Begin a transaction, waiting for other processes."""
        longest = 0.0002
        begun = time.perf_counter()
        while True:
            try:
                self.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError:
                time.sleep(random.uniform(0.0001, longest))
                longest = min(longest * 2, 0.003)
        self.longest_wait = max(self.longest_wait, time.perf_counter() - begun)

    def reserve(self, step_id: str) -> None:
        """Reserve."""
        execute = self.execute
        self.begin()
        for window in self.windows:
            execute(
                "SELECT spent_nanousd, held_nanousd FROM windows WHERE window_id = ?", (window,)
            ).fetchone()
        for window in self.windows:
            execute(
                "UPDATE windows SET held_nanousd = held_nanousd + ?, held_calls = held_calls + 1 WHERE window_id = ?",
                (COST, window),
            )
        execute(
            "INSERT INTO holds (hold_id, holder, windows, held_nanousd, held_tokens, step, lease_until_us)"
            " VALUES (?, 'raw', '[]', 5, 0, '{}', 0)",
            (step_id,),
        )
        execute("COMMIT")

    def book(self, step_id: str) -> None:
        """Book."""
        execute = self.execute
        self.begin()
        row = StepRow(step_id, "raw", "model", CONTEXT.context_id, 1, 2, 3, cost_nanousd=COST)
        execute(_INSERT_STEP, tuple(row))
        execute("DELETE FROM holds WHERE hold_id = ?", (step_id,))
        for window in self.windows:
            execute(
                "UPDATE windows SET held_nanousd = held_nanousd - ?, held_calls = held_calls - 1,"
                " spent_nanousd = spent_nanousd + ?, spent_calls = spent_calls + 1 WHERE window_id = ?",
                (COST, COST, window),
            )
            execute("INSERT INTO step_windows (step_id, window_id) VALUES (?, ?)", (step_id, window))
        execute("COMMIT")


class RawHandler(BaseCallbackHandler):
    """Reserves at a model's start and books at its end, on whatever thread or event loop that is."""

    raise_error = True
    run_inline = True

    def __init__(self, reservations: RawReservations) -> None:
        self.reservations = reservations

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Reserve."""
        self.reservations.reserve(str(run_id))

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Book."""
        self.reservations.book(str(run_id))


class HandedOverHandler(BaseCallbackHandler):
    """The same in a thread of its own: a reservation is waited for, a booking is not. For event loops."""

    raise_error = True
    run_inline = True

    def __init__(self, reservations: RawReservations) -> None:
        self._asked: SimpleQueue[tuple[Callable[[str], None], str, SimpleQueue[None] | None]] = SimpleQueue()
        self._reserve, self._book = reservations.reserve, reservations.book
        threading.Thread(target=self._serve, daemon=True).start()

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Have it reserved, and wait."""
        reply: SimpleQueue[None] = SimpleQueue()
        self._asked.put((self._reserve, str(run_id), reply))
        reply.get()

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Have it booked."""
        self._asked.put((self._book, str(run_id), None))

    def _serve(self) -> None:
        while True:
            act, step_id, reply = self._asked.get()
            act(step_id)
            if reply is not None:
                reply.put(None)


def make_ledger(path: Path, windows: list[str]) -> None:
    """A ledger with what raw rows refer to."""
    with Meter(path) as meter, meter.task(CONTEXT):
        InstantModel().invoke("hi")
    with Ledger.open(path) as ledger:
        ledger.post(TaskStart("raw", None, CONTEXT.context_id, "", "", 0))

        def open_windows(execute: Any) -> None:
            for name in windows:
                execute("INSERT INTO windows (budget, scope, start_us) VALUES (?, '', 0)", (name,))

        ledger.transact(open_windows)
