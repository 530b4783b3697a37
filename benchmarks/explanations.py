"""How often an explanation names who is to blame, to the tag, and what it takes.

    python benchmarks/explanations.py [--cases N] [--seed N] [--json]

causes.py makes incidents of companies with 3 to 6 tags, some hundred to some thousand cells, and one or two causes. Named is a case when exactly its causes are: no
tag too many or too few, no further cause. Beside it stands the largest single mover: the one tag value whose cost grew most, as a list of movers shows it.
The search is run on what the rows of the ledger were added up to; reading them is not measured here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from causes import Case, Tags, cases
from spendgraph_anomaly.explain.cells import Cells
from spendgraph_anomaly.explain.search import localise

TARGET: Final = 0.88


class Tried(NamedTuple):
    """One case.

    Attributes:
        dimensions: How many tags it has.
        causes: How many causes.
        named: Whether exactly they were named.
        mover: Whether the largest single mover is what was to be named.
        cpu_ms: What the search took.
    """

    dimensions: int
    causes: int
    named: bool
    mover: bool
    cpu_ms: float


def tried(case: Case) -> Tried:
    """Explain one case."""
    begun = time.process_time()
    found = localise(case.cells)
    taken = time.process_time() - begun
    mover = largest_mover(case.cells)
    return Tried(
        len(case.cells.dimensions),
        len(case.causes),
        _set(cut.tags for cut in found) == _set(case.causes),
        mover is not None and _set([mover]) == _set(case.causes),
        taken * 1e3,
    )


def largest_mover(cells: Cells) -> Tags | None:
    """The single tag value with the greatest excess, as a list of movers would show it; none without a cell."""
    excess = cells.observed - cells.expected
    sign = -1 if int(excess.sum()) < 0 else 1
    found: list[tuple[int, int, int]] = [
        (sign * int(excess[cells.codes[:, at] == code].sum()), -at, code)
        for at, values in enumerate(cells.values)
        for code in range(len(values))
    ]
    if not found:
        return None
    _, at, code = max(found)
    return {cells.dimensions[-at]: cells.values[-at][code]}


def _set(causes: Iterable[Tags]) -> frozenset[frozenset[tuple[str, str]]]:
    return frozenset(frozenset(tags.items()) for tags in causes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=400, help="how many incidents")
    parser.add_argument("--seed", type=int, default=23, help="of everything")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    found = [tried(case) for case in cases(options.cases, seed=options.seed)]
    groups: defaultdict[str, list[Tried]] = defaultdict(list)
    for each in found:
        groups["all"].append(each)
        groups["one cause" if each.causes == 1 else "two causes"].append(each)
        groups[f"{each.dimensions} tags"].append(each)
    rows = [
        {
            "cases": name,
            "number": len(group),
            "named": sum(each.named for each in group) / len(group),
            "largest_mover": sum(each.mover for each in group) / len(group),
            "cpu_ms": sum(each.cpu_ms for each in group) / len(group),
            "longest_ms": max(each.cpu_ms for each in group),
        }
        for name, group in sorted(groups.items())
    ]
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'':12}{'number':>8}{'exactly named':>16}{'largest mover':>16}{'ms of CPU':>12}{'longest':>10}")
    for row in rows:
        print(
            f"{row['cases']:12}{row['number']:8}{row['named']:16.2f}{row['largest_mover']:16.2f}{row['cpu_ms']:12.1f}{row['longest_ms']:10.1f}"
        )
    named = sum(each.named for each in found) / len(found)
    print(f"target: {TARGET:.2f} exactly named; {'reached' if named >= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
