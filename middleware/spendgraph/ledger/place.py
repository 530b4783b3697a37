"""Where a ledger is, and whether SQLite may be trusted there.

A ledger file is private to its owner from its first byte: it is created with mode 0600, and SQLite gives
the files beside it (`-wal`, `-shm`) the mode of the database. Network file systems are refused: WAL needs
memory shared between processes, and their locks are not reliable.
"""

from __future__ import annotations

import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from spendgraph.errors import LedgerError, LedgerUnavailable

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.s3fs", "ceph", "fuse.glusterfs"}
)
_memory_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger's address.

    Attributes:
        name: The absolute path with symbolic links resolved, or `:memory:` and a number.
        in_memory: The ledger lives in this process alone and is gone with its last user.
    """

    name: str
    in_memory: bool = False

    @property
    def uri(self) -> str:
        """SQLite's URI for reading and writing."""
        if self.in_memory:
            return f"file:/spendgraph-{self.name.removeprefix(':memory:')}?vfs=memdb"
        return f"file:{quote(self.name)}?mode=rw"

    @property
    def readonly_uri(self) -> str:
        """SQLite's URI for reading."""
        if self.in_memory:
            return self.uri
        return f"file:{quote(self.name)}?mode=ro"


def find_place(url: str | Path) -> Place:
    """The place a path or a `sqlite:///` URL names.

    `sqlite:///ledger.db` is relative to the working directory, `sqlite:////srv/ledger.db` absolute, as in
    SQLAlchemy. `:memory:` (or `sqlite://`) is a new ledger of this process, for tests and documentation.

    Raises:
        LedgerError: The URL is empty or names another kind of database.
    """
    text = os.fspath(url)
    if text.startswith("sqlite:"):
        rest = text.removeprefix("sqlite:")
        if rest not in {"", "//", "///"} and not rest.startswith("///"):
            raise LedgerError(f"expected sqlite:///relative.db or sqlite:////absolute.db, found {text!r}")
        text = unquote(rest.removeprefix("///")) if rest.startswith("///") else ""
        text = text or ":memory:"
    elif "://" in text:
        scheme = text.partition("://")[0]
        raise LedgerError(f"expected a path or a sqlite:/// URL for the ledger, found a {scheme}:// URL")
    if text == ":memory:":
        return Place(f":memory:{os.getpid()}-{next(_memory_names)}", in_memory=True)
    if not text or "\x00" in text:
        raise LedgerError(f"expected the path of a ledger, such as 'ledger.db', found {text!r}")
    return Place(os.path.realpath(Path(text).expanduser()))


def prepare(place: Place) -> None:
    """Check the place of a ledger and create its file, mode 0600, where there is none.

    Raises:
        LedgerError: There is something else than a ledger.
        LedgerUnavailable: A ledger cannot be made or kept there.
    """
    if place.in_memory:
        return
    path = Path(place.name)
    if not path.parent.is_dir():
        raise LedgerUnavailable(
            f"cannot open the ledger {path}: the directory {path.parent} does not exist; create it first"
        )
    kind = filesystem_of(path.parent)
    if kind in _NETWORK:
        raise LedgerUnavailable(
            f"cannot keep the ledger {path} on a network file system ({kind}): SQLite's locks are not"
            " reliable there; use a local disk"
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        check_file(place)
        check_writable(place)
    except OSError as error:
        raise LedgerUnavailable(
            f"cannot create the ledger {path}: {error.strerror}; choose a directory this process may write"
        ) from error


def check_file(place: Place) -> None:
    """Check that there is a file which can be read; that it is a database is found out by SQLite.

    The file is not opened: closing it again would give up every lock that SQLite holds on it in this process, and
    another process would take itself for the last one and remove the WAL under it.

    Raises:
        LedgerError: There is something else than a file.
        LedgerUnavailable: It does not exist or cannot be read.
    """
    path = Path(place.name)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LedgerError(f"expected a file for the ledger, found something else at {path}")
    except FileNotFoundError:
        raise LedgerUnavailable(f"there is no ledger at {path}") from None
    except OSError as error:
        raise LedgerUnavailable(f"cannot read the ledger {path}: {error.strerror}") from error
    if not os.access(path, os.R_OK):
        raise LedgerUnavailable(
            f"cannot read the ledger {path}: this process may not read it; make it readable"
        )


def check_writable(place: Place) -> None:
    """Check that this process may write a ledger: SQLite opens a file nobody may write without a word.

    Raises:
        LedgerUnavailable: It may not write the file, or not make files beside it.
    """
    for needed in (Path(place.name), Path(place.name).parent):
        if not os.access(needed, os.W_OK):
            raise LedgerUnavailable(
                f"cannot write the ledger {place.name}: this process may not write {needed}; make it writable"
            )


def filesystem_of(directory: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds a directory, empty where the platform does not tell."""
    try:
        lines = mounts.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    target = os.path.realpath(directory)
    best, kind = "", ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        # A later mount on the same point hides the earlier one.
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
