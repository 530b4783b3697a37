"""Questions to a ledger of ten million steps: CPU seconds and memory of what spendgraph does, and of what one would do instead.

    python benchmarks/analytics.py [--steps N] [--keep FOLDER] [--json]

The ledger is made first (many_steps.py): some minutes, and 7 GB in a temporary folder. `--keep` leaves it in a folder, and takes it from there the next time. It
is rolled up as it is made: twelve months at once, the thirteenth as `spendgraph rollup` does it, in transactions of about 15 ms.

Each question is asked in a process of its own, and whoever answers it must say the same, or the benchmark stops. Shown are user and system seconds of CPU, those of
child processes included, without the start of the process: of five runs the median, of long ones the only one. Memory is the most that the process and its child
had. SQLite sums the steps themselves; so does DuckDB, through `spendgraph_reports.engine`; pandas reads a million of them, for all do not fit into most machines.

Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from many_steps import LARGEST, MONTHS, build
from spendgraph.clock import to_us
from spendgraph.ledger import Ledger
from spendgraph_reports.engine import Question, ask

SINCE: Final = datetime(2025, 6, 1, tzinfo=UTC)
UNTIL: Final = datetime(2025, 7, 1, tzinfo=UTC)
MIDDLE: Final = "octan-3"
"""A tenant in the middle: half of them have fewer steps."""

READ_BY_PANDAS: Final = 1_000_000
DEAREST: Final = 20

_ROWS_AT_ONCE: Final = 20_000
_RUNS: Final = 5
_LONG_S: Final = 2.0
_MB: Final = 1024  # of the kilobytes that Linux counts in

Answer = list[tuple[Any, ...]]


class Way(NamedTuple):
    """Somebody who answers a question.

    Attributes:
        name: Who.
        answer: Asks the ledger at a path.
        target_s: How many seconds of CPU it is to take at most.
    """

    name: str
    answer: Callable[[str], Answer]
    target_s: float | None = None


def _values(rows: list[dict[str, Any]]) -> Answer:
    return [tuple(row.values()) for row in rows]


def _from_steps(path: str, query: str, *parameters: object) -> Answer:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query, parameters).fetchall()


def pivot_from_steps(path: str) -> Answer:
    """Cost and steps by month, feature, team and tenant, from the steps."""
    return _from_steps(
        path,
        "SELECT strftime('%Y-%m', s.started_us / 1000000, 'unixepoch'), c.feature, c.team, c.tenant,"
        " sum(s.cost_nanousd), sum(s.entry = 'charge')"
        " FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id GROUP BY 1, 2, 3, 4",
    )


def pivot_by_duckdb(path: str) -> Answer:
    """The same, by DuckDB."""
    question = Question(
        "SELECT strftime(make_timestamp(s.started_us), '%Y-%m') AS month, c.feature, c.team, c.tenant,"
        " sum(s.cost_nanousd)::BIGINT AS cost_nanousd, count(*) FILTER (WHERE s.entry = 'charge') AS steps"
        " FROM steps AS s JOIN contexts AS c USING (context_id) GROUP BY ALL"
    )
    return _values(list(ask(path, question)))


def pivot_from_rollups(path: str) -> Answer:
    """The same, from the rollups."""
    with Ledger.open_readonly(path) as reader:
        return _values(reader.rolled(["month", "feature", "team", "tenant"], sums=("cost_nanousd", "steps")))


def tasks_by_duckdb(path: str) -> Answer:
    """What June's tasks cost: how many, all, median, 95th percentile; and the dearest ones."""
    question = Question(
        "WITH costs AS (SELECT task_id, sum(cost_nanousd)::BIGINT AS cost FROM steps GROUP BY task_id"
        " HAVING min(started_us) >= getvariable('since') AND min(started_us) < getvariable('until')),"
        " placed AS (SELECT task_id, cost, row_number() OVER (ORDER BY cost) AS place, count(*) OVER () AS tasks FROM costs)"
        " SELECT any_value(tasks) AS tasks, sum(cost)::BIGINT AS cost,"
        " max(cost) FILTER (WHERE place <= ceil(0.5 * tasks)) AS p50, max(cost) FILTER (WHERE place <= ceil(0.95 * tasks)) AS p95,"
        f" sum(cost) FILTER (WHERE place > tasks - {DEAREST})::BIGINT AS dearest FROM placed",
        {"since": to_us(SINCE), "until": to_us(UNTIL)},
    )
    return _values(list(ask(path, question)))


def tasks_from_rollups(path: str) -> Answer:
    """The same, from the rollups."""
    with Ledger.open_readonly(path) as reader:
        (costs,) = reader.task_costs(since=SINCE, until=UNTIL)
        dearest = reader.dearest_tasks(DEAREST, since=SINCE, until=UNTIL)
    names = ("tasks", "cost_nanousd", "p50_nanousd", "p95_nanousd")
    return [(*(costs[name] for name in names), sum(row["cost_nanousd"] for row in dearest))]


def task_costs_by_feature(path: str) -> Answer:
    """What June's tasks cost, by feature."""
    with Ledger.open_readonly(path) as reader:
        return _values(reader.task_costs(["feature"], since=SINCE, until=UNTIL))


def hours_from_steps(
    tenant: str, since: datetime | None = None, until: datetime | None = None
) -> Callable[[str], Answer]:
    """Cost by hour of one tenant, from the steps."""
    period = (0 if since is None else to_us(since), 2**62 if until is None else to_us(until))
    return lambda path: _from_steps(
        path,
        "SELECT strftime('%Y-%m-%dT%H:00Z', s.started_us / 1000000, 'unixepoch'), sum(s.cost_nanousd)"
        " FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id"
        " WHERE c.tenant = ? AND s.started_us >= ? AND s.started_us < ? GROUP BY 1",
        tenant,
        *period,
    )


def hours_from_rollups(
    tenant: str, since: datetime | None = None, until: datetime | None = None
) -> Callable[[str], Answer]:
    """The same, from the rollups."""

    def answer(path: str) -> Answer:
        with Ledger.open_readonly(path) as reader:
            return _values(
                reader.rolled(["hour"], sums=("cost_nanousd",), since=since, until=until, tenant=tenant)
            )

    return answer


def read_by_pandas(path: str) -> Answer:
    """A million steps as a data frame."""
    pandas: Any = importlib.import_module("pandas")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        frame = pandas.read_sql_query(f"SELECT * FROM steps WHERE seq <= {READ_BY_PANDAS}", connection)
    return [(len(frame), int(frame["cost_nanousd"].sum()))]


SQLITE: Final = "SQLite, from steps"
DUCKDB: Final = "DuckDB, from steps"
OURS: Final = "spendgraph's rollups"

QUESTIONS: Final[dict[str, tuple[Way, ...]]] = {
    "a year by month, feature, team and tenant": (
        Way(SQLITE, pivot_from_steps),
        Way(DUCKDB, pivot_by_duckdb),
        Way(OURS, pivot_from_rollups, 0.3),
    ),
    f"the tasks of a month: median and p95 of their cost, and the {DEAREST} dearest": (
        Way(DUCKDB, tasks_by_duckdb),
        Way(OURS, tasks_from_rollups, 0.1),
    ),
    "the tasks of a month: median and p95 of each feature": (Way(OURS, task_costs_by_feature),),
    "a month by hour, the largest tenant": (
        Way(SQLITE, hours_from_steps(LARGEST, SINCE, UNTIL)),
        Way(OURS, hours_from_rollups(LARGEST, SINCE, UNTIL), 0.01),
    ),
    "a year by hour, a tenant in the middle": (
        Way(SQLITE, hours_from_steps(MIDDLE)),
        Way(OURS, hours_from_rollups(MIDDLE), 0.01),
    ),
    "a year by hour, the largest tenant": (Way(OURS, hours_from_rollups(LARGEST)),),
    f"{READ_BY_PANDAS:,} steps as a data frame": (Way("pandas", read_by_pandas),),
}


class Measured(NamedTuple):
    """What something took.

    Attributes:
        cpu_s: Seconds of CPU, user and system, of the process and its children.
        peak_mb: The most memory they had.
        rows: How many rows the answer has, or how many steps were rolled up.
        answer: A digest of the answer.
    """

    cpu_s: float
    peak_mb: int
    rows: int
    answer: str = ""


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_mb() -> int:
    """The most memory this process had, and one of its children."""
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status = Path("/proc/self/status")
    if not status.exists():
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + child) // _MB
    # A new process takes over its parent's peak, and only this says its own.
    (own,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return (int(own) + child) // _MB


def measure_question(path: str, answer: Callable[[str], Answer]) -> Measured:
    """Ask, as often as it is short; in the process that has nothing else to do."""
    taken: list[float] = []
    rows: Answer = []
    while len(taken) < _RUNS and sum(taken) < _LONG_S:
        begun = _cpu_s()
        rows = answer(path)
        taken.append(_cpu_s() - begun)
    digest = hashlib.blake2b("\n".join(sorted(map(repr, rows))).encode(), digest_size=8).hexdigest()
    return Measured(statistics.median(taken), _peak_mb(), len(rows), digest)


def measure_rollup(path: str, rows: int | None) -> Measured:
    """Roll up what is not in the rollups yet."""
    with Ledger.open(path) as ledger:
        begun = _cpu_s()
        added = ledger.upkeep.roll(rows=rows)
        return Measured(_cpu_s() - begun, _peak_mb(), added)


class Analytics:
    """The benchmark on one ledger.

    Args:
        folder: Where the ledger is, or is made.
        steps: About how many steps it has.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        self.ledger = folder / f"steps-{steps}.db"
        self._notes = folder / f"steps-{steps}.json"
        self._steps = steps

    def make(self) -> dict[str, Measured]:
        """Make the ledger, unless it is there; what rolling it up took when it was made."""
        if self._notes.exists():
            return {name: Measured(*found) for name, found in json.loads(self._notes.read_text()).items()}
        for file in self.ledger.parent.glob(f"{self.ledger.name}*"):  # an earlier one was interrupted
            file.unlink()
        found: dict[str, Measured] = {}

        def after_month(months: int) -> None:
            if months == MONTHS - 1:
                _say("twelve months are rolled up")
                found["twelve months, at once"] = self._run("--roll", str(_ROWS_AT_ONCE))
            elif months == MONTHS:
                found["the thirteenth, in short transactions"] = self._run("--roll", "0")

        build(
            self.ledger, self._steps, lambda what, done, total: _say(f"{done} of {total} {what}"), after_month
        )
        self._notes.write_text(json.dumps(found))
        return found

    def ask(self) -> dict[str, dict[str, Measured]]:
        """Ask every question in every way.

        Raises:
            SystemExit: Two ways have found different answers.
        """
        found: dict[str, dict[str, Measured]] = {}
        for question, ways in QUESTIONS.items():
            found[question] = {}
            for way in ways:
                _say(f"{question}: {way.name}")
                found[question][way.name] = self._run("--ask", question, "--way", way.name)
            if len({each.answer for each in found[question].values()}) > 1:
                sys.exit(f"{question}: the answers are not the same: {found[question]}")
        return found

    def _run(self, *arguments: str) -> Measured:
        command = [sys.executable, __file__, "--ledger", str(self.ledger), *arguments]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        return Measured(*json.loads(said))


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
    else:
        print(what, file=sys.stderr, flush=True)


def _show(ledger: Path, upkeep: dict[str, Measured], answers: dict[str, dict[str, Measured]]) -> None:
    total = sum(each.rows for each in upkeep.values())
    print(f"{total:,} steps, {ledger.stat().st_size / 1e9:.1f} GB")
    print("rolling up, when the ledger was made")
    for name, each in upkeep.items():
        per_step = each.cpu_s / each.rows * 1e6
        print(f"  {name:38} {per_step:6.1f} us of CPU a step, {each.peak_mb:,} MB")
    for question, ways in QUESTIONS.items():
        rows = {each.rows for each in answers[question].values()}
        print(f"{question} ({', '.join(f'{each:,}' for each in rows)} rows)")
        rival = answers[question][ways[0].name]
        for way in ways:
            each = answers[question][way.name]
            line = f"  {way.name:22} {each.cpu_s:9.4f} s of CPU, {each.peak_mb:6,} MB"
            if way is not ways[0]:
                line += f", {each.cpu_s / rival.cpu_s:7.4f} x {ways[0].name}"
            if way.target_s is not None:
                verdict = "met" if each.cpu_s <= way.target_s else "MISSED"
                line += f"; target {way.target_s:g} s {verdict}"
            print(line)


def main() -> None:
    """Measure and print, or be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000, help="about how many")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="leave the ledger here, or take it from here"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    for name in ("--ledger", "--ask", "--way", "--roll"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.roll is not None:
        print(json.dumps(measure_rollup(options.ledger, int(options.roll) or None)))
        return
    if options.ask is not None:
        (way,) = (way for way in QUESTIONS[options.ask] if way.name == options.way)
        print(json.dumps(measure_question(options.ledger, way.answer)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.keep is None else options.keep
        folder.mkdir(parents=True, exist_ok=True)
        bench = Analytics(folder, options.steps)
        upkeep = bench.make()
        answers = bench.ask()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        if not options.json:
            _show(bench.ledger, upkeep, answers)
            return
        document = {
            "rolling_up": {name: each._asdict() for name, each in upkeep.items()},
            "questions": {
                question: {name: each._asdict() for name, each in ways.items()}
                for question, ways in answers.items()
            },
        }
        print(json.dumps(document))


if __name__ == "__main__":
    main()
