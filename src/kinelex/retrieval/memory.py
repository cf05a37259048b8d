"""What a model remembers: labeled windows in a durable store, searchable the moment they are in it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.artifact import MANIFEST
from kinelex.errors import UnknownName, UsageError
from kinelex.language.words import same_words
from kinelex.retrieval.index_files import choose, chosen, keep_built, open_built
from kinelex.retrieval.indexes import ExactIndex, IndexConfig, VectorIndex, open_index
from kinelex.retrieval.neighbors import Neighbors
from kinelex.retrieval.store import Encoder, ExampleStore

_ASKED, _ALIKE = 32, 8
"""So many examples of an index that was filled before are looked up among so many neighbors of each."""


@dataclass(frozen=True, slots=True)
class Example:
    """A remembered window.

    Args:
        id: its number, which no other example of the memory ever gets.
        label: what was done in it.
        subject: who wore the sensors; empty where that is not known.
        recording: what it was cut from; empty where that is not known.
        start_s: when it starts in there; NaN where that is not known.
        end_s: when it ends.
        added_at: when it was remembered, in UTC.
    """

    id: int
    label: str
    subject: str
    recording: str
    start_s: float
    end_s: float
    added_at: datetime

    def __str__(self) -> str:
        where = f" from '{self.recording}'" if self.recording else ""
        when = "" if np.isnan(self.start_s) else f", {self.start_s:.1f} - {self.end_s:.1f} s"
        return f"{self.label} (example {self.id}{where}{when})"


class Memory:
    """Remembered examples of one encoder, in a folder or for as long as the process lives.

    Every change is durable when the call returns, and is found by the next search. Several processes may hold a memory
    of one folder: one at a time writes, and `refresh` brings in what others have written.

    Args:
        store: the examples.
        index: measures by the cosine; empty, or filled from this store before. What it lacks is added to it, and what
            is forgotten removed.

    Raises:
        UsageError: the index measures otherwise, or holds other vectors.
    """

    def __init__(self, store: ExampleStore, index: VectorIndex) -> None:
        if index.metric != "cosine":
            raise UsageError(f"a memory is searched by the cosine, not by '{index.metric}': choose another metric")
        self._store, self._index = store, index
        self._indexed: NDArray[np.int64] = index.ids
        self._config: IndexConfig | None = None
        self._changed = 0
        self._some: tuple[frozenset[str], VectorIndex] | None = None
        self._check_same()
        self._follow()

    @classmethod
    def temporary(cls, encoder: Encoder, config: IndexConfig | None = None) -> Memory:
        """A memory that is gone when it is.

        Args:
            encoder: what makes its vectors.
            config: how to search; exactly when left out.
        """
        folder = tempfile.mkdtemp(prefix="kinelex-memory-")
        memory = cls.open(folder, encoder, config)
        weakref.finalize(memory, shutil.rmtree, folder, ignore_errors=True)
        return memory

    @classmethod
    def open(
        cls, folder: str | Path, encoder: Encoder, config: IndexConfig | None = None, *, create: bool = True
    ) -> Memory:
        """The memory in a folder.

        Args:
            folder: where it is, or is to be made.
            encoder: what makes the vectors.
            config: how to search; as was chosen for this memory when left out (see `choose_index`), exactly by default.
            create: make an empty one where there is none.

        Raises:
            UnknownName: there is none, and none is to be made.
            WrongEncoder: it holds vectors of another encoder.
            CorruptArtifact: a file is missing, or not what was written.
            UnsupportedFormat: a newer Kinelex wrote it.
            UsageError: the folder holds something else, or the index cannot be filled.
            MissingDependency: the engine's package is not installed.
        """
        if create and not (Path(folder) / MANIFEST).exists():
            ExampleStore.create(folder, encoder)
        store = ExampleStore.open(folder, encoder=encoder)
        config = chosen(folder) if config is None else config
        try:
            memory = cls(store, open_built(folder, encoder.width, config))
        except UsageError:
            if config.engine == "milvus":
                raise
            memory = cls(store, open_index(encoder.width, config))
        memory._config = config
        memory._keep_index()
        return memory

    def choose_index(self, config: IndexConfig) -> None:
        """Search with this index from now on, here and wherever this memory is opened.

        Raises:
            UsageError: it does not measure by the cosine, or holds other vectors.
            StoreInUse: somebody else is writing.
            MissingDependency: the engine's package is not installed.
        """
        other = Memory(self._store, open_index(self._store.encoder.width, config))
        choose(self.folder, config)
        self._index, self._config, self._changed = other._index, config, len(other)
        self._keep_index()

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self._store)

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self._store.folder

    @property
    def store(self) -> ExampleStore:
        """The examples, as tables."""
        return self._store

    @property
    def labels(self) -> tuple[str, ...]:
        """What is remembered, each label once, in the order in which it was first remembered."""
        return tuple(self._names[np.argsort(self._first)].tolist())

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
        """Remember windows; arguments and errors are those of `ExampleWriter.add`.

        Returns:
            The ids of the new examples, ascending.
        """
        with ExampleStore.write(self.folder, encoder=self._store.encoder) as writer:
            ids = writer.add(vectors, labels, subjects=subjects, recordings=recordings, start_s=start_s, end_s=end_s)
        self.refresh()
        return ids

    def forget(self, ids: ArrayLike) -> None:
        """Forget examples.

        Raises:
            UnknownName: one is not there; then all stay.
        """
        with ExampleStore.write(self.folder) as writer:
            writer.delete(ids)
        self.refresh()

    def relabel(self, ids: ArrayLike, label: str) -> None:
        """Give examples another label.

        Raises:
            UnknownName: one is not there; then all keep theirs.
            BadLabels: the label is blank.
        """
        with ExampleStore.write(self.folder) as writer:
            writer.relabel(ids, label)
        self.refresh()

    def compact(self) -> None:
        """Take forgotten examples off the disk, and keep the others in as few files as can be."""
        with ExampleStore.write(self.folder) as writer:
            writer.compact()
        self.refresh()

    def refresh(self) -> bool:
        """Bring in what was written meanwhile; returns whether there was anything."""
        changed = self._store.refresh()
        if changed:
            self._follow()
        return changed

    def search(self, vectors: NDArray[np.floating], k: int, labels: Collection[str] | None = None) -> Neighbors:
        """The nearest examples of windows.

        Args:
            vectors: ``(window, number)``; a row of NaN, as of a window without signal, has no neighbor.
            k: how many each is to have.
            labels: only examples of these, spelled as they are remembered; of all when left out.

        Returns:
            ``(window, k)``.
        """
        found = Neighbors.none(len(vectors), k)
        usable = np.asarray(np.isfinite(vectors).all(axis=1))
        if not len(self) or not usable.any():
            return found
        among = self._index_of(frozenset(self._names.tolist() if labels is None else labels)).search(vectors[usable], k)
        found.ids[usable], found.similarity[usable] = among.ids, among.similarity
        return found

    def ids_of(self, label: str) -> list[int]:
        """The ids of all examples of a label, whose case and spaces do not count.

        Raises:
            UnknownName: there is none.
        """
        same = np.array([same_words(name) == same_words(label) for name in self._names.tolist()], dtype=np.bool_)
        ids = self._store.ids[same[self._of_example]] if len(same) else self._store.ids
        if not len(ids):
            known = ", ".join(f"'{name}'" for name in self.labels) or "nothing at all"
            raise UnknownName(f"nothing is remembered of '{label}': there is {known}")
        return [int(one) for one in ids]

    def _index_of(self, labels: frozenset[str]) -> VectorIndex:
        """The index of everything, or an exact one of some labels' examples, kept until other labels are asked for.

        Asking everything for more and more, until enough are of these labels, would come to all of it for a rare one.
        """
        if labels.issuperset(self._names.tolist()):
            return self._index
        if self._some is None or self._some[0] != labels:
            rows = np.flatnonzero(np.isin(self._names, list(labels))[self._of_example])
            some = ExactIndex(self._store.encoder.width)
            some.add(self._store.ids[rows], self._store.vectors[rows])
            self._some = (labels, some)
        return self._some[1]

    def examples(self, ids: Iterable[int] | None = None) -> list[Example]:
        """Examples by their ids, all of them when left out.

        Raises:
            UnknownName: one is not there.
        """
        store = self._store
        if ids is None:
            rows = np.arange(len(store))
        else:
            wanted = np.fromiter(ids, dtype=np.int64)
            rows = np.searchsorted(store.ids, wanted)
            there = rows < len(store)
            there[there] = store.ids[rows[there]] == wanted[there]
            if not there.all():
                raise UnknownName(f"the memory in '{self.folder}' has no example {wanted[~there][0]}")
        times = store.added_at[rows].astype("datetime64[us]").tolist()
        return [
            Example(
                id=int(store.ids[row]),
                label=str(store.labels[row]),
                subject=str(store.subjects[row]),
                recording=str(store.recordings[row]),
                start_s=float(store.start_s[row]),
                end_s=float(store.end_s[row]),
                added_at=added_at,
            )
            for row, added_at in zip(rows.tolist(), times, strict=True)
        ]

    def labels_of(self, neighbors: Neighbors, numbers: Mapping[str, int]) -> NDArray[np.int64]:
        """The class of every neighbor, ``(window, k)``; -1 where there is none, or its label has no class.

        Args:
            neighbors: what `search` found.
            numbers: the class of each label that has one.
        """
        if not len(self):
            return np.full(neighbors.ids.shape, -1, dtype=np.int64)
        classes = np.array([numbers.get(name, -1) for name in self._names.tolist()], dtype=np.int64)
        rows = np.minimum(np.searchsorted(self._store.ids, neighbors.ids), len(self) - 1)
        return np.where(neighbors.present, classes[self._of_example[rows]], -1)

    def sizes(self, numbers: Mapping[str, int], count: int) -> NDArray[np.int64]:
        """How many examples each class has, ``(class,)``.

        Args:
            numbers: the class of each label that has one.
            count: classes in all.
        """
        sizes = np.zeros(count, dtype=np.int64)
        of_each = np.bincount(self._of_example, minlength=len(self._names))
        for name, size in zip(self._names.tolist(), of_each.tolist(), strict=True):
            if name in numbers:
                sizes[numbers[name]] += size
        return sizes

    def _check_same(self) -> None:
        """Refuse an index that some other memory filled: vectors of the same ids would not find themselves."""
        shared = np.intersect1d(self._indexed, self._store.ids, assume_unique=True)
        if not len(self._indexed):
            return
        some = shared[:: max(1, len(shared) // _ASKED)]
        found = self._index.search(self._store.vectors[np.searchsorted(self._store.ids, some)], _ALIKE)
        alike = np.nan_to_num(found.similarity) > 1 - 1e-5
        # Among more copies than are asked for, a vector may be missing.
        own = (alike & (found.ids == some[:, None])).any(axis=1) | alike[:, -1]
        if not own.sum() > len(some) / 2:
            raise UsageError(
                f"the index holds {len(self._indexed)} vectors that are not those of '{self.folder}': choose another"
                " collection for this memory, or remove that one"
            )

    def _keep_index(self) -> None:
        if self._config is not None and keep_built(self.folder, self._index, self._config, self._changed):
            self._changed = 0

    def _follow(self) -> None:
        """Let the index hold what the store holds, of which only what differs is touched, and sort it by labels."""
        # Sorting a million labels takes longer than a search: once for each change, not for each question.
        self._names, self._first, self._of_example = np.unique(
            self._store.labels, return_index=True, return_inverse=True
        )
        self._some = None
        if self._index.shared:
            self._indexed = self._index.ids
        new = np.setdiff1d(self._store.ids, self._indexed, assume_unique=True)
        gone = np.setdiff1d(self._indexed, self._store.ids, assume_unique=True)
        if len(gone):
            self._index.remove(gone)
        if len(new):
            self._index.add(new, self._store.vectors[np.searchsorted(self._store.ids, new)])
        self._indexed = self._store.ids
        self._changed += len(gone) + len(new)
        self._keep_index()
