"""What the caller says about a file; whatever is left out is found in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kinelex.errors import UnknownName, UsageError
from kinelex.signal.channel import SENSORS, Sensor, parse_placement
from kinelex.signal.units import parse_unit

FORMATS = ("tidy", "wide", "sensor-logger")
"""Layouts that `kinelex.read` knows. CSV or Parquet, packed or not, is seen from the bytes."""


@dataclass(frozen=True)
class Request:
    """The arguments of `kinelex.read`, checked.

    Raises:
        UnknownName: a format that is not in `FORMATS`.
        UsageError: a unit for something that is no sensor, or a rate that is no positive number.
        UnknownPlacement, WrongUnit: a placement or unit that Kinelex does not know.
    """

    path: Path
    rate_hz: float | None = None
    units: Mapping[Sensor, str] = field(default_factory=dict)
    placement: str | None = None
    gravity: bool | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    subject: str | None = None
    name: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise UnknownName(f"no format '{self.format}': use one of {', '.join(FORMATS)}, or leave it out")
        if self.rate_hz is not None and not 0 < self.rate_hz < float("inf"):
            raise UsageError(f"rate_hz={self.rate_hz} is no rate: pass samples per second, such as 50")
        for sensor, unit in self.units.items():
            if sensor not in SENSORS:
                raise UsageError(f"units has '{sensor}', which is no sensor: use {', '.join(SENSORS)}")
            parse_unit(sensor, unit)
        if self.placement is not None:
            object.__setattr__(self, "placement", parse_placement(self.placement))
