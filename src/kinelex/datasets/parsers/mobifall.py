"""MobiFall: a folder per person, everyday activities and falls apart, one text file per sensor and trial."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Trial, joined
from kinelex.errors import UnreadableFile
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"([A-Z]{3})_acc_(\d+)_(\d+)\.txt")
_SETTLING_S = 0.2
"""The gyroscope starts wild, then stands still off zero, until it settles."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per trial."""
    for acc in sorted(folder.glob("**/sub*/*/*/*_acc_*.txt")):
        if (match := _NAME.fullmatch(acc.name)) and match[1] in entry.activities:
            gyro = acc.with_name(acc.name.replace("_acc_", "_gyro_"))
            name, subject = f"{match[1]}_{match[2]}_{match[3]}", f"sub{match[2]}"
            yield Trial(name, subject, partial(_read, entry, name, subject, match[1], acc, gyro), (acc, gyro))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, acc: Path, gyro: Path) -> Sequence[Recording]:
    streams: dict[Sensor, Stream] = {"acc": _stream(acc), "gyro": _stream(gyro)}
    settled = streams["gyro"].times_s >= streams["gyro"].times_s[0] + _SETTLING_S
    streams["gyro"] = Stream(streams["gyro"].times_s[settled], streams["gyro"].values[settled])
    length_s = float(streams["acc"].times_s[-1] - streams["acc"].times_s[0])
    whole = Interval(0.0, length_s, entry.activities[code])
    return [joined(entry.devices[0], streams, name=f"{entry.name}/{name}", subject=subject, intervals=[whole])]


def _stream(path: Path) -> Stream:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    _, found, numbers = raw.partition(b"@DATA")
    if not found or not numbers.strip():
        raise UnreadableFile(f"'{path}' has no numbers after a line @DATA")
    names = ("time", "x", "y", "z")
    columns = read_columns(numbers.lstrip(), names, kinds={"time": int}, label=str(path))
    # Both sensors count nanoseconds since the phone started.
    return Stream(columns["time"] / 1e9, stacked(columns, "xyz"))
