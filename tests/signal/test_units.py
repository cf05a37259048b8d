"""Every unit and spelling, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import UsageError, WrongUnit
from kinelex.signal.channel import AXES, Channel, Sensor
from kinelex.signal.units import FACTORS, parse_unit, to_si

CHANNELS = tuple(Channel(sensor, axis) for sensor in ("acc", "gyro") for axis in AXES)
WITH_MAG = (*CHANNELS, *(Channel("mag", axis) for axis in AXES))


@given(
    st.sampled_from(sorted(FACTORS["acc"])),
    st.sampled_from(sorted(FACTORS["gyro"])),
    st.sampled_from(sorted(FACTORS["mag"])),
    st.integers(0, 1000),
    st.booleans(),
    st.sampled_from([None, True]),
)
def test_values_come_back_from_every_unit(movement, acc, gyro, mag, seed, rest, said) -> None:  # type: ignore[no-untyped-def]
    si = np.concatenate([movement(seed=seed, rest=rest), np.full((600, 3), 30, dtype=np.float32)], axis=1)
    factors = np.repeat([FACTORS["acc"][acc], FACTORS["gyro"][gyro], FACTORS["mag"][mag]], 3)
    given_in_unit = (si / factors).astype(np.float32)
    back, gravity = to_si(
        given_in_unit, WITH_MAG, 50.0, units={"acc": acc, "gyro": gyro, "mag": mag}, gravity=said, name="test"
    )
    np.testing.assert_allclose(back, si, rtol=1e-5, atol=1e-6)
    assert gravity


def test_known_constants() -> None:
    assert FACTORS["acc"]["g"] == 9.80665
    assert FACTORS["acc"]["mg"] == pytest.approx(0.00980665)
    assert FACTORS["gyro"]["deg/s"] * 180 == pytest.approx(np.pi)
    assert FACTORS["gyro"]["mrad/s"] == 0.001
    assert FACTORS["mag"]["gauss"] == 100.0
    assert FACTORS["mag"]["mT"] == 1000.0


@pytest.mark.parametrize(
    ("sensor", "text", "unit"),
    [
        ("acc", "m/s²", "m/s^2"),
        ("acc", "m/s2", "m/s^2"),
        ("acc", "ms-2", "m/s^2"),
        ("acc", "m·s⁻²", "m/s^2"),
        ("acc", " M/S^2 ", "m/s^2"),
        ("acc", "[g]", "g"),
        ("acc", "milli-g", "mg"),
        ("gyro", "dps", "deg/s"),
        ("gyro", "°/s", "deg/s"),
        ("gyro", "rad s-1", "rad/s"),
        ("gyro", "mrad/s", "mrad/s"),
        ("mag", "µT", "uT"),
        ("mag", "μT", "uT"),
        ("mag", "mT", "mT"),
        ("mag", "Gauss", "gauss"),
        ("mag", "normalised", "normalized"),
    ],
)
def test_usual_spellings_are_understood(sensor: Sensor, text: str, unit: str) -> None:
    assert parse_unit(sensor, text) == unit


@pytest.mark.parametrize(("sensor", "text"), [("acc", "deg/s"), ("gyro", "g"), ("mag", "T/s"), ("acc", "")])
def test_an_unknown_unit_is_an_error_that_lists_the_known_ones(sensor: Sensor, text: str) -> None:
    with pytest.raises(WrongUnit, match="use one of .*" + next(iter(FACTORS[sensor])).replace("^", r"\^")):
        parse_unit(sensor, text)


def test_a_unit_for_no_sensor_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="'accel', which is no sensor: use acc, gyro, mag"):
        to_si(np.ones((10, 1), np.float32), CHANNELS[:1], 50, units={"accel": "g"}, name="test")  # type: ignore[dict-item]


def test_samples_are_converted_in_place_so_that_a_day_fits_in_memory(movement) -> None:  # type: ignore[no-untyped-def]
    raw = movement() / np.float32(9.80665)
    back, _ = to_si(raw, CHANNELS, 50.0, units={"acc": "g"}, name="test")
    assert back is raw


def test_missing_values_stay_missing(movement) -> None:  # type: ignore[no-untyped-def]
    raw = movement()
    raw[100:130, 2] = np.nan
    back, gravity = to_si(raw.copy(), CHANNELS, 50.0, units={}, name="test")
    np.testing.assert_array_equal(np.isnan(back), np.isnan(raw))
    assert gravity
