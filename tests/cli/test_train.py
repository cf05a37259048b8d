"""``kinelex train``: from imported tables to a calibrated checkpoint, and clear words where that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelex.cli import main
from kinelex.datasets import import_dataset
from kinelex.model import load_checkpoint

RECIPE = """
name: tiny
train: [unimib_shar]
left_out: [ku_har]
steps: 6
batch_windows: 8
save_every: 3
log_every: 1
threads: 1
model: {width: 16, layers: 1, heads: 2, queries: 2, hop_s: 2.0}
"""


@pytest.fixture(scope="module")
def store(recordings_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    for name in ("unimib_shar", "ku_har"):
        import_dataset(recordings_dir / "sessions" / f"{name}.parquet", root)
    return root


def test_a_recipe_becomes_a_calibrated_checkpoint(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    run = tmp_path / "run"
    call = ["train", str(tmp_path / "tiny.yaml"), "--root", str(store), "--out", str(run), "--score-every", "3"]
    assert main(call) == 0
    assert "left out ku_har: accuracy" in capsys.readouterr().err
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint.trained_on == ("unimib_shar",)
    assert checkpoint.temperature != 1.0
    for words in ("UniMiB", "left-out", "temperature", "## Limits"):
        assert words.lower() in checkpoint.card.lower()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "left_out_macro_f1" in line] == [3, 6]
    assert (run / "curves.png").stat().st_size > 5000
    result = json.loads((run / "result.json").read_text())
    assert set(result["datasets"]) == {"unimib_shar", "ku_har"}

    fingerprint = checkpoint.fingerprint
    assert main(call) == 0, "a finished run has nothing left to do"
    assert load_checkpoint(run / "checkpoint").fingerprint == fingerprint


def test_a_recipe_that_leaves_nothing_out_names_its_temperature(store: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE.replace("left_out: [ku_har]", "temperature: 1.37"))
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "tiny.yaml"), "--root", str(store), "--out", str(run)]) == 0
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint.temperature == 1.37
    assert "1.37" in checkpoint.card
    assert json.loads((run / "result.json").read_text())["left_out"] == {}


def test_a_set_that_is_not_imported_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    assert main(["train", str(tmp_path / "tiny.yaml"), "--root", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "no data set 'unimib_shar'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists(), "nothing is left half made"


def test_a_wrong_recipe_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE + "stepz: 3\n")
    assert main(["train", str(tmp_path / "tiny.yaml")]) == 2
    assert "stepz" in capsys.readouterr().err
