"""MMAct: a folder tree per sensor, and in each a file per person, scene, session and action."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinelex.datasets.catalog import CatalogEntry
from kinelex.datasets.parsers.text import read_columns, stacked
from kinelex.datasets.parsers.trial import Trial, joined
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.readers.joining import Stream
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Interval, Recording

_TREES: tuple[dict[Sensor, str], ...] = ({"acc": "acc_phone_clip", "gyro": "gyro_clip"}, {"acc": "acc_watch_clip"})
"""Where the sensors of the phone lie, and those of the watch."""

_HOLDS_NOTHING_BYTES = 40
"""Less than a line of names and a row of numbers."""


def trials(entry: CatalogEntry, folder: Path) -> Iterator[Trial]:
    """One per person, scene, session and action."""
    found: dict[tuple[str, str, str, str], dict[str, Path]] = {}
    for path in sorted(folder.glob("**/subject*/scene*/session*/*.[cC][sS][vV]")):
        # Names of one action differ in capitals and blanks from sensor to sensor.
        action = re.sub(r"[\s_]+", "_", path.stem.strip().lower())
        if action in entry.activities and path.stat().st_size > _HOLDS_NOTHING_BYTES:
            session, scene, subject, tree = (parent.name for parent in path.parents[:4])
            found.setdefault((subject, scene, session, action), {}).setdefault(tree, path)
    wanted = {tree for trees in _TREES for tree in trees.values()}
    for (subject, scene, session, action), paths in sorted(found.items()):
        files = {tree: path for tree, path in paths.items() if tree in wanted}
        if files:
            name = f"{subject}_{scene}_{session}_{action}"
            yield Trial(name, subject, partial(_read, entry, name, subject, action, files), tuple(files.values()))


def _read(entry: CatalogEntry, name: str, subject: str, action: str, files: Mapping[str, Path]) -> Sequence[Recording]:
    recordings = []
    for device, trees in zip(entry.devices, _TREES, strict=True):
        read = {sensor: _stream(files[tree]) for sensor, tree in trees.items() if tree in files}
        streams = {sensor: stream for sensor, stream in read.items() if len(np.unique(stream.times_s)) > 1}
        if streams:
            times_s = next(iter(streams.values())).times_s
            whole = Interval(0.0, float(times_s.max() - times_s.min()), entry.activities[action])
            title = f"{entry.name}/{name}/{device.device}"
            recordings.append(joined(device, streams, name=title, subject=subject, intervals=[whole]))
    if not recordings:
        raise UnreadableFile(f"'{next(iter(files.values()))}' and the files of its other sensors hold no samples")
    return recordings


def _stream(path: Path) -> Stream:
    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise UnreadableFile(f"'{path}' cannot be read: {error.strerror}") from None
    has_names = not raw[:1].isdigit()
    names = ("time", "x", "y", "z")
    columns = read_columns(raw, names, kinds={"time": str}, skip_rows=int(has_names), label=str(path))
    # 20181016_13:34:06.132, and of whole seconds just 20181016_13:34:06
    moments = [f"{t[:4]}-{t[4:6]}-{t[6:8]}T{t[9:]}" for t in map(str.strip, columns["time"].tolist())]
    try:
        clock = np.array(moments, dtype="datetime64[us]")
    except ValueError as error:
        raise BadSamples(f"'{path}' has a time that is none: {error}") from None
    return Stream(clock.astype(np.int64) / 1e6, stacked(columns, "xyz"))
