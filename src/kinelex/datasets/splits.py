"""Splits of a data set by subject: nobody is on two sides, and the same seed gives the same sides everywhere.

Four protocols: ``subject`` (shared out by a seed), ``published`` (the owner's), ``leave-one-subject-out``, and
``few-shot`` (a few windows per activity, of the people of a training side). A split that is kept is a file with a hash
of itself, and of the data that it was made for.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinelex.artifact import write_json
from kinelex.datasets.catalog import catalog_entry, catalog_names
from kinelex.datasets.store import Session, StoredDataset, checksum
from kinelex.errors import CorruptArtifact, UnknownName, UnsupportedFormat, UsageError

KIND = "split"
VERSION = 2
SHARES = (0.7, 0.15, 0.15)
LEAVE_ONE_OUT = "leave-one-subject-out"
PUBLISHED = "published"
FEW_SHOT = "few-shot"


@dataclass(frozen=True, slots=True, order=True)
class Example:
    """A window that may be learned from, in seconds from its session's start."""

    session: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Split:
    """Who is trained on, who chooses the model, and who tests it.

    Args:
        train, validation, test: subjects, each sorted.
        protocol: how they were chosen, such as ``"subject"`` or ``"leave-one-subject-out"``.
        seed: what the choice depended on besides the subjects' names; None when nothing.
        shots: how many windows of each activity may be learned from; None when all.
        draw: which of several drawings of these windows it is; None when all may be learned from.
        examples: those windows, all of subjects in `train`, sorted.

    Raises:
        UsageError: a subject is named twice, on one side or on two, or only one of shots, draw and examples is given.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    protocol: str = "subject"
    seed: int | None = None
    shots: int | None = None
    draw: int | None = None
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        everybody = self.subjects
        if twice := sorted({name for name in everybody if everybody.count(name) > 1}):
            raise UsageError(f"split '{self.name}' has {', '.join(twice)} more than once: one side, once")
        if len({self.shots is None, self.draw is None, not self.examples}) > 1:
            raise UsageError(f"split '{self.name}' needs shots, draw and examples, or none of them")

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, on whichever side."""
        return self.train + self.validation + self.test

    @property
    def name(self) -> str:
        """The name of its file: protocol, and seed, tested subject, or shots and draw."""
        if self.shots is not None:
            return f"{self.protocol}-{self.shots}-seed{self.seed}-draw{self.draw}"
        if self.seed is not None:
            return f"{self.protocol}-seed{self.seed}"
        if self.protocol == LEAVE_ONE_OUT and len(self.test) == 1:
            return f"{self.protocol}-{hashlib.sha256(self.test[0].encode()).hexdigest()[:12]}"
        return self.protocol


def split_subjects(subjects: Iterable[str], seed: int, shares: tuple[float, float, float] = SHARES) -> Split:
    """Share subjects out, as a function of their names and the seed alone.

    The order of `subjects` does not matter, nor do library versions: subjects are ordered by a hash of seed and name.
    A side with a share above 0 gets at least one subject.

    Args:
        subjects: names, all different.
        seed: another seed, other sides.
        shares: of train, validation and test, adding up to 1.

    Raises:
        UsageError: shares that are no shares, a repeated subject, or fewer subjects than sides.
    """
    names = list(subjects)
    if len(shares) != 3 or any(not 0 <= s <= 1 for s in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise UsageError(f"shares {shares} must be three numbers from 0 to 1 that add up to 1")
    if len(names) < sum(share > 0 for share in shares):
        raise UsageError(f"{len(names)} subjects cannot be split into sides of {shares}: set a share to 0")
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    counts = _counts(len(names), shares)
    first, second = counts[0], counts[0] + counts[1]
    return Split(
        train=tuple(sorted(order[:first])),
        validation=tuple(sorted(order[first:second])),
        test=tuple(sorted(order[second:])),
        seed=seed,
    )


def subject_split(dataset: StoredDataset, seed: int, shares: tuple[float, float, float] = SHARES) -> Split:
    """The split of a stored data set by subject; see `split_subjects`. `save_split` keeps it in a file.

    A set that shares its people with others (UCI-HAR and HAPT, MobiFall and MobiAct) is split person by person, so
    that nobody trains a model on one set and tests it on another; the sides then have their shares on average only.

    Raises:
        UsageError: as in `split_subjects`, or such a set in which this seed leaves a side empty.
    """
    if not dataset.about.people:
        return split_subjects(dataset.subjects, seed, shares)
    sides: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in sorted(dataset.subjects):
        digest = hashlib.sha256(f"{seed}:{dataset.about.people}:{name}".encode()).digest()
        place = int.from_bytes(digest[:8]) / 2**64
        sides[0 if place < shares[0] else 1 if place < shares[0] + shares[1] else 2].append(name)
    if any(share > 0 and not side for share, side in zip(shares, sides, strict=True)):
        raise UsageError(f"seed {seed} leaves a side of '{dataset.name}' without anybody: take another seed")
    return Split(train=tuple(sides[0]), validation=tuple(sides[1]), test=tuple(sides[2]), seed=seed)


def published_split(dataset: StoredDataset) -> Split:
    """The split that the owner of a public data set published.

    Raises:
        UnknownName: the catalog knows none.
        UsageError: it is not a split of these subjects.
    """
    sides = catalog_entry(dataset.name).published if dataset.name in catalog_names() else {}
    if not sides:
        raise UnknownName(f"data set '{dataset.name}' has no published split: take the protocol 'subject'")
    split = Split(
        train=tuple(sorted(sides["train"])),
        validation=tuple(sorted(sides.get("validation", ()))),
        test=tuple(sorted(sides["test"])),
        protocol=PUBLISHED,
    )
    if problem := _mismatch(split, dataset):
        raise UsageError(f"the published split does not fit what is imported of '{dataset.name}': {problem}")
    return split


def few_shot(dataset: StoredDataset, shots: int, *, seed: int, draw: int = 0, window_s: float = 6.0) -> Split:
    """A few windows of each activity, drawn from the training side of the split by subject of that seed.

    Windows lie side by side in their sessions, so that no two overlap; a session that is shorter than a window is one.
    An activity with fewer windows gives all it has.

    Args:
        dataset: imported.
        shots: windows per activity.
        seed: of the split by subject, and of the drawing.
        draw: another number, other windows of the same people.
        window_s: length of a window.

    Raises:
        UsageError: no shots, or what `subject_split` refuses.
    """
    if shots < 1 or draw < 0 or not window_s > 0:
        raise UsageError(f"few-shot needs at least one window of some length, not {shots} of {window_s:g} s")
    by_subject = subject_split(dataset, seed)
    learned: list[Example] = []
    for activity in dataset.labels:
        windows = [
            window
            for session in dataset.index
            if session.activity == activity and session.subject in by_subject.train
            for window in _windows(session, window_s)
        ]
        windows.sort(key=lambda w: hashlib.sha256(f"{seed}:{draw}:{w.session}:{w.start_s:.3f}".encode()).digest())
        learned += windows[:shots]
    return Split(
        train=by_subject.train,
        validation=by_subject.validation,
        test=by_subject.test,
        protocol=FEW_SHOT,
        seed=seed,
        shots=shots,
        draw=draw,
        examples=tuple(sorted(learned)),
    )


def _windows(session: Session, window_s: float) -> Iterator[Example]:
    count = int(session.duration_s / window_s + 1e-6)
    if not count:
        yield Example(session.name, 0.0, round(session.duration_s, 6))
    for number in range(count):
        yield Example(session.name, round(number * window_s, 6), round((number + 1) * window_s, 6))


def leave_one_subject_out(dataset: StoredDataset) -> Iterator[Split]:
    """For every subject, the split that tests on that subject and trains on all others; nobody validates."""
    for subject in dataset.subjects:
        others = tuple(name for name in dataset.subjects if name != subject)
        yield Split(train=others, validation=(), test=(subject,), protocol=LEAVE_ONE_OUT)


def save_split(dataset: StoredDataset, split: Split) -> Path:
    """Write a split beside its data set, with the data set's fingerprint and a hash of its own; returns the file.

    Raises:
        UsageError: it does not cover the data set's subjects, or something is on two of its sides.
    """
    if problem := _mismatch(split, dataset) or leak(dataset, split):
        raise UsageError(f"split '{split.name}' is none of data set '{dataset.name}': {problem}")
    path = _path(dataset, split.name)
    content = {
        "kind": KIND,
        "version": VERSION,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "protocol": split.protocol,
        "seed": split.seed,
        "train": list(split.train),
        "validation": list(split.validation),
        "test": list(split.test),
        "shots": split.shots,
        "draw": split.draw,
        "examples": [[e.session, e.start_s, e.end_s] for e in split.examples],
    }
    write_json(path, {**content, "sha256": checksum(content)})
    return path


def saved_splits(dataset: StoredDataset) -> tuple[str, ...]:
    """The names of the splits that are kept beside a data set, sorted."""
    return tuple(sorted(path.stem for path in (dataset.folder / "splits").glob("*.json")))


def load_split(dataset: StoredDataset, name: str) -> Split:
    """Read the split `name` of a data set and check it.

    Raises:
        CorruptArtifact: missing, broken, changed, made for other data, somebody or something on two sides, or on none.
        UnsupportedFormat: a newer Kinelex wrote it.
    """
    path = _path(dataset, name)
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content["kind"] != KIND:
            raise ValueError(f"a {content['kind']}")
        if not isinstance(content["version"], int) or content["version"] > VERSION:
            raise UnsupportedFormat(f"'{path}' is split format {content['version']}: upgrade kinelex")
        digest = content.pop("sha256")
        split = _split(content)
        fingerprint = content["fingerprint"]
    except FileNotFoundError:
        raise CorruptArtifact(f"there is no split '{path}': make it again") from None
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise CorruptArtifact(f"'{path}' is no split ({error}): make it again") from None
    if digest != checksum(content):
        raise CorruptArtifact(f"'{path}' is not what was written: make it again")
    if fingerprint != dataset.fingerprint:
        raise CorruptArtifact(f"'{path}' was made for another state of data set '{dataset.name}': make it again")
    if problem := _mismatch(split, dataset) or leak(dataset, split):
        raise CorruptArtifact(f"'{path}' does not fit data set '{dataset.name}' ({problem}): make it again")
    return split


def leak(dataset: StoredDataset, split: Split) -> str:
    """What is on two sides of a split and must not be; nothing when all is well.

    A subject, or a recording (from which windows of two sides could be cut so that they overlap), may be on one side
    only; what few-shot learns from must be of the training side, inside its session, and no two windows may overlap.
    """
    side = {name: "train" for name in split.train}
    for other, names in (("validation", split.validation), ("test", split.test)):
        for name in names:
            if side.setdefault(name, other) != other:
                return f"subject {name} is in {side[name]} and in {other}"
    first: dict[str, Session] = {}
    for session in dataset.index:
        before = first.setdefault(session.recording, session)
        if side.get(before.subject) != side.get(session.subject):
            return f"recording {session.recording} is of {before.subject} and of {session.subject}, on two sides"
    sessions = {session.name: session for session in dataset.index}
    last: Example | None = None
    for example in sorted(split.examples):
        found = sessions.get(example.session)
        if found is None or side.get(found.subject) != "train":
            return f"example {example.session} is of nobody who is trained on"
        if not 0 <= example.start_s < example.end_s <= found.duration_s + 1e-3:
            return f"example {example.session} reaches beyond its session"
        if last is not None and last.session == example.session and example.start_s < last.end_s - 1e-6:
            return f"two examples of {example.session} overlap"
        last = example
    return ""


def _split(content: Mapping[str, Any]) -> Split:
    return Split(
        train=tuple(map(str, content["train"])),
        validation=tuple(map(str, content["validation"])),
        test=tuple(map(str, content["test"])),
        protocol=str(content["protocol"]),
        seed=content["seed"],
        shots=content["shots"],
        draw=content["draw"],
        examples=tuple(Example(str(name), float(start), float(end)) for name, start, end in content["examples"]),
    )


def _mismatch(split: Split, dataset: StoredDataset) -> str:
    lacks = sorted(set(dataset.subjects) - set(split.subjects))
    strange = sorted(set(split.subjects) - set(dataset.subjects))
    return "; ".join(
        text
        for text, names in ((f"it lacks {', '.join(lacks)}", lacks), (f"no subject {', '.join(strange)}", strange))
        if names
    )


def _path(dataset: StoredDataset, name: str) -> Path:
    return dataset.folder / "splits" / f"{name}.json"


def _counts(subjects: int, shares: tuple[float, float, float]) -> list[int]:
    """Whole numbers nearest to the shares, adding up, none of a wanted side 0."""
    ideal = [subjects * share for share in shares]
    counts = [max(math.floor(wanted), int(wanted > 0)) for wanted in ideal]
    while (missing := subjects - sum(counts)) != 0:
        if missing > 0:
            counts[max(range(3), key=lambda side: (ideal[side] - counts[side], side))] += 1
        else:
            counts[max(range(3), key=lambda side: counts[side])] -= 1
    return counts
