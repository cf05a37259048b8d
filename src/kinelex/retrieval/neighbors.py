"""What a search finds: the nearest examples of every query, and which of them a query may not use."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UsageError

NO_ID = -1
"""Stands where a query has no further neighbor."""

Search = Callable[[NDArray[np.int64], int], "Neighbors"]
"""Finds so many neighbors for the queries of these row numbers."""

# Neighbors that one round of `search_outside` may hold: 48 MB.
_HELD = 4_000_000


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The nearest examples of every query, best first; equally similar ones by ascending id.

    Args:
        ids: ``(query, k)``, `NO_ID` where there is none; these stand at the end of a row.
        similarity: ``(query, k)``, the larger the nearer, NaN where there is none. What it measures depends on what was
            searched: a cosine, minus a squared distance, a correlation.

    Raises:
        BadSamples: the two are no tables of one shape.
    """

    ids: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.similarity.shape:
            raise BadSamples(
                f"neighbors need ids and similarities of one shape (query, k), not {self.ids.shape} and"
                f" {self.similarity.shape}"
            )

    def __len__(self) -> int:
        """The number of queries."""
        return len(self.ids)

    @classmethod
    def none(cls, queries: int, k: int) -> Neighbors:
        """No neighbor at all for so many queries."""
        return cls(np.full((queries, k), NO_ID, dtype=np.int64), np.full((queries, k), np.nan, dtype=np.float32))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a neighbor, ``(query, k)``."""
        return np.asarray(self.ids != NO_ID)

    def first(self, k: int) -> Neighbors:
        """The best `k` of every query; places beyond what was found are empty."""
        kept = Neighbors(self.ids[:, :k], self.similarity[:, :k])
        missing = k - kept.ids.shape[1]
        if missing <= 0:
            return kept
        empty = Neighbors.none(len(self), missing)
        return Neighbors(np.hstack([kept.ids, empty.ids]), np.hstack([kept.similarity, empty.similarity]))

    def where(self, allowed: NDArray[np.bool_]) -> Neighbors:
        """Only the allowed ones, ``(query, k)``; the others leave their places to those behind them."""
        order = np.argsort(~(allowed & self.present), axis=1, kind="stable")
        ids = np.where(allowed, self.ids, NO_ID)
        similarity = np.where(allowed, self.similarity, np.float32(np.nan))
        return Neighbors(np.take_along_axis(ids, order, axis=1), np.take_along_axis(similarity, order, axis=1))

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each neighbor stands in a table of examples, ``(query, k)``; -1 where there is none.

        Args:
            ids: of the table's examples, ascending, such as `kinelex.retrieval.store.ExampleStore.ids`.

        Raises:
            UsageError: a neighbor that the table does not have: index and store are not of the same moment.
        """
        found = np.searchsorted(ids, self.ids)
        known = (found < len(ids)) & self.present
        known[known] = ids[found[known]] == self.ids[known]
        if (self.present & ~known).any():
            stranger = self.ids[self.present & ~known][0]
            raise UsageError(
                f"example {stranger} was found, and is not among the {len(ids)} given: build the index again"
            )
        return np.where(self.present, found, -1)

    @classmethod
    def stacked(cls, parts: Sequence[Neighbors], k: int) -> Neighbors:
        """The neighbors of several blocks of queries below each other."""
        parts = [Neighbors.none(0, k), *parts]
        return cls(np.concatenate([part.ids for part in parts]), np.concatenate([part.similarity for part in parts]))


def ranked(similarity: NDArray[np.floating], ids: NDArray[np.int64], k: int) -> Neighbors:
    """The `k` best of each query's candidates, in the order that every search keeps to.

    Similarities are rounded to float32 first, so that what looks equal in the result is ordered by id.

    Args:
        similarity: ``(query, candidate)``; NaN for one that is no neighbor at all.
        ids: ``(query, candidate)``, or ``(candidate,)`` where all queries have the same; `NO_ID` for none.
        k: how many.
    """
    rounded = np.asarray(similarity, dtype=np.float32)
    names = np.broadcast_to(np.asarray(ids, dtype=np.int64), rounded.shape)
    worse = np.where(names == NO_ID, np.float32(np.nan), -rounded)
    # NaN is sorted to the end.
    order = np.lexsort((names, worse), axis=1)[:, :k]
    found = -np.take_along_axis(worse, order, axis=1)
    # Without a negative zero.
    found = found + np.float32(0)
    return Neighbors(np.where(np.isnan(found), NO_ID, np.take_along_axis(names, order, axis=1)), found).first(k)


def search_outside(
    search: Search,
    queries: int,
    k: int,
    *,
    ids: NDArray[np.int64],
    own_ids: NDArray[np.int64] | None = None,
    groups: Iterable[Hashable] | None = None,
    own_groups: Iterable[Hashable] | None = None,
) -> Neighbors:
    """The `k` nearest examples that a query may learn from: not itself, and on request nobody of its own group.

    A stored window that is asked about finds itself first, then those that overlap it in time; a gate that is trained
    on such a search learns that retrieval is nearly perfect. More neighbors are asked for until k allowed ones are left
    or there are no more, so that nobody gets fewer than k for this reason.

    Args:
        search: finds neighbors of queries by row number, such as ``lambda rows, k: index.search(vectors[rows], k)``.
        queries: how many there are.
        k: how many neighbors each is to have.
        ids: of all searchable examples, ``(example,)``.
        own_ids: the example that each query itself is, ``(query,)``; `NO_ID` for a query that is not stored.
        groups: whose each example is, ``(example,)``: subjects, or recordings.
        own_groups: whose each query is, ``(query,)``. None, an empty text and -1 are nobody, and nobody is excluded.

    Returns:
        ``(query, k)``; empty places only for a query that has no k allowed examples.

    Raises:
        UsageError: `groups` without `own_groups` or the other way round, or lengths that do not match.

    Examples:
        >>> def search(rows, k):
        ...     return ranked(-abs(np.arange(4.0) - rows[:, None]), np.arange(4), k)
        >>> search_outside(search, 4, 2, ids=np.arange(4), own_ids=np.arange(4)).ids.tolist()
        [[1, 2], [0, 2], [1, 3], [2, 1]]
    """
    own = np.full(queries, NO_ID) if own_ids is None else np.asarray(own_ids, dtype=np.int64)
    if (groups is None) != (own_groups is None):
        raise UsageError(
            "to exclude a query's own group, pass both groups (of the examples) and own_groups (of the queries)"
        )
    numbers: dict[Hashable, int] = {}
    of_examples = np.full(len(ids), -1) if groups is None else _numbered(groups, numbers)
    of_queries = np.full(queries, -1) if own_groups is None else _numbered(own_groups, numbers)
    if len(own) != queries or len(of_queries) != queries or len(of_examples) != len(ids):
        raise UsageError(
            f"there are {queries} queries and {len(ids)} examples, but {len(own)} own ids, {len(of_queries)} own groups"
            f" and {len(of_examples)} groups: pass one per query and one per example"
        )
    order = np.argsort(ids)
    sorted_ids, sorted_groups = np.asarray(ids, dtype=np.int64)[order], of_examples[order]
    sizes = np.bincount(of_examples[of_examples >= 0], minlength=len(numbers) + 1)
    # What is certainly enough: everything that is forbidden, and k more.
    enough = np.minimum(k + 1 + np.where(of_queries >= 0, sizes[of_queries], 0), max(len(ids), k))
    result = Neighbors.none(queries, k)
    left, fetch = np.arange(queries), min(2 * k + 1, max(len(ids), k))
    while len(left):
        lacking = []
        for rows in np.array_split(left, range(max(1, _HELD // fetch), len(left), max(1, _HELD // fetch))):
            found = search(rows, fetch)
            at = np.minimum(np.searchsorted(sorted_ids, found.ids), max(len(ids) - 1, 0))
            group = sorted_groups[at] if len(ids) else np.full(found.ids.shape, -1)
            stranger = (group != of_queries[rows, None]) | (of_queries[rows, None] < 0)
            kept = found.where(found.present & stranger & (found.ids != own[rows, None])).first(k)
            result.ids[rows], result.similarity[rows] = kept.ids, kept.similarity
            lacking.append(rows[~kept.present.all(axis=1) & (enough[rows] > fetch)])
        left = np.concatenate(lacking)
        if len(left):
            fetch = int(min(4 * fetch, enough[left].max()))
    return result


def _numbered(groups: Iterable[Hashable], numbers: dict[Hashable, int]) -> NDArray[np.int64]:
    """A number for every group, and -1 for nobody."""
    nobody = (None, "", -1)
    listed = groups.tolist() if isinstance(groups, np.ndarray) else groups
    return np.asarray(
        [-1 if group in nobody or group != group else numbers.setdefault(group, len(numbers)) for group in listed],
        dtype=np.int64,
    )
