"""The physical features of the windows of recordings: what a gate looks at, whatever was worn where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones.adaptation import adapt_many
from kinelex.backbones.contract import ACC, InputContract
from kinelex.retrieval.features import physical_features
from kinelex.signal.recording import Recording

FEATURE_RATE_HZ = 20.0
"""Of the signal that physical features are taken from, as published."""

FEATURE_CHANNELS = ACC
"""What they are features of: the sensor that nearly every device has."""

_CONTRACT = InputContract(rate_hz=FEATURE_RATE_HZ, channels=FEATURE_CHANNELS, missing="masked", gravity="either")


def window_features(requests: Sequence[tuple[Recording, NDArray[np.float64]]], window_s: float) -> NDArray[np.float64]:
    """The physical features of windows' acceleration.

    Args:
        requests: recordings, each with the starts of its windows in seconds.
        window_s: their length in seconds.

    Returns:
        ``(window, feature)`` in the order of the requests, means over the placements that have the feature; NaN where
        none has it.
    """
    clips = adapt_many(requests, window_s, _CONTRACT)
    rows = physical_features(clips.signal, clips.valid, rate_hz=FEATURE_RATE_HZ)
    there = np.isfinite(rows)
    sums, counts = np.zeros((clips.windows, rows.shape[1])), np.zeros((clips.windows, rows.shape[1]))
    np.add.at(sums, clips.owner, np.where(there, rows, 0.0))
    np.add.at(counts, clips.owner, there)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
