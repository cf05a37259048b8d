"""HHAR: four tables of all people and devices, each row stamped by the clock of the device that it comes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.ranges import Range, Table
from kinelex.datasets.parsers.text import stacked
from kinelex.datasets.parsers.trial import Recordings, Trial, joined, labelled
from kinelex.errors import BadSamples
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Recording

_FILES: dict[str, Sensor] = {
    "Phones_accelerometer.csv": "acc",
    "Phones_gyroscope.csv": "gyro",
    "Watch_accelerometer.csv": "acc",
    "Watch_gyroscope.csv": "gyro",
}
_COLUMNS = ("Index", "Arrival_Time", "Creation_Time", "x", "y", "z", "User", "Model", "Device", "gt")
_WANTED = ("Arrival_Time", "Creation_Time", "x", "y", "z", "User", "Device", "gt")
_MODELS = ("nexus4", "s3", "s3mini", "samsungold", "lgwatch", "gear")
"""In the order of the catalog's devices."""

_PAUSE_S = 60.0
"""A device that was away for longer, or whose clock started anew, goes on in another recording."""
_SHORTEST_S = 1.0
_MARGIN_S = 5.0

Source = tuple[Sensor, Table, list[Range]]


@dataclass(frozen=True, slots=True, eq=False)
class _Log:
    """What one sensor of one device recorded of one person, in the order of the file."""

    arrived_s: NDArray[np.float64]
    created_s: NDArray[np.float64]
    values: NDArray[np.float32]
    codes: NDArray[np.str_]

    def __getitem__(self, rows: NDArray[Any]) -> _Log:
        return _Log(self.arrived_s[rows], self.created_s[rows], self.values[rows], self.codes[rows])


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person, on all their devices."""
    files = [path for path in sorted(folder.glob("**/*.csv")) if path.name in _FILES]
    # 'Still exp' holds devices that lay on a table: nobody wore them.
    homes = [home for home in dict.fromkeys(path.parent for path in files) if not home.name.startswith("Still")]
    for home in homes:
        sources: defaultdict[str, list[Source]] = defaultdict(list)
        for path in files:
            if path.parent == home:
                table = Table.open(path, _COLUMNS)
                for (user,), ranges in table.ranges_by("User").items():
                    sources[user].append((_FILES[path.name], table, ranges))
        for user, mine in sorted(sources.items()):
            name = user if len(homes) == 1 else f"{user}_{home.name}"
            yield Trial(name, user, partial(_read, entry, name, user, mine), tuple(table.path for _, table, _ in mine))


def _read(entry: CatalogEntry, name: str, user: str, sources: Sequence[Source]) -> Sequence[Recording]:
    models = dict(zip(_MODELS, entry.devices, strict=True))
    readings: list[Callable[[], Recording]] = []
    for device, logs in sorted(_by_device(user, sources).items()):
        model = device.rpartition("_")[0]
        if model not in models:
            raise BadSamples(f"'{sources[0][1].path}' has a device '{device}', which is none of {', '.join(models)}")
        for number, (streams, codes) in enumerate(_stretches(logs), start=1):
            times_s = next(iter(streams.values())).times_s
            readings.append(
                partial(
                    joined,
                    models[model],
                    streams,
                    name=f"{entry.name}/{name}/{device}/{number}",
                    subject=user,
                    intervals=labelled(entry, codes, times_s=times_s),
                )
            )
    return Recordings(readings)


def _by_device(user: str, sources: Sequence[Source]) -> dict[str, dict[Sensor, _Log]]:
    """The accelerometer first, where a device has one."""
    found: defaultdict[tuple[Sensor, str], list[_Log]] = defaultdict(list)
    for sensor, table, ranges in sources:
        for columns in table.rows(ranges, _WANTED, dict.fromkeys(("User", "Device", "gt"), str)):
            mine = columns["User"] == user
            for device in dict.fromkeys(columns["Device"][mine].tolist()):
                rows = np.flatnonzero(mine & (columns["Device"] == device))
                part = {key: values[rows] for key, values in columns.items()}
                arrived_s, created_s = part["Arrival_Time"] / 1e3, part["Creation_Time"] / 1e9
                log = _Log(arrived_s, created_s, stacked(part, "xyz"), part["gt"].astype(np.str_))
                found[sensor, device].append(log)
    logs: defaultdict[str, dict[Sensor, _Log]] = defaultdict(dict)
    for sensor, device in sorted(found):
        parts = found.pop((sensor, device))
        logs[device][sensor] = _Log(
            np.concatenate([part.arrived_s for part in parts]),
            np.concatenate([part.created_s for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.codes for part in parts]),
        )
    return logs


def _stretches(logs: dict[Sensor, _Log]) -> Iterator[tuple[dict[Sensor, Stream], NDArray[np.str_]]]:
    """What a device recorded without a long pause: its sensors, and the code of each row of the first one."""
    (first, log), *others = logs.items()
    created, arrived = np.diff(log.created_s), np.diff(log.arrived_s)
    jumps = (np.abs(created) > _PAUSE_S) | (np.abs(arrived - created) > _PAUSE_S)
    for rows in np.split(np.arange(len(log.created_s)), np.flatnonzero(jumps) + 1):
        part = log[rows]
        if np.ptp(part.created_s) < _SHORTEST_S:
            continue
        streams: dict[Sensor, Stream] = {first: Stream(part.created_s, part.values)}
        for sensor, other in others:
            # A clock that started anew reads the same twice, so the time of arrival has to agree as well.
            beside = other[_within(other.arrived_s, part.arrived_s) & _within(other.created_s, part.created_s)]
            streams[sensor] = Stream(beside.created_s, beside.values)
        yield streams, part.codes


def _within(times_s: NDArray[np.float64], of_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    first, last = float(of_s.min()) - _MARGIN_S, float(of_s.max()) + _MARGIN_S
    return (times_s >= first) & (times_s <= last)
