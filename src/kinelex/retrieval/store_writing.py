"""Writing to an example store: each call is one step from a state of the store to the next, or none.

A step writes new segments beside those that are there and then replaces the manifest; until then nobody sees them. What
an interrupted step leaves is removed by the next writer. Nothing that a store holds is written again for an addition,
apart from merging: many small segments become one, at a cost per example that does not grow with the store.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from kinelex.artifact import remove_leftovers
from kinelex.errors import ArtifactError, UnknownName, UsageError
from kinelex.retrieval import segments, store_input
from kinelex.retrieval.segments import KINDS, ROWS_AT_MOST, Kind, Segment
from kinelex.retrieval.store_lock import WriterLock, nobody_reading
from kinelex.retrieval.store_manifest import SEGMENTS, Encoder, read_manifest, write_manifest

MERGED_AT = 16
"""So many small segments in a row become one."""

SMALL = (16, 256, 1024)
"""What counts as small, in rows: ones become sixteens, these 256s, these 4096s, and then it is enough."""


class ExampleWriter:
    """Changes what is in a store; made by `ExampleStore.write`.

    What a method did is durable once it returned; one that raised, or was killed, has done nothing or all of it.
    Threads may share a writer: their calls wait for each other.
    """

    def __init__(self, folder: Path, encoder: Encoder | None) -> None:
        self.folder = folder
        self._encoder = encoder
        # Before the lock, so that asking for a store that is not there leaves no trace.
        read_manifest(folder)
        self._lock = WriterLock(folder)
        self._process = os.getpid()
        self._turn = threading.RLock()
        self._closed = False
        self._broken_off = False
        try:
            self._manifest = read_manifest(folder)
            if encoder is not None:
                self._manifest.encoder.check_same(encoder, folder)
            self._remove_unlisted()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> ExampleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._manifest.live

    @property
    def encoder(self) -> Encoder:
        """What makes the vectors of this store."""
        return self._manifest.encoder

    def close(self) -> None:
        """Let others write; nothing is left to be done, as every call was durable when it returned."""
        with self._turn:
            self._closed = True
            self._lock.release()

    def add(
        self,
        vectors: ArrayLike,
        labels: Sequence[str],
        *,
        subjects: Sequence[str | None] | None = None,
        recordings: Sequence[str | None] | None = None,
        start_s: ArrayLike | None = None,
        end_s: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Add examples.

        Args:
            vectors: (example, number), finite and not zero; kept as float32, not normalized.
            labels: one per example.
            subjects: who wore the sensors; None or NaN where that is not known.
            recordings: what the windows were cut from; None or NaN where that is not known.
            start_s: when the windows start in these; NaN where that is not known.
            end_s: when they end.

        Returns:
            The ids of the examples, ascending; no id is ever given twice.

        Raises:
            BadSamples: vectors, subjects, recordings or times are not of that kind.
            BadLabels: a label is blank, or there is not one per vector.
            UsageError: the writer was opened without saying which encoder makes the vectors, or is closed.
        """
        if self._encoder is None:
            raise UsageError(f"say what made the vectors: ExampleStore.write('{self.folder}', encoder=...)")
        matrix = store_input.checked_vectors(vectors, self.encoder.width)
        rows = len(matrix)
        columns: tuple[Any, ...] = (
            matrix,
            store_input.checked_labels(labels, rows),
            store_input.checked_texts("subjects", subjects, rows),
            store_input.checked_texts("recordings", recordings, rows),
            *store_input.checked_times(start_s, end_s, rows),
        )
        with self._step():
            ids = np.arange(self._manifest.next_id, self._manifest.next_id + rows)
            new = [
                self._write("examples", segments.example_table(ids[part], *(column[part] for column in columns)))
                for part in (slice(first, first + ROWS_AT_MOST) for first in range(0, rows, ROWS_AT_MOST))
            ]
            if new:
                self._commit(new, examples=(*self._manifest.examples, *new), next_id=self._manifest.next_id + rows)
        return ids

    def delete(self, ids: ArrayLike) -> None:
        """Delete examples.

        Args:
            ids: of the examples, each of which must be there.

        Raises:
            UnknownName: one is not there; then all stay.
            UsageError: ids are no whole numbers, or the writer is closed.
        """
        self._change(ids, None)

    def relabel(self, ids: ArrayLike, label: str) -> None:
        """Give examples another label.

        Args:
            ids: of the examples, each of which must be there.
            label: the new one, for all of them.

        Raises:
            UnknownName: one is not there; then all keep their labels.
            BadLabels: the label is blank.
            UsageError: ids are no whole numbers, or the writer is closed.
        """
        self._change(ids, store_input.checked_label(label))

    def compact(self) -> None:
        """Fold deletes and relabels into the examples, and these into as few files as can be.

        Deleted vectors are on the disk until then. Readers that are open keep what they have.

        Raises:
            CorruptArtifact: a file is missing or not what was written; then the store stays as it is.
            UsageError: the writer is closed.
        """
        with self._step():
            if not self._manifest.changes and all(s.rows == ROWS_AT_MOST for s in self._manifest.examples[:-1]):
                return
            examples = tuple(self._write("examples", table) for table in self._folded())
            self._commit(examples=examples, changes=(), deleted=0, history=self._manifest.history[-1:])
            self._remove_unlisted()

    def _change(self, ids: ArrayLike, label: str | None) -> None:
        wanted = store_input.checked_ids(ids)
        with self._step():
            if len(unknown := self._unknown_among(wanted)):
                raise UnknownName(
                    f"the store in '{self.folder}' has no example {unknown[0]}: it was deleted, or never added"
                )
            if not len(wanted):
                return
            new = self._write("changes", segments.change_table(wanted, label))
            gone = len(wanted) if label is None else 0
            self._commit([new], changes=(*self._manifest.changes, new), deleted=self._manifest.deleted + gone)

    @contextmanager
    def _step(self) -> Iterator[None]:
        """One step at a time, from the state that is on the disk."""
        with self._turn:
            if self._closed:
                raise UsageError(f"this writer of '{self.folder}' is closed: open another with ExampleStore.write")
            if os.getpid() != self._process:
                raise UsageError(f"the writer of '{self.folder}' belongs to process {self._process}: write there")
            if self._broken_off:
                # Whether the last step's manifest is in place only the disk knows.
                self._manifest = read_manifest(self.folder)
                self._remove_unlisted()
                self._broken_off = False
            self._written = self._manifest.written
            yield
            self._broken_off = False
            # What was asked for is done: where merging fails, the store stays as it is.
            with suppress(ArtifactError, OSError):
                self._merge_small()
                self._broken_off = False

    def _write(self, kind: Kind, table: pa.Table) -> Segment:
        """Write a segment that is in nobody's way until `_commit` lists it."""
        self._broken_off = True
        self._written += 1
        return segments.write_segment(self.folder, kind, self._written - 1, table)

    def _commit(self, new: Sequence[Segment] = (), **fields: Any) -> None:
        """Make the next state the state; `new` segments are those that say something new."""
        if new:
            fields["history"] = self._manifest.history_with(new)
        manifest = replace(self._manifest, written=self._written, **fields)
        write_manifest(self.folder, manifest)
        self._manifest = manifest

    def _unknown_among(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some ids that no live example has; only files where they may be are read."""
        gone, first = segments.read_changes(self.folder, self._manifest.changes).deleted, 0
        there = [np.empty(0, np.int64)]
        for segment in self._manifest.examples:
            if np.any((ids >= first) & (ids <= segment.last_id)):
                there.append(segments.ids_of(segments.read_segment(self.folder, segment, ["id"])))
            first = segment.last_id + 1
        return ids[~np.isin(ids, np.concatenate(there)) | np.isin(ids, gone)]

    def _folded(self) -> Iterator[pa.Table]:
        """All live examples with their newest labels, in tables of `ROWS_AT_MOST`; the last may be shorter."""
        changes = segments.read_changes(self.folder, self._manifest.changes)
        waiting: list[pa.Table] = []
        for segment in self._manifest.examples:
            waiting.append(segments.folded(segments.read_segment(self.folder, segment), changes))
            while sum(table.num_rows for table in waiting) >= ROWS_AT_MOST:
                table = pa.concat_tables(waiting)
                yield table.slice(0, ROWS_AT_MOST)
                waiting = [table.slice(ROWS_AT_MOST)]
        if sum(table.num_rows for table in waiting):
            yield pa.concat_tables(waiting)

    def _merge_small(self) -> None:
        """Make one of many small segments, so that a store does not come to consist of them."""
        for kind in KINDS:
            listed: tuple[Segment, ...] = getattr(self._manifest, kind)
            while run := _small_run(listed):
                merged = pa.concat_tables([segments.read_segment(self.folder, part) for part in listed[run]])
                listed = (*listed[: run.start], self._write(kind, merged), *listed[run.stop :])
                self._commit(**{kind: listed})
                self._remove_unlisted()

    def _remove_unlisted(self) -> None:
        """Remove what steps broke off in and what merging left, unless somebody reads: then another time will do."""
        remove_leftovers(self.folder)
        found = [path for pattern in SEGMENTS for path in self.folder.glob(pattern)]
        if unlisted := [path for path in found if path.name not in self._manifest.files]:
            with suppress(OSError), nobody_reading(self.folder) as alone:
                for path in unlisted if alone else ():
                    path.unlink()


def _small_run(listed: Sequence[Segment]) -> slice | None:
    """The first of the small segments at the end of a list, where there are enough of one size to merge them."""
    for limit in SMALL:
        large = [at for at, segment in enumerate(listed) if segment.rows >= limit]
        start = large[-1] + 1 if large else 0
        if len(listed) - start >= MERGED_AT:
            return slice(start, start + MERGED_AT)
    return None
