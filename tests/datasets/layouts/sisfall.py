"""SisFall: one person for every kind of trial, an elderly one for a few; blanks, semicolons, CR LF, empty lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"D14"}
ELDERLY = {"D01", "D14", "F05"}


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "SisFall" / "SisFall_dataset"
    written = Written(folder, {"SA01", "SE06"})
    for subject in sorted(written.subjects):
        (home / subject).mkdir(parents=True)
        for code, name in entry.activities.items():
            if subject == "SE06" and code not in ELDERLY:
                continue
            at = made_up.times(STILL_S if code in STILL else MOVING_S, 200)
            acc_g = made_up.acc(at, moving=code not in STILL) / G
            gyro_deg_s = np.degrees(made_up.gyro(at, moving=code not in STILL))
            # The second accelerometer is mounted the other way round.
            counts = np.concatenate([acc_g * 256, gyro_deg_s * 65536 / 4000, acc_g[:, [0, 2, 1]] * -1024], axis=1)
            lines = [",".join(f"{count:4d}" for count in row) + ";\r\n" for row in counts.round().astype(int).tolist()]
            if code == "F05":
                lines.insert(40, "\r\n")
                lines.append(" ")
            (home / subject / f"{code}_{subject}_R01.txt").write_bytes("".join(lines).encode())
            written.add(name, len(at) / 200)
    (home / "Readme.txt").write_text("Each file contains nine columns.\r\n")
    return written
