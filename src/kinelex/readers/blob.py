"""Bytes that can be opened more than once: a file, a gzip file, or a member of a zip archive."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import pyarrow as pa

from kinelex.errors import UnreadableFile

_DEPTH = 2
"""How many folders deep an export is looked for: somebody may pass their home folder."""
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_LEAVES = (OSError, EOFError, UnicodeError, zipfile.BadZipFile, zlib.error, pa.ArrowException, NotImplementedError)
"""What the layers below raise for a file that is missing, damaged, or not what its name says."""


@dataclass(frozen=True)
class Blob:
    """One table's bytes, wherever they are.

    Args:
        path: the file on disk.
        member: the name inside it, when it is a zip archive.
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def stem(self) -> str:
        """The file's name without folders and suffixes, such as ``"Gyroscope"``."""
        return PurePosixPath(self.member or self.path.name).name.split(".")[0]

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for reading, unpacked."""
        if self.member is not None:
            with zipfile.ZipFile(self.path) as archive, _unlocked(archive, self.member) as file:
                yield file
        elif self._starts_with(_GZIP):
            with gzip.open(self.path) as packed:
                yield packed  # type: ignore[misc]  # a GzipFile is an IO[bytes] in all but name
        else:
            with self.path.open("rb") as file:
                yield file

    def head(self, size: int) -> bytes:
        """The first `size` bytes, or all when there are fewer."""
        with self.open() as file:
            return file.read(size)

    def _starts_with(self, magic: bytes) -> bool:
        with self.path.open("rb") as file:
            return file.read(len(magic)) == magic


def _unlocked(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except RuntimeError as error:  # zipfile's way to ask for a password
        raise zipfile.BadZipFile(str(error)) from None


@contextmanager
def reading(where: Path | Blob) -> Iterator[None]:
    """Turn whatever the file system, the archive or the parser raises into an error about `where`.

    Raises:
        UnreadableFile: naming the file and the reason.
    """
    try:
        yield
    except FileNotFoundError:
        raise UnreadableFile(f"'{where}' does not exist: check the path") from None
    except PermissionError:
        raise UnreadableFile(f"'{where}' may not be read: check its permissions") from None
    except _LEAVES as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnreadableFile(
            f"'{where}' cannot be read: it is damaged, cut off, or not what its name says ({reason}); get it again"
        ) from None


def members(path: Path) -> dict[str, Blob]:
    """The files of a folder or a zip archive by their path inside it, in order; neither hidden nor empty names.

    Raises:
        UnreadableFile: it is neither a folder nor a zip archive.
    """
    if path.is_dir():
        named = {file.relative_to(path).as_posix(): Blob(file) for file in _files(path, _DEPTH)}
    else:
        with reading(path), zipfile.ZipFile(path) as archive:
            named = {info.filename: Blob(path, info.filename) for info in archive.infolist() if not info.is_dir()}
    hidden = ("__MACOSX",)
    return {
        name: blob
        for name, blob in sorted(named.items())
        if not any(part.startswith(".") or part in hidden for part in PurePosixPath(name).parts)
    }


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_file():
            yield entry
        elif depth and entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _files(entry, depth - 1)


def is_archive(path: Path) -> bool:
    """Whether the file is a zip archive, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP
