"""Gravity out of acceleration, and movement along and across it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.errors import BadSamples, UsageError
from kinelex.signal.gravity import STANDARD_GRAVITY, estimate_gravity, split_by_gravity


@settings(max_examples=40)
@given(st.floats(5, 400), st.integers(0, 1000))
def test_walking_does_not_move_the_estimate(movement, rate_hz: float, seed: int) -> None:  # type: ignore[no-untyped-def]
    acc = movement(20, rate_hz, seed=seed)[:, :3]
    still = movement(20, rate_hz, seed=seed, rest=True)[:, :3].mean(axis=0)
    gravity = estimate_gravity(acc, rate_hz)
    inner = slice(round(2 * rate_hz), round(18 * rate_hz))
    assert np.linalg.norm(gravity[inner] - still, axis=1).max() < 0.5
    assert np.linalg.norm(gravity - still, axis=1).max() < 1.5  # at the ends half a step has no other half


def test_the_cutoff_is_where_power_is_halved_and_nothing_is_shifted() -> None:
    times = np.arange(20_000) / 50
    acc = np.repeat(np.sin(2 * np.pi * 0.25 * times)[:, None], 3, axis=1).astype(np.float32)
    slow = estimate_gravity(acc, 50, cutoff_hz=0.25)[5000:15_000, 0]
    assert slow == pytest.approx(np.sin(2 * np.pi * 0.25 * times[5000:15_000]) / np.sqrt(2), abs=0.01)


def test_a_constant_is_kept_to_both_ends_and_over_missing_stretches() -> None:
    acc = np.tile(np.float32([1.0, -5.0, 8.0]), (1000, 1))
    acc[300:500, 1] = np.nan
    gravity = estimate_gravity(acc, 50)
    np.testing.assert_array_equal(np.isnan(gravity), np.isnan(acc))
    expected = np.where(np.isnan(acc), np.nan, [1.0, -5.0, 8.0])
    np.testing.assert_allclose(gravity, expected, rtol=1e-4)


def test_an_axis_without_values_stays_without() -> None:
    acc = np.full((100, 3), 5.0, np.float32)
    acc[:, 2] = np.nan
    gravity = estimate_gravity(acc, 50)
    assert np.isnan(gravity[:, 2]).all()
    assert gravity[:, :2] == pytest.approx(5.0, rel=1e-4)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(-4, 4), st.floats(0, 4))
def test_vertical_and_horizontal_do_not_depend_on_how_the_device_is_turned(seed, lift, push) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    gravity = np.tile(turn @ [0, 0, STANDARD_GRAVITY], (10, 1)).astype(np.float32)
    acc = (gravity + turn @ [push, 0, lift]).astype(np.float32)
    vertical, horizontal = split_by_gravity(acc, gravity)
    assert vertical == pytest.approx(lift, abs=1e-4)
    assert horizontal == pytest.approx(push, abs=1e-4)


def test_without_gravity_nothing_is_vertical() -> None:
    acc = np.ones((10, 3), np.float32)
    vertical, horizontal = split_by_gravity(acc, np.full((10, 3), 0.05, np.float32))
    assert np.isnan(vertical).all()
    assert np.isnan(horizontal).all()


def test_two_axes_are_no_accelerometer() -> None:
    with pytest.raises(BadSamples, match="three axes"):
        estimate_gravity(np.zeros((10, 2), np.float32), 50)


@pytest.mark.parametrize("cutoff_hz", [0.0, 25.0, -1.0])
def test_an_impossible_cutoff_is_a_usage_error(cutoff_hz: float) -> None:
    with pytest.raises(UsageError, match="below 25 Hz"):
        estimate_gravity(np.zeros((10, 3), np.float32), 50, cutoff_hz)
