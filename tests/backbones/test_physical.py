"""Physical features of recordings: those of the acceleration, whatever was worn where."""

from __future__ import annotations

import numpy as np

from kinelex.backbones.physical import FEATURE_CHANNELS, FEATURE_RATE_HZ, window_features
from kinelex.retrieval.features import feature_names, physical_features
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Recording


def recording(*places: str, sensor: str = "acc", seed: int = 0) -> Recording:
    """Something at the rate of the features, so that nothing is resampled."""
    channels = tuple(Channel(sensor, axis, place) for place in places for axis in "xyz")
    samples = np.random.default_rng(seed).normal(size=(240, len(channels))).astype(np.float32)
    return Recording(samples, FEATURE_RATE_HZ, channels, name="r")


def test_features_are_those_of_the_windows_in_their_order() -> None:
    one, other = recording("wrist"), recording("hip", seed=1)
    found = window_features([(one, np.array([0.0, 6.0])), (other, np.array([6.0]))], 6.0)
    cut = np.stack([one.samples[:120].T, one.samples[120:].T, other.samples[120:].T])
    assert found.shape == (3, len(feature_names(FEATURE_CHANNELS)))
    np.testing.assert_allclose(found, physical_features(cut, rate_hz=FEATURE_RATE_HZ), rtol=1e-5)


def test_several_placements_count_alike_and_without_acceleration_there_is_nothing() -> None:
    both, start = recording("wrist", "hip"), np.array([0.0])
    apart = [Recording(both.samples[:, part], FEATURE_RATE_HZ, both.channels[part], name="r")
             for part in (slice(0, 3), slice(3, 6))]  # fmt: skip
    alone = [window_features([(one, start)], 6.0) for one in apart]
    np.testing.assert_allclose(window_features([(both, start)], 6.0), np.mean(alone, axis=0), rtol=1e-6)
    assert np.isnan(window_features([(recording("wrist", sensor="gyro"), start)], 6.0)).all()
