"""The rooms' order and their doors, read from the source: imports point down, and each thing has one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE_ROOTS = ("middleware", "reports", "anomaly", "demo")

FLOORS = {"errors": 0, "money": 1, "clock": 1, "ids": 1}
ROOMS = ("policy", "context", "pricing", "ledger", "notify", "budgets", "hooks", "meter", "cli")
LEVELS = FLOORS | {room: level for level, room in enumerate(ROOMS, start=2)}
PUBLIC_FACE = LEVELS[
    "meter"
]  # `from spendgraph import ...` may bring a Meter: only what stands above it may say that

ABOVE_THE_LEDGER = ("spendgraph_reports", "spendgraph_anomaly")

OF_ANOMALY = ("series", "scorers", "detectors", "explain", "watching", "forecasting", "review", "cli")
"""The rooms of anomalies and forecasts: a series is scored, scores are judged, and what was judged is explained."""

SLOW_TO_IMPORT = ("numpy", "scipy", "pandas", "statsmodels")

ONLY_HERE = {
    "sqlite3": ("ledger",),
    "sqlite_utils": ("ledger",),
    "genai_prices": ("pricing",),
    "apprise": ("notify",),
    "typer": ("cli",),
    "rich": ("cli",),
}

LONGEST = 400


def sources() -> list[Path]:
    """Every Python file of the packages."""
    return sorted(file for root in SOURCE_ROOTS for file in (ROOT / root).rglob("*.py"))


def middleware() -> list[Path]:
    """Every Python file of the middleware package."""
    return sorted((ROOT / "middleware" / "spendgraph").rglob("*.py"))


def room_of(file: Path) -> str:
    """The room a middleware file stands in; the package's own `__init__` is the room `""`."""
    first = file.relative_to(ROOT / "middleware" / "spendgraph").parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports, at its top or inside a function.

    What stands under `if TYPE_CHECKING:` counts too: a type from above is knowledge of what is above.
    """
    package = file.relative_to(ROOT).with_suffix("").parts[1:-1]
    for node in ast.walk(ast.parse(file.read_text(), filename=str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def module_of(file: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def anomaly() -> Iterator[tuple[Path, str]]:
    """Every Python file of the rooms of anomalies and forecasts, and its room."""
    package = ROOT / "anomaly" / "spendgraph_anomaly"
    for file in sorted(package.rglob("*.py")):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        if room != "__init__":
            yield file, room


def where(file: Path, line: int) -> str:
    """`path:line`, relative to the repository."""
    return f"{file.relative_to(ROOT)}:{line}"


def test_every_room_has_a_place_in_the_order() -> None:
    """A new module or room of the middleware is not left out of these checks."""
    assert {room_of(file) for file in middleware()} - {"", *LEVELS} == set()


def test_imports_point_down() -> None:
    """The order is policy <- context <- pricing <- ledger <- hooks <- meter <- cli; nothing imports from above."""
    wrong: list[str] = []
    for file in middleware():
        room = room_of(file)
        if not room:
            continue  # the lazy names of the package itself
        for line, name in imported(file):
            parts = name.split(".")
            if parts[0] != "spendgraph":
                continue
            target = parts[1] if len(parts) > 1 else ""
            level = LEVELS.get(target, PUBLIC_FACE)
            if target != room and level >= LEVELS[room]:
                wrong.append(f"{where(file, line)} imports {name}")
    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    """What one file takes from another never leads back to it, types included."""
    modules = {module_of(file): file for file in sources()}
    graph: dict[str, set[str]] = {}
    for module, file in modules.items():
        taken = {name if name in modules else name.rpartition(".")[0] for _, name in imported(file)}
        # A package's face hands names on, its own file's among them.
        graph[module] = {name for name in taken & modules.keys() if modules[name].name != "__init__.py"}
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_the_middleware_never_imports_what_is_built_on_it() -> None:
    """Reports, anomaly and the demo register their commands; the middleware does not know them."""
    wrong = [
        f"{where(file, line)} imports {name}"
        for file in middleware()
        for line, name in imported(file)
        if name.split(".")[0] in (*ABOVE_THE_LEDGER, "spendgraph_demo")
    ]
    assert wrong == []


def test_reports_and_anomaly_read_ledgers_and_never_hooks() -> None:
    """Analytics knows the ledger and what lies under it, not what runs inside an agent, and not the demo.

    Its commands alone know the frame of the command line.
    """
    wrong: list[str] = []
    for package in ABOVE_THE_LEDGER:
        folder = ROOT / package.removeprefix("spendgraph_") / package
        for file in sorted(folder.rglob("*.py")):
            for line, name in imported(file):
                parts = name.split(".")
                above = (
                    parts[0] == "spendgraph"
                    and LEVELS.get(".".join(parts[1:2]), PUBLIC_FACE) > LEVELS["ledger"]
                )
                is_command = "cli" in file.parts and parts[:2] == ["spendgraph", "cli"]
                if (above and not is_command) or parts[0] == "spendgraph_demo":
                    wrong.append(f"{where(file, line)} imports {name}")
    assert wrong == []


def test_every_room_of_anomalies_has_a_place_in_the_order() -> None:
    """A new one is not left out of the next test."""
    assert {room for _, room in anomaly()} - set(OF_ANOMALY) == set()


def test_imports_of_anomalies_point_down() -> None:
    """The order is series <- scorers <- detectors <- explain <- watching <- forecasting <- review <- cli."""
    wrong: list[str] = []
    for file, room in anomaly():
        for line, name in imported(file):
            package, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if package != "spendgraph_anomaly" or target == room:
                continue
            if target not in OF_ANOMALY or OF_ANOMALY.index(target) > OF_ANOMALY.index(room):
                wrong.append(f"{where(file, line)} imports {name}")
    assert wrong == []


def test_commands_of_anomalies_load_numbers_only_when_they_run() -> None:
    """Every `spendgraph` command imports their modules: statsmodels would add a second to `spendgraph --help`."""
    wrong: list[str] = []
    for file, room in anomaly():
        if room != "cli":
            continue
        for node in ast.parse(file.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            wrong += [
                f"{where(file, node.lineno)} imports {name}"
                for name in names
                if name.split(".")[0] in SLOW_TO_IMPORT
                or (name.startswith("spendgraph_anomaly.") and not name.startswith("spendgraph_anomaly.cli"))
            ]
    assert wrong == []


@pytest.mark.parametrize("library", sorted(ONLY_HERE))
def test_a_library_is_used_in_its_room_only(library: str) -> None:
    """Only the ledger opens databases, only pricing knows a price list, only the CLI draws on a terminal."""
    wrong = [
        f"{where(file, line)} imports {name}"
        for file in middleware()
        for line, name in imported(file)
        if name.split(".")[0] == library and room_of(file) not in ONLY_HERE[library]
    ]
    assert wrong == []


def test_only_the_cli_prints_or_exits() -> None:
    """A library that prints or exits takes away its user's choice; the demo is a program and may."""
    wrong: list[str] = []
    for file in sources():
        if "cli" in file.parts or "spendgraph_demo" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "exit",
                "quit",
                "sys.exit",
                "os._exit",
            ):
                wrong.append(f"{where(file, node.lineno)} calls {ast.unparse(node.func)}")
            elif (
                isinstance(node, ast.Raise) and node.exc is not None and "SystemExit" in ast.unparse(node.exc)
            ):
                wrong.append(f"{where(file, node.lineno)} raises SystemExit")
    assert wrong == []


def test_no_file_is_longer_than_a_person_reads() -> None:
    """A module has one job: over 400 lines it is split."""
    files = [
        *sources(),
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "benchmarks").rglob("*.py")),
    ]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_there_is_no_drawer_for_everything() -> None:
    """No `utils.py`, `helpers.py` or `common.py`: a name says what is inside."""
    names = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
    assert [str(file.relative_to(ROOT)) for file in sources() if file.name in names] == []


def test_every_module_says_what_it_is() -> None:
    """Each file of the packages opens with a docstring."""
    silent = [
        str(file.relative_to(ROOT))
        for file in sources()
        if not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert silent == []
