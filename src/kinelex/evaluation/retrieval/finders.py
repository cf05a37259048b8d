"""Ways to find a window's neighbors among labeled ones, and neighbors by vectors, whole or made shorter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.retrieval.indexes import ExactIndex
from kinelex.retrieval.neighbors import Neighbors
from kinelex.retrieval.projection import Projection

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Finder:
    """Finds the neighbors of windows among examples; both are known by the numbers of the windows.

    Args:
        ids: of the examples, ascending.
        numbers: that it compares of a window.
        search: finds so many neighbors of windows.
        compares_all: whether a query costs the same, however many neighbors are asked for.
    """

    ids: Rows
    numbers: int
    search: Callable[[Rows, int], Neighbors]
    compares_all: bool = False


def by_vectors(vectors: Vectors, labeled: Rows, projection: Projection | None = None) -> Finder:
    """By the cosine of vectors, which a projection may make shorter first.

    Args:
        vectors: ``(window, number)``.
        labeled: windows that are remembered.
        projection: fitted to them.
    """

    def projected(rows: Rows) -> Vectors:
        return vectors[rows] if projection is None else projection.apply(vectors[rows])

    index = ExactIndex(vectors.shape[1] if projection is None else projection.width)
    index.add(labeled, projected(labeled))
    return Finder(labeled, index.width, lambda rows, k: index.search(projected(rows), k))


def unit(vectors: Vectors) -> Vectors:
    """Vectors of length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
