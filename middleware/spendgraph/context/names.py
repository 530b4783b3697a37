"""The names that a context's tags have, in it and outside of it."""

from __future__ import annotations

from spendgraph.policy.vocabulary import STANDARD_TAGS

METADATA_PREFIX = "spend_"
"""Every key of `CostContext.metadata` starts with this; bare `user` or `version` collide with the host's."""

FIELDS = (*STANDARD_TAGS, "task_id")
"""The standard tags and the task's id: the keys a context is built from, besides `extra`."""
