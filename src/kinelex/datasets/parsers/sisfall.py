"""SisFall: a folder per person, one text file per trial, with the counts of three converters in every line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Block, Trial, measured
from kinelex.errors import UnreadableFile
from kinelex.signal.recording import Interval, Recording

_NAME = re.compile(r"([DF]\d+)_(S[AE]\d+)_(R\d+)\.txt")
_ACC, _GYRO, _SECOND_ACC = (tuple(f"{sensor} {axis}" for axis in "xyz") for sensor in ("acc", "gyro", "second acc"))
_BLANK_LINES = re.compile(rb"\n\s*\n")
# What one count is worth, from the converters' ranges and bits. The second accelerometer (MMA8451Q) is left out: it
# sits beside the first one (ADXL345) and measures the same, up to half as much.
_G_PER_COUNT = 2 * 16 / 2**13
_DEG_S_PER_COUNT = 2 * 2000 / 2**16


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per trial."""
    for path in sorted(folder.glob("**/*_S[AE]*_R*.txt")):
        if (match := _NAME.fullmatch(path.name)) and match[1] in entry.activities:
            yield Trial(path.stem, match[2], partial(_read, entry, path.stem, match[2], match[1], path), (path,))


def _read(entry: CatalogEntry, name: str, subject: str, code: str, path: Path) -> Sequence[Recording]:
    device = entry.devices[0]
    try:
        raw = path.read_bytes().rstrip()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    if not raw.endswith(b";"):
        raise UnreadableFile(f"'{path}' is empty or breaks off: its last line is not closed by a semicolon")
    lines = _BLANK_LINES.sub(b"\n", raw.replace(b";", b""))
    names = (*_ACC, *_GYRO, *_SECOND_ACC)
    counts = read_columns(lines, names, kinds=dict.fromkeys(names, int), label=str(path))
    acc, gyro = stacked(counts, _ACC) * _G_PER_COUNT, stacked(counts, _GYRO) * _DEG_S_PER_COUNT
    whole = Interval(0.0, len(acc) / device.rate_hz, entry.activities[code])
    blocks = [Block(device, "acc", acc), Block(device, "gyro", gyro)]
    return [measured(blocks, name=f"{entry.name}/{name}", subject=subject, intervals=[whole])]
