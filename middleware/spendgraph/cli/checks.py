"""What `spendgraph doctor` looks at, one function per question; each answers with one finding or several."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from spendgraph.cli.output import plain
from spendgraph.cli.tables import counted
from spendgraph.clock import from_us, utc_us
from spendgraph.errors import LedgerError, PolicyError
from spendgraph.money import format_usd

if TYPE_CHECKING:
    from spendgraph.policy import Policy

SHOWN_VERSIONS = (
    "spendgraph",
    "langchain-core",
    "langgraph",
    "langchain",
    "langchain-openai",
    "langchain-anthropic",
)
STALE_AFTER = timedelta(days=120)
RECENT_US = 7 * 86_400 * 1_000_000


class Finding(NamedTuple):
    """One answer: `ok`, a `note` to know about, or a `problem` to solve."""

    state: Literal["ok", "note", "problem"]
    subject: str
    message: str


def versions() -> Iterator[Finding]:
    """Which Python and which packages are in use."""
    found = [f"Python {platform.python_version()}"]
    for name in SHOWN_VERSIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield Finding("ok", "versions", ", ".join(found))


def policy(path: Path | None) -> Iterator[Finding]:
    """Whether the policy can be read, and what in it leaves a door open."""
    if path is None:
        yield Finding(
            "note", "policy", "none: nothing is required, nothing is refused; `spendgraph init` writes one"
        )
        return
    from spendgraph.policy import load_policy

    try:
        read = load_policy(path)
    except PolicyError as error:
        yield Finding("problem", "policy", str(error))
        return
    required = ", ".join(read.attribution.required) or "no tags"
    yield Finding(
        "ok",
        "policy",
        f"{path}: requires {required}, {read.attribution.on_missing}s what lacks them; {len(read.prices.models)} prices "
        f"of its own, {read.prices.unpriced}s models without one; {len(read.tools)} tools, {len(read.owners)} owner rules",
    )
    if read.attribution.trust_metadata:
        yield Finding(
            "note",
            "policy",
            "trust_metadata is on: where others can send a run's metadata (a LangGraph server), they can name the payer; "
            "there, set attribution.trust_metadata: false",
        )
    is_open = any(budget.unit == "nanousd" and budget.reserve != "strict" for budget in read.budgets)
    if read.prices.unpriced == "record" and is_open:
        yield Finding(
            "note",
            "policy",
            "budgets in dollars do not limit a model without a price, which counts as 0: prices.unpriced: block refuses it",
        )
    yield from _people(read, path)


def _people(read: Policy, path: Path) -> Iterator[Finding]:
    """Whether those who own budgets can be told."""
    from spendgraph.notify import read_channels

    if not read.notify:
        return
    try:
        read_channels(read, str(path))
    except PolicyError as error:
        yield Finding("problem", "notify", str(error))
        return
    owners = {budget.owner for budget in read.budgets} | {breaker.owner for breaker in read.breakers}
    untold = sorted(owner for owner in owners if owner is not None and owner not in read.notify)
    yield Finding("ok", "notify", f"{len(read.notify)} names can be told")
    if untold:
        yield Finding(
            "note", "notify", f"owners that are told nothing, because notify lacks them: {', '.join(untold)}"
        )


def ledger(path: Path) -> Iterator[Finding]:
    """Whether the ledger can be read, who may read it, and what in it should be looked at."""
    from spendgraph.ledger import Ledger

    if not path.exists():
        yield Finding("note", "ledger", f"{path} is not there yet; the first meter that opens it makes it")
        return
    try:
        with Ledger.open_readonly(path) as reader:
            rows = reader.spend()
            recent = reader.spend(since=utc_us() - RECENT_US)
            problems = reader.verify()
    except LedgerError as error:
        yield Finding("problem", "ledger", str(error))
        return
    steps, cost = (rows[0]["steps"], rows[0]["cost_nanousd"]) if rows else (0, 0)
    if problems:
        first = plain(f"{problems[0].subject}: {problems[0].message}")
        yield Finding(
            "problem",
            "ledger",
            f"{path}: {counted(len(problems), 'problem')}, the first: {first} (`spendgraph verify`)",
        )
    else:
        yield Finding("ok", "ledger", f"{path} is sound: {counted(steps, 'step')}, {format_usd(cost)}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        yield Finding(
            "note", "ledger", f"{path} can be opened by others (mode {mode:04o}); chmod 600 makes it private"
        )
    if recent and recent[0]["unattributed_nanousd"]:
        part = 100 * recent[0]["unattributed_nanousd"] / recent[0]["cost_nanousd"]
        yield Finding("note", "ledger", f"{part:.1f} % of the last week's cost is unattributed")
    if recent and recent[0]["unpriced_steps"]:
        count = recent[0]["unpriced_steps"]
        yield Finding(
            "problem",
            "ledger",
            f"{counted(count, 'step')} of the last week without a price, counted as 0: add prices",
        )


def prices() -> Iterator[Finding]:
    """How old the price list is."""
    from spendgraph.pricing.list_age import latest_price_change

    today = from_us(utc_us()).date()
    latest = latest_price_change(today)
    known = f"genai-prices {version('genai-prices')}, latest price change it knows: {latest or 'none'}"
    if latest is None or today - latest > STALE_AFTER:
        yield Finding("note", "prices", f"{known}; update it: pip install --upgrade genai-prices")
    else:
        yield Finding("ok", "prices", known)


def hooks() -> Iterator[Finding]:
    """Whether a call in this environment really reaches a meter, and who else listens."""
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.runnables import RunnableLambda

    from spendgraph.context import CostContext
    from spendgraph.meter import Meter

    model = FakeListChatModel(responses=["yes"])

    def ask(question: str) -> str:
        return str(model.invoke(question, {"callbacks": []}).content)

    hidden: RunnableLambda[str, str] = RunnableLambda(ask)
    with Meter(":memory:") as meter:
        with meter.task(CostContext(feature="doctor")):
            hidden.invoke("Are you there?")
        seen = sum(row["steps"] for row in meter.ledger.spend(["feature"]) if row["feature"] == "doctor")
    if seen == 1:
        yield Finding(
            "ok", "hook", "a model call with callbacks=[] inside a chain was seen once, with its tags"
        )
    else:
        yield Finding(
            "problem",
            "hook",
            f"a test call was seen {seen} times instead of once: is another hook in the way?",
        )
    if find_spec("anthropic") is not None:
        from spendgraph.hooks import wire

        import_module("anthropic")  # the tap goes into the loaded module only
        if not wire.install():
            yield Finding("note", "anthropic", f"details of streams cannot be read: {wire.status().reason}")
    if any(
        os.environ.get(name, "").lower() == "true" for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")
    ):
        yield Finding(
            "note",
            "tracing",
            "LangSmith tracing is on: prompts and answers leave this machine by LangChain's doing",
        )
