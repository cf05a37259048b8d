"""A model comes from the package, from a folder or from the hub, or it is said what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pytest

from kinelex.errors import CorruptArtifact, DownloadFailed, MissingDependency, UnknownName, UsageError
from kinelex.recognition import load
from kinelex.recognition.loading import shipped_models
from tests.hub_server import Hub, fetched


@pytest.fixture
def small() -> Path:
    return shipped_models()["small"]


def test_a_name_a_folder_and_a_hub_id_give_the_same_model(small: Path, tmp_path: Path, hub: Hub) -> None:
    shutil.copytree(small, tmp_path / "mine")
    hub.serve(small)
    models = [load("small"), load(tmp_path / "mine"), load(str(tmp_path / "mine")), load("somebody/tiny")]
    assert len({model.checkpoint.fingerprint for model in models}) == 1
    asked = len(hub.asked)
    assert asked
    load("somebody/tiny")
    assert len(hub.asked) == asked, "the second time it comes from this machine"


def test_what_the_hub_sent_is_checked_too(small: Path, tmp_path: Path, hub_cache: Path) -> None:
    shutil.copytree(small, tmp_path / "mine")
    (tmp_path / "mine" / "model.safetensors").write_bytes(b"something else")
    fetched(hub_cache, "somebody/broken", tmp_path / "mine")
    with pytest.raises(CorruptArtifact, match=r"model\.safetensors"):
        load("somebody/broken")


def test_a_hub_model_of_something_else_is_no_checkpoint(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    hub.serve(tmp_path / "other")
    with pytest.raises(CorruptArtifact):
        load("somebody/tiny")


def test_offline_or_unknown_to_the_hub_says_so(
    hub: Hub, constants: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadFailed, match="nobody/nothing"):
        load("nobody/nothing")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadFailed, match="HF_HUB_OFFLINE"):
        load("somebody/tiny")


def test_without_the_hubs_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingDependency, match="pip install"):
        load("somebody/tiny")


@pytest.mark.parametrize("name", ["smal", "no such folder", "a/b/c", ""])
def test_a_name_that_can_be_nothing_lists_what_there_is(name: str) -> None:
    with pytest.raises((UnknownName, UsageError, CorruptArtifact), match=r"small|manifest"):
        load(name)
