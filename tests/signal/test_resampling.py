"""Another rate: what is below the lower Nyquist frequency stays, what is above goes, what is missing stays missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.errors import BadSamples, UsageError
from kinelex.signal.resampling import resample

rates = st.one_of(st.integers(5, 400).map(float), st.floats(5, 400))


def _sine(hz: float, rate_hz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.sin(2 * np.pi * hz * times + 0.5)[:, None].astype(np.float32)


@settings(max_examples=40)
@given(rates, rates, st.floats(0.02, 0.37))
def test_a_sine_below_both_nyquist_frequencies_keeps_amplitude_and_phase(rate_hz, to_hz, share) -> None:  # type: ignore[no-untyped-def]
    slower = min(rate_hz, to_hz)
    seconds = 80 / slower
    out = resample(_sine(share * slower, rate_hz, seconds), rate_hz, to_hz)
    expected = _sine(share * slower, to_hz, seconds + 1)[: len(out)]
    inner = slice(int(20 / slower * to_hz), int(60 / slower * to_hz))
    assert out[inner] == pytest.approx(expected[inner], abs=5e-3)


@settings(max_examples=40)
@given(rates, st.floats(0.05, 0.8), st.floats(0.51, 0.95))
def test_a_sine_above_the_new_nyquist_frequency_is_gone_and_not_folded(rate_hz, ratio, share) -> None:  # type: ignore[no-untyped-def]
    to_hz = rate_hz * ratio
    hz = to_hz / 2 + (rate_hz / 2 - to_hz / 2) * share
    if hz < 0.51 * to_hz:
        hz = 0.51 * to_hz
    out = resample(_sine(hz, rate_hz, 80 / to_hz), rate_hz, to_hz)
    assert np.abs(out[20:60]).max() < 5e-3


@given(rates, rates, st.integers(1, 300))
def test_the_duration_stays(rate_hz, to_hz, rows) -> None:  # type: ignore[no-untyped-def]
    out = resample(np.zeros((rows, 1), np.float32), rate_hz, to_hz)
    assert len(out) == pytest.approx(rows * to_hz / rate_hz, abs=1.01)


@settings(max_examples=40)
@given(rates, rates, st.integers(2, 200))
def test_a_constant_and_a_ramp_come_out_as_they_went_in_up_to_the_ends(rate_hz, to_hz, rows) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(rows) / rate_hz
    out = resample(np.stack([np.full(rows, 9.81), times], axis=1).astype(np.float32), rate_hz, to_hz)
    after = np.arange(len(out)) / to_hz
    inner = after <= times[-1] + 1e-9
    assert out[:, 0] == pytest.approx(9.81, abs=1e-4)
    if rows > 40 * max(1, rate_hz / to_hz):  # a shorter one has no inside
        assert out[inner, 1] == pytest.approx(after[inner], abs=0.01 / min(rate_hz, to_hz) + 1e-4)


@settings(max_examples=40)
@given(rates, rates, st.floats(0.2, 0.4), st.floats(0.1, 0.4))
def test_a_missing_stretch_stays_missing_and_does_not_touch_what_is_there(rate_hz, to_hz, begin, length) -> None:  # type: ignore[no-untyped-def]
    rows = 300
    samples = np.full((rows, 2), 9.81, dtype=np.float32)
    first, last = int(begin * rows), int((begin + length) * rows)
    samples[first:last, 0] = np.nan
    out = resample(samples, rate_hz, to_hz)
    position = np.arange(len(out)) * rate_hz / to_hz  # in samples
    missing = np.isnan(out[:, 0])
    assert missing[(position >= first) & (position <= last - 1)].all()
    assert not missing[(position < first - 1) | (position > last)].any()
    assert out[~missing, 0] == pytest.approx(9.81, abs=1e-4)
    assert not np.isnan(out[:, 1]).any()


def test_the_ends_do_not_ring() -> None:
    # Walking that begins and ends in mid-step, on top of gravity.
    samples = 9.81 + 3 * _sine(2.0, 100, 5.3)
    out = resample(samples, 100, 25)
    assert out[:, 0] == pytest.approx(9.81 + 3 * _sine(2.0, 25, 6)[: len(out), 0], abs=0.25)


def test_equal_rates_leave_the_samples_alone() -> None:
    samples = np.zeros((10, 2), np.float32)
    assert resample(samples, 50, 50) is samples


def test_a_channel_without_values_stays_without() -> None:
    samples = np.full((100, 2), np.nan, np.float32)
    samples[:, 1] = 1.0
    out = resample(samples, 50, 20)
    assert np.isnan(out[:, 0]).all()
    assert out[:, 1] == pytest.approx(1.0)


def test_a_day_drifts_by_less_than_half_a_sample() -> None:
    # Ratios of large terms are rounded; here the last step of a long ramp shows by how much.
    rows = 600_000
    step = np.zeros((rows, 1), np.float32)
    step[rows - 1000 :] = 1.0
    out = resample(step, 100.0, 100.0 * np.sqrt(0.25 + 1e-7))
    crossing = int(np.flatnonzero(out[:, 0] > 0.5)[0]) / (100.0 * np.sqrt(0.25 + 1e-7))
    assert crossing == pytest.approx((rows - 1000) / 100, abs=0.03)


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(0, 50), (50, -1), (50, float("nan")), (float("inf"), 50), (1e6, 1)])
def test_impossible_rates_are_usage_errors(rate_hz: float, to_hz: float) -> None:
    with pytest.raises(UsageError, match="cannot resample from"):
        resample(np.zeros((10, 1), np.float32), rate_hz, to_hz)


@pytest.mark.parametrize("shape", [(10,), (0, 3), (2, 10, 3)])
def test_what_is_no_table_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadSamples, match="pass \\(time, channel\\)"):
        resample(np.zeros(shape, np.float32), 50, 20)
