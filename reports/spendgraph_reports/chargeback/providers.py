"""Who provided what a team pays for, under reorganisations.

A mapping of `team` is about consumers. Where a team had done the work itself, it still has after it was renamed or merged: it does
not become the provider of its successor. Of a split it stays the provider, for the parts are paid by others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.organisation import RULE

if TYPE_CHECKING:
    from spendgraph_reports.organisation import Organisation

Line = dict[str, Any]

_OWN: Final = "\0"
"""Stands before the team that did its work itself, while rules change who pays; no tag has such a character."""


class Providers:
    """Keeps who provided apart from who paid, while an organisation is applied.

    Args:
        organisation: The mappings and splits. Where they name `owner_team`, they say it all themselves.
    """

    def __init__(self, organisation: Organisation) -> None:
        from spendgraph.policy.scalars import percent_text  # loads pydantic, as the policy has done

        self._is_said = "owner_team" in organisation.needed_tags()
        self._splits = tuple(
            f"{split.name} ({percent_text(part.share)})"
            for split in organisation.splits
            for part in split.into
        )

    def marked(self, rows: list[Line]) -> list[Line]:
        """Rows as they were booked, marked where a team paid for its own work."""
        for row in () if self._is_said else rows:
            if row["owner_team"] and row["owner_team"] == row["team"]:
                row["owner_team"] = _OWN + row["owner_team"]
        return rows

    def of(self, row: Line) -> str:
        """Who provided what a row is about, after rules have said who pays for it."""
        owner: str = row["owner_team"]
        if not owner.startswith(_OWN):
            return owner
        is_split = any(row[RULE] == label or row[RULE].endswith(f"; {label}") for label in self._splits)
        payer: str = row["team"]
        return owner.removeprefix(_OWN) if is_split else payer
