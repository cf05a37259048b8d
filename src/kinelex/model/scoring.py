"""From embeddings and label vectors to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def label_logits(
    embeddings: NDArray[np.floating],
    vectors: NDArray[np.floating],
    *,
    scale: float,
    crowding: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Scale x (cosine - crowding), ``(window, label)``; see `probabilities`."""
    prototypes = vectors.astype(np.float64).reshape(len(vectors), -1, embeddings.shape[1])
    # einsum, unlike a BLAS product, adds up each row in the same order whatever the number of rows is.
    cosine = np.max(
        [np.einsum("wt,lt->wl", embeddings.astype(np.float64), prototypes[:, k]) for k in range(prototypes.shape[1])], 0
    )
    return np.asarray(scale * (cosine if crowding is None else cosine - crowding))


def probabilities(
    embeddings: NDArray[np.floating],
    vectors: NDArray[np.floating],
    *,
    scale: float,
    crowding: NDArray[np.floating] | None = None,
    temperature: float = 1.0,
) -> NDArray[np.float32]:
    """Softmax over labels of scale x (cosine - crowding) / temperature.

    A window without usable signal has no direction in the text space: its row of NaN stays a row of NaN, never a guess.
    Each row depends on its own window only, so results do not change with what else is in the batch.

    Args:
        embeddings: ``(window, text)`` unit vectors; NaN rows for windows without signal.
        vectors: ``(label, text)`` unit vectors of the labels; several prototypes of a label lie side by side, and the
            one that is nearest to a window counts.
        scale: the model's learned factor from cosine to logit.
        crowding: ``(label,)``, what texts that are near to every movement lose; see `TextSpace.crowding`.
        temperature: the calibrated divisor of the logits; above 1 is less sure.

    Returns:
        ``(window, label)``; every finite row sums to one.

    >>> probabilities(np.eye(2), np.eye(2), scale=10.0).round(3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    logits = label_logits(embeddings, vectors, scale=scale, crowding=crowding)
    return softmax(logits / temperature).astype(np.float32)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax along the last axis, safe for logits of any size."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
