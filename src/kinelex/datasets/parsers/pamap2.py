"""PAMAP2: one text file per person and part of the study, with three motion units on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Recording

_PARTS = ("Optional", "Protocol")
_NAMES = [str(number) for number in range(1, 55)]
_TIME, _ACTIVITY = "1", "2"
_UNIT_AT = {"wrist": 4, "chest": 21, "ankle": 38}
"""The first column of each motion unit, which is its temperature."""
_SENSOR_AFTER: dict[Sensor, int] = {"acc": 1, "gyro": 7, "mag": 10}
"""How many columns later a sensor begins. Between acc and gyro stands an accelerometer that saturates at 6 g, after mag
an orientation that is invalid."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per file: what a person did by the protocol is one, what they did besides another."""
    for path in sorted(folder.glob("**/subject*.dat")):
        part, subject = path.parent.name, path.stem
        if part in _PARTS:
            name = f"{part}_{subject}"
            yield Trial(name, subject, partial(_read, entry, name, subject, path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, path: Path) -> Sequence[Recording]:
    axes = {
        (device.placement, sensor): [
            str(_UNIT_AT[device.placement] + _SENSOR_AFTER[sensor] + axis) for axis in range(3)
        ]
        for device in entry.devices
        for sensor in device.sensors
    }
    columns = read_columns(
        path,
        _NAMES,
        only=[_TIME, _ACTIVITY, *(column for triple in axes.values() for column in triple)],
        kinds={_ACTIVITY: int},
        delimiter=" ",
    )
    return [
        measured(
            [
                Block(device, sensor, stacked(columns, axes[device.placement, sensor]))
                for device in entry.devices
                for sensor in device.sensors
            ],
            name=f"{entry.name}/{name}",
            subject=subject,
            times_s=columns[_TIME],
            intervals=labelled(entry, columns[_ACTIVITY], times_s=columns[_TIME]),
        )
    ]
