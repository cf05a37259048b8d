"""RealWorld: an archive per person, sensor and activity, and in it a file per place of the body."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Trial, joined
from kinelex.errors import UnreadableFile
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Interval, Recording

# The archives are called acc_, gyr_ and mag_, the files in them acc_, Gyroscope_ and MagneticField_.
_NAME = re.compile(r"(acc|gyr|mag)[a-z]*_([a-z]+)(?:_(\d+))?_([a-z]+)\.csv", re.IGNORECASE)
_SENSORS: dict[str, Sensor] = {"acc": "acc", "gyr": "gyro", "mag": "mag"}
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of numbers, on the disk or within an archive or two: ``inside`` leads from one to the next."""

    path: Path
    inside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return PurePosixPath(self.inside[-1]).name if self.inside else self.path.name

    def __str__(self) -> str:
        return "/".join((str(self.path), *self.inside))

    def read(self) -> bytes:
        try:
            raw = self.path.read_bytes()
            for name in self.inside:
                with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                    raw = archive.read(name)
        except _DAMAGES as error:
            raise UnreadableFile(f"'{self}' cannot be read ({error}): get it again") from None
        return raw


Places = Mapping[str, Mapping[Sensor, _File]]


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person and activity, or part of an activity where it was done in several."""
    for data in sorted(folder.glob("**/proband*/data")):
        subject = data.parent.name
        found: dict[tuple[str, str], dict[str, dict[Sensor, _File]]] = {}
        for file in _files(data):
            match = _NAME.fullmatch(file.name)
            if match and (code := match[2].lower()) in entry.activities:
                # The first part bears a number for some sensors only.
                part = f"_{match[3]}" if match[3] not in (None, "1") else ""
                sensors = found.setdefault((code, part), {}).setdefault(match[4].lower(), {})
                sensors.setdefault(_SENSORS[match[1].lower()], file)
        for (code, part), places in sorted(found.items()):
            name = f"{subject}_{code}{part}"
            paths = sorted({file.path for sensors in places.values() for file in sensors.values()})
            yield Trial(name, subject, partial(_read, entry, name, subject, code, places), tuple(paths))


def _files(data: Path) -> Iterator[_File]:
    """All of a person, what is unpacked before what is not."""
    yield from (_File(path) for path in sorted(data.glob("**/*.csv")))
    for path in sorted(data.glob("**/*.zip")):
        try:
            with zipfile.ZipFile(path) as archive:
                yield from _members(archive, path)
        except _DAMAGES as error:
            raise UnreadableFile(f"archive '{path}' is damaged ({error}): get it again") from None


def _members(archive: zipfile.ZipFile, path: Path, above: tuple[str, ...] = ()) -> Iterator[_File]:
    for name in sorted(archive.namelist()):
        if name.lower().endswith(".zip") and not above:
            with zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner:
                yield from _members(inner, path, (name,))
        else:
            yield _File(path, (*above, name))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, places: Places) -> Sequence[Recording]:
    recordings = []
    for device in entry.devices:
        place = device.placement.replace(" ", "")
        files = places.get(place, {})
        streams = {s: stream for s in device.sensors if s in files and (stream := _stream(files[s])) is not None}
        if streams:
            times_s = next(iter(streams.values())).times_s
            whole = Interval(0.0, float(np.nanmax(times_s) - np.nanmin(times_s)), entry.activities[code])
            title = f"{entry.name}/{name}/{place}"
            recordings.append(joined(device, streams, name=title, subject=subject, intervals=[whole]))
    if not recordings:
        raise UnreadableFile(f"'{next(iter(next(iter(places.values())).values()))}' and all beside it hold no samples")
    return recordings


def _stream(file: _File) -> Stream | None:
    """None for the few files of sensors that did not run."""
    raw = file.read()
    if raw.count(b"\n", 0, len(raw.rstrip())) < 2:
        return None
    axes = ("attr_x", "attr_y", "attr_z")
    columns = read_columns(raw, only=("attr_time", *axes), label=str(file))
    return Stream(columns["attr_time"] / 1e3, stacked(columns, axes))  # ms since 1970
