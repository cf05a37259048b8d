"""UTD-MHAD: one sensor that changed its place with the action, and the real files held against a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.signal.channel import parse_placement
from tests.datasets.layouts.made_up import G
from tests.datasets.layouts.utd_mhad import write

ENTRY = catalog_entry("utd_mhad")
CHANNELS = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]
ON_THIGH = {"jog", "walk", "sit2stand", "stand2sit", "lunge", "squat"}


def test_the_sensor_is_on_the_thigh_in_leg_actions_and_at_the_wrist_in_all_others(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    found = {(r := trial.read()[0]).intervals[0].label: r.placements for trial in trials(ENTRY, tmp_path)}
    assert len(found) == 27
    for action, placements in found.items():
        assert placements == (("right thigh",) if action in ON_THIGH else ("right wrist",)), action


def test_the_real_files_are_the_table(recordings_dir: Path) -> None:
    """All trials at hand (215, of persons 1 and 2): person, activity, placement, and every sample within rounding."""
    found = list(trials(ENTRY, recordings_dir / "raw" / "utd_mhad"))
    names = [trial.name for trial in found]
    rows = pd.read_parquet(recordings_dir / "sessions" / "utd_mhad.parquet", filters=[("session", "in", names)])
    table = dict(list(rows.groupby("session")))
    assert len(found) == 215 and set(table) == set(names)
    for trial in found:
        (recording,) = trial.read()
        said = table[trial.name].iloc[0]
        assert (said.subject, said.activity) == (recording.subject, recording.intervals[0].label)
        assert (parse_placement(said.placement),) == recording.placements
        assert recording.intervals[0].end_s == pytest.approx(recording.duration_s)
        published = np.hstack([recording.samples[:, :3] / G, np.rad2deg(recording.samples[:, 3:])])
        off = np.abs(published - table[trial.name][CHANNELS].to_numpy()).max(axis=0)
        assert (off <= [0.0021] * 3 + [0.251] * 3).all(), trial.name
