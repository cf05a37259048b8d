"""Padding of exact zeros is no signal."""

from __future__ import annotations

import numpy as np
import pytest

from kinelex.errors import BadSamples
from kinelex.signal.channel import AXES, Channel
from kinelex.signal.recording import Recording
from kinelex.signal.zero_fill import mask_zero_fill

CHANNELS = tuple(Channel(sensor, axis) for sensor in ("acc", "gyro") for axis in AXES)


def test_zeros_on_all_channels_are_made_missing_and_reported(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[:60] = 0.0
    si[500:] = 0.0
    recording = Recording.from_arrays(si, CHANNELS, rate_hz=50)
    missing = np.isnan(recording.samples).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(~missing), np.arange(60, 500))
    assert recording.quality.zero_filled_s == pytest.approx(160 / 50)
    assert any("exactly zero for 3.2 s" in problem for problem in recording.quality.problems())


def test_zeros_on_some_channels_are_values(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement(rest=True)
    si[:, 3:] = 0.0
    assert mask_zero_fill(si, CHANNELS, 50) == 0.0
    assert not np.isnan(si).any()


def test_a_moment_of_zeros_is_kept(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[100:109] = 0.0  # 0.18 s at 50 Hz
    assert mask_zero_fill(si, CHANNELS, 50) == 0.0
    assert (si[100:109] == 0).all()


def test_zeros_without_gravity_are_a_device_at_rest(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement(gravity=False)
    si[300:] = 0.0
    recording = Recording.from_arrays(si, CHANNELS, rate_hz=50, gravity=False)
    assert not np.isnan(recording.samples).any()
    assert recording.quality.zero_filled_s == 0.0


def test_a_gyroscope_alone_may_be_at_rest() -> None:
    still = np.zeros((300, 3), np.float32)
    assert mask_zero_fill(still, CHANNELS[3:], 50) == 0.0


def test_a_stretch_that_is_missing_already_is_not_counted(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[100:200] = np.nan
    assert mask_zero_fill(si, CHANNELS, 50) == 0.0


def test_nothing_but_zeros_is_refused() -> None:
    with pytest.raises(BadSamples, match="exactly zero throughout"):
        Recording.from_arrays(np.zeros((300, 6)), CHANNELS, rate_hz=50)
