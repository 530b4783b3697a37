"""The tags that give a dollar its owner, and how they travel with a task."""

from __future__ import annotations

from spendgraph.context.carry import carry
from spendgraph.context.given import given_context
from spendgraph.context.pseudonym import pseudonym
from spendgraph.context.required import Violation, missing_tags
from spendgraph.context.scope import TaskScope, around, bind, enter, leave, unbind
from spendgraph.context.scope import current as current_scope
from spendgraph.context.tags import CostContext

__all__ = [
    "CostContext",
    "TaskScope",
    "Violation",
    "around",
    "bind",
    "carry",
    "current_scope",
    "enter",
    "given_context",
    "leave",
    "missing_tags",
    "pseudonym",
    "unbind",
]
