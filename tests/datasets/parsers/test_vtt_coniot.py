"""VTT-ConIoT: sixteen codes that others have misnamed, and an acceleration that may be in half g."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import made_up
from tests.datasets.layouts.vtt_coniot import STILL_S, write

ENTRY = catalog_entry("vtt_coniot")


def read(folder: Path) -> dict[str, Recording]:
    return {trial.name: trial.read()[0] for trial in trials(ENTRY, folder)}


def test_half_g_and_g_come_out_alike(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    found = read(tmp_path)
    whole, half = found["activity_8_user_1"], found["activity_8_user_13"]
    acc = [i for i, channel in enumerate(whole.channels) if channel.sensor == "acc"]
    np.testing.assert_allclose(half.samples[:, acc], whole.samples[:, acc], atol=1e-4)


def test_units_are_worn_where_their_columns_say(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    recording = read(tmp_path)["activity_8_user_1"]
    at = made_up.times(STILL_S, 100)
    for seed, placement in enumerate(("hip", "back", "upper arm")):
        acc = recording.select("acc", placement).samples
        gyro = recording.select("gyro", placement).samples
        np.testing.assert_allclose(acc, made_up.acc(at, moving=False, seed=seed), atol=1e-4)
        np.testing.assert_allclose(gyro, made_up.gyro(at, moving=False, seed=seed), atol=1e-6)
        assert recording.select("mag", placement).samples.shape == (len(at), 3)


@pytest.mark.parametrize(
    ("code", "name"),
    [(4, "vacuum_cleaning"), (6, "climbing_stairs"), (8, "laying_back"), (13, "walk_straight"), (15, "pushing_cart")],
)
def test_codes_are_the_owners(tmp_path: Path, code: int, name: str) -> None:
    write(tmp_path, ENTRY)
    (interval,) = read(tmp_path)[f"activity_{code}_user_1"].intervals
    assert interval.label == name


def test_a_unit_that_is_missing_is_no_zero(tmp_path: Path) -> None:
    path = tmp_path / "activity_1_user_2_combined.csv"
    path.write_text("trousers_Ax_g,trousers_Ay_g,trousers_Az_g\n0.0,1.0,0.0\n")
    with pytest.raises(UnreadableFile, match=r"activity_1_user_2_combined\.csv"):
        read(tmp_path)
