"""``kinelex train``: from imported tables to a calibrated checkpoint, and clear words where that cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kinelex.cli import main
from kinelex.datasets import import_dataset
from kinelex.model import load_checkpoint
from tests.language.conftest import mpnet_folder

__all__ = ["mpnet_folder"]

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
    call.append("--tensorboard")
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
    assert (run / "map.png").read_bytes()[:4] == b"\x89PNG"
    result = json.loads((run / "result.json").read_text())
    assert set(result["datasets"]) == {"unimib_shar", "ku_har"}
    assert {"kinelex", "torch", "numpy", "python", "device"} <= set(result["versions"])

    (events,) = (run / "tensorboard").iterdir()
    assert events.stat().st_size > 500

    fingerprint = checkpoint.fingerprint
    assert main(call) == 0, "a finished run has nothing left to do"
    assert load_checkpoint(run / "checkpoint").fingerprint == fingerprint


def test_a_recipe_may_name_another_text_encoder(
    store: Path, mpnet_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(RECIPE + f"text_encoder: {mpnet_folder}\n")
    call = ["train", str(recipe), "--root", str(store), "--out", str(tmp_path / "run"), "--no-map"]
    assert main(call) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'tiny-mpnet' has vectors of 16 and model.text_dim is 384: set model.text_dim to 16" in said
    assert main([*call, "--set", "model.text_dim=16"]) == 0
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoint")
    assert checkpoint.text_encoder.startswith("tiny-mpnet@")
    assert checkpoint.labels.vectors.shape[1] == 16


def test_a_recipe_that_leaves_nothing_out_names_its_temperature_and_single_fields_are_set_by_hand(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    run = tmp_path / "run"
    call = ["train", str(tmp_path / "tiny.yaml"), "--root", str(store), "--out", str(run), "--no-map"]
    assert main([*call, "--set", "left_out=[]", "--set", "temperature=1.37", "--set", "model.width=24"]) == 0
    checkpoint = load_checkpoint(run / "checkpoint")
    assert (checkpoint.temperature, checkpoint.model.config.width) == (1.37, 24)
    assert not (run / "map.png").exists() and not (run / "tensorboard").exists()
    assert "1.37" in checkpoint.card
    assert json.loads((run / "result.json").read_text())["left_out"] == {}


def test_a_set_that_is_not_imported_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    assert main(["train", str(tmp_path / "tiny.yaml"), "--root", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "no data set 'unimib_shar'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists(), "nothing is left half made"


def test_without_tensorboard_nothing_is_trained_when_it_is_asked_for(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    call = ["train", str(tmp_path / "tiny.yaml"), "--root", str(store), "--out", str(tmp_path / "run"), "--tensorboard"]
    assert main(call) == 4
    assert "kinelex[train]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_field_that_recipes_do_not_have_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    assert main(["train", str(tmp_path / "tiny.yaml"), "--set", "model.widht=3"]) == 2
    assert "did you mean 'model.width'" in capsys.readouterr().err


def test_a_wrong_recipe_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE + "stepz: 3\n")
    assert main(["train", str(tmp_path / "tiny.yaml")]) == 2
    assert "stepz" in capsys.readouterr().err
