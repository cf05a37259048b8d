"""``kinelex pretrain``: from imported tables to an encoder that ``kinelex train`` may begin with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelex.artifact import sha256
from kinelex.cli import main
from kinelex.datasets import import_dataset
from kinelex.model import AlignedModel
from kinelex.training.overrides import read_recipe
from kinelex.training.pretraining.encoder import load_pretrained, read_pretrained

MODEL = "model: {width: 16, layers: 1, heads: 2, queries: 2, hop_s: 2.0}\n"
PRETRAIN = (
    """
name: tiny-encoder
train: [ku_har]
steps: 4
batch_windows: 8
save_every: 2
log_every: 1
threads: 1
"""
    + MODEL
)
TRAIN = (
    """
name: tiny
train: [unimib_shar]
steps: 2
batch_windows: 8
threads: 1
"""
    + MODEL
)


@pytest.fixture(scope="module")
def store(recordings_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    import_dataset(recordings_dir / "sessions" / "ku_har.parquet", root)
    return root


def test_signal_becomes_an_encoder_that_a_training_may_begin_with(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pretrain.yaml").write_text(PRETRAIN)
    run = tmp_path / "pretrained"
    call = ["pretrain", str(tmp_path / "pretrain.yaml"), "--root", str(store), "--out", str(run), "--seed", "3"]
    assert main([*call, "--set", "masking.patch_ratio=0.5"]) == 0
    assert "error of hidden patches" in capsys.readouterr().err
    encoder = read_pretrained(run)
    assert encoder.trained_on == ("ku_har",)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert {"reconstruction", "contrast"} < set(lines[0])
    assert (run / "curves.png").stat().st_size > 5000
    result = json.loads((run / "result.json").read_text())
    assert set(result["datasets"]) == {"ku_har"}
    assert result["encoder"] == encoder.fingerprint == sha256(run / "encoder" / "model.safetensors")
    assert (result["recipe"]["seed"], result["recipe"]["masking"]["patch_ratio"]) == (3, 0.5)

    assert main([*call, "--set", "masking.patch_ratio=0.5"]) == 0, "a finished run has nothing left to do"
    assert read_pretrained(run).fingerprint == encoder.fingerprint
    assert main(call) == 2, "another recipe is another run"

    (tmp_path / "train.yaml").write_text(TRAIN)
    following = read_recipe(tmp_path / "train.yaml", [f"pretrained={run}"])
    assert following.pretrained is not None
    load_pretrained(AlignedModel.empty(following.model), following.pretrained)


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("train=motionsense", "zero-shot test set"),
        ("mask.patches=1", "recipes have no field 'mask.patches': did you mean"),
        ("targets.group=0", "recipes have no field 'targets.group'"),
        ("model.width=wide", "model.width"),
    ],
)
def test_a_wrong_field_is_a_usage_error(
    assignment: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pretrain.yaml").write_text(PRETRAIN)
    call = ["pretrain", str(tmp_path / "pretrain.yaml"), "--root", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*call, "--set", assignment]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists(), "nothing is left half made"


def test_a_set_that_is_not_imported_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pretrain.yaml").write_text(PRETRAIN)
    assert main(["pretrain", str(tmp_path / "pretrain.yaml"), "--root", str(tmp_path)]) == 2
    assert "no data set 'ku_har'" in capsys.readouterr().err
