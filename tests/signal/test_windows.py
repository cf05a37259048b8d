"""Windows and patches in seconds, at any rate, for any length from half a window up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import TooShort, UsageError
from kinelex.signal.windows import cut, patches_of, samples_in, windows_of

rates = st.one_of(st.integers(5, 400).map(float), st.floats(5, 400))


@given(st.floats(0.5, 20), st.floats(0.05, 1.0), st.floats(0.5, 30))
def test_windows_cover_a_recording_up_to_less_than_half_a_window(window_s, hop_share, windows) -> None:  # type: ignore[no-untyped-def]
    duration_s, hop_s = windows * window_s, hop_share * window_s
    starts = windows_of(duration_s, window_s, hop_s)
    assert starts[0] == 0.0
    np.testing.assert_allclose(np.diff(starts), hop_s)
    assert duration_s - (starts[-1] + window_s) < window_s / 2 + 1e-5
    # No window is more padding than signal, and none is there twice to cover the same end.
    assert starts[-1] + window_s / 2 <= duration_s + 1e-5
    assert np.count_nonzero(starts + window_s > duration_s + 1e-5) <= 1


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (3.0, [0]),
        (5.9, [0]),
        (6.0, [0]),
        (8.9, [0]),
        (9.0, [0, 6]),
        (12.0, [0, 6]),
        (14.9, [0, 6]),
        (15.0, [0, 6, 12]),
    ],
)
def test_a_rest_counts_from_half_a_window_up(duration_s: float, expected: list[float]) -> None:
    assert windows_of(duration_s, 6.0).tolist() == expected


def test_without_its_tail_a_recording_keeps_only_whole_windows() -> None:
    assert windows_of(17.9, 6.0, keep_tail=False).tolist() == [0, 6]
    assert windows_of(18.0, 6.0, keep_tail=False).tolist() == [0, 6, 12]
    assert windows_of(3.0, 6.0, keep_tail=False).tolist() == [0]
    for rate_hz in (50.0, 100 / 3, 31.25, 99.9):
        assert len(windows_of(1500 / rate_hz, 150 / rate_hz, keep_tail=False)) == 10


@pytest.mark.parametrize("rows", [150, 300, 301, 305, 449, 8_640_000])
def test_a_duration_that_is_a_number_of_samples_is_not_lost_to_rounding(rows: int) -> None:
    for rate_hz in (50.0, 100 / 3, 31.25, 99.9):
        starts = windows_of(rows / rate_hz, 150 / rate_hz)
        assert len(starts) == max(1, rows // 150 + (1 if rows % 150 >= 75 else 0))


def test_less_than_half_a_window_is_an_error_with_both_lengths() -> None:
    with pytest.raises(TooShort, match=r"recording 'a' lasts 2\.98 s, less than half a window of 6 s"):
        windows_of(2.98, 6.0, name="a")


@pytest.mark.parametrize(("window_s", "hop_s"), [(0, 1), (6, 0), (-6, 6), (float("nan"), 1), (6, float("inf"))])
def test_windows_without_length_are_usage_errors(window_s: float, hop_s: float) -> None:
    with pytest.raises(UsageError, match="must be above zero"):
        windows_of(60, window_s, hop_s)


@given(rates, st.integers(10, 500), st.floats(0.3, 8))
def test_windows_hold_the_samples_of_their_seconds_and_nothing_where_there_are_none(rate_hz, rows, window_s) -> None:  # type: ignore[no-untyped-def]
    samples = np.arange(rows, dtype=np.float32)[:, None] * [1, -1]
    duration_s = rows / rate_hz
    if duration_s < window_s / 2:
        return
    starts = windows_of(duration_s, window_s, window_s / 2)
    windows = cut(samples.astype(np.float32), rate_hz, starts, window_s)
    assert windows.shape == (len(starts), samples_in(window_s, rate_hz), 2)
    assert windows.dtype == np.float32
    for window, start in zip(windows, starts, strict=True):
        first = int(np.floor(start * rate_hz + 0.5))
        there = min(len(window), rows - first)
        np.testing.assert_array_equal(window[:there, 0], np.arange(first, first + there))
        np.testing.assert_array_equal(window[:there, 1], -np.arange(first, first + there))
        assert np.isnan(window[there:]).all()


def test_what_lies_before_the_start_is_missing_too() -> None:
    window = cut(np.ones((100, 1), np.float32), 50, [-0.5], 1.0)[0]
    assert np.isnan(window[:25]).all()
    assert (window[25:] == 1).all()


def test_cutting_does_not_change_the_recording() -> None:
    samples = np.ones((100, 1), np.float32)
    cut(samples, 50, [1.5], 1.0)[:] = 7
    assert (samples == 1).all()


@given(rates, st.floats(0.1, 1.0), st.floats(1.0, 6.0))
def test_patches_are_views_of_their_windows_in_seconds(rate_hz, patch_s, window_s) -> None:  # type: ignore[no-untyped-def]
    length, step = samples_in(patch_s, rate_hz), samples_in(patch_s / 2, rate_hz)
    steps = samples_in(window_s, rate_hz)
    if steps < length:
        return
    windows = np.random.default_rng(0).normal(size=(3, steps, 2)).astype(np.float32)
    patches = patches_of(windows, rate_hz, patch_s, patch_s / 2)
    assert patches.shape == (3, (steps - length) // step + 1, length, 2)
    assert np.shares_memory(patches, windows)
    for patch in range(patches.shape[1]):
        np.testing.assert_array_equal(patches[:, patch], windows[:, patch * step : patch * step + length])
    np.testing.assert_array_equal(patches_of(windows[0], rate_hz, patch_s, patch_s / 2), patches[0])


def test_a_window_shorter_than_a_patch_is_too_short() -> None:
    with pytest.raises(TooShort, match=r"0\.50 s holds no patch of 1 s"):
        patches_of(np.zeros((25, 3), np.float32), 50, 1.0)


@pytest.mark.parametrize(("patch_s", "hop_s"), [(0, 1), (1, 0), (float("nan"), 1)])
def test_patches_without_length_are_usage_errors(patch_s: float, hop_s: float) -> None:
    with pytest.raises(UsageError, match="must be above zero"):
        patches_of(np.zeros((100, 3), np.float32), 50, patch_s, hop_s)
