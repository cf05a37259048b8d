"""What all engines share: input is checked once, the same way, before anything changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import RLock
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.errors import BadSamples, UsageError
from kinelex.retrieval.indexes.ordering import lengths
from kinelex.retrieval.indexes.protocol import Metric
from kinelex.retrieval.neighbors import Neighbors

_LONGEST = 1e18
"""Length of a vector whose square float32 still holds."""


class CheckedIndex(ABC):
    """A vector index whose engine sees sound input only; see `VectorIndex` for what each call does.

    Calls from several threads take turns.

    Args:
        width: the length of a vector.
        metric: how near is measured.

    Raises:
        UsageError: a width below 1, or an unknown metric.
    """

    def __init__(self, width: int, metric: Metric = "cosine") -> None:
        if width < 1:
            raise UsageError(f"an index needs vectors of at least one number, not {width}")
        if metric not in get_args(Metric):
            raise UsageError(f"there is no metric '{metric}': use one of {', '.join(get_args(Metric))}")
        self._width = width
        self._metric: Metric = metric
        self._turn = RLock()

    @property
    def metric(self) -> Metric:
        """How near is measured."""
        return self._metric

    @property
    def width(self) -> int:
        """The length of a vector."""
        return self._width

    @property
    def shared(self) -> bool:
        """See `VectorIndex.shared`."""
        return False

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def ids(self) -> NDArray[np.int64]:
        """See `VectorIndex.ids`."""

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors under new ids; see `VectorIndex.add`."""
        names, rows = _checked_ids(ids), self._checked_vectors(vectors, "vector")
        if len(names) != len(rows):
            raise BadSamples(f"there are {len(names)} ids for {len(rows)} vectors: pass one id per vector")
        with self._turn:
            taken = names[self._contains(names)]
            if len(taken):
                raise UsageError(f"{_listed(taken)} in the index already: remove it first, or use a new id")
            if len(names):
                self._add(names, rows)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors; see `VectorIndex.remove`."""
        names = _checked_ids(ids)
        with self._turn:
            unknown = names[~self._contains(names)]
            if len(unknown):
                raise UsageError(f"{_listed(unknown)} not in the index: nothing was removed")
            if len(names):
                self._remove(names)

    def search(self, queries: ArrayLike, k: int) -> Neighbors:
        """The nearest vectors of every query; see `VectorIndex.search`."""
        if k < 1:
            raise UsageError(f"a search for {k} neighbors finds nothing: ask for k=1 or more")
        rows = self._checked_vectors(queries, "query")
        with self._turn:
            reachable = min(k, len(self))
            if not reachable or not len(rows):
                return Neighbors.none(len(rows), k)
            return self._search(rows, reachable).first(k)

    @abstractmethod
    def _contains(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the ids are there."""

    @abstractmethod
    def _add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add at least one vector; all of the ids are new."""

    @abstractmethod
    def _remove(self, ids: NDArray[np.int64]) -> None:
        """Remove at least one vector; all of the ids are there."""

    @abstractmethod
    def _search(self, queries: NDArray[np.float32], k: int) -> Neighbors:
        """Search for at least one query; k is at least 1, and at most the number of vectors."""

    def _measurable(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """At unit length under the cosine, which is an inner product then; what engines keep."""
        if self.metric == "l2":
            return vectors
        return np.asarray(vectors / lengths(vectors)[:, None], dtype=np.float32)

    def _checked_vectors(self, vectors: ArrayLike, what: str) -> NDArray[np.float32]:
        try:
            with np.errstate(over="ignore"):
                rows = np.ascontiguousarray(vectors, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise BadSamples(f"{what}s are no table of numbers ({error}): pass one row per {what}") from None
        if rows.size == 0 and rows.ndim < 2:
            rows = rows.reshape(0, self._width)
        if rows.ndim != 2 or rows.shape[1] != self._width:
            raise BadSamples(
                f"the index holds vectors of {self._width} numbers: a {what} table of shape {rows.shape} does not fit"
            )
        length = lengths(rows)
        wrong = np.flatnonzero(~np.isfinite(length))
        if len(wrong):
            raise BadSamples(f"{what} {wrong[0]} has NaN or infinity: leave out windows without usable signal")
        if self._metric == "cosine" and len(wrong := np.flatnonzero(length == 0)):
            raise BadSamples(
                f"{what} {wrong[0]} is all zeros, which has no direction: leave it out, or use metric='l2'"
            )
        if self._metric == "l2" and len(wrong := np.flatnonzero(length > _LONGEST)):
            raise BadSamples(f"{what} {wrong[0]} is longer than {_LONGEST:g}: scale the vectors down")
        return rows


def _checked_ids(ids: ArrayLike) -> NDArray[np.int64]:
    names = np.asarray(ids)
    if names.size == 0 and names.ndim <= 1:
        return np.empty(0, dtype=np.int64)
    if names.ndim != 1 or names.dtype.kind not in "iu":
        raise UsageError(f"ids are a list of whole numbers, not {names.dtype} of shape {names.shape}")
    names = names.astype(np.int64)
    if names.min() < 0:
        raise UsageError(f"id {names.min()} is negative: ids count from 0")
    values, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise UsageError(f"id {values[counts > 1][0]} is listed twice: name each example once")
    return names


def _listed(ids: NDArray[np.int64]) -> str:
    shown = ", ".join(str(one) for one in ids[:5])
    return f"id {shown} is" if len(ids) == 1 else f"ids {shown}{', ...' if len(ids) > 5 else ''} are"
