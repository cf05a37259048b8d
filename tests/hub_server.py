"""The model hub on this machine: its cache, and a server that speaks its protocol."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


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


class Hub(ThreadingHTTPServer):
    """Serves one folder as the model ``somebody/tiny``, or another name, and counts what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.model = "somebody/tiny"
        self.asked: list[str] = []
        self.files: dict[str, bytes] = {}

    def serve(self, folder: Path) -> None:
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def fetched(self) -> list[str]:
        """The files of weights that were asked for, each once."""
        return sorted({Path(path).name for path in self.asked if "/resolve/" in path and not path.endswith(".json")})


class Desk(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        model, files = self.server.model, self.server.files
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
def hub(constants: ModuleType, hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        url = f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        yield server
        server.shutdown()
