"""A stand-in for a trained model, that knows four activities by how strongly one moves, and recordings to tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from kinelex.recognition import Recognizer
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Recording
from kinelex.signal.windows import cut
from tests.hub_server import constants, hub, hub_cache

__all__ = ["constants", "hub", "hub_cache"]

TEXTS = ("standing", "walking", "running", "jumping rope")
STRENGTHS = {"standing": 0.05, "walking": 2.0, "running": 8.0}
ACC = tuple(Channel("acc", axis, "wrist") for axis in "xyz")


class Unchanged:
    def project(self, raw: np.ndarray) -> np.ndarray:
        return raw / np.linalg.norm(raw, axis=1, keepdims=True)

    def crowding(self, vectors: np.ndarray) -> np.ndarray:
        return np.zeros(len(vectors))


@dataclass
class MovementCheckpoint:
    """Everything that recognition uses of a checkpoint; counts how often it is asked."""

    name: str = "movement"
    fingerprint: str = "4d6f76656d656e74"
    model: object = field(default_factory=lambda: SimpleNamespace(config=SimpleNamespace(text_dim=384)))
    text_encoder: str = "all-MiniLM-L6-v2@53aa51172d14"
    scale: float = 10.0
    temperature: float = 1.0
    labels: object = field(
        default_factory=lambda: SimpleNamespace(texts=TEXTS, vectors=np.eye(len(TEXTS), 384, dtype=np.float32))
    )
    text_space: object = field(default_factory=Unchanged)
    seconds: list[float] = field(default_factory=list)

    def label_encoder(self, encoder: object = None) -> object:
        return encoder or self.text_encoder

    def embed(self, recording: Recording, starts_s, window_s: float, batch_windows: int = 512) -> np.ndarray:
        self.seconds.append(len(starts_s) * window_s)
        windows = cut(recording.samples, recording.rate_hz, starts_s, window_s)
        rows = np.zeros((len(windows), 384), dtype=np.float32)
        for row, window in zip(rows, windows, strict=True):
            measured = window[np.isfinite(window).all(axis=1)]
            if len(measured) < len(window) / 4:
                row[:] = np.nan
                continue
            strength = np.log(measured.std(axis=0).mean() + 1e-3)
            row[:3] = [np.exp(-((strength - np.log(s * 0.7)) ** 2)) for s in STRENGTHS.values()]
            row /= np.linalg.norm(row)
        return rows


@pytest.fixture
def recognizer() -> Recognizer:
    """A recognizer around the stand-in."""
    return Recognizer(MovementCheckpoint())


@pytest.fixture
def moving():
    """Make a recording in which activities follow each other; None is a stretch without signal."""

    def make(*parts: tuple[str | None, float], rate_hz: float = 25.0, name: str = "walk.csv") -> Recording:
        rng = np.random.default_rng(7)
        pieces = []
        for label, seconds in parts:
            times = np.arange(round(seconds * rate_hz)) / rate_hz
            if label is None:
                pieces.append(np.full((len(times), 3), np.nan))
                continue
            swing = STRENGTHS[label] * np.sin(2 * np.pi * 1.7 * times)
            pieces.append(np.stack([swing, 9.8 + swing, swing], axis=1) + rng.normal(0, 0.01, (len(times), 3)))
        return Recording(np.concatenate(pieces).astype(np.float32), rate_hz, ACC, name=name)

    return make
