"""Where a ledger is, and whether SQLite may be trusted there.

A ledger file is private to its owner from its first byte: it is created with mode 0600, and SQLite gives
the files beside it (`-wal`, `-shm`) the mode of the database. Network file systems are refused: WAL needs
memory shared between processes, and their locks are not reliable.
"""

from __future__ import annotations

import itertools
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from spendgraph.errors import LedgerError, LedgerUnavailable

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.s3fs", "ceph", "fuse.glusterfs"}
)
_MAGIC = b"SQLite format 3\x00"
_memory_names = itertools.count()

_looking = threading.Lock()
_opened: set[tuple[int, int]] = set()
"""Device and inode of every file that this process has opened as a ledger."""


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
    """Check the place of a ledger and create its file, mode 0600, where there is none; an empty one is made private.

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
        with _looking:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            status = os.fstat(file)
            os.close(file)
            _opened.add((status.st_dev, status.st_ino))
    except FileExistsError:
        check_file(place)
        check_writable(place)
        _make_private_if_empty(path)
    except OSError as error:
        raise LedgerUnavailable(
            f"cannot create the ledger {path}: {error.strerror}; choose a directory this process may write"
        ) from error


def _make_private_if_empty(path: Path) -> None:
    """An empty file becomes a ledger, with its mode from before; another mode of a ledger is its owner's will.

    Raises:
        LedgerUnavailable: It is somebody else's file.
    """
    try:
        status = path.stat()
        if not status.st_size and stat.S_IMODE(status.st_mode) & 0o177:
            path.chmod(0o600)
    except OSError as error:
        raise LedgerUnavailable(
            f"cannot make the empty file {path} private to its owner: {error.strerror}; remove it, or choose another path"
        ) from error


def check_file(place: Place) -> None:
    """Check that an existing file can be a ledger (or is empty).

    SQLite would take a WAL that lies beside something else for that file's. A file that this process has opened
    is not looked into again: closing any descriptor of it would give up all locks that SQLite holds on it here, and
    another process that closes the ledger would take itself for the last one and remove the WAL under us.

    Raises:
        LedgerError: It is not a SQLite database.
        LedgerUnavailable: It does not exist or cannot be read.
    """
    path = Path(place.name)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise LedgerError(f"expected a file for the ledger, found something else at {path}")
        with _looking:
            if (status.st_dev, status.st_ino) in _opened:
                return
            with path.open("rb") as file:
                start = file.read(len(_MAGIC))
            if not start or start == _MAGIC:
                _opened.add((status.st_dev, status.st_ino))
                return
    except FileNotFoundError:
        raise LedgerUnavailable(f"there is no ledger at {path}") from None
    except OSError as error:
        raise LedgerUnavailable(f"cannot read the ledger {path}: {error.strerror}") from error
    raise LedgerError(
        f"{path} is not a SQLite database, or is damaged at its start; restore the ledger from a backup"
        " or give another path"
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


def _after_fork_in_child() -> None:
    """A thread that looked at a file meanwhile is not there to let go."""
    global _looking
    _looking = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
