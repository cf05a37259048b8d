"""Sentence vectors as the model sees them: spread out, drawn to what it was trained on, and no place too crowded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LEANING = 0.8
"""How far a text is drawn towards training phrases that mean something similar.

This and the three numbers below come from a coarse grid on data sets that were left out of training; what leaning and
crowding are worth there, ``benchmarks/results/leave-out.json`` shows.
"""
LEANING_TEMPERATURE = 0.05
"""Of the softmax over cosines by which training phrases share in that: near ones only."""
NEIGHBOURS = 5
"""Training prototypes that tell how crowded it is around a text."""
CROWDING = 0.6
"""The share of its cosine to them that a text loses; half of it in the source."""


def _none() -> NDArray[np.float32]:
    return np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class TextSpace:
    """Turns vectors of a frozen text encoder into directions that windows can be compared with.

    Sentences about activities all lie in one narrow cone (mean cosine about 0.5 for MiniLM), where cosines hardly
    tell them apart. Taking the vocabulary's mean vector out spreads them over the sphere (Mu, Viswanath,
    "All-but-the-top", 2018, section 2).

    Windows were only ever drawn to the texts of training labels, so the other directions of the space mean little. A
    text is therefore drawn towards the phrases of training labels that are most like it (as windows are in Norouzi et
    al., "Zero-shot learning by convex combination of semantic embeddings", 2014, section 3).

    Args:
        center: ``(text,)``, what is subtracted; zeros leave directions as they are.
        anchors: ``(phrase, text)`` unit vectors, in this space, of the training labels and their synonyms; without
            any, texts stay where they are.
        prototypes: ``(label, text)`` unit vectors, the mean direction of the training windows of each label; without
            any, no place is crowded.
    """

    center: NDArray[np.float32]
    anchors: NDArray[np.float32] = field(default_factory=_none)
    prototypes: NDArray[np.float32] = field(default_factory=_none)

    def project(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(label, text)`` unit vectors of the encoder to unit vectors of this space, each prototype by itself."""
        if raw.shape[1] != len(self.center):
            return self.project(raw.reshape(-1, len(self.center))).reshape(raw.shape)
        centered = _unit(raw - self.center)
        if not len(self.anchors):
            return centered
        likeness = _cosines(centered, self.anchors) / LEANING_TEMPERATURE
        weight = np.exp(likeness - likeness.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        return _unit(centered + LEANING * np.einsum("la,at->lt", weight, self.anchors))

    def crowding(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """How near each text is to whatever movement there is: what to take off its cosines before comparing.

        Some texts ("opening a door") lie close to windows of every kind, and would win against texts that say the
        right thing from farther away. A text is measured by the mean cosine to the training prototypes that are
        nearest to it, and loses a share of it.

        Args:
            vectors: ``(label, text)`` unit vectors of this space.

        Returns:
            ``(label,)``, to subtract from cosines; zeros without prototypes.

        Source: cross-domain similarity local scaling (Conneau et al., "Word translation without parallel data", 2018,
        section 2.3); the window's own term is the same for all labels and drops out.
        """
        if not len(self.prototypes):
            return np.zeros(len(vectors))
        nearest = np.sort(_cosines(vectors, self.prototypes), axis=1)[:, -NEIGHBOURS:]
        return np.asarray(CROWDING * nearest.mean(axis=1))


def _cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    # einsum, unlike a BLAS product, adds up each row in the same order whatever the number of rows is.
    return np.asarray(np.einsum("lt,rt->lr", left.astype(np.float64), right.astype(np.float64)))


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), dtype=np.float32)
