"""What encoders of clips have in common: adapt, encode in batches, pool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.backbones.adaptation import Clips, adapt
from kinelex.backbones.contract import InputContract
from kinelex.backbones.known_labels import chosen
from kinelex.errors import BadSamples
from kinelex.signal.recording import Recording

BATCH_CLIPS = 256
"""Clips that go through an encoder at once; bounds the memory."""

OfClips = Callable[[NDArray[np.float32], NDArray[np.bool_]], ArrayLike]


class ClipEncoder(ABC):
    """A backbone that embeds clips of the form that its contract states; subclasses say how.

    It has the fields ``name``, ``contract``, ``dim`` and ``trained_on`` (names of the data sets that its weights saw,
    where that is known: figures on those sets mean nothing).
    """

    name: str
    contract: InputContract
    trained_on: tuple[str, ...]

    @property
    @abstractmethod
    def dim(self) -> int:
        """The length of a window's vector."""

    @abstractmethod
    def encode(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> ArrayLike:
        """Clips ``(clip, channel, step)`` and which of their samples were measured to vectors ``(clip, dim)``."""

    def embed(self, recording: Recording, starts_s: ArrayLike, window_s: float) -> NDArray[np.float32]:
        """Windows of a recording to vectors; see `Backbone.embed`."""
        clips = adapt(recording, starts_s, window_s, self.contract)
        return clips.pooled(of_clips(self.encode, clips, self.dim, self.name))


class ClipClassifier(ClipEncoder):
    """An encoder of clips with a classifier of its own behind it.

    It also has ``labels``, the activities that the classifier knows.
    """

    labels: tuple[str, ...]

    @abstractmethod
    def classify(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> ArrayLike:
        """Clips as in `encode` to probabilities ``(clip, label)`` of `labels`."""

    def predict_proba(
        self, recording: Recording, starts_s: ArrayLike, window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float32]:
        """Windows of a recording to probabilities of those labels; see `ClassifyingBackbone.predict_proba`.

        The classifier's other activities are left out, and the rest is brought to one.

        Raises:
            BadLabels: a label that the classifier does not know, or two that mean the same.
        """
        columns = chosen(labels, self.labels, self.name)
        clips = adapt(recording, starts_s, window_s, self.contract)
        shares = clips.pooled(of_clips(self.classify, clips, len(self.labels), self.name))[:, columns]
        total = shares.sum(axis=1, keepdims=True)
        nothing = total[:, 0] == 0  # of what was asked for; every label is as likely as any other
        shares[nothing], total[nothing] = 1 / len(columns), 1
        return np.asarray(shares / total, dtype=np.float32)


def of_clips(function: OfClips, clips: Clips, width: int, name: str) -> NDArray[np.float32]:
    """Run a function on clips, batch by batch.

    Raises:
        BadSamples: it gave anything but one finite row of that width for every clip.
    """
    rows = np.empty((len(clips.signal), width), np.float32)
    for first in range(0, len(rows), BATCH_CLIPS):
        part = slice(first, first + BATCH_CLIPS)
        found = np.asarray(function(clips.signal[part], clips.valid[part]))
        if found.shape != rows[part].shape or not np.isfinite(found).all():
            finite = "" if np.isfinite(found).all() else ", not all finite"
            raise BadSamples(
                f"backbone '{name}' gave an array of shape {found.shape}{finite} for {len(rows[part])} clips:"
                f" it must give finite numbers of shape ({len(rows[part])}, {width})"
            )
        rows[part] = found
    return rows
