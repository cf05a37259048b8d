"""What every import shares: nobody else at it, safe to interrupt, and seen by nobody until the manifest is in place.

An import works in a folder named after what it imports: the hash of the source, of what is said about it, and of this
format. Every finished batch of sessions leaves a receipt there with the hashes of its shards, so an import that was
killed goes on after the last whole batch.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kinelex.artifact import remove_leftovers, sha256, write_json, write_manifest
from kinelex.datasets.store import KIND, VERSION, About, Session, StoredDataset, Stream, checksum, data_root
from kinelex.errors import BadSamples, CorruptArtifact, KinelexError, UnknownName
from kinelex.signal.channel import Channel

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with a stage (``"reading"``, ``"writing"``, ``"unchanged"``), how much is done, and how much there is."""


@dataclass
class Batch:
    """Sessions that were written together.

    Args:
        shards: files in the work folder, each of one stream.
        sessions: what is in them; `Session.shard` counts the shards of this batch.
        findings: sessions or recordings that were mended or lost a sensor, by reason.
        done: how much of the source is done after it.
    """

    shards: list[tuple[str, Stream]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    findings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    done: int = 0


class Work:
    """The folder in which an import works.

    Args:
        folder: made when missing; what an interrupted import of the same source left there is used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder.parent)
        remove_leftovers(folder)

    def shard_path(self, number: int, part: int = 0) -> Path:
        """The file of a shard of batch `number`."""
        return self.folder / (f"shard-{number:05}.parquet" if not part else f"shard-{number:05}-{part}.parquet")

    def finished(self, number: int) -> Batch | None:
        """Batch `number`, when its receipt shows that it is there and whole."""
        try:
            receipt = json.loads(self._receipt(number).read_bytes())
            for shard in receipt["shards"]:
                path = self.folder / shard["file"]
                if path.stat().st_size != shard["bytes"] or sha256(path) != shard["sha256"]:
                    return None
            return Batch(
                shards=[(shard["file"], _stream(shard["stream"])) for shard in receipt["shards"]],
                sessions=[Session(**{**s, "placements": tuple(s["placements"])}) for s in receipt["sessions"]],
                findings=dict(receipt["findings"]),
                done=int(receipt["done"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # no receipt, or none to trust

    def finish(self, number: int, batch: Batch) -> Batch:
        """Leave the receipt of batch `number`, whose shards are written."""
        receipt = {
            "shards": [
                {
                    "file": file,
                    "bytes": (self.folder / file).stat().st_size,
                    "sha256": sha256(self.folder / file),
                    "stream": asdict(stream),
                }
                for file, stream in batch.shards
            ],
            "sessions": [asdict(session) for session in batch.sessions],
            "findings": {reason: list(names) for reason, names in batch.findings.items()},
            "done": batch.done,
        }
        write_json(self._receipt(number), receipt)
        return batch

    def tidy(self) -> None:
        """Remove what earlier or interrupted imports of other sources left, and this one's receipts."""
        for path in self.folder.parent.iterdir():
            if path.is_dir() and re.fullmatch(r"[0-9a-f]{16}", path.name) and path.name != self.folder.name:
                shutil.rmtree(path)
        for receipt in self.folder.glob("shard-*.json"):
            receipt.unlink()
        (self.folder / "source.parquet").unlink(missing_ok=True)

    def _receipt(self, number: int) -> Path:
        return self.folder / f"shard-{number:05}.json"


Write = Callable[[Work], tuple[list[Batch], list[str]]]
"""Writes all batches of a source; returns them, and notes about what differs from what was expected."""


def store(
    about: About, origin: Mapping[str, Any], root: str | Path | None, write: Write, tell: Progress
) -> StoredDataset:
    """Store a data set, unless it is stored already from this very source and whole.

    Args:
        about: what the set says about itself.
        origin: what it is imported from; anything else than last time means to import again.
        root: the folder of all data sets, `data_root` when left out.
        write: writes its shards.
        tell: told when there is nothing to do.
    """
    folder = (data_root() if root is None else Path(root)) / about.name
    part = checksum(origin)[:16]
    with _alone(folder):
        stored = _unchanged(folder, origin)
        if stored is None:
            fields = {**_written(folder / part, about, write), "source": dict(origin)}
            files = [file for file, _ in fields["shards"]]
            write_manifest(folder, KIND, VERSION, files, {**fields, "checksum": checksum(fields)})
            stored = StoredDataset.open(folder.parent, about.name)
            log.info("imported '%s': %d sessions, %.2f h", about.name, len(stored.index), stored.hours)
        else:
            log.info("'%s' is imported already and unchanged", about.name)
            tell("unchanged", 1, 1)
        Work(folder / part).tidy()
    return stored


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the data set's lock; a second import waits. The lock falls with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unchanged(folder: Path, origin: Mapping[str, Any]) -> StoredDataset | None:
    """What is stored, when it was made from this very source and is whole."""
    try:
        stored = StoredDataset.open(folder.parent, folder.name, verify=True)
    except (UnknownName, CorruptArtifact):
        return None
    return stored if dict(stored.source) == dict(origin) else None


def _written(folder: Path, about: About, write: Write) -> dict[str, Any]:
    """Write all shards into the work folder; returns the manifest's fields."""
    work = Work(folder)
    try:
        batches, notes = write(work)
        if not any(batch.sessions for batch in batches):
            raise BadSamples(f"data set '{about.name}' has no session with a usable value")
    except KinelexError:
        # Bad data stays bad: nothing here is worth going on with. After any other end, whole shards are.
        shutil.rmtree(folder)
        with suppress(OSError):
            folder.parent.rmdir()
        raise
    streams: list[Stream] = []
    shards: list[list[Any]] = []
    sessions: list[Session] = []
    findings: dict[str, list[str]] = {}
    for batch in batches:
        sessions += [replace(session, shard=len(shards) + session.shard) for session in batch.sessions]
        for file, stream in batch.shards:
            if stream not in streams:
                streams.append(stream)
            shards.append([f"{folder.name}/{file}", streams.index(stream)])
        for reason, names in batch.findings.items():
            findings[reason] = findings.get(reason, []) + list(names)
    _refuse_repeated(about.name, sessions)
    seconds: defaultdict[str, float] = defaultdict(float)
    for session in sessions:
        seconds[session.activity] += session.duration_s
    return {
        "about": asdict(about),
        "streams": [asdict(stream) for stream in streams],
        "subjects": sorted({session.subject for session in sessions}),
        "activities": dict(sorted(seconds.items())),
        "notes": [*notes, *(f"{reason}: {len(names)} sessions" for reason, names in sorted(findings.items()))],
        "findings": dict(sorted(findings.items())),
        "shards": shards,
        "sessions": [asdict(session) for session in sessions],
    }


def _refuse_repeated(name: str, sessions: Sequence[Session]) -> None:
    if twice := [session for session, count in Counter(s.name for s in sessions).items() if count > 1]:
        raise BadSamples(f"data set '{name}' has more than one session of the name '{twice[0]}'")


def _stream(content: Mapping[str, Any]) -> Stream:
    return Stream(tuple(Channel(**channel) for channel in content["channels"]), bool(content["gravity"]))
