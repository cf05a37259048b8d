"""A text encoder is found where it should be, in the right order, and nothing goes over the network unasked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import numpy as np
import pytest

from kinelex.errors import CorruptArtifact, NoTextEncoder, UnknownName
from kinelex.language import (
    DEFAULT_ENCODER,
    DEFAULT_IDENTITY,
    MiniLM,
    identity,
    installed_text_encoder,
    label_vectors,
    resolve_text_encoder,
)
from kinelex.language import resolution as resolution_module

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def forget_what_was_loaded() -> Iterator[None]:
    resolution_module._load.cache_clear()
    yield
    resolution_module._load.cache_clear()


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the offline package is not installed."""
    monkeypatch.setattr(resolution_module, "_OFFLINE_PACKAGE", "a_package_that_nobody_installed")


@pytest.fixture(scope="session")
def constants(folders_of_our_own: None) -> ModuleType:
    """The settings of the hub's client, read when the environment already says that tests stay offline."""
    return pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def hub_cache(constants: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder where the hub's client keeps what it fetched; the client is told to stay offline."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


def fetched(hub_cache: Path, hub_id: str, source: Path) -> Path:
    """Lay `source` out as if the hub's client had fetched it."""
    model = hub_cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = model / "snapshots" / COMMIT
    for file in source.rglob("*"):
        if file.is_file():
            target = snapshot / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target) if file.stat().st_dev == hub_cache.parent.stat().st_dev else shutil.copy(file, target)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    return snapshot


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


# The hub itself: a server on this machine that speaks its protocol


class Hub(ThreadingHTTPServer):
    """Serves one folder as the model ``somebody/tiny``, and counts what it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.asked: list[str] = []


class Desk(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        model, files = "somebody/tiny", self.server.files
        if path.startswith(f"/api/models/{model}/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ]
            self.send(json.dumps(tree).encode(), body)
        elif path in (f"/api/models/{model}", f"/api/models/{model}/revision/main"):
            siblings = [{"rfilename": name} for name in files]
            self.send(json.dumps({"id": model, "modelId": model, "sha": COMMIT, "siblings": siblings}).encode(), body)
        elif path.startswith(f"/{model}/resolve/") and path.split("/", 5)[5] in files:
            self.send(files[path.split("/", 5)[5]], body)
        else:
            self.send_error(404)

    def send(self, content: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(constants: ModuleType, tiny_folder: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub(tiny_folder) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        url = f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        yield server
        server.shutdown()


def test_what_is_nowhere_else_is_fetched_from_the_hub_once(hub: Hub, tiny_folder: Path) -> None:
    encoder = resolve_text_encoder("somebody/tiny")
    np.testing.assert_array_equal(encoder.encode(["walking"]), MiniLM(tiny_folder).encode(["walking"]))
    assert any(path.endswith("model.safetensors") for path in hub.asked)
    asked = len(hub.asked)
    resolution_module._load.cache_clear()
    assert resolve_text_encoder("somebody/tiny").revision == encoder.revision
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
