"""A wrong argument is a ValueError that says where, what was expected and what was found, before anything is done with it."""

# What these tests do, type checkers keep people from doing.
# mypy: disable-error-code="arg-type, call-arg, dict-item"
# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from spendgraph import (
    BudgetGate,
    BudgetMiddleware,
    ContextError,
    CostContext,
    Meter,
    MeteredEmbeddings,
    MeteredReranker,
    SpendCallbackHandler,
)
from spendgraph.policy import Policy

NAIVE = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - that is the mistake

MISTAKES: dict[str, tuple[Callable[[Meter], object], str]] = {
    "a policy that is a number": (
        lambda meter: Meter("x.db", policy=42),
        "Meter: expected the path of a policy file, or a Policy, for policy, found 42",
    ),
    "a policy that is a dict": (
        lambda meter: Meter("x.db", policy={"version": 1}),
        "Meter: expected the path of a policy file, or a Policy, for policy, found {'version': 1}",
    ),
    "a policy that is text": (
        lambda meter: Meter("x.db", policy="version: 1\nbudgets: []\n"),
        (
            "Meter: expected the path of a policy file, or a Policy, for policy, found 'version: 1\\nbudgets: []\\n':"
            " parse_policy reads one from text"
        ),
    ),
    "a ledger that is none": (
        lambda meter: Meter(None),
        "Meter: expected the path of a ledger, or a Ledger, found None",
    ),
    "a resolver that cannot be called": (
        lambda meter: Meter("x.db", context=CostContext()),
        (
            "Meter: expected a function of config and runtime for context, found CostContext(feature='', team='', workload_class='',"
            " tenant='...: meter.config or"
            " meter.task take a CostContext"
        ),
    ),
    "no cap": (lambda meter: meter.cap(), "meter.cap: expected one of usd, tokens and calls, found none"),
    "two caps": (
        lambda meter: meter.cap(usd=1, calls=1),
        "meter.cap: expected one of usd, tokens and calls, found usd and calls",
    ),
    "a cap that is no amount": (
        lambda meter: meter.cap(usd="x"),
        "meter.cap: usd: expected dollars such as '0.25', found 'x'",
    ),
    "a cap of half a call": (
        lambda meter: meter.cap(calls=0.5),
        "meter.cap: calls: expected a whole number above 0, found '0.5'",
    ),
    "a cost that is no amount": (
        lambda meter: meter.record("review", usd="x"),
        "meter.record 'review': expected dollars such as '0.25', found 'x'",
    ),
    "a time without a zone": (
        lambda meter: meter.record("review", usd=1, started=NAIVE),
        "meter.record 'review': started: expected a datetime with a time zone, found datetime.datetime(2026, 1, 1, 12, 0)",
    ),
    "a provider that is a number": (
        lambda meter: meter.step("model", provider=3),
        "step 'model': provider: expected a string, found 3",
    ),
    "an owner that is a number": (
        lambda meter: meter.tool(owner=3),
        "meter.tool: owner: expected a string, found 3",
    ),
    "a config that is none": (
        lambda meter: meter.config(CostContext(), 3),
        "meter.config: expected a RunnableConfig, a dict, for config, found 3",
    ),
    "a gate without a meter": (
        lambda meter: BudgetGate("ledger.db"),
        "BudgetGate: expected a Meter, found 'ledger.db'",
    ),
    "a middleware without a meter": (
        lambda meter: BudgetMiddleware(None),
        "BudgetMiddleware: expected a Meter, found None",
    ),
    "a handler without a meter": (
        lambda meter: SpendCallbackHandler("ledger.db"),
        "SpendCallbackHandler: expected a Meter, found 'ledger.db'",
    ),
    "embeddings without a meter": (
        lambda meter: MeteredEmbeddings(None, DeterministicFakeEmbedding(size=3)),
        "MeteredEmbeddings: expected a Meter, found None",
    ),
    "embeddings that are none": (
        lambda meter: MeteredEmbeddings(meter, 3),
        "MeteredEmbeddings: expected Embeddings of LangChain, found 3",
    ),
    "a reranker that is none": (
        lambda meter: MeteredReranker(meter, 3),
        "MeteredReranker: expected a BaseDocumentCompressor of LangChain, found 3",
    ),
    "cheaper models that are none": (
        lambda meter: BudgetMiddleware(meter, cheaper=["gpt-5-mini"]),
        (
            "BudgetMiddleware: expected models or their names by the name of the dear one for cheaper, such as"
            " {'gpt-5': 'gpt-5-mini'}, found ['gpt-5-mini']"
        ),
    ),
    "a cheaper model that is none": (
        lambda meter: BudgetMiddleware(meter, cheaper={"gpt-5": 3}),
        (
            "BudgetMiddleware: expected models or their names by the name of the dear one for cheaper, such as"
            " {'gpt-5': 'gpt-5-mini'}, found {'gpt-5': 3}"
        ),
    ),
    "optional tools that are none": (
        lambda meter: BudgetMiddleware(meter, optional_tools=3),
        "BudgetMiddleware: expected a list of tool names for optional_tools, found 3",
    ),
    "an answer of text": (
        lambda meter: BudgetMiddleware(meter, min_output_tokens="x"),
        "BudgetMiddleware: expected min_output_tokens above 0, found 'x'",
    ),
    "a column in the place of a list": (
        lambda meter: meter.ledger.spend(by="feature"),
        "expected a list of names for by, such as ['feature'], found 'feature'",
    ),
    "a column in the place of a list of the rollups": (
        lambda meter: meter.ledger.rolled(by="feature"),
        "expected a list of names for by, such as ['feature'], found 'feature'",
    ),
    "a time that is text": (
        lambda meter: meter.ledger.steps(since="2026-01-01"),
        "expected a datetime with a time zone, or microseconds, found '2026-01-01'",
    ),
}

NO_CONTEXTS: dict[str, tuple[Callable[[Meter], object], str]] = {
    "config": (
        lambda meter: meter.config("inbox"),
        "meter.config: expected a CostContext, found 'inbox': give CostContext(feature='inbox', ...)",
    ),
    "task": (
        lambda meter: meter.task({"feature": "inbox"}),
        "meter.task: expected a CostContext, found {'feature': 'inbox'}: CostContext.from_mapping makes one of a mapping",
    ),
    "cap": (
        lambda meter: meter.cap(usd=1, context=3),
        "meter.cap: expected a CostContext, found 3",
    ),
    "from_mapping": (
        lambda meter: CostContext.from_mapping(3),
        "expected a mapping of tags, found 3",
    ),
    "from_metadata": (
        lambda meter: CostContext.from_metadata(3),
        "expected a mapping of metadata, found 3",
    ),
}


@pytest.fixture
def meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meter]:
    """A meter without budgets, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    with Meter("ledger.db") as opened:
        yield opened


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_argument_says_what_was_expected_and_found(meter: Meter, mistake: str) -> None:
    """Nothing else is made or written for it."""
    act, message = MISTAKES[mistake]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared as a whole
        act(meter)
    assert str(caught.value) == message
    assert list(meter.ledger.steps()) == []
    assert not Path("x.db").exists()


@pytest.mark.parametrize("mistake", NO_CONTEXTS)
def test_what_is_no_context_is_a_context_error(meter: Meter, mistake: str) -> None:
    """Which is a ValueError, too."""
    act, message = NO_CONTEXTS[mistake]
    with pytest.raises(ContextError) as caught:
        act(meter)
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError)


def test_a_policy_and_a_path_are_accepted(tmp_path: Path) -> None:
    """In every form that is documented."""
    file = tmp_path / "spendgraph.yaml"
    file.write_text("version: 1\n")
    for policy in (file, str(file), Policy(), None):
        Meter(tmp_path / "ledger.db", policy=policy).close()
