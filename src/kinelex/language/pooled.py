"""A text encoder whose sentence vectors come from a pooling of one's own, learned or not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UsageError
from kinelex.language.encoder import TextEncoder, batches
from kinelex.language.folder import REVISION_DIGITS
from kinelex.language.tokens import padded, token_lists

Pooling = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]
"""From token vectors ``(text, token, width)`` and their mask ``(text, token)`` to ``(text, dim)``."""


class PooledEncoder:
    """The tokens of one text encoder, pooled by something else.

    A text encoder like any other: `label_vectors` and `prompt_vectors` take it, and as its revision tells which pooling
    it has, the cache keeps the vectors of each apart.

    Args:
        encoder: gives the tokens; frozen.
        pool: turns tokens and mask into one vector per text; that is brought to unit length here.
        fingerprint: what pins the pooling, such as a hash of its weights: another one whenever `pool` gives other
            vectors.
        name: what to call it; the encoder's name by default.
        cache: where the tokens are kept, as in `token_vectors`; nowhere by default, since vectors are.

    Raises:
        UsageError: the pooling gives no row per text, here or later, or a row without a direction.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        pool: Pooling,
        fingerprint: str,
        *,
        name: str | None = None,
        cache: str | Path | bool = False,
    ) -> None:
        self.name = name or encoder.name
        both = hashlib.sha256(f"{encoder.revision} {fingerprint}".encode())
        self.revision = both.hexdigest()[:REVISION_DIGITS]
        self._encoder, self._pool, self._cache = encoder, pool, cache
        self.dim = self._pooled(["a"], *encoder.encode_tokens(["a"])).shape[1]

    def encode_tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Vectors ``(text, token, width)`` of every token, and a mask ``(text, token)``, as the encoder gives them."""
        return self._encoder.encode_tokens(texts)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors ``(text, dim)`` of unit length."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        lists = token_lists(texts, self._encoder, cache=self._cache)
        for rows in batches(texts):
            vectors[rows] = self._pooled([texts[row] for row in rows], *padded([lists[row] for row in rows]))
        return vectors

    def _pooled(
        self, texts: Sequence[str], tokens: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        vectors = np.asarray(self._pool(tokens, mask), np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise UsageError(
                f"the pooling of '{self.name}' gave {vectors.shape} for {len(texts)} texts: it must give (text, dim)"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        for text, length in zip(texts, lengths, strict=True):
            if not 0 < length < np.inf:
                raise UsageError(
                    f"the pooling of '{self.name}' gave a vector of length {length} for '{text}', which points "
                    "nowhere: look at its weights"
                )
        return np.asarray(vectors / lengths[:, None], np.float32)
