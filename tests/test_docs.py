"""The documentation is true: its Python is run, and every public name, command, column and key is in it."""

from __future__ import annotations

import doctest
import importlib
import re
import runpy
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import spendgraph
from provider import Provider
from spendgraph.cli.app import OWN_COMMANDS
from spendgraph.ledger import Ledger
from spendgraph.policy import parse_policy

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Provider]:
    """The README's real clients, with a key that a loopback provider knows; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with Provider() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "account-readme")
        yield running


def test_the_readmes_python_runs_and_its_calls_are_in_the_books(provider: Provider) -> None:
    """All blocks, in order, as one program against a real wire: every billed call is one attributed step."""
    program: dict[str, object] = {"__name__": "readme"}
    for number, block in enumerate(blocks(README, "python"), start=1):
        exec(compile(block, f"README block {number}", "exec"), program)
    meter = program["meter"]
    assert isinstance(meter, spendgraph.Meter)
    meter.close()
    with Ledger.open_readonly("spendgraph.db") as ledger:
        billed = sorted(line.response_id for line in provider.invoice("account-readme").lines)
        assert sorted(step["response_id"] for step in ledger.steps(kind="model")) == billed
        assert len(billed) == 5
        spent = {(row["kind"], row["name"]): row["cost_nanousd"] for row in ledger.spend(["kind", "name"])}
        assert spent["tool", "search"] == 10_000_000
        assert spent["other", "human_review"] == 2_500_000_000
        assert {step["missing_tags"] for step in ledger.steps()} == {""}
        assert {step["tenant"] for step in ledger.steps()} == {"acme", "globex"}
        assert ledger.verify() == []


ROOTS = ("middleware", "reports", "anomaly", "demo")
EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT / root).with_suffix("").parts)
    for root in ROOTS
    for path in (ROOT / root).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_in_docstrings_are_true(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a docstring shows after `>>>` is run, and its answer compared."""
    monkeypatch.chdir(tmp_path)
    tried = doctest.testmod(importlib.import_module(module))
    assert (tried.failed, tried.attempted > 0) == (0, True)


def test_every_public_name_is_in_the_readme() -> None:
    """What can be imported is explained somewhere a reader looks."""
    assert [name for name in spendgraph.__all__ if name not in README and name != "__version__"] == []


def test_every_command_is_in_the_readme() -> None:
    """The table of commands is whole."""
    assert [
        name
        for name in (
            *OWN_COMMANDS,
            "demo",
            "export",
            "import",
            "incidents",
            "nightly",
            "reconcile",
            "report",
            "watch",
        )
        if f"`spendgraph {name}" not in README
    ] == []


def test_every_make_target_named_in_the_readme_exists() -> None:
    """A reader who types what stands there gets what stands there."""
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"^\$ make (\w+)", README, flags=re.MULTILINE)
    assert named == ["demo", "test"]
    assert [target for target in named if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)] == []


def test_every_column_of_a_ledger_is_documented(tmp_path: Path) -> None:
    """Tables and views of a fresh ledger, column by column."""
    Ledger.open(tmp_path / "fresh.db").close()
    connection = sqlite3.connect(tmp_path / "fresh.db")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    missing = [
        f"{table}.{column[1]}"
        for (table,) in tables
        for column in connection.execute(f"PRAGMA table_info({table})")
        if f"`{table}`" not in PAGES["ledger.md"] or f"`{column[1]}`" not in PAGES["ledger.md"]
    ]
    connection.close()
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_no_row_of_a_table_repeats_and_headings_stand_apart(page: str) -> None:
    """A bad merge leaves both versions of a row, or eats the empty line before a heading."""
    section = ""
    seen: set[str] = set()
    repeated: list[str] = []
    for line in PAGES[page].splitlines():
        if line.startswith("#"):
            section = line
            seen.clear()
        elif line.startswith("| `"):
            key = line.split(" | ")[0]
            repeated += [f"{section}: {key}"] if key in seen else []
            seen.add(key)
    assert repeated == []
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^[^\n]+\n#{2,} .*$", prose, re.MULTILINE) == []


def test_every_kind_and_outcome_of_a_decision_is_documented() -> None:
    """Those that the code writes."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "middleware").rglob("*.py"))
    written = re.findall(r'decide\(\s*(?:step\.)?place,\s*"(\w+)",\s*"(\w+)"', source)
    assert len(written) > 6
    part = PAGES["ledger.md"].partition("### `decisions`")[2].partition("###")[0]
    assert [pair for pair in written if any(f"`{word}`" not in part for word in pair)] == []


def test_the_policy_page_is_what_its_schema_says() -> None:
    """`python docs/generate.py` has been run since the last change of the policy."""
    generator = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generator["page"](PAGES["policy.md"]) == PAGES["policy.md"]


@pytest.mark.parametrize("page", ["organisation.md", "policy.md"])
def test_a_policy_in_the_docs_is_accepted(page: str) -> None:
    """What a reader copies loads."""
    found = blocks(PAGES[page], "yaml")
    assert [parse_policy(text).version for text in found] == ["1"]


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and the docs is a file."""
    broken = [
        f"{name} -> {link}"
        for name, text, folder in [
            ("README.md", README, ROOT),
            *((name, text, ROOT / "docs") for name, text in PAGES.items()),
        ]
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
        if not (folder / link).exists()
    ]
    assert broken == []
