"""``kinelex gate``: learned beside a memory of real recordings, used by ``predict``, and dropped again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelex.cli import main
from tests.cli.test_index import WALK, output, written


@pytest.fixture(scope="module")
def memory(recordings_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few real windows of each activity; the data set lies beside them."""
    from kinelex.datasets import import_dataset

    folder = tmp_path_factory.mktemp("remembered")
    import_dataset(recordings_dir / "sessions" / "motionsense.parquet", folder)
    call = ["index", "build", str(folder / "memory"), "--data", "motionsense", "--root", str(folder)]
    assert main([*call, "--per-label", "5"]) == 0
    return folder / "memory"


def test_a_gate_is_learned_kept_only_when_it_is_worth_it_used_and_forgotten(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "walk.csv", 3.0)
    ask = ("predict", file, *WALK, "--memory", memory, "--json")
    before = output(capsys, *ask)
    call = ("gate", "train", memory, "--data", "motionsense", "--root", memory.parent, "--per-label", "10")
    said = output(capsys, *call, "--epochs", "1")
    for words in ("learned from", "other people", "fixed weight 0.25", "words alone", "closed form", "mean weight of"):
        assert words in said
    worse = "the gate is no better than" in said
    assert ("it is not kept; --anyway keeps it" in said) == worse == (not (memory / "gate").exists())
    assert "predict --memory uses it" in output(capsys, *call, "--epochs", "1", "--anyway")
    known = json.loads(output(capsys, "gate", "info", memory, "--json"))
    assert (known["backbone"], known["sets"], known["window_s"]) == ("small", ["motionsense"], 6.0)
    assert set(known["labels"]) >= {"standing", "jogging"}
    assert "learned from motionsense" in output(capsys, "gate", "info", memory)
    gated = output(capsys, *ask)
    assert gated != before and output(capsys, *ask, "--no-gate") == before
    assert output(capsys, *ask, "--gate", memory / "gate") == gated
    assert "no gate any more" in output(capsys, "gate", "forget", memory)
    assert output(capsys, *ask) == before


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["gate", "info", "MEMORY"], "has no gate"),
        (["gate", "forget", "MEMORY"], "has no gate"),
        (["gate", "forget", "NOWHERE"], "NOWHERE"),
        (["gate", "train", "NOWHERE", "--data", "motionsense"], "NOWHERE"),
        (["gate", "train", "MEMORY", "--data", "motionsense", "--epochs", "0"], "at least 1"),
        (["predict", "walk.csv", "--gate", "MEMORY"], "--gate weighs the examples of --memory"),
    ],
)
def test_what_cannot_be_is_refused(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], call: list[str], says: str
) -> None:
    places = {"MEMORY": str(memory), "NOWHERE": str(tmp_path / "NOWHERE")}
    assert main([places.get(word, word) for word in call]) == 2
    assert says in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "NOWHERE").exists()
