"""The example store: what retrieval remembers, durable, one folder.

::

    STORE/manifest.json               the only way in: what made the vectors, which segments count, their hashes
    STORE/examples-00000007.parquet   id, vector, label, subject, recording, start_s, end_s, added_at
    STORE/changes-00000009.parquet    id, label (none: deleted), changed_at
    STORE/*.lock                      who writes, who reads; without content otherwise

Segments are never changed, only added, merged and, by `compact`, folded. Every file is checked to the bit when it is
read. An index of any kind is a cache of this, and can be made again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.artifact import MANIFEST, remove_leftovers, sync_folder, write_bytes
from kinelex.errors import UsageError
from kinelex.retrieval.segments import checked_bytes
from kinelex.retrieval.store_lock import WriterLock, reading
from kinelex.retrieval.store_manifest import SEGMENTS, Encoder, Manifest, read_manifest, write_manifest
from kinelex.retrieval.store_view import View, load
from kinelex.retrieval.store_writing import ExampleWriter

__all__ = ["Encoder", "ExampleStore", "ExampleWriter"]

_UNFINISHED = ".staged-store"
"""A file that is there while a store is being made, so that what was left of one can be told from a damaged store."""


class ExampleStore:
    """The examples of a store as they were when it was opened or refreshed, in memory; made by `ExampleStore.open`.

    Rows of all arrays belong together and are in the order of ascending ids; the arrays cannot be written to. Whatever
    a writer does meanwhile, they stay as they are until `refresh`.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "examples"
    >>> encoder = Encoder(name="tiny", fingerprint="9f2c", width=2)
    >>> ExampleStore.create(folder, encoder)
    >>> with ExampleStore.write(folder, encoder=encoder) as writer:
    ...     ids = writer.add([[0.0, 1.0], [1.0, 0.0]], ["walking", "sitting"])
    ...     writer.relabel(ids[1], "lying")
    >>> store = ExampleStore.open(folder, encoder=encoder)
    >>> store.labels.tolist()
    ['walking', 'lying']
    """

    def __init__(self, folder: Path, manifest: Manifest, view: View) -> None:
        self.folder = folder
        self._state = (manifest, view)

    @classmethod
    def create(cls, folder: str | Path, encoder: Encoder) -> None:
        """Make an empty store.

        Args:
            folder: where; it may exist, but hold no store or other artifact.
            encoder: what will make the vectors.

        Raises:
            UsageError: the folder holds something already.
            StoreInUse: somebody else is making a store there.
        """
        with _making(Path(folder)):
            write_manifest(Path(folder), Manifest(encoder))

    @classmethod
    def open(cls, folder: str | Path, *, encoder: Encoder | None = None) -> ExampleStore:
        """Read a store.

        Args:
            folder: where it is.
            encoder: what makes the vectors that will be compared with the stored ones; not checked when left out.

        Raises:
            UnknownName: there is no store.
            WrongEncoder: another encoder made the stored vectors.
            CorruptArtifact: a file is missing, or not what was written.
            UnsupportedFormat: a newer Kinelex wrote it.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        if encoder is not None:
            manifest.encoder.check_same(encoder, folder)
        with reading(folder):
            # Again, as files of the state before may be gone by now; those of this one stay.
            manifest = read_manifest(folder)
            return cls(folder, manifest, load(folder, manifest))

    @classmethod
    def write(cls, folder: str | Path, *, encoder: Encoder | None = None) -> ExampleWriter:
        """Open a store to change what is in it; close the writer, or use it in a ``with`` block.

        Args:
            folder: where it is.
            encoder: what makes the vectors that will be added; without it examples can only be deleted or relabeled.

        Raises:
            UnknownName: there is no store.
            StoreInUse: somebody else is writing to it.
            WrongEncoder: another encoder made the stored vectors.
            CorruptArtifact: its manifest is damaged.
            UnsupportedFormat: a newer Kinelex wrote it.
        """
        return ExampleWriter(Path(folder), encoder)

    def __len__(self) -> int:
        return len(self._view.ids)

    @property
    def encoder(self) -> Encoder:
        """What made the vectors."""
        return self._manifest.encoder

    @property
    def fingerprint(self) -> str:
        """Changes whenever examples do, and only then, so that an index of them can tell whether it is up to date."""
        return self._manifest.history[-1]

    @property
    def ids(self) -> NDArray[np.int64]:
        """(example,), ascending; no id is ever given twice."""
        return self._view.ids

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(example, number), as they were added."""
        return self._view.vectors

    @property
    def labels(self) -> NDArray[np.str_]:
        """(example,)."""
        return self._view.labels

    @property
    def subjects(self) -> NDArray[np.str_]:
        """(example,): who wore the sensors; empty where that is not known."""
        return self._view.subjects

    @property
    def recordings(self) -> NDArray[np.str_]:
        """(example,): what the windows were cut from; empty where that is not known."""
        return self._view.recordings

    @property
    def start_s(self) -> NDArray[np.float64]:
        """(example,): when the windows start in their recordings; NaN where that is not known."""
        return self._view.start_s

    @property
    def end_s(self) -> NDArray[np.float64]:
        """(example,): when the windows end in their recordings; NaN where that is not known."""
        return self._view.end_s

    @property
    def added_at(self) -> NDArray[np.datetime64]:
        """(example,): when they were added, in UTC."""
        return self._view.added_at

    def refresh(self) -> bool:
        """Bring everything up to date; only what is new is read, unless the store was compacted.

        Returns:
            Whether anything changed.

        Raises:
            CorruptArtifact: a file is missing, or not what was written; then everything stays as it was.
            WrongEncoder: the store was replaced by one of another encoder.
        """
        with reading(self.folder):
            manifest = read_manifest(self.folder)
            manifest.encoder.check_same(self.encoder, self.folder)
            if manifest.history[-1] == self.fingerprint:
                return False
            self._state = (manifest, load(self.folder, manifest, self._state))
        return True

    def snapshot(self, to: str | Path) -> None:
        """Copy the store as it is on the disk now, as a store of its own; writers need not stop.

        Args:
            to: the folder of the copy; it may exist, but hold no store or other artifact. What a snapshot that was
                interrupted left there is removed.

        Raises:
            CorruptArtifact: a file is missing, or not what was written; then there is no copy.
            UsageError: `to` holds something already.
            StoreInUse: somebody else is making a store there.
        """
        with _making(Path(to)), reading(self.folder):
            manifest = read_manifest(self.folder)
            for segment in (*manifest.examples, *manifest.changes):
                write_bytes(Path(to) / segment.file, checked_bytes(self.folder, segment))
            write_manifest(Path(to), manifest)

    def verify(self) -> None:
        """Check every bit of the store as it is on the disk now, and that its files fit to each other.

        Raises:
            CorruptArtifact: something is missing, or not what was written.
        """
        with reading(self.folder):
            load(self.folder, read_manifest(self.folder))

    @property
    def _manifest(self) -> Manifest:
        return self._state[0]

    @property
    def _view(self) -> View:
        return self._state[1]


@contextmanager
def _making(folder: Path) -> Iterator[None]:
    """The sole right to make a store in a folder; nothing counts before its manifest is there."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file: choose a folder")
    folder.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(folder)
    try:
        if (folder / MANIFEST).exists():
            raise UsageError(f"'{folder}' holds something already: choose another folder, or remove it")
        if _segments(folder) and not (folder / _UNFINISHED).exists():
            raise UsageError(f"'{folder}' holds a store that lost its {MANIFEST}: choose another folder, or remove it")
        _clear(folder)
        write_bytes(folder / _UNFINISHED, b"")
        try:
            yield
        finally:
            # Where there is a manifest, there is a store, even if it could not be said.
            if (folder / MANIFEST).exists():
                remove_leftovers(folder)
            else:
                _clear(folder)
        # So that a power cut does not take away the folder itself. Not everybody may open all that it is in.
        for parent in folder.resolve().parents:
            with suppress(OSError):
                sync_folder(parent)
    finally:
        lock.release()


def _clear(folder: Path) -> None:
    """Remove what is there of a store without a manifest."""
    for path in _segments(folder):
        path.unlink()
    # Last, as with it goes the file that says that the segments are leftovers.
    remove_leftovers(folder)


def _segments(folder: Path) -> list[Path]:
    return [path for pattern in SEGMENTS for path in folder.glob(pattern)]
