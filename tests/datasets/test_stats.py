"""Statistics are those of the table, whatever streams, rates and gaps a set has; the page shows them and fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.cli import main
from kinelex.datasets import StoredDataset, import_dataset
from kinelex.datasets.shards import Piece, write_shard
from kinelex.datasets.stats import BIN_MS2, EXCERPT_S, Magnitudes, measure
from kinelex.datasets.stats_page import MOST_EXCERPTS, draw
from kinelex.datasets.store import About, Stream
from kinelex.datasets.writing import Batch, Work, store
from kinelex.signal.channel import Channel

G = 9.80665
ACC = ["acc_x", "acc_y", "acc_z"]


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return imread(path)[:, :, :3]


def test_sums_are_those_of_the_table(imported: StoredDataset, table: pd.DataFrame) -> None:
    found = measure(imported)
    seconds = table.groupby(["activity", "subject"]).size() / 50
    assert {(a, s): t for a, by in found.seconds.items() for s, t in by.items()} == pytest.approx(seconds.to_dict())
    assert found.sessions == table.groupby("activity")["session"].nunique().to_dict()
    hours = table.groupby("subject").size() / 50 / 3600
    assert found.hours_per_subject == pytest.approx(hours.to_dict())
    figures = found.to_json()
    assert figures["hours"] == pytest.approx(len(table) / 50 / 3600, abs=1e-4)
    assert figures["activities"]["walking"] == {"seconds": 48.0, "share": 0.33333, "subjects": 4, "sessions": 8}
    assert figures["rates_hz"] == {"50": 24}
    assert figures["session_s"] == {"min": 6.0, "median": 6.0, "max": 6.0}


def test_percentiles_are_those_of_the_samples(imported: StoredDataset, table: pd.DataFrame) -> None:
    (worn,) = measure(imported).worn
    sizes = np.linalg.norm(table[ACC] * G, axis=1)
    for percent in (1, 5, 50, 95, 99):
        assert worn.overall.percentile(percent) == pytest.approx(np.percentile(sizes, percent), abs=BIN_MS2)
    assert worn.overall.total_s == pytest.approx(len(table) / 50)
    standing = table[table["activity"] == "standing"][ACC].to_numpy() * G
    levels = np.linalg.norm(standing.reshape(-1, 50, 3).mean(axis=1), axis=1)
    assert worn.resting.total_s == pytest.approx(len(levels))
    assert worn.resting.percentile(50) == pytest.approx(np.median(levels), abs=BIN_MS2)


def test_missing_values_are_counted_where_a_sensor_is_there(source, table: pd.DataFrame, root: Path) -> None:
    rng = np.random.default_rng(0)
    table.loc[rng.random(len(table)) < 0.03, ["gyro_x", "gyro_y", "gyro_z"]] = np.nan
    table.loc[table["session"] == "standing_0_0", ["gyro_x", "gyro_y", "gyro_z"]] = np.nan
    (worn,) = measure(import_dataset(source(table), root)).worn
    there = table[table["session"] != "standing_0_0"]
    assert worn.missing_share("gyro") == pytest.approx(there["gyro_x"].isna().mean())
    assert worn.missing_share("acc") == 0
    assert worn.sessions == {"acc": 24, "gyro": 23}


def test_without_gravity_rest_is_near_zero(source, table: pd.DataFrame, root: Path) -> None:
    table[ACC] -= [0.1, 0.97, 0.2]
    found = measure(import_dataset(source(table, gravity=False), root))
    assert found.worn[0].gravity is False
    assert found.worn[0].resting.percentile(95) < 0.3
    assert found.worn[0].resting.total_s == pytest.approx(48)


def test_a_fall_is_in_its_excerpt(source, table: pd.DataFrame, root: Path) -> None:
    here = table.index[table["session"] == "standing_0_0"]
    table.loc[here[40:60], "acc_y"] = [6.0, -2.0] * 10
    table.loc[here[20:80], "gyro_x"] = 90.0
    found = measure(import_dataset(source(table), root))
    excerpt = found.excerpts["standing", "pocket"]
    assert (excerpt.session, excerpt.rate_hz, excerpt.axes) == ("standing_0_0", 50, ("x", "y", "z"))
    assert excerpt.duration_s == EXCERPT_S
    assert excerpt.samples.max() == pytest.approx(6 * G)


@pytest.fixture
def mixed(root: Path) -> StoredDataset:
    """A wrist at 20 Hz with one axis of gravity-free acc and a gyroscope, a pocket at 100 and 50 Hz; 3 activities."""
    wrist = (*(Channel("gyro", axis, "wrist") for axis in "xyz"), Channel("acc", "x", "wrist"))
    pocket = tuple(Channel("acc", axis, "pocket") for axis in "xyz")
    rng = np.random.default_rng(1)

    def pieces(place: str, rates: list[float], columns: int) -> list[Piece]:
        made = []
        for who in ("p10", "p2"):
            for number, (activity, rate) in enumerate(zip(("lying", "walking", "falling down"), rates, strict=True)):
                samples = rng.normal(0, 1 + number, (round(rate * 7), columns)).astype(np.float32)
                samples[:, 1] += 9.81
                made.append(Piece(f"{place}{who}{number}", who, activity, rate, f"{who}{number}", 0.0, samples))
        return made

    def write(work: Work) -> tuple[list[Batch], list[str]]:
        batches = []
        for number, (place, channels, rates, gravity) in enumerate(
            [("wrist", wrist, [20.0] * 3, False), ("pocket", pocket, [100.0, 50.0, 100.0], True)]
        ):
            path = work.shard_path(number)
            sessions = write_shard(path, 0, pieces(place, rates, len(channels)), channels)
            batches.append(Batch([(path.name, Stream(channels, gravity))], sessions, {}, 0))
        return batches, []

    about = About("mixed", "Mixed", "test", "", "none", "", "wrist, pocket", ("walking", "lying", "swimming"))
    return store(about, {"file": "x", "sha256": "0"}, root, write, lambda *_: None)


def test_streams_rates_and_sensors_may_differ(mixed: StoredDataset) -> None:
    steps: list[tuple[int, int]] = []
    found = measure(mixed, lambda done, total: steps.append((done, total)))
    assert found.subjects == ("p2", "p10")
    assert list(found.seconds) == ["walking", "lying", "falling down"], "as declared, without what nobody did"
    assert found.seconds["lying"] == {"p10": 14.0, "p2": 14.0}
    wrist, pocket = found.worn
    assert (wrist.gravity, pocket.gravity) == (False, True)
    assert (wrist.sensors, pocket.sensors) == (("acc", "gyro"), ("acc",))
    assert np.isnan(wrist.overall.percentile(50)), "one axis has no magnitude"
    assert pocket.overall.total_s == pytest.approx(42)
    assert found.to_json()["placements"]["wrist"]["acc_ms2"]["50"] is None
    assert found.to_json()["rates_hz"] == {"20": 6, "50": 2, "100": 4}
    assert found.excerpts["walking", "wrist"].axes == ("x",)
    assert steps[-1] == (steps[-1][1],) * 2
    draw(found)


def test_long_times_count_by_seconds_not_by_samples() -> None:
    magnitudes = Magnitudes()
    magnitudes.add(np.full(300, 5.0), 1 / 100)  # 3 s
    magnitudes.add(np.full(20, 12.0), 1 / 20)  # 1 s
    magnitudes.add(np.array([np.nan, 1e9]), 1.0)
    assert magnitudes.total_s == pytest.approx(5)
    assert magnitudes.percentile(50) == pytest.approx(5, abs=BIN_MS2)
    assert magnitudes.percentile(79) == pytest.approx(12, abs=BIN_MS2)
    assert magnitudes.percentile(100) == pytest.approx(400)


def test_a_page_has_a_panel_for_everything_and_says_what_it_leaves_out(imported: StoredDataset) -> None:
    found = measure(imported)
    figure = draw(found)
    words = [text.get_text() for text in figure.texts]
    assert {"Made-up motion", "walking", "running", "standing", "x", "y", "z"} <= set(words)
    titles = {axes.get_title(loc="left") for axes in figure.axes}
    assert {"pocket", "session length", "rate"} <= titles
    (excerpt,) = {found.excerpts["walking", "pocket"]}
    many = {f"activity number {n}": {"person1": 5.0 + n} for n in range(MOST_EXCERPTS + 5)}
    crowd = replace(found, seconds=many, excerpts={(name, "pocket"): excerpt for name in many})
    words = [text.get_text() for text in draw(crowd).texts]
    assert any("65 more activities left out" in text for text in words)
    assert any("5 more activities left out" in text and "m/s²" in text for text in words)


def test_stats_prints_tables_and_draws_a_picture(
    stored: StoredDataset, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "page.png"
    assert main(["datasets", "stats", "made_up", "--root", str(root), "--plot", str(picture)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("Made-up motion", "0.04 in 24 sessions", "6 to 6, median 6", "33.3 %", "pocket gyro"):
        assert words in out
    image = pixels(picture)
    assert image.shape[1] == 1440 and 1000 < image.shape[0] < 2500
    drawn = (image < 0.95).any(axis=2)
    assert drawn.mean() > 0.05
    assert all(part.any() for part in np.array_split(drawn, 12)), "no empty stretch down the page"


def test_stats_as_json(stored: StoredDataset, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "stats", "made_up", "--root", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["placements"]["pocket"]["missing"] == {"acc": 0.0, "gyro": 0.0}
    assert found["fingerprint"] == stored.fingerprint


def test_a_picture_of_no_known_kind_is_refused_before_reading(
    stored: StoredDataset, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "stats", "made_up", "--root", str(root), "--plot", "page.docx"]) == 2
    assert ".png" in capsys.readouterr().err
