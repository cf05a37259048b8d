"""UniMiB SHAR of 2017: two people, two trials of each movement and six of each fall, a window each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import Written

STILL = {"lying_down", "falling_syncope"}
SAMPLES = 151
FIRST_FALL = 10


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"s01", "s30"})
    home = folder / "UniMiB-SHAR" / "data"
    home.mkdir(parents=True)
    rows, labels = [], []
    for code, name in ((int(code), name) for code, name in entry.activities.items()):
        for person in (1, 30):
            for trial in range(1, 7 if code >= FIRST_FALL else 3):
                rows.append(window(len(rows), moving=name not in STILL).T.ravel())
                labels.append((code, person, trial))
                written.add(name, SAMPLES / 50)
    data, named = np.array(rows), np.array(labels, dtype=np.uint8)
    falls = named[:, 0] >= FIRST_FALL
    write_kind(home, "acc", data, named)
    write_kind(home, "adl", data[~falls], named[~falls])
    # Where falls are alone, their codes start again at one.
    write_kind(home, "fall", data[falls], named[falls] - np.array([FIRST_FALL - 1, 0, 0], dtype=np.uint8))
    write_kind(home, "two_classes", data, np.column_stack([1 + falls, named[:, 1:]]).astype(np.uint8))
    return written


def window(seed: int, *, moving: bool, samples: int = SAMPLES) -> NDArray[np.float64]:
    """``(time, 3)`` in m/s²."""
    return made_up.acc(made_up.times(samples / 50, 50), moving=moving, seed=seed)


def write_kind(home: Path, kind: str, data: NDArray[np.float64], labels: NDArray[np.uint8]) -> None:
    savemat(home / f"{kind}_data.mat", {f"{kind}_data": data})
    savemat(home / f"{kind}_labels.mat", {f"{kind}_labels": labels})
