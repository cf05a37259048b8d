"""The session store: imported data sets as Parquet shards behind a manifest, read session by session.

::

    ROOT/hapt/manifest.json             the only way in: what the set is, its sessions, hashes
    ROOT/hapt/9f2c…/shard-00000.parquet whole sessions, SI units, float32, NaN missing
    ROOT/hapt/splits/…                  see `kinelex.datasets.splits`

A set has one stream or several: sensors that were recorded side by side on one clock, such as those of a phone. A shard
belongs to one stream. It has one row group per subject and the columns session, subject, activity and one per channel,
so that any Parquet reader can use it without Kinelex. Every session has its own rate.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kinelex.artifact import MANIFEST, read_manifest
from kinelex.datasets.catalog import catalog_names
from kinelex.errors import CorruptArtifact, KinelexError, UnknownName
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording

KIND = "dataset"
VERSION = 2


def data_root() -> Path:
    """Where imported data sets live: ``KINELEX_DATA`` when set, else the platform's folder for user data."""
    if chosen := os.environ.get("KINELEX_DATA"):
        return Path(chosen).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "kinelex" / "datasets"


def list_stored(root: str | Path | None = None) -> tuple[str, ...]:
    """The names of the data sets that are imported under `root` (`data_root` when left out), sorted."""
    folder = data_root() if root is None else Path(root)
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}")))


@dataclass(frozen=True, slots=True)
class Session:
    """Where one stored session is.

    Args:
        name: its name in the source.
        subject: who wore the sensors.
        activity: the official name of what was done.
        rows: number of samples.
        rate_hz: samples per second.
        shard: number of the shard that holds it.
        start: its first row there.
        placements: where sensors were worn, as far as they gave any value.
        recording: what it was cut from; sessions of one recording never overlap in time.
        start_s: when it began there.
    """

    name: str
    subject: str
    activity: str
    rows: int
    rate_hz: float
    shard: int
    start: int
    placements: tuple[str, ...]
    recording: str
    start_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.rows / self.rate_hz


@dataclass(frozen=True, slots=True)
class Stream:
    """Sensors that were recorded side by side.

    Args:
        channels: one per stored column.
        gravity: whether acceleration contains gravity.
    """

    channels: tuple[Channel, ...]
    gravity: bool


@dataclass(frozen=True, slots=True)
class About:
    """What a data set says about itself.

    Args:
        name: short name, in commands and as its folder.
        title: full name.
        role: what it is for: training, test, or a smoke test.
        complete: how much of the published set it is.
        licence: under which terms it may be used.
        cite: what to cite.
        worn: where the sensors were worn, in its own words.
        declared: official names of all its activities, also of those without a session.
        people: sets with the same word have the same people; nothing where they are its own.
    """

    name: str
    title: str
    role: str
    complete: str
    licence: str
    cite: str
    worn: str
    declared: tuple[str, ...]
    people: str = ""


_STORED = ("name", "subject", "activity", "rows", "shard", "start", "placements")


def checksum(fields: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's own fields, which the hashes of its files do not protect."""
    content = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class StoredDataset:
    """An imported data set.

    Open one with `StoredDataset.open`; `import_dataset` makes one.

    Args:
        folder: where it is stored.
        about: what it says about itself.
        streams: what was recorded side by side.
        index: every session, in the order in which it is stored.
        activities: seconds that are stored of each activity, by its official name.
        notes: what the import found that differs from the card, left out, or mended.
        findings: the sessions that were mended or lost a sensor, by reason.
        source: what it was imported from: name, size and SHA-256.
        shards: the shard files, relative to `folder`, each with the number of its stream.
        fingerprint: changes when any stored sample, subject or label does.
    """

    folder: Path
    about: About
    streams: tuple[Stream, ...]
    index: tuple[Session, ...]
    activities: Mapping[str, float]
    notes: tuple[str, ...]
    findings: Mapping[str, tuple[str, ...]]
    source: Mapping[str, Any]
    shards: tuple[tuple[str, int], ...]
    fingerprint: str

    @classmethod
    def open(cls, root: str | Path | None, name: str, *, verify: bool = False) -> StoredDataset:
        """Open the data set `name` under `root` (`data_root` when None).

        Args:
            root: the folder of all data sets.
            name: its name.
            verify: also hash every shard; without it presence and size are checked.

        Raises:
            UnknownName: no such data set is imported.
            CorruptArtifact: its manifest is broken, or a shard is missing, resized or (with `verify`) changed.
            UnsupportedFormat: a newer Kinelex wrote it.
        """
        root = data_root() if root is None else Path(root)
        folder = root / name
        if not (folder / MANIFEST).is_file():
            stored = list_stored(root)
            near = difflib.get_close_matches(name, stored, n=3) or list(stored)
            has = f"there is {', '.join(near)}" if near else "it is empty"
            known = f"; kinelex datasets catalog {name} says how to get its files" if name in catalog_names() else ""
            raise UnknownName(
                f"no data set '{name}' in '{root}' ({has}): import it with kinelex datasets import{known}"
            )
        return cls._from_manifest(folder, read_manifest(folder, KIND, VERSION, verify=verify))

    @classmethod
    def _from_manifest(cls, folder: Path, manifest: Mapping[str, Any]) -> StoredDataset:
        broken = f"'{folder / MANIFEST}' is damaged: import the data set again"
        fields = {k: v for k, v in manifest.items() if k not in ("kind", "version", "files", "checksum")}
        if manifest.get("checksum") != checksum(fields):
            raise CorruptArtifact(broken)
        try:
            stored = cls(
                folder=folder,
                about=About(**{**fields["about"], "declared": tuple(fields["about"]["declared"])}),
                streams=tuple(
                    Stream(tuple(Channel(**channel) for channel in stream["channels"]), bool(stream["gravity"]))
                    for stream in fields["streams"]
                ),
                index=tuple(Session(**{**s, "placements": tuple(s["placements"])}) for s in fields["sessions"]),
                activities=MappingProxyType(dict(fields["activities"])),
                notes=tuple(fields["notes"]),
                findings=MappingProxyType({reason: tuple(names) for reason, names in fields["findings"].items()}),
                source=MappingProxyType(dict(fields["source"])),
                shards=tuple((str(file), int(stream)) for file, stream in fields["shards"]),
                fingerprint=checksum(
                    {
                        # The folder is named after the source, which may have changed without any sample doing so.
                        "files": {Path(file).name: entry for file, entry in manifest["files"].items()},
                        "sessions": [{key: session[key] for key in _STORED} for session in fields["sessions"]],
                    }
                ),
            )
        except (KeyError, TypeError, ValueError, KinelexError) as error:
            raise CorruptArtifact(f"{broken} ({error})") from None
        known = all(0 <= stream < len(stored.streams) for _, stream in stored.shards)
        if {file for file, _ in stored.shards} != set(manifest["files"]) or not known:
            raise CorruptArtifact(broken)
        return stored

    @property
    def name(self) -> str:
        """Its short name."""
        return self.about.name

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who wore the sensors, sorted."""
        return tuple(sorted({session.subject for session in self.index}))

    @property
    def labels(self) -> tuple[str, ...]:
        """The official names of its activities, sorted."""
        return tuple(sorted(self.activities))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Every channel of any stream, once."""
        return tuple(dict.fromkeys(channel for stream in self.streams for channel in stream.channels))

    @property
    def placements(self) -> tuple[str, ...]:
        """Where sensors were worn in any session."""
        return tuple(dict.fromkeys(channel.placement for channel in self.channels))

    @property
    def rates_hz(self) -> tuple[float, ...]:
        """The rates of all sessions, ascending."""
        return tuple(sorted({session.rate_hz for session in self.index}))

    @property
    def gravity(self) -> bool | None:
        """Whether acceleration contains gravity; None where that differs between streams."""
        found = {stream.gravity for stream in self.streams}
        return found.pop() if len(found) == 1 else None

    @property
    def hours(self) -> float:
        """Length of all sessions together, of sensors on clocks of their own each."""
        return sum(session.duration_s for session in self.index) / 3600

    def verify(self) -> None:
        """Hash every shard.

        Raises:
            CorruptArtifact: one is missing or not what was written.
        """
        read_manifest(self.folder, KIND, VERSION, verify=True)

    def sessions(
        self, subjects: Collection[str] | None = None, activities: Collection[str] | None = None
    ) -> Iterator[Recording]:
        """Every session as a recording with one interval: its activity, under its official name.

        Sessions come as they are stored; one subject's part of a shard is in memory at a time. Channels that have no
        value at all in a session are left out of it.

        Args:
            subjects: only these people; everybody when left out.
            activities: only these official names; all when left out.

        Yields:
            Recordings in SI units, each at its own rate, named ``SET/SESSION``.

        Raises:
            UnknownName: a subject or activity that the set does not have.
            CorruptArtifact: a shard is missing or damaged.
        """
        self._check_known("subject", subjects, self.subjects)
        self._check_known("activity", activities, self.labels)
        wanted = [
            session
            for session in self.index
            if (subjects is None or session.subject in subjects)
            and (activities is None or session.activity in activities)
        ]
        # Checking above happens at the call, not at the first session: this method is no generator itself.
        return self._read(wanted)

    def _read(self, wanted: list[Session]) -> Iterator[Recording]:
        for shard, sessions in groupby(wanted, key=lambda session: session.shard):
            name, number = self.shards[shard]
            path, stream = self.folder / name, self.streams[number]
            try:
                with pq.ParquetFile(path, page_checksum_verification=True) as file:
                    yield from self._read_shard(file, stream, list(sessions))
            except (pa.ArrowException, OSError) as error:
                raise CorruptArtifact(f"'{path}' is damaged ({error}): import '{self.name}' again") from None

    def _read_shard(self, file: pq.ParquetFile, stream: Stream, sessions: list[Session]) -> Iterator[Recording]:
        columns = [channel.name for channel in stream.channels]
        first = at = 0
        for group in range(file.metadata.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            here = []
            while at < len(sessions) and sessions[at].start < last:
                here.append(sessions[at])
                at += 1
            if here:
                table = file.read_row_group(group, columns=columns)
                samples = np.empty((table.num_rows, len(columns)), dtype=np.float32)
                for i, name in enumerate(columns):
                    samples[:, i] = table.column(name).to_numpy()
                for session in here:
                    start = session.start - first
                    yield self._recording(session, stream, samples[start : start + session.rows])
            first = last

    def _recording(self, session: Session, stream: Stream, samples: np.ndarray[Any, np.dtype[np.float32]]) -> Recording:
        measured = ~np.isnan(samples).all(axis=0)
        return Recording(
            # A copy, so that keeping one session does not keep its subject's whole row group in memory.
            samples=samples[:, measured].copy(),
            rate_hz=session.rate_hz,
            channels=tuple(channel for channel, kept in zip(stream.channels, measured, strict=True) if kept),
            gravity=stream.gravity,
            name=f"{self.name}/{session.name}",
            subject=session.subject,
            intervals=(Interval(0.0, session.duration_s, session.activity),),
        )

    def _check_known(self, what: str, wanted: Collection[str] | None, known: Collection[str]) -> None:
        if isinstance(wanted, str):
            raise UnknownName(f"pass a list of names, not the text '{wanted}', to choose by {what}")
        for name in wanted or ():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:5]
                raise UnknownName(f"data set '{self.name}' has no {what} '{name}': it has {', '.join(near)} …")
