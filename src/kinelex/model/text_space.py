"""Sentence vectors as the model sees them: around the vocabulary's mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TextSpace:
    """Centers and renormalizes the vectors of a frozen text encoder.

    Sentences about activities all lie in one narrow cone (mean cosine about 0.5 for MiniLM), where cosines hardly
    tell them apart. Taking the vocabulary's mean vector out spreads them over the sphere (Mu, Viswanath,
    "All-but-the-top", 2018, section 2).

    Args:
        center: ``(text,)``, what is subtracted; zeros leave directions as they are.
    """

    center: NDArray[np.float32]

    def project(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(label, text)`` unit vectors of the encoder to unit vectors of this space."""
        centered = raw - self.center
        length = np.linalg.norm(centered, axis=-1, keepdims=True)
        return np.asarray(centered / np.maximum(length, 1e-12), dtype=np.float32)
