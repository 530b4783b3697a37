"""A full disk: a small one of its own where this user may mount, and a limit on the size of files everywhere."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from budgets.fanout import CALL_NANOUSD
from budgets.test_traps import WAYS, counters
from faults.kit import EVAL, EVERY_WAY, PRODUCTION, decisions, files_beside, lenient
from scripted import ScriptedModel
from spendgraph import LedgerUnavailable, Meter
from spendgraph.ledger import Ledger


@pytest.fixture
def small_disk(path: Path) -> Iterator[Path]:
    """The ledger's folder is a disk of four megabytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount; see the limit on the size of files")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path.parent)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this root may not mount: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path.parent)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all the room there is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


@EVERY_WAY
def test_nothing_is_sent_when_the_disk_is_full(small_disk: Path, impatient: None, way: str) -> None:
    """A typed error that says so; with room again the next call goes out, and what was let out is in the books."""
    model = ScriptedModel()
    with Meter(small_disk, policy=lenient()) as meter:
        WAYS[way](model, meter.config(PRODUCTION))
        meter.flush()
        filler = fill(small_disk.parent)
        _use_up_what_is_allocated(meter)
        for _ in range(2):
            with pytest.raises(LedgerUnavailable, match="free some disk space"):
                WAYS[way](model, meter.config(PRODUCTION))
        assert model.requests == 1
        WAYS[way](model, meter.config(EVAL))
        filler.unlink()
        WAYS[way](model, meter.config(PRODUCTION))
        assert model.requests == 3
        assert counters(meter) == (3 * CALL_NANOUSD, 0)
        assert decisions(meter).count(("ledger", "allowed")) == 1
        assert meter.ledger.verify() == []
        assert files_beside(small_disk) == []
        gc.collect()  # the tasks of refused calls end with the exceptions that hold them: now, not when the disk is gone


def _use_up_what_is_allocated(meter: Meter) -> None:
    """The last page of the file that SQLite writes ahead may have room for a few rows."""
    for _ in range(100):
        try:
            meter.ledger.transact(
                lambda execute: execute(
                    "INSERT INTO settings VALUES (hex(randomblob(16)), hex(zeroblob(9999)))"
                )
            )
        except LedgerUnavailable:
            return
    raise AssertionError("the disk is not full")


def test_a_ledger_is_not_made_on_a_full_disk(small_disk: Path) -> None:
    """The meter says so at once."""
    fill(small_disk.parent)
    with pytest.raises(LedgerUnavailable, match="disk"):
        Meter(small_disk, policy=lenient())


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from budgets.test_traps import WAYS
from faults.kit import EVAL, PRODUCTION, lenient
from scripted import ScriptedModel
from spendgraph import LedgerUnavailable, Meter
path, model = Path(sys.argv[1]), ScriptedModel()
with Meter(path, policy=lenient()) as meter:
    WAYS["invoke"](model, meter.config(PRODUCTION))
    meter.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))  # a WAL that starts anew has no room either
    for way, call in WAYS.items():
        try:
            call(model, meter.config(PRODUCTION))
        except LedgerUnavailable as error:
            print(way, "refused", model.requests, "check the disk" in str(error))
    for call in WAYS.values():
        call(model, meter.config(EVAL))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for call in WAYS.values():
        call(model, meter.config(PRODUCTION))
    print(model.requests, [p.check for p in meter.ledger.verify()])
"""


def test_nothing_is_sent_when_the_file_may_not_grow(path: Path) -> None:
    """What every user can try: the operating system refuses to make the process's files longer."""
    ran = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TMPDIR": str(path.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.splitlines() == [*(f"{way} refused 1 True" for way in WAYS), "13 []"], ran.stderr
    with Ledger.open(path) as ledger:
        (window,) = ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (13 * CALL_NANOUSD, 0)
        assert len(list(ledger.steps())) == 13
        assert ledger.verify() == []
    assert files_beside(path) == []
