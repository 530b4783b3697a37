"""Reading CSV and JSON files: each value as a cell that knows its place."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from spendgraph_reports.errors import InputError
from spendgraph_reports.reconcile.lines import Cell

MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that was read, once.

    Attributes:
        path: Where it is.
        text: What it says, without a byte order mark.
        sha256: Of its bytes, in hex.
    """

    path: Path
    text: str
    sha256: str

    @property
    def name(self) -> str:
        """The file as errors name it."""
        return str(self.path)

    @property
    def plain_name(self) -> str:
        """Its name without folders, in characters that can be written anywhere."""
        return self.path.name.encode("utf-8", "backslashreplace").decode()


def read_file(path: Path) -> TextFile:
    """A file in UTF-8, with or without a byte order mark.

    Raises:
        InputError: It cannot be read, is too large, or is no UTF-8.
    """
    name = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(name, expected=f"a file of at most {MAX_BYTES:,} bytes", found="a larger one")
        content = path.read_bytes()
        return TextFile(path, content.decode("utf-8-sig"), hashlib.sha256(content).hexdigest())
    except OSError as error:
        raise InputError(
            name, expected="a file that can be read", found=error.strerror or str(error)
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(name, expected="text in UTF-8", found="other bytes", line=line) from error


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: It cannot be read, is too large, or is no UTF-8.
    """
    return read_file(path).text


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file with a header."""

    file: str
    names: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]

    def require(self, *names: str) -> None:
        """See that columns are there.

        Raises:
            InputError: One is missing.
        """
        for name in names:
            if name not in self.names:
                raise InputError(
                    self.file,
                    expected="this column",
                    found=f"only {', '.join(self.names)}",
                    line=1,
                    column=name,
                )

    def cells(self) -> Iterator[Row]:
        """Every row that has something in it."""
        for line, values in self.rows:
            yield Row(self.file, line, values)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    file: str
    line: int
    values: Mapping[str, str]

    def cell(self, name: str) -> Cell:
        """The cell of a column."""
        return Cell(self.values.get(name, ""), self.file, self.line, name)

    def has(self, name: str) -> bool:
        """Whether the column is there and the cell is not blank."""
        return bool(self.values.get(name, "").strip())


def read_table(text: str, file: str, *, delimiter: str | None = None) -> Table:
    """A CSV file; blank rows are left out, and the separator is found in the header if it is not given.

    Raises:
        InputError: There is no header, a name stands in it twice, or a row has other columns than it.
    """
    header_line = text.lstrip("\r\n").partition("\n")[0]
    if not header_line.strip():
        raise InputError(file, expected="a header and rows", found="an empty file", line=1)
    between = delimiter or max(",;\t", key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    names: tuple[str, ...] = ()
    rows: list[tuple[int, Mapping[str, str]]] = []
    line = 1
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = tuple(cell.strip() for cell in row)
                if len(set(names)) < len(names):
                    raise InputError(file, expected="each column once", found=", ".join(names), line=1)
            elif len(row) != len(names):
                raise InputError(file, expected=f"{len(names)} columns", found=str(len(row)), line=line)
            else:
                rows.append((line, dict(zip(names, row, strict=True))))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(file, expected="CSV", found=str(error), line=reader.line_num) from error
    return Table(file, names, tuple(rows))


def read_pages(text: str, file: str) -> list[dict[str, Any]]:
    """The pages of a provider's API: one document, or a list of documents, whose last page must be the last.

    Raises:
        InputError: It is no JSON, no page, or pages are missing.
    """
    try:
        document = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        raise InputError(file, expected="JSON", found=str(error), line=line) from error
    found = as_list(document)
    pages: list[dict[str, Any]] = []
    for number, page in enumerate([document] if found is None else found):
        content = as_object(page)
        if content is None or as_list(content.get("data")) is None:
            raise InputError(
                file, expected="a page with a list 'data'", found=shown(page), column=f"page {number}"
            )
        pages.append(content)
    if not pages or pages[-1].get("has_more"):
        raise InputError(
            file, expected="the report's last page, too (several pages stand in one list)", found="has_more: true",
            column="has_more",
        )  # fmt: skip
    return pages


def results(
    pages: Iterable[dict[str, Any]], file: str
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every result of every bucket, with its path and its bucket.

    Raises:
        InputError: A bucket or a result is something else.
    """
    for page in pages:
        for at, bucket in enumerate(page["data"]):
            place = f"data[{at}]"
            content = as_object(bucket)
            found = None if content is None else as_list(content.get("results"))
            if content is None or found is None:
                raise InputError(
                    file, expected="a bucket with a list 'results'", found=shown(bucket), column=place
                )
            for number, value in enumerate(found):
                path = f"{place}.results[{number}]"
                result = as_object(value)
                if result is None:
                    raise InputError(file, expected="an object", found=shown(value), column=path)
                yield path, content, result


def as_object(value: object) -> dict[str, Any] | None:
    """A JSON value as the object it is, or None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """A JSON value as the list it is, or None."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType] - any values


def value_cell(file: str, path: str, value: object) -> Cell:
    """A JSON value as a cell; what is missing is empty."""
    return Cell("" if value is None else str(value), file, 0, path)


def shown(value: object) -> str:
    """A value, short enough for an error."""
    return repr(value)[:80]
