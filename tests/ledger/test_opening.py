"""Where a ledger may be, and who may read it."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from ledger.rows import ACME, PYTHON, change, step, step_ids, task
from spendgraph.errors import LedgerError, LedgerUnavailable
from spendgraph.ledger import Ledger
from spendgraph.ledger.place import filesystem_of, find_place


def mode(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_ledger_files_are_private_to_their_owner(ledger: Ledger, path: Path) -> None:
    """The database, the files SQLite keeps beside it and the journals have mode 0600, whatever the umask."""
    ledger.post(step())

    modes = {entry.name: mode(entry) for entry in path.parent.iterdir()}
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm"} < set(modes)
    assert len(modes) == 5
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("url", ["sqlite:///{}", "{}"], ids=["url", "path"])
def test_ledger_opens_by_path_or_url(path: Path, url: str) -> None:
    """Both name the same file."""
    Ledger.open(url.format(path)).close()

    assert path.exists()


def test_relative_url_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes are a relative path, as in SQLAlchemy."""
    monkeypatch.chdir(tmp_path)

    assert find_place("sqlite:///books.db").name == str(tmp_path / "books.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "expected the path of a ledger"),
        ("a\x00b", "expected the path of a ledger"),
        ("postgresql://host/db", "found a postgresql:// URL"),
        ("sqlite://host/db", "expected sqlite:///relative.db"),
    ],
    ids=["empty", "nul", "postgresql", "host"],
)
def test_other_addresses_are_refused(url: str, message: str) -> None:
    """The error says what was expected."""
    with pytest.raises(LedgerError, match=message):
        Ledger.open(url)


def test_password_in_a_url_does_not_reach_the_error() -> None:
    """Only the scheme is repeated."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql://me:hunter2@host/db")

    assert "hunter2" not in str(caught.value)


def test_parent_directory_must_exist(tmp_path: Path) -> None:
    """No directories are made behind the user's back."""
    with pytest.raises(LedgerUnavailable, match=r"the directory .*/nowhere does not exist; create it first"):
        Ledger.open(tmp_path / "nowhere" / "ledger.db")


def test_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    """A text file is not overwritten."""
    path.write_text("my shopping list: milk, eggs, bread")

    with pytest.raises(LedgerError, match="is not a SQLite database"):
        Ledger.open(path)
    assert path.read_text() == "my shopping list: milk, eggs, bread"


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory is no ledger."""
    with pytest.raises(LedgerError, match="expected a file for the ledger"):
        Ledger.open(tmp_path)


def test_foreign_database_is_refused_untouched(path: Path) -> None:
    """Somebody else's database does not become a ledger."""
    change(path, "CREATE TABLE customers (name TEXT)")

    with pytest.raises(LedgerError, match=r"not a spendgraph ledger \(it has the tables customers\)"):
        Ledger.open(path)
    with pytest.raises(LedgerError, match="not a spendgraph ledger"):
        Ledger.open_readonly(path)


def test_damaged_ledger_is_refused(ledger: Ledger, path: Path) -> None:
    """A ledger whose pages are overwritten does not open for writing."""
    ledger.close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)

    with pytest.raises(LedgerUnavailable, match="restore the file from a backup"):
        Ledger.open(path)


def test_empty_file_becomes_a_ledger(path: Path) -> None:
    """A file made by mktemp is as good as none."""
    path.touch(mode=0o600)

    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_empty_file_that_others_could_read_is_made_private(path: Path) -> None:
    """Before the first row is in it, and so are the files that SQLite makes beside it."""
    path.touch()
    path.chmod(0o666)

    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step())
        assert {mode(entry) for entry in path.parent.iterdir()} == {0o600}


def test_ledger_that_its_owner_has_opened_to_others_stays_so(path: Path) -> None:
    """Its mode is changed only where a ledger is made of an empty file."""
    Ledger.open(path).close()
    path.chmod(0o640)

    with Ledger.open(path):
        assert mode(path) == 0o640


def test_reader_creates_nothing(path: Path) -> None:
    """Reading a ledger that is not there is an error, not a new ledger."""
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):
        Ledger.open_readonly(path)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_network_file_systems_are_recognised(tmp_path: Path, kind: str) -> None:
    """The longest mount point that holds the directory decides, with escaped spaces read."""
    share = tmp_path / "my share" / "books"
    share.mkdir(parents=True)
    mounts = tmp_path / "mounts"
    point = str(tmp_path / "my share").replace(" ", "\\040")
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {point} {kind} rw 0 0\n")

    assert filesystem_of(share, mounts) == kind
    assert filesystem_of(tmp_path, mounts) == "ext4"


def test_ledgers_of_one_path_share_a_connection(path: Path) -> None:
    """What one posts is the other's too, and closing one leaves the other open."""
    first, second = Ledger.open(path), Ledger.open(f"sqlite:///{path}")
    first.post(ACME, task(), step("s1"))
    first.close()
    second.post(step("s2"))
    second.close()

    assert first.secret == second.secret
    assert step_ids(path) == {"s1", "s2"}
    assert not path.with_name("ledger.db-wal").exists()


def test_symbolic_link_leads_to_the_same_ledger(path: Path, tmp_path: Path) -> None:
    """A link and its target are one ledger, with one connection."""
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with Ledger.open(path) as direct, Ledger.open(link) as linked:
        assert direct.place == linked.place


def test_memory_ledger_works_and_is_its_own() -> None:
    """`:memory:` is a new ledger each time."""
    with Ledger.open(":memory:") as one, Ledger.open(":memory:") as other:
        one.post(ACME, task(), step("s1"))

        assert [row["step_id"] for row in one.steps()] == ["s1"]
        assert list(other.steps()) == []
        assert one.verify() == []


def test_secret_is_kept_and_differs_between_ledgers(path: Path, tmp_path: Path) -> None:
    """Pseudonyms stay the same for a ledger's life, and say nothing elsewhere."""
    with Ledger.open(path) as ledger:
        secret = ledger.secret
    with Ledger.open(path) as again, Ledger.open(tmp_path / "other.db") as other:
        assert again.secret == secret
        assert other.secret != secret
    assert len(secret) == 32


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("locked", ["directory", "file"])
def test_unwritable_place_is_refused(locked: str) -> None:
    """Somebody who may not write there gets a clear error and no half-open ledger."""
    with tempfile.TemporaryDirectory() as directory:
        # pytest's own directories are closed to others.
        Path(directory).chmod(0o755)
        path = Path(directory) / "ledger.db"
        if locked == "file":
            Ledger.open(path).close()
            path.chmod(0o644)
        output = open_as_nobody(path)

    assert str(path) in output
    assert "may write" in output or "writable" in output


def open_as_nobody(path: Path) -> str:
    """What somebody without rights is told who opens a ledger."""
    code = (
        "import os; from spendgraph.ledger import Ledger; from spendgraph.errors import LedgerUnavailable\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"try:\n    Ledger.open({str(path)!r})\n"
        "except LedgerUnavailable as error:\n    print(error)"
    )
    return subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("how", ["deleted", "emptied", "something else"])
def test_a_ledger_that_was_lost_is_not_made_anew_by_a_second_opening(
    ledger: Ledger, path: Path, how: str
) -> None:
    """The program that uses it would go on with budgets in which nothing was ever spent."""
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")  # else SQLite mends an emptied file when it closes it
    if how == "deleted":
        for file in path.parent.glob("ledger.db*"):
            file.unlink()
    else:
        path.write_text("" if how == "emptied" else "my shopping list: milk, eggs, bread")
    left = path.read_text() if path.exists() else None

    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            Ledger.open(path)
    with pytest.raises(LedgerUnavailable):
        ledger.post(step())
    assert (path.read_text() if path.exists() else None) == left


def test_a_ledger_that_was_put_back_opens_again(ledger: Ledger, path: Path) -> None:
    """From a backup, say: the second opening and the first one use the same file."""
    ledger.post(step("s1"))
    backup = path.with_name("backup.db")
    ledger.flush()
    change(path, f"VACUUM INTO '{backup}'")
    for file in path.parent.glob("ledger.db*"):
        file.unlink()
    backup.rename(path)

    with Ledger.open(path) as second:
        second.post(step("s2"))
        ledger.post(step("s3"))
    assert step_ids(path) == {"s1", "s2", "s3"}


def test_a_ledger_that_nobody_uses_any_more_may_be_deleted(path: Path) -> None:
    """The next opening makes a new one."""
    Ledger.open(path).close()
    path.unlink()

    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
