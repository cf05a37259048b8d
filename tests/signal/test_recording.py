"""A recording states everything, or is not made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kinelex.errors import BadSamples, TooShort, UnknownChannel, UnknownPlacement, UnknownRate
from kinelex.signal import Channel, Interval, Recording
from kinelex.signal.channel import AXES

NAMES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


@given(
    subset=st.lists(st.sampled_from(range(6)), min_size=1, unique=True),
    rate_hz=st.one_of(st.integers(5, 400).map(float), st.floats(5, 400)),
    seconds=st.floats(0.4, 20),
    with_times=st.booleans(),
)
def test_any_subset_of_channels_at_any_rate_becomes_a_recording(movement, subset, rate_hz, seconds, with_times) -> None:  # type: ignore[no-untyped-def]
    si = movement(seconds, rate_hz)[:, subset]
    clock = {"times_s": 100 + np.arange(len(si)) / rate_hz} if with_times else {}
    recording = Recording.from_arrays(si, [NAMES[i] for i in subset], rate_hz=rate_hz, **clock)
    assert [channel.name for channel in recording.channels] == [NAMES[i] for i in subset]
    assert recording.samples.dtype == np.float32
    np.testing.assert_allclose(recording.samples, si, atol=1e-6)
    assert recording.rate_hz == pytest.approx(rate_hz, rel=1e-6)
    assert recording.duration_s == pytest.approx(len(si) / rate_hz)
    assert recording.times_s[-1] == pytest.approx((len(si) - 1) / rate_hz)


def test_samples_are_copied_so_that_the_caller_keeps_what_he_had(movement) -> None:  # type: ignore[no-untyped-def]
    raw = (movement() / np.repeat([9.80665, np.pi / 180], 3)).astype(np.float32)
    before = raw.copy()
    recording = Recording.from_arrays(raw, NAMES, rate_hz=50, units={"acc": "g", "gyro": "dps"})
    np.testing.assert_array_equal(raw, before)
    np.testing.assert_allclose(recording.samples, movement(), rtol=1e-5, atol=1e-6)


def test_an_array_that_is_given_away_is_converted_in_place(movement) -> None:  # type: ignore[no-untyped-def]
    raw = (movement() / np.repeat([9.80665, 1.0], 3)).astype(np.float32)
    recording = Recording.from_arrays(raw, NAMES, rate_hz=50, units={"acc": "g"}, copy=False)
    assert np.shares_memory(recording.samples, raw)
    np.testing.assert_allclose(recording.samples, movement(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("copy", [True, False])
def test_an_array_that_may_not_be_written_to_is_read(movement, copy) -> None:  # type: ignore[no-untyped-def]
    raw = (movement() / np.repeat([9.80665, 1.0], 3)).astype(np.float32)
    raw.flags.writeable = False
    recording = Recording.from_arrays(raw, NAMES, rate_hz=50, units={"acc": "g"}, copy=copy)
    np.testing.assert_allclose(recording.samples, movement(), rtol=1e-5, atol=1e-6)


def test_a_placement_given_for_all_does_not_replace_one_in_a_name(movement) -> None:  # type: ignore[no-untyped-def]
    names = [f"left_wrist_{name}" for name in NAMES[:3]] + [Channel("gyro", axis) for axis in AXES]
    recording = Recording.from_arrays(movement(), names, rate_hz=50, placement="Right-Pocket")
    assert recording.placements == ("left wrist", "right pocket")


def test_gravity_is_looked_up_when_nobody_says(movement) -> None:  # type: ignore[no-untyped-def]
    assert Recording.from_arrays(movement(), NAMES, rate_hz=50).gravity
    assert not Recording.from_arrays(movement(gravity=False), NAMES, rate_hz=50).gravity


def _with(movement, **changes):  # type: ignore[no-untyped-def]
    arguments = {"samples": movement(), "channels": NAMES, "rate_hz": 50, "name": "a.csv"} | changes
    return Recording.from_arrays(arguments.pop("samples"), arguments.pop("channels"), **arguments)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"samples": [["1", "walk"]]}, BadSamples, "something other than numbers"),
        ({"samples": [[1, 2], [3]]}, BadSamples, "something other than numbers"),
        ({"samples": np.zeros((10, 5))}, BadSamples, r"shape \(10, 5\) for 6 channels"),
        ({"samples": np.zeros((2, 10, 6))}, BadSamples, r"shape \(2, 10, 6\) for 6 channels"),
        ({"samples": np.zeros((0, 6))}, BadSamples, "no value at all"),
        ({"samples": np.full((10, 6), np.nan)}, BadSamples, "no value at all"),
        ({"samples": np.full((10, 6), np.inf)}, BadSamples, "infinite values: mark missing values as NaN"),
        ({"rate_hz": None}, UnknownRate, "has no sampling rate: pass rate_hz=50"),
        ({"rate_hz": 4.0}, UnknownRate, "4 Hz: Kinelex reads 5 to 400 Hz"),
        ({"channels": ("acc_x", *NAMES[:5])}, UnknownChannel, "more than one column for acc_x"),
        ({"channels": ("temp", *NAMES[1:])}, UnknownChannel, "'temp' is no sensor channel"),
        ({"placement": "tail"}, UnknownPlacement, "'tail' is no known placement"),
    ],
)
def test_bad_input_is_an_error_that_says_what_and_where(movement, changes, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message) as caught:
        _with(movement, **changes)
    assert error in (UnknownChannel, UnknownPlacement) or "recording 'a.csv'" in str(caught.value)


def test_a_recording_cannot_be_made_with_less_than_it_needs() -> None:
    samples, channels = np.ones((10, 1), np.float32), (Channel("acc", "x"),)
    with pytest.raises(BadSamples, match="no samples"):
        Recording(samples[:0], 50.0, channels)
    with pytest.raises(BadSamples, match="for 0 channels"):
        Recording(samples[:, :0], 50.0, ())
    with pytest.raises(BadSamples, match="infinite"):
        Recording(samples * np.inf, 50.0, channels)
    with pytest.raises(UnknownRate, match="1 Hz"):
        Recording(samples, 1.0, channels)
    recording = Recording(samples, 50.0, channels)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recording.rate_hz = 20.0  # type: ignore[misc]


@given(st.floats(5, 400), st.integers(10, 1000), st.floats(0, 1), st.floats(0, 1))
@example(5.0, 17, 0.0, 5.960464477539063e-08)
def test_a_part_holds_the_samples_between_its_times(rate_hz: float, rows: int, one: float, other: float) -> None:
    recording = Recording(np.arange(rows, dtype=np.float32)[:, None], rate_hz, (Channel("acc", "x"),))
    start_s, end_s = sorted((one * recording.duration_s, other * recording.duration_s))
    number = np.arange(rows)  # a millionth of a sample early still counts
    inside = (number >= start_s * rate_hz - 1e-6) & (number < end_s * rate_hz - 1e-6)
    if not inside.any():
        with pytest.raises(TooShort, match="has no sample between"):
            recording.between(start_s, end_s)
        return
    part = recording.between(start_s, end_s)
    assert part.samples[0, 0] == pytest.approx(np.flatnonzero(inside)[0], abs=1)
    assert len(part.samples) == pytest.approx(inside.sum(), abs=1)
    assert part.duration_s == pytest.approx(end_s - start_s, abs=1.001 / rate_hz)


def test_intervals_are_cut_to_the_part_and_told_from_its_start() -> None:
    intervals = (Interval(0, 2, "sit"), Interval(2, 6, "walk"), Interval(6, 10, "run"))
    recording = Recording(np.zeros((500, 1), np.float32), 50.0, (Channel("acc", "x"),), intervals=intervals)
    part = recording.between(3, 7)
    assert part.intervals == (Interval(0, 3, "walk"), Interval(3, 4, "run"))
    assert recording.between(6, 99).intervals == (Interval(0, 4, "run"),)


def test_joining_parts_gives_the_whole_back() -> None:
    recording = Recording(np.arange(500, dtype=np.float32)[:, None], 33.3, (Channel("acc", "x"),))
    parts = [recording.between(start, start + 1) for start in range(15)]
    np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), recording.samples)


def test_channels_are_selected_by_sensor_and_placement(movement) -> None:  # type: ignore[no-untyped-def]
    names = [*NAMES, *(f"left_wrist_{name}" for name in NAMES)]
    recording = Recording.from_arrays(np.tile(movement(), (1, 2)), names, rate_hz=50, placement="chest", name="a.csv")
    wrist = recording.select("gyro", "Left Wrist")
    assert [channel.name for channel in wrist.channels] == [f"left_wrist_gyro_{axis}" for axis in AXES]
    np.testing.assert_array_equal(wrist.samples, recording.samples[:, 9:])
    assert recording.select("acc").placements == ("chest", "left wrist")
    with pytest.raises(UnknownChannel, match=r"recording 'a\.csv' has no mag at chest: it has chest_acc_x"):
        recording.select("mag", "chest")


def test_a_signaling_nan_is_missing_like_any_other() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (200, 3)).astype(np.float32) + np.float32([0, 0, 9.81])
    samples.view(np.uint32)[40:45, 0] = 0x7F810000
    samples[60, 1] = np.nan
    before = samples.view(np.uint32).copy()
    recording = Recording.from_arrays(samples, ["acc_x", "acc_y", "acc_z"], rate_hz=50.0)
    assert np.flatnonzero(np.isnan(recording.samples[:, 0])).tolist() == [40, 41, 42, 43, 44]
    recording.samples.astype(np.float64)  # would warn
    np.testing.assert_array_equal(samples.view(np.uint32), before)
