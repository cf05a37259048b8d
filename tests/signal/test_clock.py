"""Timestamps of every kind of disorder, onto an even clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.errors import BadSamples, UnknownRate
from kinelex.signal.clock import regularize

rates = st.one_of(st.integers(5, 400).map(float), st.floats(5.2, 390.0))
seeds = st.integers(0, 2**32 - 1)


def _jittered(rate_hz: float, rows: int, seed: int, share: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 1.7e9 + (np.arange(rows) + random.uniform(-share, share, rows)) / rate_hz


@settings(max_examples=50)
@given(rates, st.integers(20, 300), seeds)
def test_even_timestamps_leave_the_samples_alone(rate_hz: float, rows: int, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)
    even = regularize(samples, times_s=np.arange(rows) / rate_hz, rate_hz=rate_hz)
    assert np.shares_memory(even.samples, samples)
    assert even.rate_hz == rate_hz
    assert even.rate_measured_hz == pytest.approx(rate_hz, rel=1e-6)
    assert (even.gaps, even.duplicates, even.backward, even.untimed) == ((), 0, 0, 0)


@settings(max_examples=50)
@given(rates, st.integers(20, 300), seeds)
def test_the_rate_is_found_in_jittered_timestamps(rate_hz: float, rows: int, seed: int) -> None:
    even = regularize(np.zeros((rows, 1)), times_s=_jittered(rate_hz, rows, seed, share=0.1))
    assert even.rate_hz == pytest.approx(rate_hz, rel=0.03)
    assert even.jitter_s < 0.2 / rate_hz


@settings(max_examples=50)
@given(st.integers(6, 400).map(float), st.integers(20, 300), seeds)
def test_jitter_does_not_move_the_signal_in_time(rate_hz: float, rows: int, seed: int) -> None:
    times = _jittered(rate_hz, rows, seed)
    times.sort()
    ramp = (times - times[0])[:, None]
    even = regularize(ramp, times_s=times, rate_hz=rate_hz)
    expected = np.arange(len(even.samples)) / even.rate_hz
    assert even.rate_hz == pytest.approx(rate_hz, rel=0.2)
    assert len(expected) == pytest.approx(ramp[-1, 0] * even.rate_hz + 1, abs=1)
    assert not np.isnan(even.samples).any()
    assert even.samples[:, 0] == pytest.approx(expected, abs=0.11 / rate_hz)  # a tenth of a period counts as even


@settings(max_examples=50)
@given(st.integers(6, 400).map(float), st.integers(20, 300), seeds)
def test_the_order_of_the_rows_does_not_matter(rate_hz: float, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    samples = random.normal(size=(rows, 2)).astype(np.float32)
    samples[random.random((rows, 2)) < 0.1] = np.nan
    times = _jittered(rate_hz, rows, seed)
    order = random.permutation(rows)
    straight = regularize(samples, times_s=times, rate_hz=rate_hz)
    shuffled = regularize(samples[order], times_s=times[order], rate_hz=rate_hz)
    np.testing.assert_array_equal(shuffled.samples, straight.samples)
    assert shuffled.rate_hz == straight.rate_hz
    assert straight.backward == 0
    assert shuffled.backward == np.count_nonzero(np.diff(times[order]) < 0)


@settings(max_examples=50)
@given(st.integers(6, 400).map(float), st.integers(20, 200), seeds)
def test_repeated_rows_change_nothing_but_the_count(rate_hz: float, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    samples = random.normal(size=(rows, 2)).astype(np.float32)
    times = _jittered(rate_hz, rows, seed)
    repeated = np.sort(np.concatenate([np.arange(rows), random.choice(rows, rows // 3)]))
    once = regularize(samples, times_s=times, rate_hz=rate_hz)
    twice = regularize(samples[repeated], times_s=times[repeated], rate_hz=rate_hz)
    np.testing.assert_allclose(twice.samples, once.samples, rtol=1e-6)
    assert (once.duplicates, twice.duplicates) == (0, rows // 3)


def test_rows_of_one_timestamp_are_averaged_over_what_is_there() -> None:
    times = np.array([0, 1, 1, 1, 2, 3, 4, 5]) / 50
    samples = np.array([[0, 0], [1, np.nan], [3, np.nan], [np.nan, 7], [2, 2], [3, 3], [4, 4], [5, 5]])
    even = regularize(samples, times_s=times)
    np.testing.assert_array_equal(even.samples, [[0, 0], [2, 7], [2, 2], [3, 3], [4, 4], [5, 5]])


@settings(max_examples=50)
@given(rates, st.integers(30, 200), st.integers(5, 25), seeds)
def test_a_pause_is_missing_and_all_around_it_is_kept(rate_hz: float, rows: int, begin: int, seed: int) -> None:
    pause = int(np.random.default_rng(seed).integers(3, 100)) + int(0.1 * rate_hz)
    samples = np.random.default_rng(seed).normal(size=(rows + pause, 2)).astype(np.float32)
    kept = np.r_[0:begin, begin + pause : rows + pause]
    even = regularize(samples[kept], times_s=5.0 + kept / rate_hz, rate_hz=rate_hz)
    expected = samples.copy()
    expected[begin : begin + pause] = np.nan
    np.testing.assert_allclose(even.samples, expected, atol=1e-5)
    assert even.rate_hz == rate_hz
    assert even.gaps == (pytest.approx(((begin - 1) / rate_hz, (begin + pause) / rate_hz)),)


@given(st.integers(30, 400).map(float), st.integers(1, 2), seeds)
def test_a_lost_sample_or_two_are_no_gap(rate_hz: float, lost: int, seed: int) -> None:
    kept = np.r_[0:20, 20 + lost : 60]
    even = regularize(kept[:, None] / rate_hz, times_s=kept / rate_hz, rate_hz=rate_hz)
    assert even.gaps == ()
    assert even.samples[:, 0] == pytest.approx(np.arange(60) / rate_hz, abs=1e-6)


@given(st.integers(10, 400).map(float), st.integers(2, 90), st.booleans(), seeds)
def test_a_missing_value_stays_missing_and_does_not_spread(
    rate_hz: float, at: int, even_clock: bool, seed: int
) -> None:
    samples = np.ones((100, 2), dtype=np.float32)
    samples[at : at + 5, 0] = np.nan
    times = _jittered(rate_hz, 100, seed, share=0.0 if even_clock else 0.2)
    even = regularize(samples, times_s=times, rate_hz=rate_hz)
    lost_s = times[0] + np.flatnonzero(np.isnan(even.samples[:, 0])) / even.rate_hz
    assert 3 <= len(lost_s) <= 7
    nearest = np.abs(lost_s[:, None] - times).argmin(axis=1)
    assert at <= nearest.min() and nearest.max() < at + 5
    assert not np.isnan(even.samples[:, 1]).any()


@pytest.mark.parametrize(("decimals", "rate_hz"), [(3, 50.0), (3, 60.0), (3, 104.0), (3, 31.25), (2, 20.0), (6, 400.0)])
def test_rounded_timestamps_give_the_rate_they_were_rounded_from(decimals: int, rate_hz: float) -> None:
    times = np.round(np.arange(2000) / rate_hz, decimals)
    even = regularize(np.zeros((2000, 1)), times_s=times)
    assert even.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert len(even.samples) == pytest.approx(2000, abs=1)


def test_timestamps_that_come_in_bursts_still_give_the_rate() -> None:
    batches = np.repeat(np.arange(100) * 0.08, 8) + np.tile(np.arange(8) * 0.0004, 100)
    even = regularize(np.zeros((800, 1)), times_s=batches)
    assert even.rate_hz == pytest.approx(100, rel=0.02)
    assert even.gaps == ()


def test_a_clock_that_runs_slow_keeps_its_own_rate_when_it_is_even() -> None:
    even = regularize(np.zeros((5000, 1)), times_s=np.arange(5000) / 49.2, rate_hz=50)
    assert even.rate_hz == pytest.approx(49.2)
    assert len(even.samples) == 5000


def test_rows_without_a_timestamp_are_dropped_and_counted() -> None:
    times = np.arange(100) / 50
    times[[3, 70]] = np.nan
    even = regularize(np.arange(100)[:, None], times_s=times, rate_hz=50)
    assert even.untimed == 2
    assert even.samples[:, 0] == pytest.approx(np.arange(100))


def test_without_timestamps_the_rate_is_taken_as_said() -> None:
    samples = np.zeros((10, 1), dtype=np.float32)
    even = regularize(samples, rate_hz=33.3)
    assert even.rate_hz == 33.3
    assert even.rate_measured_hz is None
    assert np.shares_memory(even.samples, samples)


def test_neither_timestamps_nor_rate_is_an_error_that_says_what_to_pass() -> None:
    with pytest.raises(UnknownRate, match=r"recording 'a\.csv' has no sampling rate: pass rate_hz=50"):
        regularize(np.zeros((10, 1)), name="a.csv")


@pytest.mark.parametrize(("scale", "unit"), [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")])
@given(rate_hz=st.floats(5.5, 390))
def test_timestamps_in_another_unit_are_recognized(scale: float, unit: str, rate_hz: float) -> None:
    with pytest.raises(UnknownRate, match=f"look like {unit}, not seconds: divide them by"):
        regularize(np.zeros((100, 1)), times_s=np.arange(100) / rate_hz * scale, rate_hz=rate_hz)


def test_a_rate_that_contradicts_the_timestamps_is_an_error_that_states_both() -> None:
    with pytest.raises(UnknownRate, match=r"timestamps at 50 Hz, but rate_hz=100 was given"):
        regularize(np.zeros((100, 1)), times_s=np.arange(100) / 50, rate_hz=100)


@pytest.mark.parametrize("rate_hz", [0.0, -50.0, 1.0, 1000.0, float("nan")])
def test_a_rate_that_no_recording_can_have_is_refused(rate_hz: float) -> None:
    with pytest.raises(UnknownRate, match="5 to 400 Hz"):
        regularize(np.zeros((100, 1)), rate_hz=rate_hz)


@pytest.mark.parametrize("rate_hz", [1.0, 3.0, 1000.0])
def test_timestamps_of_a_rate_that_kinelex_does_not_read_are_refused(rate_hz: float) -> None:
    with pytest.raises(UnknownRate, match=f"{rate_hz:g} Hz: Kinelex reads 5 to 400 Hz"):
        regularize(np.zeros((100, 1)), times_s=np.arange(100) / rate_hz)


def test_timestamps_of_whole_seconds_are_refused_with_the_rate_they_hide() -> None:
    with pytest.raises(UnknownRate, match=r"too coarse .* pass rate_hz=30 "):
        regularize(np.zeros((300, 1)), times_s=np.repeat(np.arange(10.0), 30))


def test_days_between_two_rows_do_not_fill_the_memory() -> None:
    times = np.arange(1000) / 50
    times[500:] += 30 * 86400
    with pytest.raises(BadSamples, match=r"1000 rows over 720\.0 hours .* split it there"):
        regularize(np.zeros((1000, 1)), times_s=times)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.arange(9), "shape"),
        (np.zeros((10, 1)), "shape"),
        (["now"] * 10, "no numbers of seconds"),
        (np.full(10, np.nan), "no timestamp that is a number"),
    ],
)
def test_timestamps_that_are_none_are_refused(times: object, message: str) -> None:
    with pytest.raises(BadSamples, match=message):
        regularize(np.zeros((10, 1)), times_s=times, rate_hz=50)  # type: ignore[arg-type]


def test_a_single_timestamp_needs_a_rate() -> None:
    with pytest.raises(UnknownRate, match="single timestamp"):
        regularize(np.zeros((3, 1)), times_s=[1.0, 1.0, 1.0])
    assert len(regularize(np.zeros((3, 1)), times_s=[1.0, 1.0, 1.0], rate_hz=50).samples) == 1
