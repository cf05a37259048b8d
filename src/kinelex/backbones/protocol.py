"""What Kinelex asks of an encoder: one method, or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.signal.recording import Recording


@runtime_checkable
class Backbone(Protocol):
    """Turns windows of a recording into vectors that are near each other where the movements are alike."""

    def embed(self, recording: Recording, starts_s: ArrayLike, window_s: float) -> NDArray[np.float32]:
        """Windows to vectors.

        Args:
            recording: any rate, any channels, any placements.
            starts_s: ``(window,)`` seconds at which the windows begin.
            window_s: their length in seconds.

        Returns:
            ``(window, dim)`` float32; a row of NaN where a window has no usable signal.
        """
        ...


@runtime_checkable
class ClassifyingBackbone(Backbone, Protocol):
    """A backbone that also knows activities."""

    def predict_proba(
        self, recording: Recording, starts_s: ArrayLike, window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float32]:
        """Windows to probabilities of labels.

        Args:
            recording, starts_s, window_s: as in `embed`.
            labels: the activities to choose from.

        Returns:
            ``(window, label)``; rows sum to one, or are NaN where a window has no usable signal.

        Raises:
            BadLabels: a label that the backbone cannot know, or two that mean the same.
        """
        ...
