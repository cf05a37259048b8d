"""What an engine found, put in the order that all engines keep to: by similarity in float64, then by id."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kinelex.retrieval.indexes.protocol import Metric
from kinelex.retrieval.neighbors import Neighbors, ranked

Floats = NDArray[np.float32]

SPARE = 16
"""How many more than k an engine is asked for, so that equally near ones can be put in order by id."""

# Numbers that `ordered` holds at once in float64: 64 MB.
_HELD = 8_000_000


def ordered(
    queries: Floats,
    slots: NDArray[np.int64],
    ids: NDArray[np.int64],
    vectors: Callable[[NDArray[np.int64]], Floats],
    metric: Metric,
    k: int,
) -> Neighbors:
    """Put what an engine found in order, by similarities in float64.

    Args:
        queries: ``(query, width)``.
        slots: ``(query, candidate)``, where the engine keeps each candidate, -1 for none.
        ids: ``(query, candidate)``, the candidates' ids; what stands where there is none does not matter.
        vectors: gives the vectors ``(slot, width)`` of slots.
        metric: how near is measured.
        k: how many to keep.
    """
    parts = []
    step = max(1, _HELD // max(1, slots.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        some = slots[start : start + step]
        gathered = vectors(np.maximum(some, 0).ravel()).reshape(*some.shape, -1)
        near = similarities(queries[start : start + step], gathered, metric)
        near[some < 0] = np.nan
        parts.append(ranked(near, ids[start : start + step], k))
    return Neighbors.stacked(parts, k)


def lengths(vectors: Floats) -> NDArray[np.float64]:
    """Euclidean lengths ``(vector,)``, in float64 without a copy in float64."""
    return np.asarray(np.sqrt(np.einsum("vw,vw->v", vectors, vectors, dtype=np.float64)))


def similarities(queries: Floats, vectors: Floats, metric: Metric) -> NDArray[np.float64]:
    """Of every query with its own candidates, in float64.

    Args:
        queries: ``(query, width)``.
        vectors: ``(query, candidate, width)``.
        metric: how near is measured.

    Returns:
        ``(query, candidate)``.
    """
    wide, candidates = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "l2":
        away = candidates - wide[:, None]
        return np.asarray(-np.einsum("qcw,qcw->qc", away, away))
    lengths = np.linalg.norm(wide, axis=1)[:, None] * np.linalg.norm(candidates, axis=2)
    return np.asarray(np.einsum("qw,qcw->qc", wide, candidates) / lengths)
