"""Opportunity: one text file per run, with all sensors of the body and of the flat side by side on one clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry, Device
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, labelled, measured
from kinelex.signal.recording import Recording

_NAME = re.compile(r"(S\d)-(ADL\d|Drill)\.dat")
_NAMES = [str(number) for number in range(1, 251)]
_MILLISECONDS, _LOCOMOTION = "1", "244"
_UNIT_AT = {
    "back": 38,
    "right upper arm": 51,
    "right forearm": 64,
    "left upper arm": 77,
    "left forearm": 90,
    "left shoe": 109,
    "right shoe": 125,
}
"""The first column of acceleration. The other sensors follow, in the order in which the catalog lists them."""
_ACCELEROMETERS = ("RKN^", "HIP", "LUA^", "RUA_", "LH", "BACK", "RKN_", "RWR", "RUA^", "LUA_", "LWR", "RH")
"""In the order of the columns, from the second on."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per run."""
    for path in sorted(folder.glob("**/S*-*.dat")):
        if match := _NAME.fullmatch(path.name):
            yield Trial(path.stem, match[1], partial(_read, entry, path.stem, match[1], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, path: Path) -> Sequence[Recording]:
    """One recording per layer of devices, numbered."""
    axes = [_axes(device) for device in entry.devices]
    columns = read_columns(
        path,
        _NAMES,
        only=[_MILLISECONDS, _LOCOMOTION, *(axis for of_device in axes for axis in of_device)],
        kinds={_LOCOMOTION: int},
        delimiter=" ",
    )
    times_s = columns[_MILLISECONDS] / 1000
    intervals = labelled(entry, columns[_LOCOMOTION], times_s=times_s)
    recordings = []
    for number, layer in enumerate(_layers(entry.devices), start=1):
        blocks = []
        for device in layer:
            values = stacked(columns, _axes(device))
            # A device that was silent throughout a run has nothing to be judged by.
            if np.isfinite(values).any():
                blocks += [
                    Block(device, sensor, values[:, 3 * i : 3 * i + 3]) for i, sensor in enumerate(device.sensors)
                ]
        if blocks:
            whole = f"{entry.name}/{name}/{number}"
            recordings.append(measured(blocks, name=whole, subject=subject, times_s=times_s, intervals=intervals))
    return recordings


def _axes(device: Device) -> list[str]:
    """The columns of a device's sensors. An accelerometer is told by its official name, which stands in brackets."""
    if match := re.search(r"\((\S+)\)$", device.device):
        first = 2 + 3 * _ACCELEROMETERS.index(match[1])
    else:
        first = _UNIT_AT[device.placement]
    return [str(first + axis) for axis in range(3 * len(device.sensors))]


def _layers(devices: Sequence[Device]) -> list[list[Device]]:
    """Devices side by side, but never two at one place."""
    layers: list[list[Device]] = []
    for device in devices:
        for layer in layers:
            if all(other.placement != device.placement for other in layer):
                layer.append(device)
                break
        else:
            layers.append([device])
    return layers
