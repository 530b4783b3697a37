"""Writing a history: day by day into an empty ledger, and then the files that lie beside it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spendgraph.errors import LedgerError
from spendgraph.ledger import Ledger
from spendgraph.pricing import PriceBook
from spendgraph_demo.history.bookkeeper import Bookkeeper, SettableClock
from spendgraph_demo.history.contracts import write_contracts, write_plans
from spendgraph_demo.history.document import truth_document
from spendgraph_demo.history.invoices import Invoices
from spendgraph_demo.history.loops import planted_loops
from spendgraph_demo.history.planted import make_plan
from spendgraph_demo.history.policies import policy_of, policy_text
from spendgraph_demo.history.rows import Rows
from spendgraph_demo.history.tenants import make_tenants
from spendgraph_demo.history.traffic import Traffic
from spendgraph_demo.history.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from spendgraph_demo.history.parameters import Parameters
    from spendgraph_demo.history.planted import Plan
    from spendgraph_demo.history.tenants import Tenant
    from spendgraph_demo.history.truth import Truth

FILES: Final = {
    "truth": ".truth.json",
    "openai": ".openai-costs.csv",
    "anthropic": ".anthropic-usage.csv",
    "contracts": ".contracts.csv",
    "plans": ".plans.csv",
    "policy": ".policy.yaml",
}
"""The files beside a ledger: their names are the ledger's, with these endings in the place of its own."""


class LedgerNotEmpty(LedgerError):  # noqa: N818 - named as DESIGN.md names its kin: LedgerBusy, LedgerUnavailable
    """A history is written into an empty ledger only.

    Attributes:
        path: What is in the way: the ledger, or a file beside it.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Written:
    """A history that was written.

    Attributes:
        ledger: The ledger.
        files: What lies beside it, by what it is.
        document: What is true of the history, as in the truth file.
        seconds: How long it took.
    """

    ledger: Path
    files: dict[str, Path]
    document: dict[str, Any]
    seconds: float


def write_history(
    path: Path, parameters: Parameters, progress: Callable[[int, int], None] | None = None
) -> Written:
    """Write a history into a ledger that is not there yet, or is empty.

    Args:
        path: The ledger.
        parameters: What the history is made from.
        progress: Called after each day with the number of days and of steps that are written.

    Raises:
        LedgerNotEmpty: The ledger has tasks or steps, or one of the files beside it is there.
        LedgerUnavailable: The ledger cannot be written.
    """
    began = time.monotonic()
    files = {name: path.with_name(path.stem + ending) for name, ending in FILES.items()}
    for file in files.values():
        if file.exists():
            raise LedgerNotEmpty(f"{file} is there already: move it away, or write to another ledger", file)
    clock = SettableClock(parameters.at(0))
    tenants = make_tenants(parameters)
    plan = make_plan(parameters, tenants)
    _check_is_empty(path)
    with Ledger.open(path, clock=clock) as ledger:
        books, invoices = _write_days(ledger, clock, parameters, tenants, plan, progress)
    invoices.close()
    document = truth_document(books, invoices, parameters, tenants, plan)
    write_contracts(files["contracts"], tenants, parameters)
    write_plans(files["plans"])
    invoices.write_openai(files["openai"])
    invoices.write_anthropic(files["anthropic"])
    files["policy"].write_text(policy_text(parameters, is_raised=True), encoding="utf-8")
    files["truth"].write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return Written(path, files, document, time.monotonic() - began)


def _check_is_empty(path: Path) -> None:
    if not path.exists() or not path.stat().st_size:
        return
    with Ledger.open_readonly(path) as reader:
        if not reader.spend() and not reader.budgets():
            return
    raise LedgerNotEmpty(
        f"the ledger {path} is not empty: a history is written into a new one, so that nobody takes it for what was"
        " really spent",
        path,
    )


def _write_days(
    ledger: Ledger,
    clock: SettableClock,
    parameters: Parameters,
    tenants: Sequence[Tenant],
    plan: Plan,
    progress: Callable[[int, int], None] | None,
) -> tuple[Truth, Invoices]:
    policy = policy_of(parameters, is_raised=False)
    prices = PriceBook(policy.prices)
    invoices = Invoices(prices, parameters.seed)
    windows = Windows(ledger, policy, prices)
    traffic = Traffic(parameters, tenants, plan)
    credited = parameters.at(plan.credit_day), parameters.at(plan.credit_day + 1)
    keeper = Bookkeeper(ledger, Rows(policy, prices), windows, invoices, clock, parameters.seed, credited)
    for number in range(parameters.days):
        if number == plan.raised_day:
            keeper.flush()
            clock.now_us = max(clock.now_us, parameters.at(number))
            windows.change(policy_of(parameters, is_raised=True))
        keeper.plan(traffic.day(number))
        keeper.plan(planted_loops(parameters, plan, number))
        keeper.book_until(parameters.at(number + 1))
        if progress is not None:
            progress(number + 1, keeper.truth.steps)
    keeper.flush()
    return keeper.truth, invoices
