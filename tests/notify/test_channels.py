"""Addresses: read when a meter is made, with variables of the environment, and shown to nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from notify.kit import NOWHERE, policy
from spendgraph import Meter, PolicyError
from spendgraph.notify import read_channels
from spendgraph.policy import parse_policy

SECRET = "s3cret-t0ken"


def test_a_variable_stands_in_the_address() -> None:
    """Anywhere in it, more than once; a dollar that names nothing stays."""
    given = policy("limit_usd: 1", growth="json://${USER_NAME}:${PASS}@h/$x?to=${PASS}")
    channels = read_channels(given, environment={"USER_NAME": "u", "PASS": "p%40"})
    assert channels.url("growth[0]") == "json://u:p%40@h/$x?to=p%40"


@pytest.mark.parametrize("environment", [{}, {"HOOK": ""}], ids=["not set", "empty"])
def test_a_missing_variable_is_an_error_that_names_it(environment: dict[str, str]) -> None:
    """Before anything is opened."""
    given = policy("limit_usd: 1", growth=f"json://h/{SECRET}/${{HOOK}}")
    with pytest.raises(PolicyError, match=r"p.yaml: notify.growth\[0\].*'HOOK'") as caught:
        read_channels(given, "p.yaml", environment)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", [f"slack://{SECRET}", f"nope://{SECRET}", SECRET])
def test_an_address_that_apprise_cannot_read_is_an_error_that_hides_it(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is named; the address is neither in the message, nor in what it came from, nor in a log."""
    caplog.set_level("DEBUG")
    with pytest.raises(PolicyError, match=r"notify.growth\[0\]") as caught:
        Meter(tmp_path / "ledger.db", policy=policy("limit_usd: 1", growth=url))
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert SECRET not in caplog.text
    assert not (tmp_path / "ledger.db").exists()


def test_the_file_is_named_where_the_policy_is_one(tmp_path: Path) -> None:
    """As with every other error of it."""
    (tmp_path / "p.yaml").write_text("version: 1\nnotify: {growth: 'nope://x'}\n")
    with pytest.raises(PolicyError, match=r"p\.yaml: notify\.growth"):
        Meter(tmp_path / "ledger.db", policy=tmp_path / "p.yaml")


@pytest.mark.parametrize("url", [f"{SECRET}{'x' * 3000}", f'"{SECRET}\\x07"', f"[{SECRET}]"])
def test_an_address_that_is_no_text_is_an_error_that_hides_it(url: str) -> None:
    """The loader shows what it found elsewhere, and not here."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(f"version: 1\nnotify:\n  growth: [{url}]\n")
    assert SECRET not in str(caught.value)


def test_an_address_may_be_long_and_a_policy_does_not_show_it() -> None:
    """Teams' webhooks have more than 256 characters."""
    given = policy("limit_usd: 1", growth=f"jsons://h/{SECRET}{'x' * 500}")
    assert SECRET not in repr(given)
    assert SECRET not in repr(read_channels(given))


def test_apprise_is_loaded_only_where_somebody_is_told(tmp_path: Path) -> None:
    """Neither by the import nor by a meter that has nobody to tell."""
    code = f"""
import sys
from spendgraph import Meter
from spendgraph.policy import parse_policy
Meter({str(tmp_path / "a.db")!r}, policy=parse_policy('budgets: [{{name: b, limit_usd: 1}}]')).close()
before = "apprise" in sys.modules
Meter({str(tmp_path / "b.db")!r}, policy=parse_policy("notify: {{me: '{NOWHERE}'}}")).close()
print(before, "apprise" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
