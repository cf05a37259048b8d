"""UMAFall: every activity once; nodes in another order in every header, and here and there one is missing or off."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"MakingACall", "LyingDown_OnABed"}
WITHOUT_WAIST = "Hopping"
GYRO_ENDS_EARLY = "Jogging"
QUARTER_OF_GRAVITY = ("LyingDown_OnABed", "chest")
TWICE = "OpeningDoor"


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "UMAFall_Dataset"
    home.mkdir(parents=True)
    written = Written(folder, {"subject_01", "subject_02"}, missing=1)
    rng = np.random.default_rng(3)
    for number, (code, name) in enumerate(entry.activities.items()):
        seconds = STILL_S if code in STILL else MOVING_S
        devices = list(enumerate(entry.devices))
        rows, worn = [], []
        for node, device in [devices[i] for i in rng.permutation(len(devices))]:
            place = device.placement.replace(" ", "").upper()
            if (code, place) == (WITHOUT_WAIST, "WAIST"):
                continue
            worn.append(f"%AA:BB:CC:DD:EE:0{node}; {node}; {place}; {'SensorTag' if node else 'lge-LG-H815-5.1'}")
            scale = 0.25 if (code, device.placement) == QUARTER_OF_GRAVITY else 1.0
            rows += node_rows(node, seconds, moving=code not in STILL, scale=scale, rng=rng)
            if (code, device.placement) == (GYRO_ENDS_EARLY, "wrist"):
                last = max(row for row in rows if row[5:] == (1, node))
                rows.remove(last)
        kind = "Fall" if code.endswith("Fall") else "ADL"
        subject = f"Subject_{1 + number % 2:02}"
        for date in ("2016-06-13_20-27-49", "2017-04-26_19-45-05")[: 1 + (code == TWICE)]:
            text = "".join(f"{line:<84}\n" for line in [*header(subject, code, kind), *worn, *LEGEND])
            text += "".join(";".join(map(str, row)) + "\n" for row in sorted(rows))
            (home / f"UMAFall_{subject}_{kind}_{code}_1_{date}.csv").write_text(text)
            written.add(name, seconds)
    return written


def node_rows(
    node: int, seconds: float, *, moving: bool, scale: float, rng: np.random.Generator
) -> list[tuple[float, ...]]:
    """Stamp (ms), sample number, x, y, z, sensor, node: first in a burst, then as the radio lets them."""
    at = made_up.times(seconds, 20 if node else 198)
    late_ms = rng.choice([0, 4, 30], len(at)) if node else rng.choice([0, 1], len(at))
    late_ms[:8] += np.arange(80, 0, -10) if node else 40
    stamps = np.maximum.accumulate((at * 1000).astype(int) + late_ms) + 10 * node + 3
    values = [made_up.acc(at, moving=moving) / G * scale]
    if node:
        values += [np.degrees(made_up.gyro(at, moving=moving)), made_up.mag(at)]
    return [
        (int(stamp) + sensor, number + (sensor > 0 or node == 0), *map(float, xyz), sensor, node)
        for sensor, measured in enumerate(values)
        for number, (stamp, xyz) in enumerate(zip(stamps, measured, strict=True))
    ]


def header(subject: str, code: str, kind: str) -> list[str]:
    return [
        "% Universidad de Malaga - ETSI de Telecomunicacion (Spain)",
        f"% ID: {subject}_{kind}_{code}_1",
        "% Age: 22",
        "",
        f"% Type of Movement: {kind}",
        "% --> Maximum Range: 16.000000263891405 G",
        "",
        "% MAC Address; Sensor_ID; Position; Device Model",
    ]


LEGEND = [
    "",
    "% Sensor_Type:",
    "% Accelerometer = 0",
    "% Gyroscope = 1",
    "% Magnetometer = 2",
    "",
    "% TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID;",
]
