"""Units as people write them in column headers, and which sensor or clock they belong to."""

from __future__ import annotations

import re

from kinelex.errors import WrongUnit
from kinelex.signal.channel import SENSORS, Sensor
from kinelex.signal.units import parse_unit

UNITLESS = ("normalised", "normalized", "unitless", "a.u.", "arbitrary")
"""Said of values that lost their unit when they were published."""

_TIMES = {
    1.0: ("s", "sec", "secs", "second", "seconds"),
    1e-3: ("ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"),
    1e-6: ("us", "µs", "μs", "usec", "usecs", "micro", "micros", "microsecond", "microseconds"),
    1e-9: ("ns", "nsec", "nsecs", "nano", "nanos", "nanosecond", "nanoseconds"),
}
_CLOCKS = ("unix", "utc", "iso8601", "hh:mm:ss", "datetime")
_LONG = (
    (r"met(er|re)s?", "m"), (r"sec(ond)?s?\b", "s"), (r"degrees?", "deg"), (r"radians?", "rad"), (r"\bper\b", "/"),
    (r"m_?/?_?s_?\^?_?2|mps2|mss", "m/s^2"), (r"deg_s|degps", "deg/s"), (r"rad_s|radps", "rad/s"),
)  # fmt: skip


def sensor_unit(text: str, sensor: Sensor) -> str | None:
    """The standard spelling of a unit of `sensor`; None when it is none of its units.

    >>> sensor_unit("m/s²", "acc")
    'm/s^2'
    >>> sensor_unit("degrees/second", "gyro")
    'deg/s'
    >>> sensor_unit("g", "gyro") is None
    True
    """
    short = text.strip().lower()
    for long, abbreviation in _LONG:
        short = re.sub(long, abbreviation, short)
    for spelling in (text, short):
        try:
            return parse_unit(sensor, spelling)
        except WrongUnit:
            continue
    return None


def sensor_of_unit(text: str) -> Sensor | None:
    """The sensor that measures in this unit: a bare ``g`` is an accelerometer's, as a header would mean it."""
    return next((sensor for sensor in SENSORS if sensor_unit(text, sensor)), None)


def time_unit_s(text: str) -> float | None:
    """Seconds per unit of time: ``"ms"`` is 0.001; None when it is no unit of time."""
    words = text.strip().lower()
    return next((scale for scale, spellings in _TIMES.items() if words in spellings), None)


def is_unit(text: str) -> bool:
    """Whether a header cell is nothing but a unit, of a sensor or of time."""
    words = text.strip().strip("()[]").lower()
    return words in _CLOCKS or time_unit_s(words) is not None or sensor_of_unit(words) is not None
