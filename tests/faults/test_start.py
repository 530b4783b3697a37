"""What a program meets when it starts: without its ledger or its policy it does not, and nothing is sent."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from budgets.fanout import ACME, CALL_NANOUSD, PRICES
from budgets.test_traps import WAYS
from faults.kit import EVERY_WAY, lenient
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, LedgerError, LedgerUnavailable, Meter, PolicyError


def _mount(*options: str, where: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount")
    done = subprocess.run(["mount", *options, str(where)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this root may not mount: {done.stderr.strip()}")


@contextmanager
def read_only_disk(path: Path) -> Generator[None]:
    """The folder is on a disk that is mounted read-only: not even root can write it."""
    _mount("-t", "tmpfs", "-o", "ro", "tmpfs", where=path.parent)
    try:
        yield
    finally:
        subprocess.run(["umount", str(path.parent)], check=True)


@contextmanager
def immutable(target: Path) -> Generator[None]:
    """The file or folder carries the flag that stops root, too."""
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        pytest.skip("only root can set the flag")
    if subprocess.run(["chattr", "+i", str(target)], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no such flag")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(target)], check=True)


@contextmanager
def forbidden(target: Path) -> Generator[None]:
    """The permissions forbid writing; root does not mind them."""
    if os.geteuid() == 0:
        pytest.skip("root may write everything: see the other cases")
    mode = target.stat().st_mode
    target.chmod(mode & 0o555)
    try:
        yield
    finally:
        target.chmod(mode)


def _with_ledger(
    make: Callable[[Path], AbstractContextManager[None]],
) -> Callable[[Path], AbstractContextManager[None]]:
    def prepare(path: Path) -> AbstractContextManager[None]:
        Meter(path).close()
        return make(path)

    return prepare


def _garbled(path: Path, start: int) -> AbstractContextManager[None]:
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xff" * (len(content) - start))
    return nullcontext()


UNAVAILABLE: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "read-only disk": read_only_disk,
    "immutable folder": lambda path: immutable(path.parent),
    "immutable file": _with_ledger(immutable),
    "forbidden folder": lambda path: forbidden(path.parent),
    "forbidden file": _with_ledger(forbidden),
    "damaged pages": _with_ledger(lambda path: _garbled(path, 100)),
}


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_a_meter_is_not_made_on_a_ledger_that_cannot_be_written(path: Path, fault: str) -> None:
    """`allow` changes nothing: whose environment would it be?"""
    with UNAVAILABLE[fault](path), pytest.raises(LedgerUnavailable, match=r"ledger\.db"):
        Meter(path, policy=lenient())


@pytest.mark.parametrize("where", ["/proc/self/ledger.db", "/nowhere/ledger.db"])
def test_a_meter_is_not_made_where_nobody_can_write(where: str) -> None:
    """Not even root."""
    with pytest.raises(LedgerUnavailable, match=r"cannot (open|create) the ledger"):
        Meter(where, policy=lenient())


def test_a_file_that_is_no_ledger_is_not_opened(path: Path) -> None:
    """Its start is damaged, or it is something else: a person has to look at it. It is left as it is."""
    path.write_bytes(b"\xff" * 8192)
    with pytest.raises(LedgerError, match="restore the ledger from a backup"):
        Meter(path, policy=lenient())
    assert path.read_bytes() == b"\xff" * 8192


def _missing(policy: Path) -> None:
    """It was deleted."""


def _a_folder(policy: Path) -> None:
    policy.mkdir()


def _a_loop(policy: Path) -> None:
    policy.symlink_to(policy)


def _no_text(policy: Path) -> None:
    policy.write_bytes(b"version: \xff")


def _no_yaml(policy: Path) -> None:
    policy.write_text("budgets: [")


def _nonsense(policy: Path) -> None:
    policy.write_text("on_ledger_error: {production: perhaps}")


@pytest.mark.parametrize("make", [_missing, _a_folder, _a_loop, _no_text, _no_yaml, _nonsense])
def test_a_meter_is_not_made_without_its_policy(path: Path, make: Callable[[Path], None]) -> None:
    """Deleted, unreadable or invalid: an error that names the file, and no ledger is made either."""
    policy = path.with_name("spendgraph.yaml")
    make(policy)
    with pytest.raises(PolicyError, match=r"spendgraph\.yaml"):
        Meter(path, policy=policy)
    assert not path.exists()


@EVERY_WAY
@pytest.mark.parametrize("make", [_missing, _no_yaml, _nonsense])
def test_a_policy_that_is_lost_later_stays_in_force(
    path: Path, make: Callable[[Path], None], way: str
) -> None:
    """It is read once, at the start: nothing that happens to the file lets a call out or stops one."""
    policy, model = path.with_name("spendgraph.yaml"), ScriptedModel()
    policy.write_text(f"{PRICES}\nbudgets: [{{name: cap, limit_usd: '0.01'}}]\n")
    with Meter(path, policy=policy) as meter:
        WAYS[way](model, meter.config(ACME))
        policy.unlink()
        make(policy)
        with pytest.raises(BudgetExceeded):
            WAYS[way](model, meter.config(ACME))
        assert meter.ledger.windows()[0]["spent_nanousd"] == CALL_NANOUSD
    assert model.requests == 1
