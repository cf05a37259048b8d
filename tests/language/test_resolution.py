"""A text encoder is found where it should be, in the right order, and nothing goes over the network unasked."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinelex.errors import CorruptArtifact, NoTextEncoder, UnknownName, UnsupportedFormat
from kinelex.language import (
    DEFAULT_ENCODER,
    DEFAULT_IDENTITY,
    ClipText,
    SentenceEncoder,
    identity,
    installed_text_encoder,
    label_vectors,
    resolve_text_encoder,
)
from kinelex.language import resolution as resolution_module
from tests.hub_server import Hub, fetched

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(autouse=True)
def forget_what_was_loaded() -> Iterator[None]:
    resolution_module._load.cache_clear()
    yield
    resolution_module._load.cache_clear()


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the offline package is not installed."""
    monkeypatch.setattr(resolution_module, "_OFFLINE_PACKAGE", "a_package_that_nobody_installed")


def offline_package(root: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package like the offline one, whose code must not run."""
    package = root / "some_offline_package"
    shutil.copytree(source, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(resolution_module, "_OFFLINE_PACKAGE", package.name)
    return package / "model"


def test_the_default_is_the_installed_package_and_is_the_published_file(minilm_folder: Path) -> None:
    encoder = resolve_text_encoder()
    assert identity(encoder) == DEFAULT_IDENTITY == "all-MiniLM-L6-v2@53aa51172d14"
    assert resolution_module.DEFAULT_SHA256.endswith("128d9db")
    assert resolve_text_encoder(DEFAULT_ENCODER) is encoder, "it is loaded once"
    assert resolve_text_encoder(HUB_ID) is encoder
    assert resolve_text_encoder(DEFAULT_IDENTITY) is encoder


def test_the_package_is_found_without_running_its_code(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = offline_package(tmp_path, tiny_folder, monkeypatch)
    assert installed_text_encoder() == model
    assert "some_offline_package" not in sys.modules


def test_a_package_with_other_weights_is_corrupt(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline_package(tmp_path, tiny_folder, monkeypatch)
    with pytest.raises(CorruptArtifact, match="is not the published file"):
        resolve_text_encoder()


def test_the_package_comes_before_the_hub_cache(minilm_folder: Path, tiny_folder: Path, hub_cache: Path) -> None:
    fetched(hub_cache, HUB_ID, tiny_folder)
    assert installed_text_encoder() == minilm_folder


def test_a_folder_comes_before_everything(minilm_folder: Path, tiny_folder: Path) -> None:
    assert resolve_text_encoder(tiny_folder).name == "tiny"
    assert resolve_text_encoder(str(tiny_folder)).dim == 16


def test_without_the_package_the_hub_cache_serves(minilm_folder: Path, no_package: None, hub_cache: Path) -> None:
    snapshot = fetched(hub_cache, HUB_ID, minilm_folder)
    assert installed_text_encoder() == snapshot
    assert identity(resolve_text_encoder()) == DEFAULT_IDENTITY


def test_a_half_fetched_model_in_the_hub_cache_is_none(tiny_folder: Path, no_package: None, hub_cache: Path) -> None:
    (fetched(hub_cache, HUB_ID, tiny_folder) / "model.safetensors").unlink()
    assert installed_text_encoder() is None


def test_any_hub_model_in_the_cache_can_be_named(tiny_folder: Path, hub_cache: Path) -> None:
    fetched(hub_cache, "somebody/tiny", tiny_folder)
    encoder = resolve_text_encoder("somebody/tiny")
    assert (encoder.name, encoder.dim) == ("somebody/tiny", 16)
    assert resolve_text_encoder(identity(encoder)) is encoder


@pytest.mark.parametrize(
    ("name", "hub_id", "folder", "kind"),
    [
        ("all-mpnet-base-v2", "sentence-transformers/all-mpnet-base-v2", "mpnet_folder", SentenceEncoder),
        ("clip-vit-base-patch32", "openai/clip-vit-base-patch32", "clip_folder", ClipText),
        ("openai/clip-vit-large-patch14", "openai/clip-vit-large-patch14", "both_towers_folder", ClipText),
    ],
)
def test_other_encoders_have_names_too(
    name: str, hub_id: str, folder: str, kind: type, hub_cache: Path, request: pytest.FixtureRequest
) -> None:
    files = request.getfixturevalue(folder)
    fetched(hub_cache, hub_id, files)
    encoder = resolve_text_encoder(name)
    assert isinstance(encoder, kind)
    assert identity(encoder) == f"{name}@{encoder.revision}"
    assert resolve_text_encoder(hub_id) is encoder
    assert resolve_text_encoder(identity(encoder)) is encoder
    assert isinstance(resolve_text_encoder(files), kind), "a folder says itself what it holds"
    with pytest.raises(CorruptArtifact, match="revision '000000000000' was asked for"):
        resolve_text_encoder(f"{name}@000000000000")


def test_a_folder_of_that_name_comes_before_the_name(
    mpnet_folder: Path, tmp_path: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(mpnet_folder, tmp_path / "all-mpnet-base-v2")
    monkeypatch.chdir(tmp_path)
    assert resolve_text_encoder("all-mpnet-base-v2").name == "all-mpnet-base-v2"
    with pytest.raises(NoTextEncoder, match="'sentence-transformers/all-mpnet-base-v2' is not on this machine"):
        resolve_text_encoder("sentence-transformers/all-mpnet-base-v2")


def test_weights_of_the_older_kind_in_the_hub_cache_serve(clip_folder: Path, tmp_path: Path, hub_cache: Path) -> None:
    old = older_kind(clip_folder, tmp_path / "old")
    fetched(hub_cache, "openai/clip-vit-base-patch32", old)
    found = resolve_text_encoder("clip-vit-base-patch32").encode(["walking"])
    np.testing.assert_array_equal(found, ClipText(clip_folder).encode(["walking"]))


def older_kind(source: Path, target: Path) -> Path:
    """A copy with the kind of file in which the hub has CLIP's weights."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save(load_file(source / "model.safetensors"), target / "pytorch_model.bin")
    return target


def test_a_model_of_another_kind_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    shutil.copytree(tiny_folder, tmp_path / "tiny", ignore=shutil.ignore_patterns("model.safetensors", "config.json"))
    config = transformers.ViTConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=4, patch_size=2
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "tiny")
    with pytest.raises(UnsupportedFormat, match="it is a 'vit' model: choose another"):
        resolve_text_encoder(tmp_path / "tiny")


def test_the_wrong_revision_is_refused(tiny_folder: Path, hub_cache: Path) -> None:
    fetched(hub_cache, "somebody/tiny", tiny_folder)
    with pytest.raises(CorruptArtifact, match="revision '000000000000' was asked for"):
        resolve_text_encoder("somebody/tiny@000000000000")


def test_nowhere_and_offline_says_what_to_install(no_package: None, hub_cache: Path) -> None:
    with pytest.raises(NoTextEncoder) as caught:
        resolve_text_encoder()
    message = str(caught.value)
    assert 'pip install "kinelex[offline]"' in message
    assert 'pip install "kinelex[text]"' in message
    assert "HF_HUB_OFFLINE" in message
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", ["all-mpnet-base-v2", "clip-vit-base-patch32", "somebody/else"])
def test_for_others_it_does_not_say_to_install_the_default(name: str, hub_cache: Path) -> None:
    with pytest.raises(
        NoTextEncoder, match=rf'{name}\' is not on this machine.*pip install "kinelex\[text\]"'
    ) as caught:
        resolve_text_encoder(name)
    assert "offline]" not in str(caught.value)
    assert "pass a folder" in str(caught.value)


def test_without_the_hub_client_too(no_package: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert installed_text_encoder() is None
    with pytest.raises(NoTextEncoder, match=r'pip install "kinelex\[offline\]"'):
        resolve_text_encoder()


@pytest.mark.parametrize("name", ["minilm", "../no/folder", "a folder that is not there", "/no/such/folder"])
def test_a_name_that_can_be_nothing_is_unknown(name: str, hub_cache: Path) -> None:
    with pytest.raises(UnknownName, match="there is no text encoder"):
        resolve_text_encoder(name)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(UnknownName, match="pass a folder"):
        resolve_text_encoder(tmp_path / "model.safetensors")


def test_what_is_nowhere_else_is_fetched_from_the_hub_once(hub: Hub, tiny_folder: Path) -> None:
    hub.serve(tiny_folder)
    encoder = resolve_text_encoder("somebody/tiny")
    np.testing.assert_array_equal(encoder.encode(["walking"]), SentenceEncoder(tiny_folder).encode(["walking"]))
    assert any(path.endswith("model.safetensors") for path in hub.asked)
    asked = len(hub.asked)
    resolution_module._load.cache_clear()
    assert resolve_text_encoder("somebody/tiny").revision == encoder.revision
    assert len(hub.asked) == asked, "the second time it comes from the cache"


def test_of_two_files_with_weights_only_the_safe_one_is_fetched(hub: Hub, clip_folder: Path, tmp_path: Path) -> None:
    both = older_kind(clip_folder, tmp_path / "both")
    shutil.copy(clip_folder / "model.safetensors", both)
    hub.serve(both)
    resolve_text_encoder("somebody/tiny")
    assert hub.fetched() == ["model.safetensors"]


def test_where_the_hub_has_only_the_older_kind_that_is_fetched(hub: Hub, clip_folder: Path, tmp_path: Path) -> None:
    hub.model = "openai/clip-vit-base-patch32"
    hub.serve(older_kind(clip_folder, tmp_path / "old"))
    encoder = resolve_text_encoder("clip-vit-base-patch32")
    assert hub.fetched() == ["pytorch_model.bin"]
    np.testing.assert_array_equal(encoder.encode(["walking"]), ClipText(clip_folder).encode(["walking"]))
    asked = len(hub.asked)
    resolution_module._load.cache_clear()
    assert resolve_text_encoder("clip-vit-base-patch32").revision == encoder.revision
    assert len(hub.asked) == asked, "the second time it comes from the cache"


def test_what_is_on_this_machine_asks_the_hub_for_nothing(hub: Hub, tiny_folder: Path, minilm_folder: Path) -> None:
    resolve_text_encoder(tiny_folder).encode(["walking"])
    resolve_text_encoder()
    assert hub.asked == []


def test_an_offline_client_asks_the_hub_for_nothing(
    hub: Hub, constants: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NoTextEncoder, match="HF_HUB_OFFLINE"):
        resolve_text_encoder("somebody/tiny")
    assert hub.asked == []


def test_a_model_that_the_hub_does_not_have_says_so(hub: Hub) -> None:
    with pytest.raises(NoTextEncoder, match=r"'somebody/else' .*could not be fetched from the hub .*pip install"):
        resolve_text_encoder("somebody/else")


def test_a_hub_that_cannot_be_reached_says_what_to_install(
    hub: Hub, constants: ModuleType, no_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NoTextEncoder, match=r'could not be fetched.*pip install "kinelex\[offline\]"'):
        label_vectors(["walking"], cache=False)
