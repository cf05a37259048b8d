from __future__ import annotations

import numpy as np
import pytest

from kinelex.training import Corpus, Recipe, Track

GRID_HZ = 25.0
ACTIVITIES = {
    "hapt": ("walking", "sitting", "walking_upstairs"),
    "sisfall": ("fall_forward_walking_slip", "jogging_slowly"),
}


def small_corpus(seed: int = 0) -> Corpus:
    """Two sets of made-up signal under real activity names: a swing per activity, a jolt in the falls."""
    rng = np.random.default_rng(seed)
    pieces, tracks, start = [], [], 0
    for dataset, activities in ACTIVITIES.items():
        for k, activity in enumerate(activities):
            for session in range(3):
                steps = 400 + 25 * session
                t = np.arange(steps) / GRID_HZ
                signal = rng.normal(0, 0.1, (steps, 6)) + np.sin(2 * np.pi * (1 + k) * t)[:, None] * (1 + k)
                signal[:, 2] += 9.81
                peak = 0
                if "fall" in activity:
                    peak = 100 + 50 * session
                    signal[peak : peak + 10, :3] += 30
                pieces.append(signal.astype(np.float32))
                tracks.append(
                    Track(dataset, f"{activity}-{session}", f"s{session}", activity, "waist", True, start, steps, peak)
                )
                start += steps
    return Corpus(np.concatenate(pieces), GRID_HZ, tuple(tracks))


def small_recipe(**changes: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny", "train": ["hapt", "sisfall"], "steps": 48, "batch_windows": 16, "save_every": 4,
            "log_every": 1, "threads": 1, "precision": "fp32",
            "model": {"width": 16, "layers": 1, "heads": 2, "queries": 2, "dropout": 0.1, "hop_s": 2.0},
        }
        | changes
    )  # fmt: skip


@pytest.fixture
def corpus() -> Corpus:
    return small_corpus()


@pytest.fixture
def recipe() -> Recipe:
    return small_recipe()
