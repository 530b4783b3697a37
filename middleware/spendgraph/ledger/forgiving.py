"""What a person forgives by closing a breaker: of every window that counts then, what is spent up to then.

It is kept beside the window, so that it is gone with what it forgave: the parts of a rolling minute age out one by one.
What calls under way hold is not forgiven, and a step that turns out dearer counts with the difference. One that turns out cheaper
takes what was never spent out of the forgiven amount again, or that would be room for spending that nobody has forgiven.

Everything here is part of a transaction that somebody else begins and commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger.asks import Want
    from spendgraph.ledger.records import StepRow
    from spendgraph.ledger.statements import Execute

_ROLLED_US: Final = 61_250_000
"""What a rolling minute counts at most: it, and its oldest part whole."""

_EVER_US: Final = 2**63 - 1

# The window that is open, and, since nothing else is that short, the parts of a rolling minute.
_FORGIVE: Final = """\
INSERT INTO forgiven (window_id, spent_nanousd, up_to_seq)
SELECT window_id, spent_nanousd, (SELECT coalesce(max(seq), 0) FROM steps) FROM windows
WHERE budget = ?1 AND scope = ?2 AND start_us <= ?3
  AND (end_us IS NULL OR end_us > ?3 OR (end_us - start_us < 60000000 AND start_us >= ?3 - ?4))
ON CONFLICT (window_id) DO UPDATE SET spent_nanousd = excluded.spent_nanousd, up_to_seq = excluded.up_to_seq
RETURNING spent_nanousd"""

_FORGIVEN: Final = """\
SELECT coalesce(sum(f.spent_nanousd), 0) FROM windows AS w JOIN forgiven AS f ON f.window_id = w.window_id
WHERE w.budget = ? AND w.scope = ? AND w.start_us BETWEEN ? AND ?"""

_CONCERNED: Final = """\
SELECT window_id, up_to_seq FROM forgiven WHERE window_id IN (SELECT value FROM json_each(?))"""

_OF_STEP: Final = """\
SELECT coalesce(sum(cost_nanousd) FILTER (WHERE seq <= ?2), 0), sum(cost_nanousd) FROM steps
WHERE step_id = ?1 OR corrects_step_id = ?1"""

_LESSEN: Final = "UPDATE forgiven SET spent_nanousd = spent_nanousd + ? WHERE window_id = ?"


def forgive(execute: Execute, counter: str, scope: str, now_us: int) -> int:
    """Forgive what is spent in the windows of a breaker that count now; how much that is."""
    rows = execute(_FORGIVE, (counter, scope, now_us, _ROLLED_US)).fetchall()
    return sum(spent for (spent,) in rows)


def forgiven_in(execute: Execute, want: Want) -> int:
    """How much is forgiven of what a window counts; of a rolling one, in all parts that still count."""
    since_us, until_us = want.start_us, want.start_us
    if want.since_us is not None:
        since_us, until_us = want.since_us, _EVER_US
    (amount,) = execute(_FORGIVEN, (want.budget, want.scope, since_us, until_us)).fetchone()
    found: int = amount
    return found


def correct(execute: Execute, correction: StepRow, windows: Sequence[int]) -> None:
    """Of a step that was corrected just now, forgive what it cost at the reset, or what it costs after all if that is less."""
    for window_id, up_to_seq in execute(_CONCERNED, (orjson.dumps(windows).decode(),)).fetchall():
        then, now = execute(_OF_STEP, (correction.corrects_step_id, up_to_seq)).fetchone()
        before = now - correction.cost_nanousd
        change = min(then, max(now, 0)) - min(then, max(before, 0))
        if change:
            execute(_LESSEN, (change, window_id))
