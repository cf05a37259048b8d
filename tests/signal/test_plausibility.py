"""Units that cannot be right, and gravity that is there or not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import WrongUnit
from kinelex.signal.channel import AXES, Channel
from kinelex.signal.units import FACTORS, to_si

# `movement` is a fixture; functions have no type worth spelling out in each test.
CHANNELS = tuple(Channel(sensor, axis) for sensor in ("acc", "gyro") for axis in AXES)


def _raw(si: np.ndarray, acc: str = "m/s^2", gyro: str = "rad/s") -> np.ndarray:
    return (si / np.repeat([FACTORS["acc"][acc], FACTORS["gyro"][gyro]], 3)).astype(np.float32)


@pytest.mark.parametrize("rest", [True, False])
@pytest.mark.parametrize("said", [True, None])
@pytest.mark.parametrize("true", FACTORS["acc"])
@pytest.mark.parametrize("claimed", FACTORS["acc"])
def test_a_wrong_acc_unit_is_refused_and_the_right_one_named(movement, rest, said, true, claimed) -> None:  # type: ignore[no-untyped-def]
    raw = _raw(movement(rest=rest), acc=true)
    if true == claimed:
        assert to_si(raw, CHANNELS, 50, units={"acc": claimed}, gravity=said, name="walk")[1] is True
        return
    message = f"recording 'walk' .*looks like {re.escape(true)}, not {re.escape(claimed)}"
    with pytest.raises(WrongUnit, match=message):
        to_si(raw, CHANNELS, 50, units={"acc": claimed}, gravity=said, name="walk")


@pytest.mark.parametrize(
    ("true", "claimed"),
    [("deg/s", "rad/s"), ("rad/s", "deg/s"), ("rad/s", "mrad/s"), ("deg/s", "mrad/s")],
)
def test_a_wrong_gyro_unit_is_refused_when_the_body_moves(movement, true, claimed) -> None:  # type: ignore[no-untyped-def]
    raw = _raw(movement(), gyro=true)
    with pytest.raises(WrongUnit, match=f"looks like {true}, not {claimed}"):
        to_si(raw, CHANNELS, 50, units={"gyro": claimed}, name="walk")


def test_a_gyro_that_turns_less_than_gravity_does_is_refused() -> None:
    # Turning slowly from one side to the other: too calm for a look at how much the body moves.
    times = np.arange(1500) / 50
    angle = np.pi * 0.5 * (1 - np.cos(2 * np.pi * times / 30))
    si = np.zeros((1500, 6), dtype=np.float32)
    si[:, 0], si[:, 1] = 9.81 * np.cos(angle), 9.81 * np.sin(angle)
    si[:, 5] = np.gradient(angle, times)
    assert to_si(si.copy(), CHANNELS, 50, units={}, name="turn")[1]
    with pytest.raises(WrongUnit, match=r"against gravity while its gyroscope .* looks like rad/s, not deg/s"):
        to_si(si.copy(), CHANNELS, 50, units={"gyro": "deg/s"}, name="turn")


@given(
    seed=st.integers(0, 10_000),
    rate_hz=st.floats(5, 400),
    seconds=st.floats(1.0, 30.0),
    rest=st.booleans(),
    said=st.sampled_from([True, None]),
)
def test_right_units_pass_at_any_rate_length_and_orientation(movement, seed, rate_hz, seconds, rest, said) -> None:  # type: ignore[no-untyped-def]
    si = movement(seconds, rate_hz, rest=rest, seed=seed)
    assert to_si(si, CHANNELS, rate_hz, units={}, gravity=said, name="any")[1] is True


@given(seed=st.integers(0, 10_000), rest=st.booleans(), said=st.sampled_from([False, None]))
def test_removed_gravity_is_noticed(movement, seed, rest, said) -> None:  # type: ignore[no-untyped-def]
    si = movement(rest=rest, gravity=False, seed=seed)
    assert to_si(si, CHANNELS, 50, units={}, gravity=said, name="linear")[1] is False


def test_the_offset_of_a_sensor_without_gravity_is_not_taken_for_gravity(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement(rest=True, gravity=False) / 10 + np.float32(0.1)
    assert to_si(si, CHANNELS, 50, units={}, name="linear")[1] is False


@pytest.mark.parametrize("rest", [True, False])
def test_gravity_said_to_be_there_and_removed_is_refused(movement, rest) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WrongUnit, match="pass gravity=False"):
        to_si(movement(rest=rest, gravity=False), CHANNELS, 50, units={}, gravity=True, name="linear")


def test_gravity_said_to_be_removed_and_there_is_refused(movement) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WrongUnit, match=r"without gravity, but reads 9\.8. m/s² at rest.* pass gravity=True"):
        to_si(movement(rest=True), CHANNELS, 50, units={}, gravity=False, name="rest")


def test_linear_acceleration_in_the_wrong_unit_is_refused_when_it_is_far_too_large(movement) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WrongUnit, match="without gravity"):
        to_si(movement(gravity=False) * 1000, CHANNELS, 50, units={}, gravity=False, name="linear")


def test_raw_counts_are_refused_without_a_wrong_guess(movement) -> None:  # type: ignore[no-untyped-def]
    counts = movement(rest=True) / np.float32(9.81) * 16384
    with pytest.raises(WrongUnit, match="no unit that Kinelex knows explains it"):
        to_si(counts, CHANNELS[:6], 50, units={}, gravity=True, name="counts")


def test_one_broken_accelerometer_of_three_does_not_spoil_the_recording(movement) -> None:  # type: ignore[no-untyped-def]
    placements = ("waist", "left wrist", "chest")
    channels = [Channel("acc", axis, place) for place in placements for axis in AXES]
    acc = movement(rest=True)[:, :3]
    assert to_si(np.concatenate([acc, acc / 4, acc], axis=1), channels, 50, units={}, gravity=True, name="three")[1]


def test_seconds_of_a_sensor_that_is_off_say_nothing_about_the_unit(movement) -> None:  # type: ignore[no-untyped-def]
    si = movement()
    si[300:] = 0.0
    assert to_si(si, CHANNELS, 50, units={}, gravity=True, name="padded")[1]


@pytest.mark.parametrize("columns", [(0,), (1, 2), (3, 4, 5), (4,)])
def test_what_cannot_be_told_counts_as_measured(movement, columns) -> None:  # type: ignore[no-untyped-def]
    channels = [CHANNELS[column] for column in columns]
    assert to_si(movement()[:, columns], channels, 50, units={}, name="part")[1] is True
