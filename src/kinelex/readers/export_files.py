"""The files of a Sensor Logger export: which there are, and what the ones without samples say."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from kinelex.errors import UnreadableFile
from kinelex.readers.blob import Blob, reading
from kinelex.readers.table import Table
from kinelex.signal.channel import AXES

CLOCK = "seconds_elapsed"
SENSOR_FILES = (
    "TotalAcceleration", "Accelerometer", "AccelerometerUncalibrated", "Gravity", "Gyroscope", "GyroscopeUncalibrated",
    "Magnetometer", "MagnetometerUncalibrated",
)  # fmt: skip
_BY_KEY = {name.lower(): name for name in SENSOR_FILES}
_MOST_METADATA = 1 << 22


@dataclass(frozen=True)
class Phone:
    """What ``Metadata.csv`` says; `platform` is empty when there is none."""

    platform: str = ""
    standardised: bool = False
    zone: tzinfo = UTC

    @property
    def turned(self) -> bool:
        """Whether accelerations have Apple's sign and unit."""
        return self.platform.startswith("ios") and not self.standardised


def is_export(files: Mapping[str, Blob]) -> bool:
    """Whether a folder's files are one export: its sensors lie side by side."""
    return len(_folders(files)) == 1


def exports_in(path: Path, files: Mapping[str, Blob]) -> list[Path]:
    """The subfolders that are exports, of a folder that is none itself."""
    return [path / folder for folder in sorted(_folders(files))]


def sensor_files(files: Mapping[str, Blob]) -> dict[str, Blob]:
    """The file of each sensor of an export, by the sensor's name."""
    found: dict[str, Blob] = {}
    for name, blob in files.items():
        if (sensor := _sensor_of_path(name)) is not None:
            found.setdefault(sensor, blob)
    return found


def beside(files: Mapping[str, Blob], stem: str) -> Blob | None:
    """A further file of an export, in the folder of its sensors."""
    folders = _folders(files)
    for name, blob in files.items():
        path = PurePosixPath(name)
        if path.parent in folders and path.name.lower() == f"{stem.lower()}.csv":
            return blob
    return None


def sensor_of_stem(stem: str) -> str | None:
    """The sensor that a single file is named after: ``"walk_Gyroscope-2"`` is ``"Gyroscope"``."""
    return next((_BY_KEY[word] for word in re.split(r"[^a-z]+", stem.lower()) if word in _BY_KEY), None)


def is_sensor_file(table: Table) -> bool:
    """Whether a table is one sensor's file of an export."""
    return set(table.names) >= {CLOCK, *AXES} and sensor_of_stem(table.blob.stem) is not None


def combined_columns(table: Table) -> dict[str, list[int]]:
    """The x, y, z columns of each sensor in an export that is a single file: ``accelerometer_x`` and so on."""
    places = {name.lower(): place for place, name in enumerate(table.names)}
    groups = {}
    for key, sensor in _BY_KEY.items():
        axes = [places[f"{key}_{axis}"] for axis in AXES if f"{key}_{axis}" in places]
        if len(axes) == len(AXES):
            groups[sensor] = axes
    return groups


def is_combined(table: Table) -> bool:
    """Whether a table is an export in a single file."""
    return CLOCK in table.names and bool(combined_columns(table)) and not table.units_row


def phone_of(blob: Blob | None) -> Phone:
    """What ``Metadata.csv`` says about the phone."""
    rows = _rows(blob) if blob is not None else []
    if not rows:
        return Phone()
    row = {key.strip().lower(): (value or "").strip() for key, value in rows[0].items()}
    try:
        zone: tzinfo = ZoneInfo(row.get("recording timezone") or "UTC")
    except (KeyError, ValueError, OSError):  # a name that this machine has no rules for
        zone = UTC
    return Phone(row.get("platform", "").lower(), row.get("standardisation", "").lower() == "true", zone)


def annotations_of(blob: Blob | None) -> tuple[tuple[float, str], ...]:
    """What was noted while recording: seconds, and the text."""
    found = []
    for row in _rows(blob) if blob is not None else []:
        try:
            found.append((float(row.get(CLOCK) or ""), row.get("text") or ""))
        except ValueError:
            continue
    return tuple(found)


def _folders(files: Mapping[str, Blob]) -> set[PurePosixPath]:
    return {PurePosixPath(name).parent for name in files if _sensor_of_path(name) is not None}


def _sensor_of_path(name: str) -> str | None:
    path = PurePosixPath(name)
    return _BY_KEY.get(path.stem.lower()) if path.suffix.lower() == ".csv" else None


def _rows(blob: Blob) -> list[dict[str, str]]:
    with reading(blob), blob.open() as file:
        text = file.read(_MOST_METADATA).decode("utf-8-sig", errors="replace")
    try:
        return [{key: value for key, value in row.items() if key} for row in csv.DictReader(io.StringIO(text))]
    except csv.Error as error:
        raise UnreadableFile(f"'{blob}' is no CSV file: {error}") from None
