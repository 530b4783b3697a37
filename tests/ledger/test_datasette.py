"""Datasette shows a useful front page, and every question on it has an answer."""

# A few tests look inside on purpose.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasette.app import Datasette  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - has none

from ledger.rows import PYTHON, step
from spendgraph.ledger import DecisionRow, Ledger
from spendgraph.ledger.datasette import datasette_metadata, main

METADATA: dict[str, Any] = yaml.safe_load(datasette_metadata())
QUERIES = sorted(METADATA["databases"]["ledger"]["queries"])


@pytest.fixture
def metadata(ledger: Ledger, path: Path) -> Path:
    """A ledger with something of everything, and its metadata file."""
    ledger.post(
        step("s1"),
        step("s2", missing_tags="tenant", cost_basis="estimated"),
        DecisionRow("d1", "price", "recorded", "no price", "task-1", None, None, "{}", 5),
    )
    ledger.close()
    file = path.with_name("metadata.yaml")
    file.write_text(datasette_metadata(path))
    return file


async def get(metadata: Path, address: str) -> tuple[int, str]:
    """What Datasette answers, with its status."""
    served = Datasette([str(metadata.with_name("ledger.db"))], metadata=yaml.safe_load(metadata.read_text()))
    response = await served.client.get(address)
    return response.status_code, response.text


def test_command_line_serves_the_front_page(metadata: Path) -> None:
    """Datasette's own command reads the metadata; title, explanation and units stand on the first page."""
    ledger = metadata.with_name("ledger.db")
    command = [PYTHON, "-m", "datasette", str(ledger), "--metadata", str(metadata), "--get", "/"]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "spendgraph ledger" in page
    assert "1 US dollar is 1,000,000,000" in page


@pytest.mark.asyncio
async def test_database_page_lists_the_questions_and_hides_the_settings(metadata: Path) -> None:
    """The canned queries are offered; the table with the secret is neither listed nor served."""
    _, page = await get(metadata, "/ledger")
    status, settings = await get(metadata, "/ledger/settings.json")

    assert "Spend by feature and tenant" in page
    assert "/ledger/settings" not in page
    assert status == 403
    assert "secret" not in settings


@pytest.mark.asyncio
@pytest.mark.parametrize("query", QUERIES)
async def test_canned_query_answers(metadata: Path, query: str) -> None:
    """Each question runs on a real ledger and finds rows."""
    status, answer = await get(metadata, f"/ledger/{query}.json?task_id=task-1&_shape=array")

    assert status == 200
    assert json.loads(answer)


def test_described_tables_and_columns_exist(ledger: Ledger) -> None:
    """Metadata names only what the ledger has."""
    with ledger._reading() as connection:
        for table, about in METADATA["databases"]["ledger"]["tables"].items():
            found = {
                row["name"] for row in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")
            }
            named = {
                *about.get("columns", {}),
                *about.get("facets", []),
                *filter(None, [about.get("sort_desc")]),
            }
            assert found, table
            assert named <= found, table


def test_metadata_follows_the_ledgers_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Datasette knows a database by its file's name."""
    main(["/srv/books 2026.db"])

    assert list(yaml.safe_load(capsys.readouterr().out)["databases"]) == ["books 2026"]
