"""Archives into folders: only inside them, only as much as they say, and archives within archives too.

An archive is a stranger's. No member may name a place outside the folder, nothing but plain files and folders is made,
and unpacking stops when more comes out than was declared or than movement data can shrink to.
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from kinelex.artifact import staged_folder
from kinelex.errors import UnreadableFile, UnsafeArchive

Progress = Callable[[int, int], None]
"""Called with bytes that came out of the archive at hand, and bytes that it declares."""

_BLOCK = 1 << 20
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_SKIPPED = ("__MACOSX", ".DS_Store")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come out of an archive, together with the archives inside it.

    Args:
        ratio: bytes out per byte in; text of numbers shrinks to a fifth, hardly ever to a hundredth.
        free_bytes: bytes that may come out whatever the ratio.
        members: files and folders.
        depth: archives within archives within archives.
    """

    ratio: float = 200.0
    free_bytes: int = 100_000_000
    members: int = 1_000_000
    depth: int = 4


@dataclass(slots=True)
class _Allowance:
    """Bytes that may still come out, of the archive and of all that it holds."""

    left: float


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size: int
    folder: bool
    open: Callable[[], IO[bytes]]


def is_archive(path: str | Path) -> bool:
    """Whether `unpack` knows the kind of archive, by its name."""
    return Path(path).name.lower().endswith((".zip", *_TARS))


def unpack(
    archive: str | Path, folder: str | Path, *, progress: Progress | None = None, limits: Limits | None = None
) -> None:
    """Unpack an archive into a folder that does not exist yet or is replaced; whole, or not at all.

    Archives inside it are unpacked where they lie, each into a folder of its name, and removed.

    Args:
        archive: a ``.zip`` or ``.tar`` file, also ``.tar.gz`` and the like.
        folder: where its members go.
        progress: told after every block.
        limits: how much may come out.

    Raises:
        UnreadableFile: missing, damaged, encrypted, or of no kind that is known.
        UnsafeArchive: a member that would be written elsewhere, a link or device, or far too much comes out.
    """
    archive, limits = Path(archive), limits or Limits()
    if not archive.is_file():
        raise UnreadableFile(f"'{archive}' does not exist")
    allowance = _Allowance(max(limits.free_bytes, limits.ratio * archive.stat().st_size))
    with staged_folder(folder) as draft:
        _unpack(archive, draft, progress or (lambda done, total: None), limits, allowance, 1)


def _unpack(archive: Path, folder: Path, tell: Progress, limits: Limits, allowance: _Allowance, depth: int) -> None:
    if depth > limits.depth:
        raise UnsafeArchive(f"'{archive.name}' lies {depth - 1} archives deep: unpack it by hand if that is meant")
    try:
        inner = list(_extract(archive, folder, tell, limits, allowance))
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UnreadableFile(f"archive '{archive.name}' is damaged ({error}): get it again") from None
    except RuntimeError as error:  # what zipfile says to passwords and to compressions that it does not know
        raise UnreadableFile(f"archive '{archive.name}' cannot be unpacked ({error}): do it by hand") from None
    for path in inner:
        home = path.with_name(_stem(path.name))
        home.mkdir(exist_ok=True)
        _unpack(path, home, tell, limits, allowance, depth + 1)
        path.unlink()


def _extract(archive: Path, folder: Path, tell: Progress, limits: Limits, allowance: _Allowance) -> Iterator[Path]:
    """Write all members; yields those that are archives themselves."""
    name = archive.name.lower()
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive) as file:
            members = [_of_zip(file, info) for info in file.infolist()]
            yield from _write(members, folder, archive, allowance, tell, limits)
    elif name.endswith(_TARS):
        with tarfile.open(archive) as file:
            members = [_of_tar(file, info, archive) for info in file]
            yield from _write(members, folder, archive, allowance, tell, limits)
    else:
        kind = archive.suffix.lstrip(".").upper() or "nameless"
        raise UnreadableFile(
            f"'{archive.name}' is a {kind} archive, which needs a program of its own (such as 7z): unpack it by hand"
        )


def _of_zip(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    unix_kind = (info.external_attr >> 16) & 0o170000
    if unix_kind not in (0, 0o100000, 0o040000):
        raise UnsafeArchive(f"archive '{Path(file.filename or '').name}' holds a link or device, '{info.filename}'")
    return _Member(info.filename, info.file_size, info.is_dir(), lambda: file.open(info))


def _of_tar(file: tarfile.TarFile, info: tarfile.TarInfo, archive: Path) -> _Member:
    if not (info.isreg() or info.isdir()):
        raise UnsafeArchive(f"archive '{archive.name}' holds a link or device, '{info.name}'")

    def opened() -> IO[bytes]:
        stream = file.extractfile(info)
        assert stream is not None  # it is a regular file
        return stream

    return _Member(info.name, info.size, info.isdir(), opened)


def _write(
    members: list[_Member], folder: Path, archive: Path, allowance: _Allowance, tell: Progress, limits: Limits
) -> Iterator[Path]:
    if len(members) > limits.members:
        raise UnsafeArchive(f"archive '{archive.name}' has {len(members)} members, more than {limits.members}")
    declared = sum(member.size for member in members)
    allowance.left -= declared
    if allowance.left < 0:
        raise UnsafeArchive(
            f"archive '{archive.name}' of {archive.stat().st_size / 1e6:.1f} MB would unpack to"
            f" {declared / 1e6:.0f} MB, more than recordings shrink: it looks like a bomb"
        )
    free = shutil.disk_usage(folder).free
    if declared > free:
        raise UnreadableFile(
            f"archive '{archive.name}' needs {declared / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free"
            f" at '{folder.parent}'"
        )
    done = 0
    for member in members:
        place = _inside(member.name, archive)
        if any(part in _SKIPPED for part in place.parts):
            continue
        target = folder / place
        if member.folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        left = member.size
        with member.open() as source, target.open("wb") as out:
            while block := source.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise UnsafeArchive(f"'{member.name}' in archive '{archive.name}' is larger than it says")
                out.write(block)
                done += len(block)
                tell(done, declared)
        if is_archive(target):
            yield target


def _inside(name: str, archive: Path) -> PurePosixPath:
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in (place.parts or ("",))[0] or "\0" in name:
        raise UnsafeArchive(f"archive '{archive.name}' wants to write outside its folder, to '{name}'")
    return place


def _stem(name: str) -> str:
    for suffix in (".zip", *sorted(_TARS, key=len, reverse=True)):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
