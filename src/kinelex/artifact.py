"""The only place that writes files: staged beside the target, flushed to disk, hashed, renamed.

A reader never sees half a file: content is written to a hidden neighbour, synced, and renamed over the target
in one step. A folder of several files gets a JSON manifest that is written last and is the only way in: it lists
every file with its size and SHA-256, and `read_manifest` checks them.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinelex.errors import CorruptArtifact, UnsupportedFormat

MANIFEST = "manifest.json"
_STAGED = ".staged-"


@contextmanager
def staged(target: str | Path) -> Iterator[Path]:
    """Yield a path beside `target`; on success it is synced and renamed to `target`, on any error removed.

    Args:
        target: the final path; missing parent folders are made.

    Yields:
        A path with the same suffix in the same folder, for the caller to write a file to.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{_STAGED}{secrets.token_hex(6)}-{target.name}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def staged_folder(target: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success it takes `target`'s place, on any error it is removed.

    An existing `target` stays in place until the new folder is complete.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{_STAGED}{secrets.token_hex(6)}-{target.name}")
    draft.mkdir()
    try:
        yield draft
        for path in draft.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        sync_folder(draft)
        if target.exists():
            old = target.with_name(f"{_STAGED}{secrets.token_hex(6)}-old")
            os.replace(target, old)
            os.replace(draft, target)
            shutil.rmtree(old)
        else:
            os.replace(draft, target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_bytes(target: str | Path, content: bytes) -> None:
    """Write `content` to `target`, whole or not at all."""
    with staged(target) as draft:
        draft.write_bytes(content)


def write_text(target: str | Path, content: str) -> None:
    """Write `content` as UTF-8 to `target`, whole or not at all."""
    write_bytes(target, content.encode())


def write_json(target: str | Path, content: Any) -> None:
    """Write `content` as indented JSON to `target`, whole or not at all."""
    write_text(target, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def append_line(target: str | Path, line: str) -> None:
    """Append one line to a log; a crash can cut off the last line, never an earlier one."""
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def remove_leftovers(folder: str | Path) -> None:
    """Remove what an interrupted process left staged in `folder`; call it only when no other process writes there."""
    for path in Path(folder).glob(f"{_STAGED}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(
    folder: str | Path, kind: str, version: int, files: Iterable[str], fields: Mapping[str, Any]
) -> None:
    """Hash `files` (paths relative to `folder`) and write the manifest that makes the folder readable.

    Args:
        folder: where the files already are.
        kind: what the folder holds, such as ``"checkpoint"``.
        version: the format version of that kind.
        files: every file that belongs to the artefact.
        fields: anything else that readers need; JSON values.
    """
    folder = Path(folder)
    entries = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in sorted(files)
    }
    write_json(folder / MANIFEST, {"kind": kind, "version": version, **fields, "files": entries})


def read_manifest(
    folder: str | Path, kind: str, version: int, *, verify: bool = True, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Read a folder's manifest and check every file that it lists.

    Args:
        folder: an artefact written by `write_manifest`.
        kind: the expected kind.
        version: the newest format version that the caller can read.
        verify: also hash every file; without it only presence and size are checked.
        progress: called with each file's name before it is checked.

    Raises:
        CorruptArtifact: no or broken manifest, wrong kind, a file missing, resized or changed.
        UnsupportedFormat: the format version is newer than `version`.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        found_kind, found_version, files = manifest["kind"], manifest["version"], manifest["files"]
        expected = {str(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in files.items()}
    except FileNotFoundError:
        raise CorruptArtifact(f"'{folder}' has no {MANIFEST}: it is no {kind}, or was not written to its end") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptArtifact(f"'{path}' is not a manifest ({error}): remove '{folder}' and make it again") from None
    if found_kind != kind:
        raise CorruptArtifact(f"'{folder}' holds a {found_kind}, not a {kind}")
    if not isinstance(found_version, int) or found_version > version:
        raise UnsupportedFormat(
            f"'{folder}' is {kind} format {found_version}; this Kinelex reads up to {version}: upgrade kinelex"
        )
    root = folder.resolve()
    for name, (size, digest) in expected.items():
        if progress is not None:
            progress(name)
        file = folder / name
        # By its name: the hub keeps files as links to elsewhere, and what they hold is checked all the same.
        if not Path(os.path.normpath(root / name)).is_relative_to(root):
            raise CorruptArtifact(f"'{path}' names '{name}', a file outside its folder")
        if not file.is_file():
            raise CorruptArtifact(f"'{folder}' lacks '{name}': make the {kind} again")
        if file.stat().st_size != size or (verify and sha256(file) != digest):
            raise CorruptArtifact(f"'{file}' is not the file that was written: make the {kind} again")
    return dict(manifest)


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk: which files and folders are in it, and what they are called."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
