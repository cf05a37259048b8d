"""Downloads from a real server that breaks off, corrupts, redirects, stalls and lies: a right file or a clear error."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets.catalog import RemoteFile
from kinelex.datasets.download import Patience, download
from kinelex.errors import DownloadFailed
from tests.datasets.fault_server import FaultServer, serving

PATIENCE = Patience(attempts=3, timeout_s=0.5, wait_s=0.01)


def archive() -> bytes:
    """A zip of noise, which does not shrink."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("walk.csv", np.random.default_rng(0).bytes(3_000_000))
    return content.getvalue()


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serving(archive()) as faults:
        yield faults


def remote(server: FaultServer, *urls: str, hashed: bool = True) -> RemoteFile:
    known = hashlib.sha256(server.content).hexdigest() if hashed else None
    return RemoteFile(name="walk.zip", urls=urls, sha256=known)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in ("walk.zip", ".walk.zip.json"))


@pytest.mark.parametrize(
    "plan",
    [
        ("ok",),
        ("cut 1000000", "ok"),
        ("cut 1000000", "cut 1", "cut 1000000", "ok"),
        ("cut-silently 1000000", "ok"),
        ("chunks-cut 1000000", "ok"),
        ("no-ranges", "ok"),
        ("cut 1000000", "no-ranges"),
        ("cut 1000000", "other-range", "ok"),
        ("cut 1000000", "corrupt-once-resumed", "ok"),
        ("cut 1000000", "status 416", "ok"),
        ("gone", "gone", "ok"),
        ("stall", "ok"),
        ("status 503", "status 429", "ok"),
        ("redirect /moved.zip",),
    ],
    ids=" ".join,
)
def test_what_can_be_mended_ends_in_the_right_file(server: FaultServer, tmp_path: Path, plan: tuple[str, ...]) -> None:
    server.url("moved.zip", "cut 500000", "ok")
    path = download(remote(server, server.url("walk.zip", *plan)), tmp_path, patience=PATIENCE)
    assert path == tmp_path / "walk.zip"
    assert path.read_bytes() == server.content
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("gone", "aborted|closed|reset|Connection"),
        ("stall", "timed out"),
        ("cut 0", "ended after 0"),
        ("corrupt", "SHA-256"),
        ("changed", "SHA-256"),
        ("status 404", "404 Not Found"),
        ("status 403", "403 Forbidden"),
        ("status 500", "500"),
        ("page", "web page"),
        ("redirect /walk.zip", "redirects"),
    ],
)
def test_what_cannot_be_mended_is_a_clear_error(server: FaultServer, tmp_path: Path, plan: str, said: str) -> None:
    url = server.url("walk.zip", plan)
    with pytest.raises(DownloadFailed, match=said) as caught:
        download(remote(server, url), tmp_path, patience=PATIENCE)
    message = str(caught.value)
    assert url in message and "\n" not in message and str(tmp_path / "walk.zip") in message
    assert not (tmp_path / "walk.zip").exists()


def test_a_file_that_was_replaced_on_the_server_is_not_pieced_together(server: FaultServer, tmp_path: Path) -> None:
    url = server.url("walk.zip", "cut 1000000", "changed")
    with pytest.raises(DownloadFailed, match="SHA-256"):
        download(remote(server, url), tmp_path, patience=PATIENCE)
    server.url("walk.zip", "cut 1000000", "changed")
    plain = RemoteFile(name="walk.csv", urls=(url,))  # no hash, and no archive: whatever is served whole is right
    assert download(plain, tmp_path, patience=PATIENCE).read_bytes() == server.content[::-1]


def test_a_mirror_stands_in_for_an_address_that_fails(server: FaultServer, tmp_path: Path) -> None:
    urls = [server.url("a.zip", "status 404"), server.url("b.zip", "corrupt"), server.url("c.zip", "ok")]
    path = download(remote(server, "http://127.0.0.1:1/walk.zip", *urls), tmp_path, patience=PATIENCE)
    assert path.read_bytes() == server.content
    assert json.loads((tmp_path / ".walk.zip.json").read_text())["url"] == urls[-1]
    assert leftovers(tmp_path) == []


def test_all_addresses_are_named_when_all_fail(server: FaultServer, tmp_path: Path) -> None:
    urls = server.url("a.zip", "status 404"), server.url("b.zip", "page")
    with pytest.raises(DownloadFailed) as caught:
        download(remote(server, *urls), tmp_path, patience=PATIENCE)
    assert all(url in str(caught.value) for url in urls)


def test_a_download_goes_on_where_it_stopped(server: FaultServer, tmp_path: Path) -> None:
    url = server.url("walk.zip", "cut 1000000", "gone")
    with pytest.raises(DownloadFailed):
        download(remote(server, url), tmp_path, patience=PATIENCE)
    assert leftovers(tmp_path) == [".walk.zip.part", ".walk.zip.part.json"]
    server.requests.clear()
    server.sent.clear()
    server.url("walk.zip", "ok")
    told: list[tuple[int, int | None]] = []
    path = download(
        remote(server, url), tmp_path, patience=PATIENCE, progress=lambda done, total: told.append((done, total))
    )
    assert path.read_bytes() == server.content
    assert server.requests["/walk.zip"] == ["bytes=1000000-"]
    assert server.sent["/walk.zip"] == len(server.content) - 1_000_000
    assert told[0][0] == 1_000_000 and told[-1] == (len(server.content), len(server.content))


def test_a_download_that_was_killed_goes_on_where_it_stopped(server: FaultServer, tmp_path: Path) -> None:
    url = server.url("walk.zip", "ok slowly")
    call = (
        "import sys; from kinelex.datasets.catalog import RemoteFile; from kinelex.datasets.download import download;"
        f"download(RemoteFile(name='walk.zip', urls=[{url!r}]), {str(tmp_path)!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", call], env=os.environ | {"PYTHONPATH": "src"})
    part = tmp_path / ".walk.zip.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 1_000_000):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "walk.zip").exists()
    server.requests.clear()
    server.url("walk.zip", "ok")
    assert download(remote(server, url), tmp_path, patience=PATIENCE).read_bytes() == server.content
    (asked,) = server.requests["/walk.zip"]
    assert int(asked.removeprefix("bytes=").removesuffix("-")) >= 1_000_000


def test_what_arrived_whole_and_was_killed_before_its_name_is_not_fetched_again(
    server: FaultServer, tmp_path: Path
) -> None:
    url = server.url("walk.zip", "cut 1000000", "gone")
    with pytest.raises(DownloadFailed):
        download(remote(server, url), tmp_path, patience=PATIENCE)
    (tmp_path / ".walk.zip.part").write_bytes(server.content)
    server.requests.clear()
    assert download(remote(server, url), tmp_path, patience=PATIENCE).read_bytes() == server.content
    assert not server.requests and leftovers(tmp_path) == []


def test_what_is_here_is_not_fetched_again_unless_it_changed(server: FaultServer, tmp_path: Path) -> None:
    file = remote(server, server.url("walk.zip", "ok"), hashed=False)
    path = download(file, tmp_path, patience=PATIENCE)
    server.requests.clear()
    assert download(file, tmp_path, patience=PATIENCE) == path
    assert not server.requests
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    download(file, tmp_path, patience=PATIENCE)
    assert path.read_bytes() == server.content


def test_without_a_published_hash_an_archive_must_be_one(server: FaultServer, tmp_path: Path) -> None:
    file = remote(server, server.url("walk.zip", "cut-silently 1000000"), hashed=False)
    with pytest.raises(DownloadFailed, match="no zip archive"):
        download(file, tmp_path, patience=PATIENCE)
    assert not (tmp_path / "walk.zip").exists()


def test_a_wrong_size_is_noticed_before_anything_is_fetched(server: FaultServer, tmp_path: Path) -> None:
    file = RemoteFile(name="walk.zip", urls=(server.url("walk.zip", "ok"),), bytes=5)
    with pytest.raises(DownloadFailed, match="published size is 5"):
        download(file, tmp_path, patience=PATIENCE)
    assert leftovers(tmp_path) == []


def test_a_full_disk_is_a_clear_error_and_nothing_is_lost(server: FaultServer, tmp_path: Path) -> None:
    url = server.url("walk.zip", "ok")
    # A limit on the size of files stands in for the end of a disk: the system refuses the same write.
    call = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000));"
        "from kinelex.datasets.catalog import RemoteFile; from kinelex.datasets.download import download;"
        "from kinelex.errors import DownloadFailed\n"
        f"try: download(RemoteFile(name='walk.zip', urls=[{url!r}]), {str(tmp_path)!r})\n"
        "except DownloadFailed as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", call], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "src"}, check=True
    )
    assert "no room for 'walk.zip'" in done.stdout and "goes on where it stopped" in done.stdout
    assert not (tmp_path / "walk.zip").exists()
    assert (tmp_path / ".walk.zip.part").stat().st_size == 2_000_000
    server.requests.clear()
    assert download(remote(server, url), tmp_path, patience=PATIENCE).read_bytes() == server.content
    assert server.requests["/walk.zip"] == ["bytes=2000000-"]


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_written(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(DownloadFailed, match="1 MB free"):
        download(remote(server, server.url("walk.zip", "ok")), tmp_path, patience=PATIENCE)
    assert not (tmp_path / "walk.zip").exists()
