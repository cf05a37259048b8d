"""A model and data sets made so that every right answer is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kinelex.datasets import StoredDataset, import_dataset
from kinelex.language import label_vectors
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording

WIDTH = 384
CHANNELS = tuple(Channel(sensor, axis, "pocket") for sensor in ("acc", "gyro") for axis in ("x", "y", "z"))  # type: ignore[arg-type]


class HashEncoder:
    """A text encoder whose vectors are random but always the same for the same text."""

    name, revision, dim = "hash", "0123456789ab", WIDTH

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors ``(text, width)``."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
        vectors = np.stack([np.random.default_rng(seed).standard_normal(WIDTH) for seed in seeds])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def encode_tokens(self, texts: Sequence[str]) -> Any:
        """Never needed here."""
        raise NotImplementedError


@dataclass
class FakeCheckpoint:
    """Reads the activity's number from gyro_x and answers with the vector of ``answers[number]``.

    A window that holds two numbers has crossed from one session into another: that is an error.
    """

    answers: Sequence[str]
    known: Sequence[str] = ("walking", "running", "sitting", "standing", "jumping", "falling forward")
    noise: float = 0.0
    seed: int = 0
    name: str = "fake"
    trained_on: frozenset[str] | None = frozenset({"another_set"})
    scale: float = 20.0
    temperature: float = 1.0
    text_encoder: str = "hash@0123456789ab"
    crowded: Sequence[str] = ()
    wrong_at: str = ""
    calls: int = 0

    @property
    def fingerprint(self) -> str:
        """Differs between seeds."""
        return hashlib.sha256(f"{self.answers}{self.noise}{self.seed}".encode()).hexdigest()

    @property
    def labels(self) -> SimpleNamespace:
        """The known texts and their vectors."""
        vectors = label_vectors(self.known, HashEncoder(), cache=False)
        return SimpleNamespace(texts=tuple(self.known), vectors=vectors)

    @property
    def text_space(self) -> SimpleNamespace:
        """Leaves vectors as they are; a text that is crowded loses more than a cosine can make up for."""

        def crowding(vectors: np.ndarray) -> np.ndarray:
            if not self.crowded:
                return np.zeros(len(vectors))
            crowded = label_vectors(self.crowded, HashEncoder(), cache=False)
            return 3.0 * (vectors @ crowded.T > 0.99).any(axis=1)

        return SimpleNamespace(project=lambda raw: raw, crowding=crowding)

    def label_encoder(self, encoder: Any) -> Any:
        """The frozen text encoder itself."""
        return encoder

    def embed_many(self, requests: Sequence[tuple[Recording, np.ndarray]], window_s: float) -> list[np.ndarray]:
        """The answers' vectors, with noise; NaN where a window has no signal."""
        self.calls += 1
        return [self._embed(recording, starts_s, window_s) for recording, starts_s in requests]

    def _embed(self, recording: Recording, starts_s: np.ndarray, window_s: float) -> np.ndarray:
        targets = label_vectors(self.answers, HashEncoder(), cache=False)
        if self.wrong_at in recording.placements:
            targets = targets[[0] * len(targets)]
        column = next(
            i for i, channel in enumerate(recording.channels) if (channel.sensor, channel.axis) == ("gyro", "x")
        )
        rng = np.random.default_rng([self.seed, len(starts_s)])
        rows = np.full((len(starts_s), WIDTH), np.nan, dtype=np.float32)
        for row, start in enumerate(starts_s):
            first = round(start * recording.rate_hz)
            window = recording.samples[first : first + round(window_s * recording.rate_hz), column]
            numbers = np.unique(np.round(window[np.isfinite(window)] * 10))
            assert len(numbers) <= 1, f"the window from {start} s mixes activities {numbers}"
            if len(numbers):
                vector = targets[int(numbers[0])] + self.noise * rng.standard_normal(WIDTH)
                rows[row] = vector / np.linalg.norm(vector)
        return rows


def session(number: int, label: str, duration_s: float, *, subject: str | None, rate_hz: float = 20.0) -> Recording:
    """A still phone whose gyro_x tells the activity's number."""
    samples = np.zeros((round(duration_s * rate_hz), 6), dtype=np.float32)
    samples[:, 2], samples[:, 3] = 9.81, number / 10
    interval = Interval(0.0, duration_s, label)
    return Recording(samples, rate_hz, CHANNELS, name=f"{label}-{subject}", subject=subject, intervals=(interval,))


@pytest.fixture
def make_session() -> Callable[..., Recording]:
    """Makes one session."""
    return session


@pytest.fixture
def make_checkpoint() -> type[FakeCheckpoint]:
    """Makes a model."""
    return FakeCheckpoint


@pytest.fixture
def encoder() -> HashEncoder:
    """Vectors without a transformer."""
    return HashEncoder()


@pytest.fixture(scope="session")
def activities() -> tuple[str, ...]:
    """Official names of the tiny data set, numbered as its gyro_x tells."""
    return ("walk_fast", "front_knees_lying", "sit_chair", "jumping", "never_recorded")


def import_tiny(folder: Path, activities: Sequence[str]) -> Path:
    """A store with one imported data set: 4 people, 4 recorded activities, sessions of 2.5 to 20 s at 20 Hz."""
    root = folder / "store"
    rows: dict[str, list[Any]] = {name: [] for name in ("session", "subject", "activity", "t")}
    signal = []
    for person in range(4):
        for number, activity in enumerate(activities):
            for take, seconds in enumerate((20.0, 6.0, 4.0, 2.5)):
                count = round(seconds * 20)
                rows["session"] += [f"p{person}-{activity}-{take}"] * count
                rows["subject"] += [f"p{person}"] * count
                rows["activity"] += [activity] * count
                rows["t"] += [i / 20 for i in range(count)]
                signal.append(session(number, activity, seconds, subject=None).samples)
    samples = np.concatenate(signal)
    columns = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    table = pa.table({**rows, **{name: samples[:, i].astype(np.float64) for i, name in enumerate(columns)}})
    pq.write_table(table, folder / "tiny.parquet")
    seconds = 4 * 32.5
    card = {
        "name": "tiny", "title": "Tiny, a made-up set", "subjects": 4, "placement": "pocket", "gravity": True,
        "units": {"acc": "m/s^2", "gyro": "rad/s"}, "rate_hz": 20, "hours": round(4 * seconds / 3600, 4),
        "columns": list(columns), "activities": dict.fromkeys(activities, seconds),
    }  # fmt: skip
    (folder / "tiny.yaml").write_text(yaml.safe_dump(card))
    import_dataset(folder / "tiny.parquet", root)
    return root


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory, activities: tuple[str, ...]) -> Path:
    """A store with the tiny data set, whose last activity was never recorded."""
    return import_tiny(tmp_path_factory.mktemp("tiny"), activities[:4])


@pytest.fixture(scope="session")
def known_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny data set whose activities the vocabulary knows."""
    return import_tiny(tmp_path_factory.mktemp("known"), ("standing", "running", "walking", "jumping"))


@pytest.fixture
def tiny(tiny_root: Path) -> StoredDataset:
    """The tiny data set."""
    return StoredDataset.open(tiny_root, "tiny")
