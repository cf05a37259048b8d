"""Archives: whole or not at all, only inside their folder, and never far more than they can hold."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from kinelex.datasets.unpacking import Limits, unpack
from kinelex.errors import UnreadableFile, UnsafeArchive


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_zip_comes_out_as_it_went_in(tmp_path: Path) -> None:
    members = {"RawData/acc.txt": b"1 2 3\n" * 1000, "empty.txt": b"", "UCI HAR Dataset/y é.txt": b"5"}
    told: list[tuple[int, int]] = []
    archive = zipped(tmp_path / "a.zip", {**members, "__MACOSX/._acc.txt": b"x", "RawData/.DS_Store": b"x"})
    unpack(archive, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert contents(tmp_path / "out") == members
    assert told[-1][0] == 6001


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_every_kind_of_tar(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes(b"1,2\n")
    mode = "w:" + {".tar": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tar.xz": "xz"}[suffix]
    with tarfile.open(tmp_path / f"a{suffix}", mode) as file:  # type: ignore[call-overload]
        file.add(tmp_path / "in", "in")
    unpack(tmp_path / f"a{suffix}", tmp_path / "out")
    assert contents(tmp_path / "out") == {"in/a.csv": b"1,2\n"}


def test_archives_within_archives_are_unpacked_where_they_lie(tmp_path: Path) -> None:
    walking = zipped(tmp_path / "w.zip", {"acc_walking_chest.csv": b"1"}).read_bytes()
    middle = zipped(tmp_path / "m.zip", {"data/acc_walking_csv.zip": walking, "data/readme.txt": b"2"}).read_bytes()
    unpack(zipped(tmp_path / "a.zip", {"proband1.zip": middle}), tmp_path / "out")
    assert contents(tmp_path / "out") == {
        "proband1/data/acc_walking_csv/acc_walking_chest.csv": b"1", "proband1/data/readme.txt": b"2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:\\evil.txt", "C:/evil.txt"]
)
def test_no_member_leaves_its_folder(tmp_path: Path, name: str) -> None:
    home = tmp_path / "deep" / "home"
    home.mkdir(parents=True)
    archive = zipped(home / "a.zip", {"good.txt": b"1", name: b"2"})
    with pytest.raises(UnsafeArchive, match="outside"):
        unpack(archive, home / "out")
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["deep", "deep/home", "deep/home/a.zip"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_may_hold_no_links_or_devices(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(UnsafeArchive, match="link or device"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_zip_may_hold_no_links(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(UnsafeArchive, match="link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"zeros.csv": bytes(30_000_000)})
    with pytest.raises(UnsafeArchive, match="bomb"):
        unpack(archive, tmp_path / "out", limits=Limits(free_bytes=1_000_000))
    assert not (tmp_path / "out").exists()
    unpack(archive, tmp_path / "out")  # small bombs do no harm


def test_a_bomb_within_archives_is_not_unpacked_either(tmp_path: Path) -> None:
    # No archive alone comes out larger than allowed: together they do.
    inner = zipped(tmp_path / "i.zip", {"zeros.csv": bytes(900_000)}).read_bytes()
    archive = zipped(tmp_path / "a.zip", {f"{i}.zip": inner for i in range(5)})
    with pytest.raises(UnsafeArchive, match="bomb"):
        unpack(archive, tmp_path / "out", limits=Limits(free_bytes=2_000_000))
    assert not (tmp_path / "out").exists()
    unpack(archive, tmp_path / "out", limits=Limits(free_bytes=5_000_000))
    assert len(contents(tmp_path / "out")) == 5


def test_an_archive_with_a_password_says_so(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "a.zip", {"walk.csv": b"1,2,3"}).read_bytes())
    content[6] |= 1  # the flag in front of the member,
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UnreadableFile, match="encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_member_may_not_be_larger_than_it_says(tmp_path: Path) -> None:
    # The size that a tar member declares is the size that is read; a zip's may lie in the directory at its end.
    archive = zipped(tmp_path / "a.zip", {"walk.csv": b"1,2,3\n" * 50_000})
    content = bytearray(archive.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(content)
    with pytest.raises((UnsafeArchive, UnreadableFile)):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_many_members_and_too_deep_nests_are_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {f"{i}.txt": b"" for i in range(20)})
    with pytest.raises(UnsafeArchive, match="20 members"):
        unpack(archive, tmp_path / "out", limits=Limits(members=19))
    content = b"1"
    for level in range(6):
        content = zipped(tmp_path / "n.zip", {f"{level}.zip" if level else "0.txt": content}).read_bytes()
    with pytest.raises(UnsafeArchive, match="archives deep"):
        unpack(tmp_path / "n.zip", tmp_path / "out")


@pytest.mark.parametrize("spoil", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_archive_leaves_nothing_behind(tmp_path: Path, spoil: str) -> None:
    archive = zipped(tmp_path / "a.zip", {"walk.csv": bytes(range(256)) * 400, "run.csv": b"1" * 5000})
    content = bytearray(archive.read_bytes())
    if spoil == "flipped":
        content[200] ^= 0xFF
    archive.write_bytes(
        {"truncated": content[:-100], "flipped": content, "empty": b"", "text": b"<html></html>"}[spoil]
    )
    with pytest.raises(UnreadableFile, match=r"damaged|cannot be unpacked"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_what_needs_another_program_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(UnreadableFile, match="RAR archive"):
        unpack(tmp_path / "a.rar", tmp_path / "out")


def test_a_folder_that_is_there_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_bytes(b"old")
    broken = tmp_path / "b.zip"
    broken.write_bytes(zipped(tmp_path / "a.zip", {"new.txt": b"new" * 1000}).read_bytes()[:-30])
    with pytest.raises(UnreadableFile):
        unpack(broken, tmp_path / "out")
    assert contents(tmp_path / "out") == {"old.txt": b"old"}
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert list(contents(tmp_path / "out")) == ["new.txt"]
