"""Any recording becomes what a contract says: rate, unit, channels, length, gravity, and what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.backbones import InputContract, adapt, adapt_many
from kinelex.backbones.adaptation import clip_starts
from kinelex.errors import BadRecipe, UsageError
from kinelex.signal import Channel, Recording
from tests.backbones.conftest import ACC, GYRO, Moving, motion

ACC_ONLY = ("acc_x", "acc_y", "acc_z")


def constant(level: float, rate_hz: float = 50.0, seconds: float = 20.0, **fields: Any) -> Recording:
    samples = np.full((round(seconds * rate_hz), 6), level, np.float32)
    return Recording(samples, rate_hz, ACC + GYRO, **fields)


@given(
    rate_hz=st.floats(8.0, 120.0), to_hz=st.floats(8.0, 120.0), window_s=st.floats(1.0, 8.0),
    clip_steps=st.none() | st.integers(8, 200), shorter=st.sampled_from(["kept", "wrapped", "masked"]),
)  # fmt: skip
@settings(max_examples=60)
def test_clips_have_the_length_and_the_units_that_were_asked_for(
    rate_hz: float, to_hz: float, window_s: float, clip_steps: int | None, shorter: Any
) -> None:
    contract = InputContract(to_hz, clip_steps=clip_steps, shorter=shorter, acc_unit=9.80665, gyro_unit=0.5)
    clips = adapt(constant(2.0, rate_hz), [1.0, 5.5], window_s, contract)
    steps = max(1, round(window_s * to_hz))
    wanted = steps if clip_steps is None or (shorter == "kept" and steps < clip_steps) else clip_steps
    assert abs(clips.signal.shape[2] - wanted) <= (clip_steps is None or steps < clip_steps)  # 0.5 rounds either way
    assert clips.signal.shape[1] == 6
    assert set(clips.owner) == {0, 1}
    acc, gyro = clips.signal[:, :3], clips.signal[:, 3:]
    np.testing.assert_allclose(acc, 2.0 / 9.80665, rtol=1e-4)
    np.testing.assert_allclose(gyro, 4.0, rtol=1e-4)


@pytest.mark.parametrize("rate_hz", [10.0, 25.0, 64.0, 100.0])
def test_slow_movement_keeps_its_shape_at_another_rate(rate_hz: float) -> None:
    times_s = np.arange(round(20 * rate_hz)) / rate_hz
    recording = Recording(motion(times_s, 3), rate_hz, ACC + GYRO)
    clips = adapt(recording, [4.0], 6.0, InputContract(20.0))
    wanted = motion(4.0 + np.arange(120) / 20.0, 3)
    passed = rate_hz >= 25  # the resampler's filter takes off some of what is near half of 10 Hz
    np.testing.assert_allclose(clips.signal[0].T, wanted, atol=0.02 if passed else 3.0)


def test_what_a_slower_rate_cannot_hold_does_not_come_back_as_something_else() -> None:
    times_s = np.arange(2000) / 100.0
    shaking = np.tile(np.sin(2 * np.pi * 18.0 * times_s)[:, None], (1, 6))
    clips = adapt(Recording(shaking, 100.0, ACC + GYRO), [4.0], 6.0, InputContract(20.0))
    assert np.abs(clips.signal).max() < 0.01


def test_channels_are_found_by_sensor_and_axis_wherever_they_stand() -> None:
    order = (GYRO[2], ACC[1], Channel("mag", "x", "wrist"), ACC[0], GYRO[0], ACC[2], GYRO[1])
    samples = np.tile(np.arange(7, dtype=np.float32), (200, 1))
    clips = adapt(Recording(samples, 20.0, order), [0.0], 6.0, InputContract(20.0))
    np.testing.assert_array_equal(clips.signal[0, :, 0], [3, 1, 5, 4, 6, 0])


def test_a_missing_gyroscope_reads_zero_and_is_not_valid(moving: Moving) -> None:
    for missing in ("filled", "masked"):
        clips = adapt(moving(2, gyro=False), [0.0], 6.0, InputContract(20.0, missing=missing))  # type: ignore[arg-type]
        np.testing.assert_array_equal(clips.signal[:, 3:], 0)
        assert not clips.valid[:, 3:].any() and clips.valid[:, :3].all()


def test_a_gap_is_bridged_or_zero_as_the_contract_says() -> None:
    samples = np.tile(np.linspace(0, 40, 800, dtype=np.float32)[:, None], (1, 6))
    samples[300:340] = np.nan
    recording = Recording(samples, 20.0, ACC + GYRO)
    filled, masked = (adapt(recording, [10.0], 10.0, InputContract(20.0, missing=m)) for m in ("filled", "masked"))  # type: ignore[arg-type]
    np.testing.assert_allclose(filled.signal[0, 0], np.linspace(0, 40, 800)[200:400], atol=1e-3)
    assert (masked.signal[0, :, 100:140] == 0).all()
    np.testing.assert_array_equal(filled.valid, masked.valid)
    assert (~masked.valid[0]).sum(axis=1).tolist() == [40] * 6
    assert masked.weight.tolist() == [160]


@pytest.mark.parametrize(("lost_s", "usable"), [(0.0, True), (3.0, True), (3.2, False), (6.0, False)])
def test_a_window_counts_where_half_of_it_was_measured(lost_s: float, usable: bool) -> None:
    recording = constant(1.0)
    recording.samples[: round(lost_s * 50)] = np.nan
    assert len(adapt(recording, [0.0], 6.0, InputContract(20.0)).owner) == usable


def test_a_window_may_reach_over_either_end_by_half() -> None:
    clips = adapt(constant(1.0, seconds=12), [-3.5, -3.0, 9.0, 9.5], 6.0, InputContract(20.0))
    assert clips.owner.tolist() == [1, 2]


def test_what_needs_an_accelerometer_sees_nothing_without() -> None:
    turning = Recording(np.ones((500, 3)), 50.0, GYRO)
    assert not len(adapt(turning, [0.0], 6.0, InputContract(20.0)).owner)
    assert len(adapt(turning, [0.0], 6.0, InputContract(20.0, needs=("acc", "gyro"))).owner) == 1


def test_a_long_window_becomes_clips_that_cover_it_and_are_averaged_by_what_was_measured() -> None:
    samples = np.tile(np.arange(200, dtype=np.float32)[:, None], (1, 6))
    samples[150:180] = np.nan
    clips = adapt(Recording(samples, 20.0, ACC + GYRO), [0.0], 10.0, InputContract(20.0, clip_steps=80))
    assert clips.signal[:, 0, 0].tolist() == [0, 60, 120]
    assert clips.owner.tolist() == [0, 0, 0]
    assert clips.weight.tolist() == [80, 80, 50]
    rows = np.array([[1.0], [2.0], [4.0]])
    np.testing.assert_allclose(clips.pooled(rows), [[(80 + 160 + 200) / 210]])


def test_a_clip_with_little_signal_is_left_out_of_a_window_that_has_enough() -> None:
    recording = constant(1.0)
    recording.samples[: round(2.5 * 50)] = np.nan
    clips = adapt(recording, [0.0], 6.0, InputContract(20.0, clip_steps=40))
    assert clips.weight.tolist() == [30, 40]


@given(steps=st.integers(1, 500), clip_steps=st.integers(1, 100))
def test_the_fewest_clips_cover_every_step(steps: int, clip_steps: int) -> None:
    starts = clip_starts(steps, clip_steps)
    covered = np.zeros(max(steps, clip_steps), dtype=bool)
    for start in starts:
        covered[start : start + clip_steps] = True
    assert covered[:steps].all()
    assert len(starts) == -(-steps // clip_steps)
    assert starts[0] == 0 and starts[-1] == max(0, steps - clip_steps)


def test_a_short_window_is_kept_repeated_or_put_at_the_end() -> None:
    samples = np.tile(np.arange(60, dtype=np.float32)[:, None], (1, 6))
    recording = Recording(samples, 20.0, ACC + GYRO)
    first = {
        shorter: adapt(recording, [0.0], 2.0, InputContract(20.0, clip_steps=100, shorter=shorter))  # type: ignore[arg-type]
        for shorter in ("kept", "wrapped", "masked")
    }
    np.testing.assert_array_equal(first["kept"].signal[0, 0], np.arange(40))
    np.testing.assert_array_equal(first["wrapped"].signal[0, 0], np.arange(100) % 40)
    np.testing.assert_array_equal(first["masked"].signal[0, 0, 60:], np.arange(40))
    assert not first["masked"].valid[0, 0, :60].any()


def test_any_window_becomes_the_same_number_of_samples_where_no_rate_is_said() -> None:
    contract = InputContract(None, clip_steps=512)
    assert contract.clip_s is None
    for window_s in (2.0, 6.0, 30.0):
        recording = Recording(motion(np.arange(2000) / 50, 3), 50.0, ACC + GYRO)
        clips = adapt(recording, [4.0], window_s, contract)
        assert clips.signal.shape == (1, 6, 512)
        wanted = motion(4.0 + np.arange(512) * window_s / 512, 3)
        assert np.corrcoef(clips.signal[0].ravel(), wanted.T.ravel())[0, 1] > 0.999


def test_gravity_is_taken_out_where_it_is_not_wanted_and_was_measured() -> None:
    walk = motion(np.arange(3000) / 50, 4)
    still = InputContract(25.0, gravity="removed")
    with_gravity = adapt(Recording(walk, 50.0, ACC + GYRO), [20.0], 6.0, still).signal[0]
    kept = adapt(Recording(walk, 50.0, ACC + GYRO), [20.0], 6.0, InputContract(25.0)).signal[0]
    assert np.linalg.norm(kept[:3].mean(axis=1)) == pytest.approx(9.8, abs=1.0)
    assert np.linalg.norm(with_gravity[:3].mean(axis=1)) < 1.0
    np.testing.assert_array_equal(with_gravity[3:], kept[3:])
    without = Recording(walk, 50.0, ACC + GYRO, gravity=False)
    np.testing.assert_array_equal(adapt(without, [20.0], 6.0, still).signal[0], kept)


def test_the_best_placement_is_used_or_else_all() -> None:
    channels = (*ACC, *(Channel("acc", axis, "left thigh") for axis in "xyz"))
    samples = np.repeat(np.array([[1.0, 5.0]], np.float32), 3, axis=1).repeat(400, axis=0)
    recording = Recording(samples, 20.0, channels)
    for placements, levels in [((), [1, 5]), (("thigh", "wrist"), [5]), (("ankle",), [1, 5]), (("wrist",), [1])]:
        clips = adapt(recording, [0.0], 6.0, InputContract(20.0, ACC_ONLY, placements=placements))
        assert clips.signal[:, 0, 0].tolist() == levels
    assert InputContract(20.0, placements=("ankle",)).shortfalls(recording) == ("no gyro", "not worn on the ankle")
    assert InputContract(20.0, placements=("thigh",)).shortfalls(recording) == ("no gyro",)


def test_windows_of_many_recordings_are_numbered_through(moving: Moving) -> None:
    requests = [(moving(2), np.array([0.0, 100.0])), (moving(3, rate_hz=25.0), np.array([6.0]))]
    clips = adapt_many(requests, 6.0, InputContract(20.0))
    assert clips.owner.tolist() == [0, 2] and clips.windows == 3
    np.testing.assert_array_equal(clips.signal[1], adapt(*requests[1], 6.0, InputContract(20.0)).signal[0])
    with pytest.raises(UsageError, match="no recording"):
        adapt_many([], 6.0, InputContract(20.0))


def test_a_day_is_resampled_in_stretches_that_fit_together() -> None:
    times_s = np.arange(int(4000 * 12.5)) / 12.5
    recording = Recording(np.tile(np.sin(times_s)[:, None], (1, 6)), 12.5, ACC + GYRO)
    starts = np.arange(0, 3990, 7.3)
    clips = adapt(recording, starts[::-1], 6.0, InputContract(20.0))
    assert len(clips.owner) == len(starts)
    snapped = np.round(starts[::-1] * 20) / 20
    wanted = np.sin(snapped[:, None] + np.arange(120) / 20)
    np.testing.assert_allclose(clips.signal[:, 0], wanted, atol=5e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"channels": ()}, {"channels": ("acc_x", "acc_x")}, {"channels": ("acc_q",)}, {"channels": ("gyro_x",)},
        {"clip_steps": 0}, {"rate_hz": None}, {"rate_hz": 0.0}, {"acc_unit": 0.0}, {"min_measured": 0.0},
    ],
)  # fmt: skip
def test_a_contract_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRecipe):
        InputContract(**{"rate_hz": 20.0, **fields})
