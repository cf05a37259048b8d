"""``kinelex backbone``: encoders by name, and those that are fitted here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.cli import main


def output(capsys: pytest.CaptureFixture[str], *call: str | Path) -> str:
    assert main([str(word) for word in call]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("encoder", ["statistics", "ts2vec"])
def test_an_encoder_is_fitted_to_a_data_set_and_loaded_by_its_folder(
    recordings_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoder: str
) -> None:
    from kinelex.backbones import load_backbone
    from kinelex.datasets import StoredDataset, import_dataset

    import_dataset(recordings_dir / "sessions" / "ku_har.parquet", tmp_path)
    call = ["backbone", "fit", encoder, "--data", "ku_har", "--windows", "12", "--out", tmp_path / "fitted"]
    steps = ["--steps", "2"] if encoder == "ts2vec" else []
    assert "12 windows" in output(capsys, *call, "--root", tmp_path, *steps)
    backbone = load_backbone(tmp_path / "fitted")
    assert backbone.trained_on == ("ku_har",)
    recording = next(iter(StoredDataset.open(tmp_path, "ku_har").sessions()))
    assert np.isfinite(backbone.embed(recording, [0.0], 6.0)).all()
    assert encoder in output(capsys, "backbone", "list")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--windows", "1"], "at least 2"),
        (["--steps", "3"], "leave out --steps"),
        ([], "no data set 'ku_har'"),
    ],
)
def test_what_cannot_be_fitted_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    call = ["backbone", "fit", "statistics", "--data", "ku_har", "--out", str(tmp_path / "fitted")]
    assert main([*call, "--root", str(tmp_path), *options]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "fitted").exists()
