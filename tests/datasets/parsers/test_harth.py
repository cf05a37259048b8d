"""HARTH: codes with holes between them, columns that move, and a rate that only the timestamps tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples
from kinelex.signal import Recording
from tests.datasets.layouts import made_up
from tests.datasets.layouts.harth import COLUMNS, GAP_S, STILL, write, write_person
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

ENTRY = catalog_entry("harth")


def read(folder: Path) -> dict[str, Recording]:
    return {trial.name: trial.read()[0] for trial in trials(ENTRY, folder)}


def test_cycling_is_where_its_codes_are(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    for recording in read(tmp_path).values():
        labels = [interval.label for interval in recording.intervals]
        assert labels == [
            "walking", "running", "shuffling", "stairs_ascending", "stairs_descending", "standing", "sitting", "lying",
            "cycling_sit", "cycling_stand", "cycling_sit_inactive", "cycling_stand_inactive",
        ]  # fmt: skip


def test_a_code_that_is_not_listed_moves_no_other(tmp_path: Path) -> None:
    (tmp_path / "S010.csv").write_text(
        f"timestamp,{COLUMNS}\n"
        + "".join(
            f"2019-01-12 00:00:{i // 50:02}.{i % 50 * 20:03},-0.98,0.1,0.1,-0.97,0.2,0.1,{7 if i < 150 else 9}\n"
            for i in range(300)
        )
    )
    (interval,) = read(tmp_path)["S010"].intervals
    assert (interval.label, interval.end_s) == ("sitting", pytest.approx(3.0))


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    found = read(tmp_path)
    assert found["S008"].placements == ("lower back", "right thigh")
    at = made_up.times(MOVING_S, 50)
    back, thigh = (made_up.acc(at, moving=True, seed=seed) for seed in (0, 7))
    for person in ("S008", "S015", "S023"):
        first = found[person].samples[: len(at)]
        np.testing.assert_allclose(first, np.hstack([back, thigh]), atol=1e-5 * G)


def test_the_rate_is_that_of_the_timestamps(tmp_path: Path) -> None:
    write_person(tmp_path / "S006.csv", ENTRY, "S006", Written(tmp_path), rate_hz=100)
    write_person(tmp_path / "S008.csv", ENTRY, "S008", Written(tmp_path))
    found = read(tmp_path)
    assert (found["S006"].rate_hz, found["S008"].rate_hz) == (100, 50)
    seconds = sum(STILL_S if name in STILL else MOVING_S for name in ENTRY.activities.values())
    for recording in found.values():
        assert recording.duration_s == pytest.approx(seconds)


def test_a_pause_stays_a_pause(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    paused = read(tmp_path)["S029"]
    walking, running = sorted(paused.intervals)[:2]
    assert walking.end_s == pytest.approx(MOVING_S)
    assert running.start_s == pytest.approx(MOVING_S + GAP_S)
    assert np.isnan(paused.between(walking.end_s + 0.05, running.start_s - 0.05).samples).all()


def test_a_time_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "S012.csv").write_text(f"timestamp,{COLUMNS}\nyesterday,-0.98,0.1,0.1,-0.97,0.2,0.1,7\n")
    with pytest.raises(BadSamples, match=r"S012\.csv.*time"):
        read(tmp_path)
