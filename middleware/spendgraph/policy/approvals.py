"""The model of what counts as a person's decision, and until when it is awaited; no behaviour."""

from __future__ import annotations

from typing import Literal

from spendgraph.policy.periods import Duration
from spendgraph.policy.section import Section


class Approvals(Section):
    """What counts as a person's decision, and until when it is awaited."""

    within: Duration = "24h"
    """How long a question waits for its answer, such as `30m`, `24h` or `7d`; silence means no."""

    decisions: Literal["inline", "recorded"] = "inline"
    """`inline` takes the value that a run is resumed with, too; `recorded` only what was decided in the ledger (`spendgraph approvals`)."""
