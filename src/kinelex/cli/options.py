"""Options that several commands share, from text to values."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from kinelex.errors import BadLabels, UsageError
from kinelex.signal.channel import SENSORS, Sensor
from kinelex.signal.units import FACTORS

if TYPE_CHECKING:
    from kinelex.signal.recording import Recording


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Reading:
    """What a file does not say of itself.

    Args:
        rate_hz: Samples per second, for a file without timestamps.
        units: Units that the file does not state, such as acc=g,gyro=deg/s; SI when left out.
        placement: Where it was worn, such as "left wrist".
        gravity: Whether acceleration contains gravity; looked up in the signal when left out.
        columns: What columns mean when their names do not say, such as "Clock=time,A1=acc_x,A2=acc_y,A3=acc_z".
        session: Which session, of a table that holds several.
    """

    rate_hz: float | None = None
    units: str | None = None
    placement: str | None = None
    gravity: bool | None = None
    columns: str | None = None
    session: str | None = None

    def check(self) -> None:
        """Refuse options that are no options, before any file is read.

        Raises:
            UsageError: units or columns that are not understood.
        """
        self._parsed()

    def read(self, file: Path) -> Recording:
        """Read a file so; errors are those of `kinelex.read`, and `check`'s."""
        from kinelex.readers import read

        units, columns = self._parsed()
        return read(
            file,
            rate_hz=self.rate_hz,
            units=units,
            placement=self.placement,
            gravity=self.gravity,
            columns=columns,
            session=self.session,
        )

    def _parsed(self) -> tuple[dict[Sensor, str] | None, dict[str, str] | None]:
        return (
            parse_units(self.units) if self.units else None,
            parse_columns(self.columns) if self.columns else None,
        )


def parse_units(text: str) -> dict[Sensor, str]:
    """``"acc=g,gyro=deg/s"`` as a mapping.

    >>> parse_units("acc=g, gyro=deg/s")
    {'acc': 'g', 'gyro': 'deg/s'}

    Raises:
        UsageError: a part is no ``sensor=unit``, or a sensor is not known or given twice.
    """
    units: dict[Sensor, str] = {}
    for sensor, unit in _pairs(text, "--units", "acc=g,gyro=deg/s"):
        known = next((name for name in SENSORS if name == sensor.lower()), None)
        if known is None:
            raise UsageError(f"--units has '{sensor}', which is no sensor: use {', '.join(SENSORS)}")
        if known in units:
            raise UsageError(f"--units gives {known} twice: once is enough")
        if unit.lower() not in {name.lower() for name in FACTORS[known]}:
            _check_unit(known, unit)
        units[known] = unit
    return units


def parse_columns(text: str) -> dict[str, str]:
    """``"Clock=time,A1=acc_x"`` as a mapping from column to meaning; quote a name that holds a comma.

    >>> parse_columns("Clock=time, A 1=acc_x")
    {'Clock': 'time', 'A 1': 'acc_x'}

    Raises:
        UsageError: a part is no ``column=meaning``, or a column is given twice.
    """
    columns: dict[str, str] = {}
    for column, meaning in _pairs(text, "--columns", "Clock=time,A1=acc_x"):
        if column in columns:
            raise UsageError(f"--columns gives '{column}' twice: once is enough")
        columns[column] = meaning
    return columns


def parse_labels(text: str | Sequence[str]) -> tuple[str, ...]:
    """``"walking, brushing teeth"`` as a tuple; quote a label that holds a comma.

    >>> parse_labels('walking, "sitting, reading"')
    ('walking', 'sitting, reading')

    Raises:
        BadLabels: no label, a blank one, or the same one twice (case and spaces do not count).
    """
    labels = tuple(" ".join(part.split()) for part in (_split(text, "--labels") if isinstance(text, str) else text))
    if not any(labels):
        raise BadLabels('--labels has no activity: name them with commas between, such as "walking, sitting"')
    if "" in labels:
        raise BadLabels(f"--labels has a blank activity after {labels.index('')} others: remove the extra comma")
    seen: dict[str, str] = {}
    for label in labels:
        if label.casefold() in seen:
            raise BadLabels(f"--labels has '{label}' twice: name each activity once")
        seen[label.casefold()] = label
    return labels


def _pairs(text: str, option: str, example: str) -> list[tuple[str, str]]:
    pairs = []
    for part in _split(text, option):
        name, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not (name and equals and value):
            raise UsageError(f"{option} has '{part}', which is no NAME=VALUE: write it like {option} {example}")
        pairs.append((name, value))
    return pairs


def _split(text: str, option: str) -> list[str]:
    try:
        parts = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise UsageError(f"{option} {text!r} cannot be taken apart ({error}): check its quotes") from None
    return [part.strip() for part in parts] or [""]


def _check_unit(sensor: Sensor, unit: str) -> None:
    from kinelex.errors import WrongUnit
    from kinelex.signal.units import parse_unit

    try:
        parse_unit(sensor, unit)
    except WrongUnit:
        near = difflib.get_close_matches(unit, FACTORS[sensor], n=1, cutoff=0.3)
        hint = f", perhaps {near[0]}" if near else ""
        raise UsageError(
            f"--units has '{unit}', which is no unit of {sensor}: use {', '.join(FACTORS[sensor])}{hint}"
        ) from None
