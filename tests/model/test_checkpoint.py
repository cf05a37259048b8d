"""Checkpoints come back as they were, or say what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kinelex.artifact import MANIFEST
from kinelex.errors import CorruptArtifact, UnsupportedFormat
from kinelex.model import Checkpoint, load_checkpoint, save_checkpoint

FILES = ("model.safetensors", "labels.safetensors", "labels.json", "config.json", "card.md", MANIFEST)


@pytest.fixture
def folder(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    save_checkpoint(checkpoint, tmp_path / "tiny")
    return tmp_path / "tiny"


def test_a_checkpoint_comes_back_to_the_bit(checkpoint: Checkpoint, folder: Path) -> None:
    loaded = load_checkpoint(folder)
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name]), name
    assert loaded.labels.texts == checkpoint.labels.texts
    np.testing.assert_array_equal(loaded.labels.vectors, checkpoint.labels.vectors)
    for part in ("center", "anchors", "prototypes"):
        np.testing.assert_array_equal(getattr(loaded.text_space, part), getattr(checkpoint.text_space, part), part)
    assert (loaded.name, loaded.temperature, loaded.card) == (checkpoint.name, checkpoint.temperature, checkpoint.card)
    assert loaded.trained_on == ("hapt",)
    assert not loaded.model.training


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, damage) for name in FILES[:-1] for damage in ("removed", "emptied", "truncated", "one bit")]
    + [(MANIFEST, damage) for damage in ("removed", "emptied", "half")],
)
def test_damage_to_any_file_is_found_before_use(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    else:
        if damage == "one bit":
            content[len(content) // 2] ^= 1
        kinds = {
            "emptied": b"",
            "truncated": bytes(content[:-1]),
            "one bit": bytes(content),
            "half": bytes(content[: len(content) // 2]),
        }
        path.write_bytes(kinds[damage])
    with pytest.raises(CorruptArtifact, match="tiny"):
        load_checkpoint(folder)


def test_a_manifest_cannot_name_a_file_outside_its_folder(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../card.md"] = manifest["files"].pop("card.md")
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / "card.md").rename(folder.parent / "card.md")
    with pytest.raises(CorruptArtifact, match="outside its folder"):
        load_checkpoint(folder)


def test_a_newer_format_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(UnsupportedFormat, match="upgrade"):
        load_checkpoint(folder)


def test_weights_of_another_shape_do_not_fit(folder: Path, checkpoint: Checkpoint, tmp_path: Path) -> None:
    from kinelex.artifact import write_manifest

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "width": 32}))
    manifest = json.loads((folder / MANIFEST).read_text())
    fields = {k: v for k, v in manifest.items() if k not in ("kind", "version", "files")}
    write_manifest(folder, "checkpoint", 1, FILES[:-1], fields)
    with pytest.raises(CorruptArtifact, match="does not fit together"):
        load_checkpoint(folder)


def test_an_interrupted_save_leaves_the_old_checkpoint(
    folder: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("kinelex.model.checkpoint.save_file", full)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(checkpoint.described(name="other"), folder)
    assert load_checkpoint(folder).name == "tiny"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
