"""Units at the edge: everything inside Kinelex is m/s², rad/s and µT."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UsageError, WrongUnit
from kinelex.signal.channel import SENSORS, Channel, Sensor
from kinelex.signal.gravity import STANDARD_GRAVITY
from kinelex.signal.plausibility import check_and_infer_gravity

EARTH_FIELD_UT = 50.0

SI_UNITS: dict[Sensor, str] = {"acc": "m/s^2", "gyro": "rad/s", "mag": "uT"}

FACTORS: dict[Sensor, dict[str, float]] = {
    "acc": {"m/s^2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000},
    "gyro": {"rad/s": 1.0, "deg/s": math.pi / 180, "mrad/s": 1e-3},
    "mag": {"uT": 1.0, "mT": 1e3, "gauss": 100.0, "mgauss": 0.1, "nT": 1e-3, "normalized": EARTH_FIELD_UT},
}
"""SI value of one unit. A ``normalized`` magnetometer reads 1 in the Earth's field, here taken as 50 µT."""

_SPELLINGS: dict[Sensor, dict[str, str]] = {
    "acc": {
        "m/s/s": "m/s^2", "m/s2": "m/s^2", "m/s**2": "m/s^2", "ms-2": "m/s^2", "ms^-2": "m/s^2", "m.s-2": "m/s^2",
        "m.s^-2": "m/s^2", "m*s^-2": "m/s^2", "si": "m/s^2", "gs": "g", "g-force": "g", "g0": "g", "milli-g": "mg",
        "millig": "mg",
    },
    "gyro": {
        "rads-1": "rad/s", "rads^-1": "rad/s", "rad.s-1": "rad/s", "rad.s^-1": "rad/s", "rad/sec": "rad/s",
        "radians/s": "rad/s", "rps": "rad/s", "si": "rad/s", "dps": "deg/s", "degs-1": "deg/s", "degs^-1": "deg/s",
        "deg.s-1": "deg/s", "deg.s^-1": "deg/s", "deg/sec": "deg/s", "degrees/s": "deg/s", "°/s": "deg/s",
        "°s-1": "deg/s", "mrads-1": "mrad/s", "mrad.s-1": "mrad/s",
    },
    "mag": {
        "ut": "uT", "microtesla": "uT", "mt": "mT", "millitesla": "mT", "nt": "nT", "nanotesla": "nT", "g": "gauss",
        "gs": "gauss", "ga": "gauss", "mg": "mgauss", "mga": "mgauss", "milligauss": "mgauss",
        "normalised": "normalized", "si": "uT", "a.u.": "normalized",
    },
}  # fmt: skip

_SYMBOLS = str.maketrans({"²": "2", "⁻": "-", "¹": "1", "−": "-", "·": ".", "⋅": ".", "µ": "u", "μ": "u", "º": "°"})


def parse_unit(sensor: Sensor, text: str) -> str:
    """The standard name of a unit: ``"m/s²"`` is ``"m/s^2"``, ``"dps"`` is ``"deg/s"``, ``"µT"`` is ``"uT"``.

    Raises:
        WrongUnit: no unit of this sensor is spelled like this.

    >>> parse_unit("gyro", "°/s")
    'deg/s'
    """
    spelled = text.strip().translate(_SYMBOLS).lower().replace(" ", "").strip("[]()")
    by_spelling = {name.lower(): name for name in FACTORS[sensor]} | _SPELLINGS[sensor]
    if spelled not in by_spelling:
        raise WrongUnit(f"'{text}' is no unit of {sensor} that Kinelex knows: use one of {', '.join(FACTORS[sensor])}")
    return by_spelling[spelled]


def to_si(
    samples: NDArray[np.float32],
    channels: Sequence[Channel],
    rate_hz: float,
    *,
    units: Mapping[Sensor, str],
    gravity: bool | None = None,
    name: str = "recording",
) -> tuple[NDArray[np.float32], bool]:
    """Convert samples to SI in place, check that the result is possible, and find out about gravity.

    Args:
        samples: ``(time, channel)`` float32 on an even clock; changed in place, so that a day of signal fits in memory.
        channels: one per column.
        rate_hz: samples per second.
        units: unit per sensor, in any usual spelling; SI where left out.
        gravity: whether acc measures gravity; looked up in the signal when None.
        name: what messages call the recording.

    Returns:
        The same array, now m/s², rad/s and µT; and whether acc measures gravity.

    Raises:
        WrongUnit: an unknown unit, or values that cannot be in it (see `check_and_infer_gravity`).
        UsageError: a unit for something that is no sensor.
    """
    unknown = sorted(set(units) - set(SENSORS))
    if unknown:
        raise UsageError(f"units are given for '{unknown[0]}', which is no sensor: use {', '.join(SENSORS)}")
    claimed: dict[Sensor, str] = {
        sensor: parse_unit(sensor, units.get(sensor) or SI_UNITS[sensor]) for sensor in SENSORS
    }
    for column, channel in enumerate(channels):
        factor = FACTORS[channel.sensor][claimed[channel.sensor]]
        if factor != 1.0:
            samples[:, column] *= np.float32(factor)
    has_gravity = check_and_infer_gravity(
        samples, channels, rate_hz, claimed=claimed, factors=FACTORS, gravity=gravity, name=name
    )
    return samples, has_gravity
