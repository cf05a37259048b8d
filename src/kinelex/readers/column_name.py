"""What a column's name says: a sensor axis, a clock, a label; as loggers, apps and people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kinelex.errors import UnknownPlacement
from kinelex.readers.unit_words import sensor_of_unit, sensor_unit, time_unit_s
from kinelex.signal.channel import AXES, Axis, Channel, Sensor, parse_placement

Role = Literal["time", "label", "subject", "session", "placement"]

_SENSOR_WORDS: dict[str, Sensor] = {
    "acc": "acc", "accel": "acc", "accl": "acc", "accelerometer": "acc", "acceleration": "acc", "accelerations": "acc",
    "gyro": "gyro", "gyr": "gyro", "gyroscope": "gyro", "rotation": "gyro", "angular": "gyro", "omega": "gyro",
    "mag": "mag", "magn": "mag", "magneto": "mag", "magnetometer": "mag", "magnetic": "mag",
}  # fmt: skip
_GLUED = re.compile(r"(accel|acc|a|gyro|gyr|g|w|magn|mag|m)([xyz])")
_GLUED_SENSORS: dict[str, Sensor] = {"a": "acc", "g": "gyro", "w": "gyro", "m": "mag"}
_G_FORCE = re.compile(r"g[ _-]?f(?:orce)?[ _-]?([xyz])", re.IGNORECASE)
_FILLERS = {
    "sensor", "axis", "value", "raw", "data", "cal", "calibrated", "uncal", "uncalibrated", "total", "imu", "signal",
    "rate", "velocity", "vel", "speed", "field", "phone", "smartphone", "device", "mobile", "of", "in", "the",
    "component",
}  # fmt: skip
_LINEAR = {"linear", "user", "lin", "body"}
_NOT_MEASURED = {"gravity", "grav", "orientation", "quaternion", "absolute", "norm", "magnitude", "mean", "std", "jerk"}
_WORN_DEVICES = {"watch": "wrist", "smartwatch": "wrist"}
_TIME_WORDS = (
    "seconds elapsed", "elapsed", "elapsed time", "time elapsed", "t", "time", "times", "timestamp", "timestamps",
    "time stamp", "datetime", "date time", "epoch", "epoch time", "unix", "unix time", "unixtime", "system time",
    "sensor time", "seconds", "date", "",
)  # fmt: skip
_ROLE_WORDS: dict[str, Role] = {
    "activity": "label", "label": "label", "labels": "label", "activities": "label", "activity label": "label",
    "annotation": "label", "annotation text": "label", "subject": "subject", "subject id": "subject",
    "participant": "subject", "user": "subject", "session": "session", "placement": "placement",
}  # fmt: skip


@dataclass(frozen=True)
class SensorColumn:
    """A column that holds one axis of a sensor.

    Args:
        sensor: None when the name is a bare ``x``, ``y`` or ``z``.
        axis: the axis.
        placement: a standard placement, ``"unknown"`` when the name has none.
        unit: the unit in the name, in its standard spelling.
        linear: whether the name says that gravity was removed.
    """

    sensor: Sensor | None
    axis: Axis
    placement: str = "unknown"
    unit: str | None = None
    linear: bool = False

    @property
    def channel(self) -> Channel:
        """The channel; only for a column whose sensor is known."""
        return Channel(self.sensor or "acc", self.axis, self.placement)


@dataclass(frozen=True)
class TimeColumn:
    """A column that tells the time; of several, the one with the lowest `rank` is used."""

    rank: int
    unit_s: float | None


def role_of(name: str) -> Role | None:
    """The role of a column of words, if its name says one; see `time_of` for clocks."""
    return _ROLE_WORDS.get(" ".join(_words(name)))


def time_of(name: str, unit: str = "") -> TimeColumn | None:
    """What the name of a time column says, or None: ``"Time (ms)"`` counts in 0.001 s.

    Args:
        name: the header's cell.
        unit: the cell below it, if the file has a line of units.
    """
    bare, bracketed = _without_brackets(name)
    words = _words(bare)
    scale = time_unit_s(bracketed or unit)
    if scale is None and words and (found := time_unit_s(words[-1])) is not None and words != ["t"]:
        scale, words = found, words[:-1]
    if scale is None and words == ["seconds", "elapsed"]:
        scale = 1.0
    text = " ".join(words)
    if text not in _TIME_WORDS or (not text and scale is None):
        return None
    return TimeColumn(_TIME_WORDS.index(text), scale)


def sensor_of(name: str, unit: str = "") -> SensorColumn | None:
    """What the name of a sensor column says, or None when it is no sensor axis.

    >>> sensor_of("Acc X (g)")
    SensorColumn(sensor='acc', axis='x', placement='unknown', unit='g', linear=False)
    >>> sensor_of("left_wrist_gyro_z_dps").placement
    'left wrist'

    Args:
        name: the header's cell.
        unit: the cell below it, if the file has a line of units.

    Raises:
        UnknownPlacement: the words before a sensor's name are no placement.
    """
    bare, bracketed = _without_brackets(name)
    unit = bracketed or unit.strip("()[] ")
    if g_force := _G_FORCE.fullmatch(bare.strip()):
        return SensorColumn("acc", _axis(g_force[1]), unit="g")
    words = _words(bare)
    for place, word in enumerate(words):
        if glued := _GLUED.fullmatch(word):
            words[place : place + 1] = [glued[1], glued[2]]
            break
    if sum(word in AXES for word in words) != 1 or not _NOT_MEASURED.isdisjoint(words):
        return None
    axis = next(word for word in words if word in AXES)
    before, after = words[: words.index(axis)], words[words.index(axis) + 1 :]
    sensor = _take_sensor(before) or _take_sensor(after)
    if not unit and after and sensor is not None and sensor_unit("_".join(after), sensor):
        unit, after = "_".join(after), []
    linear = not _LINEAR.isdisjoint(before + after)
    others = [word for word in before + after if word not in _FILLERS | _LINEAR and word not in _SENSOR_WORDS]
    if sensor is None:
        # A bare axis; its unit may tell the sensor.
        if others:
            return None
        sensor = sensor_of_unit(unit) if unit else None
    return SensorColumn(
        sensor,
        _axis(axis),
        _placement(others, name),
        sensor_unit(unit, sensor) if sensor is not None and unit else None,
        linear,
    )


def _axis(text: str) -> Axis:
    return next(axis for axis in AXES if axis == text.lower())


def _take_sensor(words: list[str]) -> Sensor | None:
    """Remove the sensor's name from `words` and return it."""
    for place in reversed(range(len(words))):
        found = _SENSOR_WORDS.get(words[place])
        if found is None and place == len(words) - 1:
            found = _GLUED_SENSORS.get(words[place])
        if found is not None:
            del words[place]
            return found
    return None


def _placement(words: list[str], name: str) -> str:
    text = " ".join(_WORN_DEVICES.get(word, word) for word in words)
    try:
        return parse_placement(text)
    except UnknownPlacement as error:
        raise UnknownPlacement(
            f"column '{name}': {error}; or say what it is with columns={{'{name}': 'acc_x'}}, or 'ignore'"
        ) from None


def _without_brackets(name: str) -> tuple[str, str]:
    """A header's name, and what stands in brackets after it: its unit."""
    match = re.search(r"[(\[{<]\s*([^()\[\]{}<>]*(?:\([^()]*\)[^()]*)?)\s*[)\]}>]\s*$", name)
    return (name[: match.start()], match[1].strip()) if match else (name, "")


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^\w]+|_+", spaced.lower()) if word]
