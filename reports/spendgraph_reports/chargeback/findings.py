"""What statements say in sentences, each true for every ledger."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from spendgraph_reports.amounts import counted, dollars, footed, percent, share, written
from spendgraph_reports.chargeback.lines import CONSUMED, PROVIDED, RESTATED, TEAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph_reports.chargeback.lines import Line


def findings(
    lines: Sequence[Line], of: str, payer: str | None, when: str, late: tuple[int, int]
) -> tuple[str, ...]:
    """The sentences of a statement, or of all.

    Args:
        lines: Those it has.
        of: The tag that says who pays.
        payer: Whose statement it is; `None` for all.
        when: The period for people.
        late: How many rows of the period were written since its close, and what they cost.
    """
    paid: defaultdict[str, int] = defaultdict(int)
    of_section: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        if line["section"] != PROVIDED:
            paid[line[of]] += line["cost_nanousd"]
        of_section[line["section"]] += line["cost_nanousd"]
    if not lines:
        return (f"{payer} pays nothing for {when}." if payer else f"Nothing is charged for {when}.",)
    said = [*_of_one(lines, of, payer, when)] if payer is not None else [*_of_all(paid, of, when)]
    restated = [line for line in lines if line["section"] == RESTATED]
    if restated:
        steps = sum(line["steps"] for line in restated)
        corrections = sum(line["corrections"] for line in restated)
        parts = [of_section[CONSUMED], of_section[RESTATED]]
        own, earlier = (  # cents that add up to those of the sum
            written(cents, 2, negative=part < 0) for cents, part in zip(footed(parts, 2), parts, strict=True)
        )
        said.insert(
            1,
            f"{own} of it is of {when}; {earlier} is restated of earlier months: {counted(steps, 'late step')} and"
            f" {counted(corrections, 'correction')}.",
        )
    if late[0] and payer is None:
        said.append(
            f"{counted(late[0], 'row')} of {when}, {dollars(late[1])}, {'was' if late[0] == 1 else 'were'} written after its"
            " books closed: the next statements restate them."
        )
    return tuple(said)


def _of_all(paid: dict[str, int], of: str, when: str) -> list[str]:
    total = sum(paid.values())
    named_ = {payer: cost for payer, cost in paid.items() if payer}
    what = of.replace("_", " ").removeprefix("extra.")
    said = [f"{dollars(total)} is charged for {when}, to {counted(len(named_), what)}."]
    if len(named_) > 1 and total > 0:
        most = max(named_, key=lambda payer: named_[payer])
        said.append(f"{most} pays most: {dollars(paid[most])}, {percent(share(paid[most], total))}.")
    if nobodys := paid.get("", 0):
        said.append(f"{dollars(nobodys)} has no {what} and is nobody's: give the calls one.")
    return said


def _of_one(lines: Sequence[Line], of: str, payer: str, when: str) -> list[str]:
    cost = sum(line["cost_nanousd"] for line in lines)
    said = [
        f"{payer} pays {dollars(cost)} for {when}." if payer else f"{dollars(cost)} of {when} is nobody's."
    ]
    if of != TEAM:
        return said
    others: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        if line["section"] != PROVIDED and line["provided_by"] not in ("", payer):
            others[line["provided_by"]] += line["cost_nanousd"]
    if from_others := sum(others.values()):
        most = max(others, key=lambda team: others[team])
        said.append(f"{dollars(from_others)} of it was provided by other teams, most by {most}.")
    provided = sum(line.get("provided_nanousd", 0) for line in lines)
    if provided:
        said.append(f"Others pay {dollars(provided)} for what it provided: that stands in their statements.")
    return said
