"""What one column of a recording measures: which sensor, along which axis, worn where."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal, get_args

from kinelex.errors import UnknownChannel, UnknownPlacement

Sensor = Literal["acc", "gyro", "mag"]
Axis = Literal["x", "y", "z"]

SENSORS: tuple[Sensor, ...] = get_args(Sensor)
AXES: tuple[Axis, ...] = get_args(Axis)

UNKNOWN = "unknown"

PLACEMENTS = (
    "head", "ear", "neck", "shoulder", "chest", "torso", "back", "lower back", "waist", "hip", "pocket",
    "upper arm", "arm", "forearm", "wrist", "hand", "thigh", "leg", "knee", "shin", "ankle", "foot", UNKNOWN,
)  # fmt: skip
"""Body placements, from head to foot; ``left`` or ``right`` may stand before one."""

_ALIASES = {
    "trouser pocket": "pocket", "trousers pocket": "pocket", "front trouser pocket": "pocket", "front pocket": "pocket",
    "trousers": "pocket", "belt": "waist", "waist pouch": "waist", "pelvis": "waist", "front hip": "hip",
    "sternum": "chest", "trunk": "torso", "lumbar": "lower back", "calf": "shin", "lower leg": "shin",
    "upper leg": "thigh", "lower arm": "forearm", "watch": "wrist", "smartwatch": "wrist", "head top": "head",
    "shoe": "foot", "": UNKNOWN, "none": UNKNOWN,
}  # fmt: skip

_SENSOR_NAMES: dict[str, Sensor] = {
    "acc": "acc", "accel": "acc", "accelerometer": "acc", "acceleration": "acc", "a": "acc",
    "gyro": "gyro", "gyr": "gyro", "gyroscope": "gyro", "g": "gyro", "w": "gyro", "rotation": "gyro",
    "mag": "mag", "magn": "mag", "magnetometer": "mag", "m": "mag",
}  # fmt: skip


def parse_placement(text: str | None) -> str:
    """The standard name of a body placement: ``"Right_Trouser-Pocket"`` is ``"right pocket"``.

    Raises:
        UnknownPlacement: the words name no placement in `PLACEMENTS`; the message lists near ones.
    """
    words = re.sub(r"[_\-\s]+", " ", (text or "").strip().lower())
    side, part = "", words
    for candidate in ("left", "right"):
        if words == candidate or words.startswith(candidate + " ") or words.endswith(" " + candidate):
            side, part = candidate + " ", re.sub(rf"\b{candidate}\b", "", words).strip()
        elif f" {candidate} " in words:
            side, part = candidate + " ", words.replace(f" {candidate} ", " ")
    part = _ALIASES.get(part, part)
    if part not in PLACEMENTS or (side and part == UNKNOWN):
        near = difflib.get_close_matches(part, PLACEMENTS, n=3, cutoff=0.4) or list(PLACEMENTS)
        raise UnknownPlacement(
            f"'{text}' is no known placement: use one such as {', '.join(near)}"
            " (left or right may stand before it), or 'unknown'"
        )
    return side + part


@dataclass(frozen=True, slots=True, order=True)
class Channel:
    """One column of a recording.

    Args:
        sensor: ``"acc"`` (m/s²), ``"gyro"`` (rad/s) or ``"mag"`` (µT).
        axis: ``"x"``, ``"y"`` or ``"z"`` of the sensor's own frame.
        placement: where it is worn, a standard name (see `parse_placement`).

    >>> Channel("acc", "x", "left wrist").name
    'left_wrist_acc_x'
    >>> Channel.parse("right_pocket_acc_z")
    Channel(sensor='acc', axis='z', placement='right pocket')
    """

    sensor: Sensor
    axis: Axis
    placement: str = UNKNOWN

    def __post_init__(self) -> None:
        if self.sensor not in SENSORS or self.axis not in AXES:
            raise UnknownChannel(f"no channel '{self.sensor}_{self.axis}': sensors are acc, gyro, mag, axes x, y, z")
        object.__setattr__(self, "placement", parse_placement(self.placement))

    @property
    def name(self) -> str:
        """The column name: ``[placement_]sensor_axis``; an unknown placement is left out."""
        prefix = "" if self.placement == UNKNOWN else self.placement.replace(" ", "_") + "_"
        return f"{prefix}{self.sensor}_{self.axis}"

    @classmethod
    def parse(cls, name: str, placement: str | None = None) -> Channel:
        """Read a column name such as ``acc_x``, ``Accelerometer Y`` or ``left_wrist_gyro_z``.

        Args:
            name: the column name; a placement before the sensor wins over `placement`.
            placement: where the sensor is worn when the name does not say.

        Raises:
            UnknownChannel: the name holds no sensor and axis.
            UnknownPlacement: what stands before the sensor is no placement.
        """
        words = [word for word in re.split(r"[\s_.\-:/()]+", name.strip().lower()) if word]
        if words and (match := re.fullmatch(r"(acc|accel|a|gyro|gyr|g|mag|m|w)([xyz])", words[-1])):
            words[-1:] = [match[1], match[2]]
        if len(words) < 2 or words[-1] not in AXES or words[-2] not in _SENSOR_NAMES:
            raise UnknownChannel(f"column '{name}' is no sensor channel: name it like acc_x or left_wrist_gyro_z")
        before = " ".join(words[:-2])
        return cls(_SENSOR_NAMES[words[-2]], words[-1], parse_placement(before or placement))
