"""What is built and shipped: the wheel's content, the pinned versions, the Makefile and the CI script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("spendgraph", "spendgraph_reports", "spendgraph_anomaly", "spendgraph_demo")


def project() -> dict[str, Any]:
    """The `[project]` table."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


def pins() -> dict[str, str]:
    """The constraints, by normalised name."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines)}


def normal(name: str) -> str:
    """A distribution's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_every_file_of_the_four_packages(wheel: zipfile.ZipFile) -> None:
    """Data files (the schema, the demo's policy) travel with the code, and nothing else does."""
    expected = {
        str(file.relative_to(root))
        for root in (ROOT / "middleware", ROOT / "reports", ROOT / "anomaly", ROOT / "demo")
        for file in root.rglob("*")
        if file.is_file()
        and file.parent != root
        # what interpreters and checkers leave behind
        and not any(part == "__pycache__" or part.startswith(".") for part in file.relative_to(root).parts)
    }
    expected |= {f"spendgraph_reports/notebooks/{file.name}" for file in (ROOT / "notebooks").glob("*.ipynb")}
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == expected


def test_an_installed_package_finds_its_notebooks(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Without the folder that a checkout has beside its packages."""
    wheel.extractall(tmp_path)
    command = "from spendgraph_reports.notebooks import names, source; print(*names(), len(source(names()[0]).cells) > 3)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", command],
        cwd="/",
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    stored = sorted(file.stem for file in (ROOT / "notebooks").glob("*.ipynb"))
    assert found.stdout.split() == [*stored, "True"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed(wheel: zipfile.ZipFile, package: str) -> None:
    """Type checkers of users read our annotations."""
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_wheel_brings_command_entry_points_and_licence(wheel: zipfile.ZipFile) -> None:
    """`spendgraph` is a command, whatever adds to it registers through entry-point groups, the licence is inside."""
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(entry_points).decode()
    assert "[console_scripts]\nspendgraph = spendgraph.cli:main" in text
    assert "\nanomaly = spendgraph_anomaly.cli:register\ndemo = spendgraph_demo.command:register\n" in text
    assert "[spendgraph.monthly]\nAnomaly review = spendgraph_anomaly.review:monthly_section\n" in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    """No address, no path, no hash: they mean the same on every machine and every mirror."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []


def test_every_dependency_is_pinned() -> None:
    """What a fresh machine installs is what the tests ran with."""
    optional = [wanted for extra in project()["optional-dependencies"].values() for wanted in extra]
    names = [
        normal(match[0])
        for wanted in [*project()["dependencies"], *optional]
        if (match := re.match(r"[A-Za-z0-9._-]+", wanted)) and match[0] != "spendgraph"
    ]
    assert [name for name in names if name not in pins()] == []


def test_every_make_target_says_what_it_does() -> None:
    """`make` alone lists all targets a person may ask for."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    # Not as a part of the `make test` that may be running this.
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    shown = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        env=quiet,
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    ).stdout
    listed = [line.split()[0] for line in shown.splitlines()]
    assert listed == phony.split()
    assert set(listed) >= {"help", "demo", "test", "lint", "schema", "notebooks", "bench"}


def test_the_ci_script_can_be_run() -> None:
    """It is executable, and bash accepts it."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)


def test_the_licence_is_apache_2_in_full() -> None:
    """The text that `license = "Apache-2.0"` promises."""
    text = (ROOT / "LICENSE").read_text()
    assert project()["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_has_this_version() -> None:
    """A release is described before it is made."""
    assert f"## [{project()['version']}]" in (ROOT / "CHANGELOG.md").read_text()
