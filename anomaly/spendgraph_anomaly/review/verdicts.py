"""What people have said of an incident, where the watch has found it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spendgraph.policy.vocabulary import EXTRA_PREFIX
from spendgraph_anomaly.review.merging import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spendgraph_anomaly.review.cuts import Tags
    from spendgraph_reports.books import Books


class Verdicts:
    """The newest word on each incident of the watches.

    Args:
        books: The ledger.
        since_us: Only incidents that went on then, or later.
        until_us: Only those that began earlier.
    """

    def __init__(self, books: Books, since_us: int, until_us: int) -> None:
        found = books.reader.watched.incidents(since_us=since_us, until_us=until_us)
        self._said: Sequence[Mapping[str, Any]] = [row for row in found if row["verdict"]]

    def on(self, tags: Tags, since_us: int, until_us: int) -> str | None:
        """What was said last of an incident of this cut, or of one within or around it, at that time; nothing where nobody has said anything."""
        there = [
            row
            for row in self._said
            if row["start_us"] < until_us
            and since_us < row["until_us"]
            and joined(tags, _in_ledger(row["tags"])) in (dict(tags), _in_ledger(row["tags"]))
        ]
        if not there:
            return None
        last = max(there, key=lambda row: row["said_us"])
        return f"{last['verdict']}, says {last['said_by']}: {last['why']}"


def _in_ledger(tags: Mapping[str, str]) -> dict[str, str]:
    """The policy's `x_region` is `extra.region` to the ledger."""
    return {
        f"extra.{name.removeprefix(EXTRA_PREFIX)}" if name.startswith(EXTRA_PREFIX) else name: value
        for name, value in tags.items()
    }
