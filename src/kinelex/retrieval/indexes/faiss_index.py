"""FAISS within this process: flat, in cells (IVF) or as a graph (HNSW)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import CorruptArtifact, MissingDependency
from kinelex.retrieval.indexes.checked import CheckedIndex
from kinelex.retrieval.indexes.config import FaissConfig
from kinelex.retrieval.indexes.ordering import SPARE, ordered
from kinelex.retrieval.indexes.protocol import Metric
from kinelex.retrieval.neighbors import Neighbors

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_FILE, _SLOTS = "index.faiss", "slots.npz"

CELLS_FROM = 2048
"""Vectors from which on IVF has cells; with fewer it compares with everything."""
_REGROWN = 4
"""Cells are found anew when there are so many times as many vectors as when they were found."""
_DEAD = 0.25
"""Share of removed vectors from which on the index is built anew without them."""


class FaissIndex(CheckedIndex):
    """Any of three indexes of FAISS, with what FAISS leaves open defined.

    *Removal*: a graph cannot forget a vector. Removed ones are marked and left out of every search; once they are a
    quarter of all, the index is built anew without them. *Few vectors*: IVF needs examples to find its cells. Below
    `CELLS_FROM` it compares with everything, then it has as many cells as the square root of its vectors, found anew
    whenever these have quadrupled. *Too few found*: a search that finds fewer than k in its cells or its graph is done
    again over everything, so that nobody gets fewer neighbors than there are. *Ties*: FAISS is asked for `SPARE` more
    than k, and similarities are computed again in float64; among more equals than that, any may come.

    Args:
        width: the length of a vector.
        metric: how near is measured. Under the cosine, vectors are kept at unit length.
        config: which kind, and how it is tuned.

    Raises:
        MissingDependency: FAISS is not installed.
        UsageError: as with `CheckedIndex`.

    Source: Douze et al., "The Faiss library", 2024; Malkov and Yashunin, "Efficient and robust approximate nearest
    neighbor search using hierarchical navigable small world graphs", 2018.
    """

    def __init__(self, width: int, metric: Metric = "cosine", config: FaissConfig | None = None) -> None:
        super().__init__(width, metric)
        self._faiss = _faiss()
        self._config = config or FaissConfig()
        self._slots: dict[int, int] = {}
        self._ids: Ints = np.empty(0, dtype=np.int64)
        self._alive: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        self._grouped = 0
        self._index = self._made(0)

    @classmethod
    def read(cls, folder: Path, width: int, metric: Metric = "cosine", config: FaissConfig | None = None) -> FaissIndex:
        """An index as `write` left it; the other arguments are those it was made with.

        Raises:
            CorruptArtifact: the files are not of such an index.
        """
        index = cls(width, metric, config)
        try:
            # Reading an index of another making can end the process: whoever calls has checked the hashes.
            index._index = index._faiss.read_index(str(folder / _FILE))
            kept = np.load(folder / _SLOTS, allow_pickle=False)
            ids, alive, index._grouped = kept["ids"], kept["alive"], int(kept["grouped"])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise CorruptArtifact(f"'{folder}' holds no index of FAISS ({error}): build it again") from None
        if index._index.d != width or not len(ids) == len(alive) == index._used:
            raise CorruptArtifact(f"'{folder}' holds another index: build it again")
        index._ids, index._alive = ids, alive
        living = np.flatnonzero(alive)
        index._slots = dict(zip(ids[living].tolist(), living.tolist(), strict=True))
        return index

    def write(self, folder: Path) -> tuple[str, ...]:
        """Write what was built into a folder that is there; returns the names of the files."""
        with self._turn:
            used = self._used
            self._faiss.write_index(self._index, str(folder / _FILE))
            np.savez(folder / _SLOTS, ids=self._ids[:used], alive=self._alive[:used], grouped=self._grouped)
        return _FILE, _SLOTS

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def ids(self) -> Ints:
        """See `VectorIndex.ids`."""
        return np.sort(np.fromiter(self._slots, dtype=np.int64, count=len(self._slots)))

    def _contains(self, ids: Ints) -> NDArray[np.bool_]:
        return np.fromiter((one in self._slots for one in ids.tolist()), dtype=np.bool_, count=len(ids))

    def _add(self, ids: Ints, vectors: Floats) -> None:
        vectors = self._measurable(vectors)
        if self._config.kind == "ivf" and len(self) + len(ids) >= max(CELLS_FROM, _REGROWN * self._grouped):
            kept, old = self._living()
            self._build(np.concatenate([kept, ids]), np.concatenate([old, vectors]))
            return
        start = self._used
        self._index.add(vectors)
        self._note(ids, start, start + len(ids))

    def _remove(self, ids: Ints) -> None:
        for one in ids.tolist():
            self._alive[self._slots.pop(one)] = False
        if self._used - len(self) > max(_DEAD * self._used, SPARE):
            self._build(*self._living())

    def _search(self, queries: Floats, k: int) -> Neighbors:
        rows = self._measurable(queries)
        keep = min(len(self), k + SPARE)
        slots = self._index.search(rows, keep, params=self._parameters(keep))[1]
        short = np.flatnonzero((slots >= 0).sum(axis=1) < k)
        if len(short):
            slots[short] = self._everything(rows[short], keep)
        return ordered(queries, slots, self._ids[slots], self._vectors, self.metric, k)

    @property
    def _used(self) -> int:
        """Slots in use, removed vectors included."""
        return int(self._index.ntotal)

    def _parameters(self, keep: int, *, everywhere: bool = False) -> Any:
        faiss, kind = self._faiss, self._config.kind
        selected = {}
        if len(self) < self._used:
            bits = np.packbits(self._alive[: self._used], bitorder="little")
            selected["sel"] = faiss.IDSelectorBitmap(bits)
        if kind == "hnsw" and not everywhere:
            # Removed vectors take places among the candidates.
            breadth = max(self._config.search_breadth, 2 * keep) * self._used / len(self)
            return faiss.SearchParametersHNSW(efSearch=int(np.ceil(breadth)), **selected)
        if kind == "ivf" and self._grouped:
            cells = self._index.nlist
            share = 1.0 if everywhere else self._config.cells_searched
            return faiss.SearchParametersIVF(nprobe=int(np.ceil(share * cells)), **selected)
        return faiss.SearchParameters(**selected)

    def _everything(self, rows: Floats, keep: int) -> Ints:
        """Slots of the nearest among all vectors."""
        index = self._faiss.downcast_index(self._index.storage) if self._config.kind == "hnsw" else self._index
        return np.asarray(index.search(rows, keep, params=self._parameters(keep, everywhere=True))[1])

    def _living(self) -> tuple[Ints, Floats]:
        """The ids and vectors that were not removed."""
        slots = np.flatnonzero(self._alive[: self._used])
        return self._ids[slots], self._vectors(slots)

    def _vectors(self, slots: Ints) -> Floats:
        return np.asarray(self._index.reconstruct_batch(np.ascontiguousarray(slots)), dtype=np.float32)

    def _build(self, ids: Ints, vectors: Floats) -> None:
        """Start again with these vectors, all at once."""
        self._index = self._made(len(ids))
        if self._grouped:
            self._index.train(vectors)
        self._index.add(vectors)
        self._slots = {}
        self._note(ids, 0, len(ids))

    def _note(self, ids: Ints, start: int, stop: int) -> None:
        """Write down which ids are in the slots from `start` to `stop`."""
        if stop > len(self._ids):
            room = max(stop + stop // 2, 1024)
            self._ids = np.concatenate([self._ids[:start], np.full(room - start, -1)])
            self._alive = np.concatenate([self._alive[:start], np.zeros(room - start, dtype=np.bool_)])
        self._ids[start:stop] = ids
        self._alive[start:stop] = True
        self._slots.update(zip(ids.tolist(), range(start, stop), strict=True))

    def _made(self, count: int) -> Any:
        """An empty index that is about to hold so many vectors."""
        faiss, config = self._faiss, self._config
        measure = faiss.METRIC_INNER_PRODUCT if self.metric == "cosine" else faiss.METRIC_L2
        self._grouped = count if config.kind == "ivf" and count >= CELLS_FROM else 0
        if config.kind == "hnsw":
            index = faiss.IndexHNSWFlat(self.width, config.links, measure)
            index.hnsw.efConstruction = config.build_breadth
            return index
        flat = faiss.IndexFlat(self.width, measure)
        if not self._grouped:
            return flat
        index = faiss.IndexIVFFlat(flat, self.width, int(np.sqrt(count)), measure)
        # From an id to its cell, so that vectors can be read back.
        index.set_direct_map_type(faiss.DirectMap.Array)
        return index


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingDependency(
            "the index 'faiss' needs FAISS, which is not installed: pip install 'kinelex[search]'"
        ) from None
    return faiss
