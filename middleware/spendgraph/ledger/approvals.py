"""The inbox: what a task asked for beyond a limit, and what a person said.

Everything here is part of a transaction that somebody else begins and commits. The first decision counts; a question
that nobody answers in time is expired, which is not denied. An approval is written together with the grant it gives.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import orjson

from spendgraph.errors import ApprovalError
from spendgraph.ledger.grants import Grant, give
from spendgraph.ledger.statements import AGAIN

if TYPE_CHECKING:
    from spendgraph.ledger.records import Record
    from spendgraph.ledger.statements import Execute

Kind = Literal["approve", "acknowledge"]
State = Literal["pending", "approved", "denied", "expired"]


class Question(NamedTuple):
    """What a call asks a person for.

    Attributes:
        budget: The budget without enough room.
        scope: Whose counter.
        start_us: Its window's start.
        since_us: For a rolling budget, the start of the oldest window that still counts; else `None`.
        task_id: The task that asks, for itself.
        thread_id: Its thread.
        graph: Its graph.
        context_id: Who pays.
        unit: What amounts count.
        limit: The limit.
        spent: What is spent in the window.
        held: What is held by calls under way.
        asked: How much the call asks for.
        branch: Where in the task the call is: parallel branches ask together.
        approvers: Who may say yes; nobody named means anybody.
        within_us: How long an answer is awaited.
        kind: `approve` for more room, `acknowledge` for taking note, which is done once a window.
        threshold: Of an acknowledgement, the spending from which it is wanted; else 0.
        tried: The round whose approval was drawn on already, and is not enough; -1 for none.
        first: What the question refers to and the ledger may not have yet.
    """

    budget: str
    scope: str
    start_us: int
    since_us: int | None
    task_id: str
    thread_id: str
    graph: str
    context_id: str
    unit: str
    limit: int
    spent: int
    held: int
    asked: int
    branch: str
    approvers: tuple[str, ...]
    within_us: int
    kind: Kind = "approve"
    threshold: int = 0
    tried: int = -1
    first: tuple[Record, ...] = ()


class Standing(NamedTuple):
    """How a question stands.

    Attributes:
        approval_id: Its id.
        state: What was said so far.
        asked: What all branches ask for together.
        expires_us: Until when an answer is awaited.
        decided_by: Who decided, or empty.
        decided_why: Why.
        is_new: It was asked just now.
        is_alone: No other question of the thread waits for an answer.
        round: How often the task had asked before.
        task_nanousd: What the task has cost so far.
    """

    approval_id: str
    state: State
    asked: int
    expires_us: int
    decided_by: str
    decided_why: str
    is_new: bool
    is_alone: bool
    round: int
    task_nanousd: int = 0


class Decision(NamedTuple):
    """What a person says: yes or no, who, why, how much in the budget's unit (`None`: what was asked) and until when."""

    yes: bool
    by: str
    why: str
    amount: int | None = None
    until_us: int | None = None


class Decided(NamedTuple):
    """A question that is decided; `granted` is in `unit`, and `None` for a no or where nothing is granted."""

    approval_id: str
    kind: Kind
    state: State
    budget: str
    scope: str
    task_id: str
    unit: str
    granted: int | None


_OF_TASK: Final = """\
SELECT approval_id, state, round, branches, expires_us, decided_by, decided_why FROM approvals
WHERE budget = ? AND scope = ? AND window_start_us BETWEEN ? AND ? AND kind = ? AND threshold = ? AND task_id = ?
ORDER BY window_start_us DESC, round DESC LIMIT 1"""

# One note taken is taken for everybody, and a question that waits is everybody's; a no is one task's.
_OF_WINDOW: Final = """\
SELECT approval_id, state, round, branches, expires_us, decided_by, decided_why FROM approvals
WHERE budget = ? AND scope = ? AND window_start_us BETWEEN ? AND ? AND kind = ? AND threshold = ?
  AND state IN ('approved', 'pending')
ORDER BY state, window_start_us DESC LIMIT 1"""

_ACKNOWLEDGED: Final = """\
SELECT 1 FROM approvals
WHERE budget = ? AND scope = ? AND window_start_us BETWEEN ? AND ? AND kind = 'acknowledge' AND threshold = ?
  AND state = 'approved'"""

_ASK: Final = """\
INSERT INTO approvals (approval_id, kind, threshold, round, budget, scope, window_start_us, task_id, thread_id, graph,
  context_id, unit, limit_amount, spent, held, asked, branches, approvers, state, asked_us, expires_us, decided_by, decided_why)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, '', '')"""

_EXPIRE: Final = "UPDATE approvals SET state = 'expired' WHERE state = 'pending' AND expires_us <= ?"
_OTHERS: Final = (
    "SELECT count(*) FROM approvals WHERE state = 'pending' AND thread_id = ? AND approval_id <> ?"
)
_DECIDE: Final = """\
UPDATE approvals SET state = ?, decided_by = ?, decided_why = ?, granted = ?, decided_us = ? WHERE approval_id = ?"""
_ONE: Final = """\
SELECT approval_id, kind, state, approvers, asked, budget, scope, window_start_us, task_id, unit, decided_by
FROM approvals WHERE substr(approval_id, 1, length(?1)) = ?1"""


def ask(execute: Execute, question: Question, key: bytes, now_us: int) -> Standing:
    """Ask, or see what became of the question; branches of one task that ask at once share it.

    After an approval whose grant was tried and is not enough the next round is a new question; after a no there is none.
    """
    standing = _ask(execute, question, key, now_us)
    (spent,) = execute(
        "SELECT coalesce(sum(cost_nanousd), 0) FROM steps WHERE task_id = ?", (question.task_id,)
    ).fetchone()
    return standing._replace(task_nanousd=spent)


def _ask(execute: Execute, question: Question, key: bytes, now_us: int) -> Standing:
    execute(_EXPIRE, (now_us,))
    since_us = question.start_us if question.since_us is None else question.since_us
    about = (*question[:2], since_us, question.start_us, question.kind, question.threshold)
    row = None
    if question.kind == "acknowledge":
        row = execute(_OF_WINDOW, about).fetchone()
    if row is None:
        row = execute(_OF_TASK, (*about, question.task_id)).fetchone()
    # Another branch may have asked and got its answer meanwhile: then whoever asks now tries that grant first.
    if row is None or (row[1] == "approved" and question.kind == "approve" and row[2] <= question.tried):
        return _ask_anew(execute, question, 0 if row is None else row[2] + 1, key, now_us)
    approval_id, state, number, text, expires_us, by, why = row
    branches: dict[str, int] = orjson.loads(text)
    if state == "pending" and question.asked and branches.get(question.branch) != question.asked:
        branches[question.branch] = question.asked
        execute(
            "UPDATE approvals SET branches = ?, asked = ? WHERE approval_id = ?",
            (orjson.dumps(branches).decode(), sum(branches.values()), approval_id),
        )
    (others,) = execute(_OTHERS, (question.thread_id, approval_id)).fetchone()
    return Standing(
        approval_id, state, sum(branches.values()), expires_us, by, why, False, others == 0, number
    )


def is_acknowledged(
    execute: Execute, budget: str, scope: str, since_us: int, start_us: int, threshold: int
) -> bool:
    """Whether somebody has taken note that a window has spent so much."""
    return execute(_ACKNOWLEDGED, (budget, scope, since_us, start_us, threshold)).fetchone() is not None


def _ask_anew(execute: Execute, question: Question, number: int, key: bytes, now_us: int) -> Standing:
    for record in question.first:
        for insert in AGAIN[type(record)]:
            execute(insert, tuple(record))
    kind = (question.kind, question.threshold, number)
    of = (question.graph, question.thread_id, question.task_id, *question[:3], *kind)
    approval_id = hashlib.blake2b(orjson.dumps(of), digest_size=16, key=key[:32]).hexdigest()
    expires_us = now_us + question.within_us
    branches = orjson.dumps({question.branch: question.asked}).decode()
    what = (question.unit, question.limit, question.spent, question.held, question.asked, branches)
    who = (question.task_id, question.thread_id, question.graph, question.context_id)
    approvers = orjson.dumps(question.approvers).decode()
    execute(_ASK, (approval_id, *kind, *question[:3], *who, *what, approvers, now_us, expires_us))
    return Standing(approval_id, "pending", question.asked, expires_us, "", "", True, False, number)


def decide(execute: Execute, approval_id: str, decision: Decision, now_us: int) -> Decided:
    """Decide a question, once, and give the room that was approved.

    Raises:
        ApprovalError: There is no such question, it is decided or expired, or somebody else has to approve it.
    """
    execute(_EXPIRE, (now_us,))
    rows = execute(_ONE, (approval_id,)).fetchall() if approval_id else []
    if len(rows) != 1:
        found = f"{len(rows)}" if rows else "none"
        raise ApprovalError(f"expected the id of one approval, found {found} for {approval_id!r}", "unknown")
    approval_id, kind, state, approvers, asked, budget, scope, start_us, task_id, unit, before = rows[0]
    said = f"the approval {approval_id} for budget {budget!r}"
    if state == "expired":
        raise ApprovalError(f"{said} has expired: its deadline is over, and nobody had decided", "expired")
    if state != "pending":
        raise ApprovalError(f"{said} is {state} already, by {before}: a decision counts once", "decided")
    allowed: list[str] = orjson.loads(approvers)
    if decision.yes and allowed and decision.by not in allowed:
        who = ", ".join(allowed)
        raise ApprovalError(f"{said} may be approved by {who}, found {decision.by!r}", "not_an_approver")
    granted = None
    if decision.yes and kind == "approve":
        granted = asked if decision.amount is None else decision.amount
        of_window = (approval_id, budget, scope, start_us, task_id, unit, granted)
        give(execute, Grant(*of_window, decision.by, decision.why, now_us, decision.until_us))
    outcome: State = "approved" if decision.yes else "denied"
    execute(_DECIDE, (outcome, decision.by, decision.why, granted, now_us, approval_id))
    return Decided(approval_id, kind, outcome, budget, scope, task_id, unit, granted)
