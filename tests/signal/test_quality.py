"""What is wrong with a recording is found and said in words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kinelex.signal.channel import AXES, Channel
from kinelex.signal.quality import Quality
from kinelex.signal.recording import Recording

CHANNELS = tuple(Channel(sensor, axis) for sensor in ("acc", "gyro") for axis in AXES)


def _quality(si: np.ndarray, **more: object) -> Quality:
    return Recording.from_arrays(si, CHANNELS, **({"rate_hz": 50} | more)).quality  # type: ignore[arg-type]


@pytest.mark.parametrize("rest", [True, False])
def test_a_good_recording_has_no_problems(movement, rest) -> None:  # type: ignore[no-untyped-def]
    assert _quality(movement(rest=rest)).problems() == []


def test_a_new_record_has_nothing_to_say() -> None:
    assert Quality().problems() == []
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(Quality))


def test_missing_values_are_counted(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[:300, 0] = np.nan
    si[:, 5] = np.nan
    quality = _quality(si)
    assert quality.missing_share == pytest.approx((300 + 600) / 3600)
    assert quality.missing_channels == ("gyro_z",)
    assert "25.0 % of the values are missing" in quality.problems()
    assert "no value at all in gyro_z" in quality.problems()


def test_gaps_are_told_with_their_length(movement) -> None:  # type: ignore[no-untyped-def]
    kept = np.r_[0:100, 200:400, 401:600]
    quality = _quality(movement()[kept], times_s=kept / 50)
    assert quality.gaps == (pytest.approx((99 / 50, 4.0)),)
    assert quality.missing_share == pytest.approx(100 / 600)
    assert any(problem.startswith("1 gap of 2.02 s in all") for problem in quality.problems())


def test_the_clock_is_told(movement) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    times = (np.arange(600) + random.uniform(-0.4, 0.4, 600)) / 50
    times[20], times[40] = times[40], times[20]
    times[100] = times[101]
    times[300] = np.nan
    quality = _quality(movement(), times_s=times)
    assert quality.rate_measured_hz == pytest.approx(50, rel=0.01)
    assert (quality.duplicates, quality.untimed) == (1, 1)
    assert quality.backward >= 2
    said = " | ".join(quality.problems())
    assert "1 row repeated a timestamp" in said
    assert f"went back {quality.backward} times" in said
    assert "1 row without a timestamp" in said
    assert "ms around 20.0 ms" in said


@pytest.mark.parametrize("limit", [19.6133, -19.6133])
def test_clipping_is_found_at_the_end_of_the_range(movement, limit) -> None:  # type: ignore[no-untyped-def]
    si = movement(seed=3)
    swing = 30 * np.sin(np.arange(200) / 8)
    si[200:400, 1] = np.minimum(swing, limit) if limit > 0 else np.maximum(swing, limit)
    [(channel, share)] = _quality(si).clipped
    assert channel == "acc_y"
    assert share == pytest.approx(np.mean(si[:, 1] == np.float32(limit)), abs=1e-9)
    assert f"acc_y is at the end of its range in {100 * share:.1f} % of its samples" in _quality(si).problems()


def test_values_that_repeat_within_the_range_are_no_clipping(movement) -> None:  # type: ignore[no-untyped-def]
    assert _quality(np.round(movement(rest=True), 1)).clipped == ()


@pytest.mark.parametrize("rows", [[300], [300, 301], [100, 300, 500]])
def test_single_high_peaks_are_no_clipping(movement, rows) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[rows, 0] = 80.0
    assert _quality(si).clipped == ()


def test_an_axis_that_stands_still_while_others_move_is_stuck(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[:, 4] = 0.25
    quality = _quality(si)
    assert quality.stuck == ("gyro_y",)
    assert any("gyro_y stands still" in problem for problem in quality.problems())


def test_an_axis_that_stands_still_at_rest_is_not_stuck(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement(rest=True)
    si[:, 4] = 0.0
    assert _quality(si).stuck == ()


def test_a_short_pause_of_one_axis_is_not_stuck(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[100:250, 4] = 0.1
    assert _quality(si).stuck == ()


def test_resting_acc_is_that_of_still_seconds(movement) -> None:  # type: ignore[no-untyped-def]
    si = np.concatenate([movement(seed=1), movement(rest=True, seed=1) * np.float32(1.02)])
    assert _quality(si).resting_acc == pytest.approx(9.80665 * 1.02, rel=2e-3)
    assert _quality(movement()).resting_acc is None


def test_bad_calibration_is_noted(movement) -> None:  # type: ignore[no-untyped-def]
    [note] = _quality(movement(rest=True) * np.float32(0.8)).notes
    assert note.startswith("at rest acc reads 7.8")


@pytest.mark.parametrize(("field_ut", "noted"), [(0.5, True), (5.0, True), (48.0, False), (4800.0, True)])
def test_a_magnetic_field_that_is_not_of_the_earth_is_noted_and_no_more(movement, field_ut, noted) -> None:  # type: ignore[no-untyped-def]
    mag = np.full((600, 3), field_ut / np.sqrt(3), dtype=np.float32) + np.random.default_rng(0).normal(
        0, 0.01, (600, 3)
    )
    channels = (*CHANNELS, *(Channel("mag", axis) for axis in AXES))
    quality = Recording.from_arrays(np.concatenate([movement(), mag], axis=1), channels, rate_hz=50).quality
    assert any("the magnetometer reads" in note for note in quality.notes) == noted
