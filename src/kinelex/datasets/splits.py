"""Splits of a data set by subject: nobody is on two sides, and the same seed gives the same sides everywhere."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinelex.artifact import write_json
from kinelex.datasets.store import StoredDataset
from kinelex.errors import CorruptArtifact, UnsupportedFormat, UsageError

KIND = "split"
VERSION = 1
SHARES = (0.7, 0.15, 0.15)


@dataclass(frozen=True, slots=True)
class Split:
    """Who is trained on, who chooses the model, and who tests it.

    Args:
        train, validation, test: subjects, each sorted.
        protocol: how they were chosen, such as ``"subject"`` or ``"leave-one-subject-out"``.
        seed: what the choice depended on besides the subjects' names; None when nothing.

    Raises:
        UsageError: a subject is named twice, on one side or on two.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    protocol: str = "subject"
    seed: int | None = None

    def __post_init__(self) -> None:
        everybody = self.subjects
        if twice := sorted({name for name in everybody if everybody.count(name) > 1}):
            raise UsageError(f"split '{self.name}' has {', '.join(twice)} more than once: one side, once")

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, on whichever side."""
        return self.train + self.validation + self.test

    @property
    def name(self) -> str:
        """The name of its file: protocol, and seed or tested subject."""
        if self.seed is not None:
            return f"{self.protocol}-seed{self.seed}"
        if self.protocol == LEAVE_ONE_OUT and len(self.test) == 1:
            return f"{self.protocol}-{hashlib.sha256(self.test[0].encode()).hexdigest()[:12]}"
        return self.protocol


LEAVE_ONE_OUT = "leave-one-subject-out"


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
    """The split of a stored data set by subject; see `split_subjects`. `save_split` keeps it in a file."""
    return split_subjects(dataset.subjects, seed, shares)


def leave_one_subject_out(dataset: StoredDataset) -> Iterator[Split]:
    """For every subject, the split that tests on that subject and trains on all others; nobody validates."""
    for subject in dataset.subjects:
        others = tuple(name for name in dataset.subjects if name != subject)
        yield Split(train=others, validation=(), test=(subject,), protocol=LEAVE_ONE_OUT)


def save_split(dataset: StoredDataset, split: Split) -> Path:
    """Write a split beside its data set, with the data set's fingerprint; returns the file.

    Raises:
        UsageError: it does not cover the data set's subjects.
    """
    if problem := _mismatch(split, dataset):
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
    }
    write_json(path, content)
    return path


def load_split(dataset: StoredDataset, name: str) -> Split:
    """Read the split `name` of a data set and check it.

    Raises:
        CorruptArtifact: missing, broken, made for other data, a subject on two sides, or one on none.
        UnsupportedFormat: a newer Kinelex wrote it.
    """
    path = _path(dataset, name)
    try:
        content: Mapping[str, Any] = json.loads(path.read_bytes())
        if content["kind"] != KIND:
            raise ValueError(f"a {content['kind']}")
        if not isinstance(content["version"], int) or content["version"] > VERSION:
            raise UnsupportedFormat(f"'{path}' is split format {content['version']}: upgrade kinelex")
        split = Split(
            train=tuple(map(str, content["train"])),
            validation=tuple(map(str, content["validation"])),
            test=tuple(map(str, content["test"])),
            protocol=str(content["protocol"]),
            seed=content["seed"],
        )
        fingerprint = content["fingerprint"]
    except FileNotFoundError:
        raise CorruptArtifact(f"there is no split '{path}': make it again") from None
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise CorruptArtifact(f"'{path}' is no split ({error}): make it again") from None
    if fingerprint != dataset.fingerprint:
        raise CorruptArtifact(f"'{path}' was made for another state of data set '{dataset.name}': make it again")
    if problem := _mismatch(split, dataset):
        raise CorruptArtifact(f"'{path}' does not fit data set '{dataset.name}' ({problem}): make it again")
    return split


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
