"""The manifest of an example store: the only way in, small, replaced in one step, and its own guard.

It lists the segments with their hashes, so that no file is hashed again when one is added. It is JSON in exactly one
spelling with a checksum at its end: a manifest that reads back as other bytes than there are is damaged.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kinelex.artifact import MANIFEST, write_bytes
from kinelex.errors import CorruptArtifact, UnknownName, UnsupportedFormat, UsageError, WrongEncoder
from kinelex.retrieval.segments import Segment

KIND = "example-store"
VERSION = 1
SEGMENTS = ("examples-*.parquet", "changes-*.parquet")
REMEMBERED = 64
LONGEST_TEXT = 1000
"""In characters: arrays of text are as wide as the longest in them."""

_NAME = re.compile(r"(examples|changes)-\d{8,}\.parquet")


@dataclass(frozen=True, slots=True)
class Encoder:
    """Which model makes the vectors of a store: those of two models cannot be compared.

    Args:
        name: what people call it.
        fingerprint: changes when any of its weights does.
        width: numbers in a vector.

    Raises:
        UsageError: a name or fingerprint is blank, or the width is no positive number.
    """

    name: str
    fingerprint: str
    width: int

    def __post_init__(self) -> None:
        texts = (self.name, self.fingerprint)
        if not all(isinstance(text, str) and text.strip() and storable(text) for text in texts):
            raise UsageError(f"an encoder needs a name and a fingerprint, not {texts}")
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 1:
            raise UsageError(
                f"encoder '{self.name}' makes vectors of {self.width!r} numbers: state its width, 1 or more"
            )

    def check_same(self, other: Encoder, folder: Path) -> None:
        """Refuse `other` for a store in `folder` that this encoder filled; what it is called does not matter.

        Raises:
            WrongEncoder: its fingerprint or width differs.
        """
        if (self.fingerprint, self.width) != (other.fingerprint, other.width):
            raise WrongEncoder(
                f"the examples in '{folder}' are vectors of {_described(self)}, not of {_described(other)}: "
                "use that encoder, or fill a new store"
            )


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of a store.

    Args:
        encoder: what made the vectors.
        next_id: the id that the next example gets; no id is given twice.
        written: how many segments were ever written; the next one is numbered by it.
        deleted: how many of the listed examples are deleted by the listed changes.
        examples: their segments, ids ascending.
        changes: their segments, oldest first.
        history: a name for what the store holds now, last, and for what it held before; back to where changes were
            folded into the examples, and no more than `REMEMBERED`. Merging and folding make no new name.
    """

    encoder: Encoder
    next_id: int = 0
    written: int = 0
    deleted: int = 0
    examples: tuple[Segment, ...] = ()
    changes: tuple[Segment, ...] = ()
    history: tuple[str, ...] = ("0" * 16,)

    @property
    def live(self) -> int:
        """Number of examples that are not deleted."""
        return sum(segment.rows for segment in self.examples) - self.deleted

    @property
    def files(self) -> frozenset[str]:
        """The names of all segments."""
        return frozenset(segment.file for segment in (*self.examples, *self.changes))

    def history_with(self, new: Sequence[Segment]) -> tuple[str, ...]:
        """The history after a step that added these segments."""
        step = hashlib.sha256("".join([self.history[-1], *(segment.sha256 for segment in new)]).encode())
        return (*self.history[1 - REMEMBERED :], step.hexdigest()[:16])

    @property
    def content(self) -> bytes:
        """The file, to the byte."""
        return _sealed({"kind": KIND, "version": VERSION, **asdict(self)})


def storable(text: str) -> bool:
    """Whether a text can be stored: no half characters, no NUL, which arrays of text cannot end in, and not a book."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text and len(text) <= LONGEST_TEXT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make `manifest` the state of the store: what it lists is durable once this returns."""
    write_bytes(folder / MANIFEST, manifest.content)


def read_manifest(folder: Path) -> Manifest:
    """Read the state of the store in `folder`; the segments are checked when they are read.

    Raises:
        UnknownName: there is no store.
        CorruptArtifact: the manifest is missing or damaged, or that of something else.
        UnsupportedFormat: a newer Kinelex wrote it.
    """
    path = folder / MANIFEST
    damaged = f"'{path}' is damaged: go back to a snapshot of the store"
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if any(next(folder.glob(pattern), None) for pattern in SEGMENTS):
            raise CorruptArtifact(
                f"'{folder}' has segments but no {MANIFEST}: it was not written to its end, or lost it"
            ) from None
        raise UnknownName(f"no example store in '{folder}': make one with ExampleStore.create") from None
    try:
        fields = json.loads(content)
        kind, version = fields["kind"], fields["version"]
        intact = _sealed({key: value for key, value in fields.items() if key != "checksum"}) == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CorruptArtifact(damaged) from None
    if kind != KIND:
        raise CorruptArtifact(f"'{folder}' holds a {kind}, not an {KIND}: choose another folder")
    if not intact:
        raise CorruptArtifact(damaged)
    if version != VERSION:
        raise UnsupportedFormat(
            f"'{folder}' is {KIND} format {version}; this Kinelex reads format {VERSION}: upgrade kinelex"
        )
    try:
        return _parsed(fields)
    except (KeyError, TypeError, ValueError, UsageError):
        raise CorruptArtifact(damaged) from None


def _parsed(fields: Mapping[str, Any]) -> Manifest:
    manifest = Manifest(
        encoder=Encoder(**fields["encoder"]),
        **{key: int(fields[key]) for key in ("next_id", "written", "deleted")},
        examples=tuple(Segment(**segment) for segment in fields["examples"]),
        changes=tuple(Segment(**segment) for segment in fields["changes"]),
        history=tuple(fields["history"]),
    )
    if not all(_NAME.fullmatch(file) for file in manifest.files):
        raise ValueError("a file outside the store")
    return manifest


def _sealed(fields: Mapping[str, Any]) -> bytes:
    """The only spelling of a manifest with these fields, in the order in which they are."""
    body = json.dumps(fields, ensure_ascii=False)
    sealed = {**fields, "checksum": hashlib.sha256(body.encode()).hexdigest()}
    return (json.dumps(sealed, indent=1, ensure_ascii=False) + "\n").encode()


def _described(encoder: Encoder) -> str:
    return f"'{encoder.name}' ({encoder.fingerprint[:12]}, width {encoder.width})"
