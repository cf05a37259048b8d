"""What a recording is: channels in SI units on an even clock, with what was missing still missing.

Also what can be done to it before a model sees it: resampling, gravity, windows, patches and augmentation.
"""

from kinelex.signal.channel import AXES, PLACEMENTS, SENSORS, UNKNOWN, Axis, Channel, Sensor, parse_placement
from kinelex.signal.clock import Regularized, regularize
from kinelex.signal.gravity import STANDARD_GRAVITY, estimate_gravity, split_by_gravity
from kinelex.signal.quality import Quality, assess
from kinelex.signal.recording import MAX_RATE_HZ, MIN_RATE_HZ, Interval, Recording
from kinelex.signal.resampling import resample
from kinelex.signal.units import SI_UNITS, parse_unit, to_si
from kinelex.signal.windows import cut, patches_of, samples_in, windows_of
from kinelex.signal.zero_fill import mask_zero_fill

__all__ = [
    "AXES",
    "MAX_RATE_HZ",
    "MIN_RATE_HZ",
    "PLACEMENTS",
    "SENSORS",
    "SI_UNITS",
    "STANDARD_GRAVITY",
    "UNKNOWN",
    "Axis",
    "Channel",
    "Interval",
    "Quality",
    "Recording",
    "Regularized",
    "Sensor",
    "assess",
    "cut",
    "estimate_gravity",
    "mask_zero_fill",
    "parse_placement",
    "parse_unit",
    "patches_of",
    "regularize",
    "resample",
    "samples_in",
    "split_by_gravity",
    "to_si",
    "windows_of",
]
