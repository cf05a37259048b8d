"""HHAR's activity experiment: devices of every model interleaved row by row, each at its own rate and on its clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, Written

STILL = {"stand", "sit"}
ARRIVAL_MS = 1_424_696_633_908
BETWEEN_S = 0.5
CLOCKS_S = {
    "nexus4_1": 1_424_696_631.9,
    "nexus4_2": 1_424_696_700.1,
    "s3_1": 1_424_690_000.0,
    "s3mini_2": 301.0,
    "samsungold_1": 1_424_696_600.0,
    "lgwatch_1": 91_000.0,
    "gear_1": 27_920.7,
}
"""What each device's clock read when the first row arrived."""
MODELS = ("nexus4", "s3", "s3mini", "samsungold", "lgwatch", "gear")


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "Activity recognition exp"
    home.mkdir(parents=True)
    written = Written(folder, {"a", "b"})
    tables: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for user in sorted(written.subjects):
        for device, clock_s in CLOCKS_S.items():
            kind = "Watch" if device.startswith(("lgwatch", "gear")) else "Phones"
            rate_hz = entry.devices[MODELS.index(device[:-2])].rate_hz
            for sensor in ("accelerometer", "gyroscope"):
                # As one public account has it, the Galaxy S+ delivered no gyroscope samples.
                if (device, sensor) != ("samsungold_1", "gyroscope"):
                    tables.setdefault((kind, sensor), []).append(log(entry, user, device, sensor, clock_s, rate_hz))
        for name in entry.activities.values():
            written.add(name, seconds_of(name))
    for (kind, sensor), parts in tables.items():
        table = pd.concat(parts).sort_values(["User", "Arrival_Time"], kind="stable")
        table.to_csv(home / f"{kind}_{sensor}.csv", index=False)
    still = folder / "Still exp"
    still.mkdir()
    table.assign(User="", gt="").to_csv(still / "Phones_accelerometer.csv", index=False)
    return written


def seconds_of(name: str) -> float:
    return STILL_S if name in STILL else MOVING_S


def log(
    entry: CatalogEntry, user: str, device: str, sensor: str, clock_s: float, rate_hz: float, *, delay_s: float = 0.0
) -> pd.DataFrame:
    """What one sensor of one device recorded of one person: all activities, and half a second of 'null' after each."""
    seed = list(CLOCKS_S).index(device)
    times, values, codes, begin_s = [], [], [], 0.0
    for code, name in (pair for item in entry.activities.items() for pair in (item, ("null", "null"))):
        at = made_up.times(BETWEEN_S if code == "null" else seconds_of(name), rate_hz)
        make = made_up.acc if sensor == "accelerometer" else made_up.gyro
        values.append(make(at, moving=name not in STILL, seed=seed))
        times.append(begin_s + at + (0.0021 if sensor == "gyroscope" else 0.0))
        codes += [code] * len(at)
        begin_s += len(at) / rate_hz
    at = np.concatenate(times)
    table = pd.DataFrame(np.round(np.concatenate(values), 7), columns=list("xyz"))
    table.insert(0, "Index", np.arange(len(at)))
    # Rows arrive in bundles, long after they were measured.
    table.insert(1, "Arrival_Time", ARRIVAL_MS + (np.ceil((at + delay_s) / 0.02) * 20).astype(np.int64))
    table.insert(2, "Creation_Time", np.round((clock_s + at) * 1e6).astype(np.int64) * 1000)
    table = table.assign(User=user, Model=device[:-2], Device=device, gt=codes)
    order = np.arange(len(at))
    order[100:110] = order[100:110][::-1]
    return table.iloc[order]
