"""Names of columns as loggers write them."""

from __future__ import annotations

import pytest

from kinelex.errors import UnknownPlacement
from kinelex.readers.column_name import role_of, sensor_of, time_of


@pytest.mark.parametrize(
    ("name", "channel", "unit"),
    [
        ("acc_x", "acc_x", None),
        ("ACC_X", "acc_x", None),
        ("Acc X (g)", "acc_x", "g"),
        ("Acceleration y (m/s^2)", "acc_y", "m/s^2"),
        ("accelerometerAccelerationX(G)", "acc_x", "g"),
        ("gyro_x [deg/s]", "gyro_x", "deg/s"),
        ("Gyroscope z (rad/s)", "gyro_z", "rad/s"),
        ("rotationRate.y", "gyro_y", None),
        ("angular_velocity_z", "gyro_z", None),
        ("gyro_x_dps", "gyro_x", "deg/s"),
        ("acc_x_m_s2", "acc_x", "m/s^2"),
        ("Magnetic field x (µT)", "mag_x", "uT"),
        ("mag_z [uT]", "mag_z", "uT"),
        ("ax", "acc_x", None),
        ("gY", "gyro_y", None),
        ("gFz", "acc_z", "g"),
        ("left_wrist_acc_y", "left_wrist_acc_y", None),
        ("Right Thigh Gyro Z", "right_thigh_gyro_z", None),
        ("watch_gyro_x", "wrist_gyro_x", None),
        ("phone_acc_x", "acc_x", None),
        ("x-axis acceleration [mg]", "acc_x", "mg"),
    ],
)
def test_sensor_columns(name: str, channel: str, unit: str | None) -> None:
    found = sensor_of(name)
    assert found is not None
    assert (found.channel.name, found.unit) == (channel, unit)


@pytest.mark.parametrize(
    "name",
    ["heart rate", "gravity_x", "orientation_qx", "Absolute acceleration (m/s^2)", "steps", "latitude", "", "acc",
     "temperature (C)", "axis1", "quaternion.x", "battery", "acc_xy"],
)  # fmt: skip
def test_other_columns(name: str) -> None:
    assert sensor_of(name) is None


def test_a_name_may_say_that_gravity_was_removed() -> None:
    for name in ("Linear Acceleration x (m/s^2)", "userAcceleration.x", "linear_acc_x"):
        found = sensor_of(name)
        assert found is not None and found.linear


@pytest.mark.parametrize(("name", "sensor"), [("x", None), ("X (g)", "acc"), ("y [deg/s]", "gyro"), ("z (µT)", "mag")])
def test_a_bare_axis_has_the_sensor_of_its_unit(name: str, sensor: str | None) -> None:
    found = sensor_of(name)
    assert found is not None and found.sensor == sensor


def test_a_stranger_before_a_sensor_is_named() -> None:
    with pytest.raises(UnknownPlacement, match=r"column 'tail_acc_x': 'tail' is no known placement"):
        sensor_of("tail_acc_x")


@pytest.mark.parametrize(
    ("name", "unit_s"),
    [("t", None), ("Time (ms)", 1e-3), ("timestamp_us", 1e-6), ("seconds_elapsed", 1.0), ("Time since start", "no"),
     ("time [s]", 1.0), ("timestamp", None), ("ms", 1e-3), ("Timestamp (ns)", 1e-9), ("datetime", None),
     ("timer", "no"), ("overtime", "no"), ("temperature", "no")],
)  # fmt: skip
def test_time_columns(name: str, unit_s: float | str | None) -> None:
    found = time_of(name)
    assert (found.unit_s if found is not None else "no") == unit_s


def test_columns_of_words() -> None:
    assert [role_of(n) for n in ("activity", "Label", "subject_id", "User", "session", "x")] == [
        "label", "label", "subject", "subject", "session", None,
    ]  # fmt: skip
