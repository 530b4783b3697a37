"""`spendgraph init` writes a policy that works and destroys nothing."""

from __future__ import annotations

import re
from pathlib import Path

from cli.kit import Cli
from spendgraph import Meter
from spendgraph.policy import STARTER_POLICY, load_policy


def test_init_writes_a_policy_that_loads(cli: Cli, tmp_path: Path) -> None:
    """What it writes is accepted by the loader, comments and all."""
    said = cli("init")
    assert said.code == 0
    assert (tmp_path / "spendgraph.yaml").read_text() == STARTER_POLICY
    assert load_policy(tmp_path / "spendgraph.yaml").version == "1"


def test_a_meter_takes_every_example_of_it(tmp_path: Path) -> None:
    """With the `#` taken away: apprise can read the addresses, too."""
    path = tmp_path / "spendgraph.yaml"
    path.write_text(re.sub(r"(?m)^#(?=  )", "", STARTER_POLICY))
    Meter(tmp_path / "b.db", policy=path).close()


def test_init_leaves_a_file_that_is_there(cli: Cli, tmp_path: Path) -> None:
    """A policy somebody wrote is not replaced by accident."""
    (tmp_path / "spendgraph.yaml").write_text("version: 1\n")
    said = cli("init")
    assert said.code == 1
    assert (
        said.err
        == "spendgraph: spendgraph.yaml is there already and was left as it is; --force replaces it\n"
    )
    assert (tmp_path / "spendgraph.yaml").read_text() == "version: 1\n"


def test_init_replaces_with_force(cli: Cli, tmp_path: Path) -> None:
    """--force means it."""
    (tmp_path / "mine.yaml").write_text("version: 1\n")
    said = cli("init", "mine.yaml", "--force", "--json")
    assert said.json == {"policy": "mine.yaml"}
    assert (tmp_path / "mine.yaml").read_text() == STARTER_POLICY


def test_init_leaves_no_draft_behind(cli: Cli, tmp_path: Path) -> None:
    """Neither a success nor a refusal leaves a temporary file."""
    cli("init")
    cli("init")
    cli("init", "--force")
    assert [file.name for file in tmp_path.iterdir()] == ["spendgraph.yaml"]


def test_init_says_where_it_cannot_write(cli: Cli) -> None:
    """A folder that is not there is one clear line."""
    said = cli("init", "no/such/folder/policy.yaml")
    assert said.code == 1
    assert said.err == "spendgraph: cannot write no/such/folder/policy.yaml: No such file or directory\n"
