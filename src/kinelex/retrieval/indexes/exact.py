"""Exact search, the reference and the default: float32 finds candidates, float64 puts them in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinelex.retrieval.indexes.checked import CheckedIndex
from kinelex.retrieval.indexes.ordering import SPARE, lengths, ordered
from kinelex.retrieval.indexes.protocol import Metric
from kinelex.retrieval.neighbors import Neighbors

Floats = NDArray[np.float32]

# Products that are held at once: 256 queries with 4,096 vectors are 4 MB, which stays in the cache.
_QUERIES = 256
_VECTORS = 4096
_FEW = 5
_ROUNDING = 2.0**-24
"""Half of float32's step at 1."""


class ExactIndex(CheckedIndex):
    """Compares a query with every vector; nothing to build, nothing to tune, nothing missed.

    The result equals that of float64 arithmetic on the float32 vectors, rounded to float32, ties by ascending id: the
    float32 product only preselects, with a margin that its rounding cannot cross.

    Arguments and errors are those of `CheckedIndex`.
    """

    def __init__(self, width: int, metric: Metric = "cosine") -> None:
        super().__init__(width, metric)
        self._count = 0
        self._vectors: Floats = np.empty((0, width), dtype=np.float32)
        # Per vector: under the cosine one over its length, otherwise its length squared.
        self._terms: Floats = np.empty(0, dtype=np.float32)
        self._ids: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> NDArray[np.int64]:
        """See `VectorIndex.ids`."""
        return np.sort(self._ids[: self._count])

    def _contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.fromiter((one in self._rows for one in ids.tolist()), dtype=np.bool_, count=len(ids))

    def _add(self, ids: NDArray[np.int64], vectors: Floats) -> None:
        start, stop = self._count, self._count + len(ids)
        self._reserve(stop)
        rows = self._scaled(vectors)
        length = lengths(rows)
        self._vectors[start:stop] = rows
        self._terms[start:stop] = 1 / length if self.metric == "cosine" else length**2
        self._ids[start:stop] = ids
        self._rows.update(zip(ids.tolist(), range(start, stop), strict=True))
        self._count = stop

    def _remove(self, ids: NDArray[np.int64]) -> None:
        # The last ones move into the holes: a row's place means nothing.
        holes = np.sort(np.fromiter((self._rows.pop(one) for one in ids.tolist()), dtype=np.int64, count=len(ids)))
        left = self._count - len(ids)
        movers = np.setdiff1d(np.arange(left, self._count), holes)
        holes = holes[holes < left]
        for column in (self._vectors, self._terms, self._ids):
            column[holes] = column[movers]
        self._rows.update(zip(self._ids[holes].tolist(), holes.tolist(), strict=True))
        self._count = left

    def _search(self, queries: Floats, k: int) -> Neighbors:
        rows = self._scaled(queries)
        if self.metric == "cosine":
            rows = np.asarray(rows / lengths(rows)[:, None], dtype=np.float32)
        found = []
        for start in range(0, len(queries), _QUERIES):
            block = slice(start, start + _QUERIES)
            found.append(self._search_block(queries[block], np.ascontiguousarray(rows[block]), k))
        return Neighbors.stacked(found, k)

    def _search_block(self, queries: Floats, rows: Floats, k: int) -> Neighbors:
        scores, places = self._preselected(rows, min(self._count, k + SPARE))
        result = self._ordered(queries, places, k)
        if scores.shape[1] == self._count:
            return result
        # Where one that was left out could be as near as the k-th, all that could be are looked at.
        floor = -np.partition(-scores, k - 1, axis=1)[:, k - 1] - self._margin(rows)
        for query in np.flatnonzero(scores.min(axis=1) >= floor):
            places = self._above(rows[query], floor[query])
            near = self._ordered(queries[query, None], places[None], k)
            result.ids[query], result.similarity[query] = near.ids[0], near.similarity[0]
        return result

    def _preselected(self, rows: Floats, keep: int) -> tuple[Floats, NDArray[np.int64]]:
        """The best `keep` by the float32 product, in no order: their scores and their places, ``(query, keep)``."""
        scores = np.empty((len(rows), 0), dtype=np.float32)
        places = np.empty((len(rows), 0), dtype=np.int64)
        for start in range(0, self._count, _VECTORS):
            block = self._scores(rows, start)
            # Sorting a block takes as long as reading it: only what is better than the best so far has to be sorted.
            kept = _best(block, keep) if scores.shape[1] < keep else _better(block, scores.min(axis=1), keep)
            if not kept.shape[1]:
                continue
            new = np.where(kept >= 0, np.take_along_axis(block, np.maximum(kept, 0), axis=1), -np.inf)
            scores, places = np.hstack([scores, new]), np.hstack([places, kept + start])
            if scores.shape[1] > keep:
                kept = _best(scores, keep)
                scores = np.take_along_axis(scores, kept, axis=1)
                places = np.take_along_axis(places, kept, axis=1)
        return scores, places

    def _scores(self, rows: Floats, start: int) -> Floats:
        """What grows with the similarity to a block of vectors: the cosine, or 2 q.x - x.x."""
        block = self._vectors[start : min(start + _VECTORS, self._count)]
        stop = start + len(block)
        # For a few queries, dots row by row go as fast as memory is read; a matrix product takes twice as long.
        product: Floats = np.stack([np.vecdot(block, row) for row in rows]) if len(rows) < _FEW else rows @ block.T
        if self.metric == "cosine":
            product *= self._terms[start:stop]
        else:
            product *= 2
            product -= self._terms[start:stop]
        return product

    def _above(self, row: Floats, floor: float) -> NDArray[np.int64]:
        blocks = range(0, self._count, _VECTORS)
        return np.concatenate([np.flatnonzero(self._scores(row[None], start)[0] >= floor) + start for start in blocks])

    def _margin(self, rows: Floats) -> NDArray[np.float64]:
        """By how much rounding can part two vectors that are equally near, ``(query,)``.

        Source: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1 (error of an inner product).
        """
        error = 2 * (self.width + 8) * _ROUNDING
        if self.metric == "cosine":
            return np.full(len(rows), error)
        longest = float(np.sqrt(self._terms[: self._count].max()))
        return np.asarray(error * (lengths(rows) + longest) ** 2)

    def _ordered(self, queries: Floats, places: NDArray[np.int64], k: int) -> Neighbors:
        return ordered(queries, places, self._ids[places], lambda some: self._vectors[some], self.metric, k)

    def _scaled(self, vectors: Floats) -> Floats:
        """Under the cosine, of a length near one, by a power of two: no bit of the direction is lost."""
        if self.metric == "l2":
            return vectors
        _, powers = np.frexp(lengths(vectors)[:, None])
        return np.asarray(np.ldexp(vectors, -powers))

    def _reserve(self, count: int) -> None:
        """Room for so many, and half as much again: adding one example seldom copies the others."""
        if count <= len(self._ids):
            return
        room = max(count + count // 2, 1024)
        vectors = np.empty((room, self.width), dtype=np.float32)
        terms, ids = np.empty(room, dtype=np.float32), np.empty(room, dtype=np.int64)
        for new, old in ((vectors, self._vectors), (terms, self._terms), (ids, self._ids)):
            new[: self._count] = old[: self._count]
        self._vectors, self._terms, self._ids = vectors, terms, ids


def _better(scores: Floats, floor: Floats, keep: int) -> NDArray[np.int64]:
    """Columns of each row's scores above its floor, in no order and filled up with -1; of more than `keep` the best."""
    row, column = np.nonzero(scores > floor[:, None])
    counts = np.bincount(row, minlength=len(scores))
    most = int(counts.max())
    if most > keep:
        return _best(scores, keep)
    found = np.full((len(scores), most), -1)
    found[row, np.arange(len(row)) - (np.cumsum(counts) - counts)[row]] = column
    return found


def _best(scores: Floats, keep: int) -> NDArray[np.int64]:
    """Columns of each row's best scores, in no order."""
    if scores.shape[1] <= keep:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    return np.asarray(np.argpartition(scores, scores.shape[1] - keep, axis=1)[:, -keep:])
