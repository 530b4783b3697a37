"""The rows of the ledger, as the rooms above hand them over.

Each record is a named tuple in the order of its table's columns (without `seq`), so that the tuple itself
is the parameter row of its INSERT: building and writing a step costs microseconds. Money is integer
nano-USD, time is integer microseconds UTC, an empty string means *not known*.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

StepKind = Literal["model", "tool", "retriever", "embedding", "rerank", "other"]
TOKEN_KINDS = frozenset({"model", "embedding", "rerank"})
"""The kinds of steps that are priced by their tokens."""

Entry = Literal["charge", "correction"]
CostBasis = Literal["reported", "estimated", "upper_bound", "configured", "free", "unpriced"]
StepStatus = Literal["ok", "error", "cut", "cancelled", "cache_hit"]
TaskStatus = Literal["running", "paused", "finished", "failed", "refused", "cancelled"]


class StepRow(NamedTuple):
    """One billable step, or the correction of one.

    `cost_basis` says where the cost comes from: `reported` usage, an `estimated` usage, an `upper_bound`
    (the dearest reading), a `configured` price of a tool or of `Meter.record`, `free` (a tool or retriever
    nobody has priced), `unpriced` (a model without a price). `name` is the tool's, retriever's or model
    class's name; `kind` `other` keeps the caller's word for the step (`human_review`) in `name`.
    """

    step_id: str
    task_id: str
    kind: str
    context_id: str
    started_us: int
    ended_us: int
    recorded_us: int
    entry: str = "charge"
    corrects_step_id: str | None = None
    parent_step_id: str | None = None
    thread_id: str = ""
    graph: str = ""
    node: str = ""
    path: str = ""
    checkpoint_ns: str = ""
    attempt: int = 1
    is_replay: int = 0
    name: str = ""
    provider: str = ""
    model_requested: str = ""
    model: str = ""
    service_tier: str = ""
    response_id: str = ""
    owner_team: str = ""
    missing_tags: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_tokens: int = 0
    quantity: float | None = None
    unit: str = ""
    cost_nanousd: int = 0
    cost_basis: str = "reported"
    estimate_nanousd: int | None = None
    reserved_nanousd: int | None = None
    saved_nanousd: int = 0
    price_id: str | None = None
    usage_note: str = ""
    status: str = "ok"
    error_class: str = ""


class ContextRow(NamedTuple):
    """A distinct set of tags; `context_id` is the hash of its content, the task is not part of it."""

    context_id: str
    feature: str = ""
    team: str = ""
    workload_class: str = ""
    tenant: str = ""
    environment: str = ""
    user: str = ""
    version: str = ""
    template: str = ""
    template_version: str = ""
    workspace: str = ""
    project: str = ""
    cost_center: str = ""
    priority: str = ""
    extra: str = "{}"


class PriceRow(NamedTuple):
    """The price a step was charged at, frozen; `price_id` is the hash of its content.

    `note` says why it is not the exact price, and is empty where it is.
    """

    price_id: str
    provider: str
    model: str
    source: str
    effective_from: str
    rates: str
    note: str = ""


class TaskStart(NamedTuple):
    """A task begins, or goes on after a pause (the first row's context and start stay)."""

    task_id: str
    parent_task_id: str | None
    context_id: str
    thread_id: str
    graph: str
    started_us: int


class TaskEnd(NamedTuple):
    """A task's new status; `ended_us` is `None` while it can still go on (`paused`)."""

    task_id: str
    status: str
    ended_us: int | None


class TaskOutcome(NamedTuple):
    """What a task was worth: `outcome` is `success` or `failure`, `value_nanousd` may be unknown."""

    task_id: str
    outcome: str
    value_nanousd: int | None


class DecisionRow(NamedTuple):
    """Anything decided other than *allow*, with its reason.

    `kind` is `context` (a run tried to change who pays), `attribution` (required tags missing), `price` (no
    price known), `usage` (counts that contradict each other), `budget`, `approval`, `ledger` (a call that was let
    out although the ledger could not be written); `outcome` is `ignored`, `recorded`, `refused`, `overrun` or
    `allowed`; `detail` is JSON.
    """

    decision_id: str
    kind: str
    outcome: str
    reason: str
    task_id: str
    step_id: str | None
    context_id: str | None
    detail: str
    decided_us: int


class HeldStep(NamedTuple):
    """A step for which room was held: it is booked, and what it cost takes the place of its hold.

    `step` is a `StepRow` as a plain tuple, a charge or the correction of one; `windows` are the ids of the windows
    it is charged to; what was held of money and tokens is 0 for a correction.
    """

    step: tuple[Any, ...]
    windows: tuple[int, ...]
    held_nanousd: int
    held_tokens: int
    draws: tuple[tuple[str, int], ...] = ()
    """Of what was held, what grants gave: their ids and amounts, in the unit of each."""
    envelopes: tuple[tuple[str, int], ...] = ()
    """Of what was held, what envelopes gave: their ids, and how much of it goes back to each at most."""
    probes: tuple[tuple[str, str], ...] = ()
    """The breakers, by name and scope, that the call was let through by to try."""


class UnheldStep(NamedTuple):
    """A step for which nothing was held: the ledger could not be written, or only its end says that it costs something.

    `step` is a `StepRow` as a plain tuple, a charge or the correction of one; `windows` are the windows it is charged
    to, each by budget, scope, start and end, because nobody could ask for their ids.
    """

    step: tuple[Any, ...]
    windows: tuple[tuple[str, str, int, int | None], ...]


class HoldRelease(NamedTuple):
    """A call for which room was held was not sent after all."""

    hold_id: str
    draws: tuple[tuple[str, int], ...] = ()
    envelopes: tuple[tuple[str, int], ...] = ()


class EnvelopeRelease(NamedTuple):
    """A task is over, and what it had set aside and not used goes back."""

    envelope_id: str


Record = (
    StepRow
    | ContextRow
    | PriceRow
    | TaskStart
    | TaskEnd
    | TaskOutcome
    | DecisionRow
    | HeldStep
    | HoldRelease
    | EnvelopeRelease
    | UnheldStep
    | HoldRelease
)
