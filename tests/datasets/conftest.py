"""A small data set, made up but physical, that the tests of this folder import, break and import again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from kinelex.datasets import StoredDataset, import_dataset

RATE_HZ = 50.0
STEPS_HZ = {"standing": 0.0, "walking": 1.8, "running": 2.8}


def made_up_table(subjects: int = 4, sessions: int = 2, rows: int = 300) -> pd.DataFrame:
    """Rows for every subject and activity, sorted by activity as some published sets are; acc in g, gyro in deg/s."""
    rng = np.random.default_rng(7)
    parts = []
    times = np.arange(rows) / RATE_HZ
    for activity, steps_hz in STEPS_HZ.items():
        for subject in range(subjects):
            for number in range(sessions):
                swing = np.sin(2 * np.pi * steps_hz * times + subject) * (0.4 if steps_hz else 0.0)
                acc = rng.normal(0, 0.01, (rows, 3)) + [0.1, 0.97, 0.2] + swing[:, None] * [0.2, 1.0, 0.3]
                gyro = rng.normal(0, 1.0, (rows, 3)) + swing[:, None] * [250.0, 50.0, 20.0]
                part = pd.DataFrame(np.column_stack([times, acc, gyro]).astype(np.float32))
                part.columns = ["t", *(f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz")]
                part.insert(0, "session", f"{activity}_{subject}_{number}")
                part.insert(1, "subject", f"person{subject}")
                part.insert(2, "activity", activity)
                parts.append(part)
    return pd.concat(parts, ignore_index=True)


def card_of(table: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    """The card that is true of a made-up table."""
    seconds = table.groupby("activity").size() / RATE_HZ
    card = {
        "name": "made_up",
        "title": "Made-up motion",
        "subjects": int(table["subject"].nunique()),
        "placement": "front trouser pocket (phone)",
        "units": {"acc": "g", "gyro": "deg/s"},
        "gravity": True,
        "rate_hz": RATE_HZ,
        "role": "test",
        "complete": "all of it",
        "cite": "nobody",
        "licence": "none needed",
        "hours": float(seconds.sum() / 3600),
        "columns": [name for name in table.columns if name.endswith(("_x", "_y", "_z"))],
        "activities": {str(name): float(value) for name, value in seconds.items()},
    }
    return {name: value for name, value in {**card, **changes}.items() if value is not None}


def write_source(folder: Path, table: pd.DataFrame, suffix: str = ".parquet", **changes: Any) -> Path:
    """Write a table and its card; returns the table's path."""
    card = card_of(table, **changes)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card['name']}{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False, row_group_size=1000)
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    return path


@pytest.fixture
def make_table() -> Callable[..., pd.DataFrame]:
    """Makes a table of so many subjects, sessions per activity, and rows per session."""
    return made_up_table


@pytest.fixture(scope="session")
def write_made_up() -> Callable[..., Path]:
    """Writes the made-up table, or the one given, and its card into a folder; returns the table's path."""

    def write(folder: Path, table: pd.DataFrame | None = None, suffix: str = ".parquet", **changes: Any) -> Path:
        return write_source(folder, made_up_table() if table is None else table, suffix, **changes)

    return write


@pytest.fixture
def table() -> pd.DataFrame:
    return made_up_table()


@pytest.fixture
def source(tmp_path: Path, write_made_up: Callable[..., Path]) -> Callable[..., Path]:
    """As `write_made_up`, into this test's own folder."""
    return partial(write_made_up, tmp_path / "source")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty place for imported data sets."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory, write_made_up: Callable[..., Path]) -> StoredDataset:
    """The made-up data set, imported once, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("imported")
    return import_dataset(write_made_up(folder / "source"), folder / "data")


@pytest.fixture
def stored(imported: StoredDataset, root: Path) -> StoredDataset:
    """A copy of the imported made-up data set, for tests that break it."""
    shutil.copytree(imported.folder, root / imported.name)
    return StoredDataset.open(root, imported.name)
