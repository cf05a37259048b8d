"""What retrieval asks of a vector index."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.retrieval.neighbors import Neighbors

Metric = Literal["cosine", "l2"]
"""``cosine``, or ``l2``: minus the squared Euclidean distance."""


@runtime_checkable
class VectorIndex(Protocol):
    """Finds the nearest of many vectors; one contract test holds all engines to what stands here.

    Every call happens whole or not at all. Vectors and queries are compared as float32. One that holds NaN or infinity
    is refused, and with the cosine a vector of zeros too, for it points nowhere: leave out windows without signal.
    """

    @property
    def metric(self) -> Metric:
        """How near is measured."""
        ...

    @property
    def width(self) -> int:
        """The length of a vector."""
        ...

    @property
    def shared(self) -> bool:
        """Whether others may have added or removed vectors meanwhile."""
        ...

    def __len__(self) -> int:
        """How many vectors there are."""
        ...

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of all vectors, ascending."""
        ...

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors.

        Args:
            ids: ``(example,)``, not negative, none of them twice, none of them there already. One that was removed may
                come back.
            vectors: ``(example, width)``.

        Raises:
            UsageError: an id that is taken, listed twice, negative or no whole number.
            BadSamples: vectors of another width or number, NaN, infinity, or zeros under the cosine.
        """
        ...

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors.

        Args:
            ids: ``(example,)``.

        Raises:
            UsageError: an id that is not there, or listed twice.
        """
        ...

    def search(self, queries: ArrayLike, k: int) -> Neighbors:
        """The nearest vectors of every query.

        Args:
            queries: ``(query, width)``; none at all is fine.
            k: how many each is to have.

        Returns:
            ``(query, k)``; the places that a smaller index cannot fill are empty.

        Raises:
            UsageError: k below 1.
            BadSamples: as with `add`.
        """
        ...
