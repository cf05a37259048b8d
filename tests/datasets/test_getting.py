"""Getting the official files of a set: downloaded and unpacked once, or put there by a person and checked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinelex.cli import main
from kinelex.datasets import CatalogEntry, catalog_entry, catalog_names, get
from kinelex.datasets.catalog import RemoteFile
from kinelex.datasets.download import Patience
from kinelex.datasets.getting import missing, raw_folder
from kinelex.errors import DownloadFailed, UnreadableFile
from tests.datasets.fault_server import FaultServer, serving

PATIENCE = Patience(attempts=2, timeout_s=0.5, wait_s=0.01)
FILES = ("RawData/labels.txt", "RawData/acc_exp01_user01.txt", "RawData/gyro_exp01_user01.txt")


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, "1 2 3\n" * 1000)
    return content.getvalue()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with serving(archive(*FILES)) as faults:
        yield faults


@pytest.fixture
def entry(server: FaultServer) -> CatalogEntry:
    """HAPT from our own server, which breaks off once."""
    file = RemoteFile(name="hapt.zip", urls=(server.url("hapt.zip", "cut 5000", "ok"),))
    return catalog_entry("hapt").model_copy(update={"files": (file,)})


def test_a_set_is_downloaded_unpacked_and_found_again(entry: CatalogEntry, server: FaultServer, root: Path) -> None:
    stages: list[str] = []
    folder = get(entry, root, patience=PATIENCE, progress=lambda what, done, total: stages.append(what))
    assert folder == raw_folder(entry, root) == root / "raw" / "hapt"
    assert all((folder / name).is_file() for name in FILES)
    assert (root / "downloads" / "hapt" / "hapt.zip").is_file()
    assert list(dict.fromkeys(stages)) == ["downloading hapt.zip", "unpacking hapt.zip"]
    server.requests.clear()
    assert get(entry, root, patience=PATIENCE) == folder
    assert not server.requests
    (folder / FILES[0]).unlink()  # what was lost is unpacked again, without asking the server
    get(entry, root, patience=PATIENCE)
    assert not missing(entry, folder) and not server.requests


def test_another_set_under_the_same_address_is_noticed(entry: CatalogEntry, server: FaultServer, root: Path) -> None:
    server.content = archive("Train/X_train.txt")
    with pytest.raises(UnreadableFile, match=r"is not 'hapt'.*RawData/labels.txt"):
        get(entry, root, patience=PATIENCE)


def test_several_files_are_kept_apart(entry: CatalogEntry, server: FaultServer, root: Path) -> None:
    url = server.url("hapt.zip", "ok")
    two = tuple(RemoteFile(name=name, urls=(url,)) for name in ("one.zip", "two.zip", "notes.txt"))
    folder = get(entry.model_copy(update={"files": two}), root, patience=PATIENCE)
    assert sorted(path.name for path in folder.iterdir()) == ["notes", "one", "two"]
    assert (folder / "notes" / "notes.txt").read_bytes() == server.content


def test_an_archive_that_needs_another_program_is_kept_and_said(
    entry: CatalogEntry, server: FaultServer, root: Path
) -> None:
    rar = RemoteFile(name="hapt.rar", urls=(server.url("hapt.rar", "ok"),))
    with pytest.raises(UnreadableFile, match="unpack it into"):
        get(entry.model_copy(update={"files": (rar,)}), root, patience=PATIENCE)
    assert (root / "downloads" / "hapt" / "hapt.rar").is_file()


def test_where_the_owner_wants_to_be_asked_the_steps_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = catalog_entry("mobifall")
    with pytest.raises(DownloadFailed) as caught:
        get(asked, root)
    assert all(step in str(caught.value) for step in asked.how)
    assert raw_folder(asked, root).is_dir() and str(raw_folder(asked, root)) in str(caught.value)
    assert main(["datasets", "get", "mobifall", "--root", str(root)]) == 5
    assert "bmi@hmu.gr" in capsys.readouterr().err


def test_what_a_person_put_there_is_unpacked_and_checked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = catalog_entry("mobifall")
    folder = raw_folder(asked, root)
    folder.mkdir(parents=True)
    (folder / "holiday.zip").write_bytes(archive("photos/beach.jpg"))
    with pytest.raises(UnreadableFile, match="is not 'mobifall'"):
        get(asked, root)
    names = ("sub1/ADL/STD/STD_acc_1_1.txt", "sub1/FALLS/FOL/FOL_acc_1_1.txt")
    (folder / "mobifall.zip").write_bytes(archive(*(f"MobiFall_Dataset_v2.0/{name}" for name in names)))
    assert get(asked, root) == folder
    assert main(["datasets", "get", "mobifall", "--root", str(root)]) == 0
    assert asked.licence in capsys.readouterr().out


def test_real_files_in_the_official_layout_are_recognized(recordings_dir: Path) -> None:
    for folder in sorted((recordings_dir / "raw").iterdir()):
        known = catalog_entry(folder.name)
        assert len(missing(known, folder)) < len(known.expects), folder.name


def test_the_command_wants_a_name_that_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "get"]) == 2
    assert main(["datasets", "get", "pamap"]) == 2
    assert "pamap2" in capsys.readouterr().err
    assert all(catalog_entry(name).expects for name in catalog_names())
