"""Importing official files: whole or not at all, on where it stopped, and with an account of what was left out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelex.cli import main
from kinelex.datasets import CatalogEntry, StoredDataset, catalog_entry, import_official, list_stored
from kinelex.datasets import official as importer
from kinelex.errors import UnreadableFile, WrongUnit
from kinelex.signal import Recording
from tests.datasets.layouts import hapt as hapt_layout
from tests.datasets.layouts import umafall as umafall_layout

ENTRY = catalog_entry("hapt")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A made-up HAPT in its official layout."""
    return hapt_layout.write(tmp_path / "official", ENTRY).folder


class Watched(list[str]):
    """Names of trials in the order in which they were read."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupt_at = ""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Watches which trials are read; every trial is a batch of its own, and one can be interrupted."""
    seen = Watched()
    original = importer.trials

    def noted(read: Callable[[], list[Recording]], name: str) -> list[Recording]:
        if name == seen.interrupt_at:
            raise KeyboardInterrupt
        seen.append(name)
        return read()

    def trials(entry: CatalogEntry, folder: Path):
        for trial in original(entry, folder):
            yield replace(trial, read=lambda trial=trial: noted(trial.read, trial.name))

    monkeypatch.setattr(importer, "trials", trials)
    monkeypatch.setattr(importer, "SHARD_VALUES", 1)
    return seen


def test_an_interrupted_import_goes_on_after_the_last_whole_batch(files: Path, root: Path, watched: Watched) -> None:
    whole = import_official(ENTRY, root / "whole", folder=files)
    assert sorted(watched) == ["exp01_user01", "exp03_user02"]
    watched.clear()
    watched.interrupt_at = "exp03_user02"
    with pytest.raises(KeyboardInterrupt):
        import_official(ENTRY, root, folder=files)
    assert list_stored(root) == ()
    watched.interrupt_at = ""
    resumed = import_official(ENTRY, root, folder=files)
    assert watched == ["exp01_user01", "exp03_user02"]
    assert resumed.fingerprint == whole.fingerprint
    assert [file.name for file in resumed.folder.rglob("*.json")] == ["manifest.json"]


def test_a_batch_that_was_damaged_meanwhile_is_written_again(files: Path, root: Path, watched: Watched) -> None:
    watched.interrupt_at = "exp03_user02"
    with pytest.raises(KeyboardInterrupt):
        import_official(ENTRY, root, folder=files)
    (shard,) = root.rglob("shard-*.parquet")
    shard.write_bytes(shard.read_bytes()[:-9])
    watched.interrupt_at = ""
    import_official(ENTRY, root, folder=files)
    assert sorted(watched) == ["exp01_user01", "exp01_user01", "exp03_user02"]


def test_unchanged_files_are_not_read_again_and_changed_ones_are(files: Path, root: Path, watched: Watched) -> None:
    first = import_official(ENTRY, root, folder=files)
    watched.clear()
    stages: list[str] = []
    again = import_official(ENTRY, root, folder=files, progress=lambda stage, done, total: stages.append(stage))
    assert (again, list(watched), stages[-1]) == (first, [], "unchanged")
    path = files / "RawData" / "acc_exp01_user01.txt"
    os.utime(path, ns=(1, 1))
    assert import_official(ENTRY, root, folder=files).fingerprint == first.fingerprint
    assert sorted(watched) == ["exp01_user01", "exp03_user02"]


def test_a_damaged_file_stops_the_import_and_leaves_nothing_behind(files: Path, root: Path) -> None:
    path = files / "RawData" / "gyro_exp03_user02.txt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UnreadableFile, match="exp03_user02"):
        import_official(ENTRY, root, folder=files)
    assert list_stored(root) == ()
    assert not list(root.rglob("*.parquet"))


def test_a_set_that_was_not_fetched_says_how_to_fetch_it(root: Path) -> None:
    with pytest.raises(UnreadableFile, match="kinelex datasets get hapt"):
        import_official(ENTRY, root)


def test_part_of_a_set_is_imported_with_a_note(files: Path, root: Path) -> None:
    stored = import_official(ENTRY, root, folder=files)
    assert "2 subjects in the files, 30 in the catalog" in stored.notes
    assert stored.about.people == "uci-smartphone"
    assert stored.about.complete == "2 trials of the official files"


def test_devices_on_clocks_of_their_own_stay_apart(tmp_path: Path, root: Path) -> None:
    entry = catalog_entry("umafall")
    written = umafall_layout.write(tmp_path / "official", entry)
    stored = import_official(entry, root, folder=written.folder)
    assert len(stored.streams) > 1
    for recording in stored.sessions():
        (placement,) = recording.placements
        assert recording.rate_hz == pytest.approx(200.0 if placement == "right pocket" else 20.0, rel=0.05)
    assert len({session.recording for session in stored.index}) == len(stored.index)


def at_a_quarter(path: Path, first: int, last: int) -> None:
    """Some seconds of sitting at a quarter of gravity, as a few sensors read for a while."""
    values = np.loadtxt(path)
    values[first:last] *= 0.25
    np.savetxt(path, values, fmt="%.16f")


def test_a_device_that_rests_off_gravity_is_left_out_and_told(
    files: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "REFUSED_SHARE", 0.5)
    at_a_quarter(files / "RawData" / "acc_exp01_user01.txt", 460, 560)
    stored = import_official(ENTRY, root, folder=files)
    (told,) = stored.findings["sensor off its scale, left out"]
    assert told.startswith("exp01_user01: waist rests where gravity is not")
    assert stored.subjects == ("user02",)


def test_a_trial_in_the_wrong_unit_is_left_out_and_told(
    files: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "REFUSED_SHARE", 0.5)
    path = files / "RawData" / "acc_exp03_user02.txt"
    np.savetxt(path, 9.80665 * np.loadtxt(path), fmt="%.16f")
    stored = import_official(ENTRY, root, folder=files)
    (told,) = stored.findings["sensor off its scale, left out"]
    assert told.startswith("exp03_user02: ")
    assert stored.subjects == ("user01",)


def test_when_much_is_off_its_scale_the_catalog_is_wrong(files: Path, root: Path) -> None:
    at_a_quarter(files / "RawData" / "acc_exp01_user01.txt", 460, 560)
    with pytest.raises(WrongUnit, match="1 of 2 recordings"):
        import_official(ENTRY, root, folder=files)
    assert list_stored(root) == ()


# On the command line.


def test_a_public_set_is_imported_by_its_name(files: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["datasets", "import", "hapt", "--files", str(files), "--root", str(root)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "hapt: imported, 2 subjects, 12 activities" in printed
    assert "2 subjects in the files, 30 in the catalog" in printed
    assert main(command) == 0
    assert "hapt: unchanged" in capsys.readouterr().out
    assert main(["datasets", "info", "hapt", "--root", str(root)]) == 0
    assert "official files of hapt" in " ".join(capsys.readouterr().out.split())


def test_fetched_files_need_no_folder(files: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for user in (files / "RawData").glob("*_exp03_*"):
        user.rename(user.with_name(user.name.replace("exp03", "exp02")))
    home = root / "raw" / "hapt"
    home.parent.mkdir(parents=True)
    files.rename(home)
    assert main(["datasets", "import", "hapt", "--root", str(root)]) == 0
    assert list_stored(root) == ("hapt",)
    assert "hapt: imported" in capsys.readouterr().out


def test_what_is_neither_a_path_nor_a_public_set_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "import", "hapd", "--root", str(root)]) == 3
    assert "hapd" in capsys.readouterr().err
    assert main(["datasets", "import", "hapt", "dsads", "--files", str(root), "--root", str(root)]) == 2


def test_verify_says_what_is_whole_and_fails_on_what_is_not(
    files: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = import_official(ENTRY, root, folder=files)
    assert main(["datasets", "verify", "--root", str(root)]) == 0
    assert "hapt: whole, 1 shards, 24 sessions, 0 splits" in capsys.readouterr().out
    shard = stored.folder / stored.shards[0][0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    assert main(["datasets", "verify", "hapt", "--root", str(root)]) == 3
    assert "DAMAGED" in capsys.readouterr().out
    assert main(["datasets", "verify", "--root", str(root / "empty")]) == 2


def test_large_trials_are_not_read_ahead(files: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    reading: set[str] = set()
    original = importer.trials

    def noted(trial):
        reading.add(trial.name)
        time.sleep(0.2)
        at_once.append(len(reading))
        found = trial.read()
        reading.discard(trial.name)
        return found

    def trials(entry: CatalogEntry, folder: Path):
        for trial in original(entry, folder):
            yield replace(trial, read=lambda trial=trial: noted(trial))

    monkeypatch.setattr(importer, "trials", trials)
    ahead = import_official(ENTRY, root / "ahead", folder=files)
    assert max(at_once) == 2
    at_once.clear()
    monkeypatch.setattr(importer, "AHEAD_BYTES", 1000)
    in_turn = import_official(ENTRY, root / "in turn", folder=files)
    assert max(at_once) == 1
    assert ahead.fingerprint == in_turn.fingerprint


def test_a_session_knows_where_in_its_recording_it_began(files: Path, root: Path) -> None:
    stored = import_official(ENTRY, root, folder=files)
    starts = [session.start_s for session in stored.index if session.recording == "exp01_user01"]
    assert starts == sorted(starts)
    assert starts[0] == 0.0
    assert len(set(starts)) == 12
    assert StoredDataset.open(root, "hapt").index == stored.index


def test_a_public_set_that_is_not_imported_leads_to_the_catalog(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "info", "pamap2", "--root", str(root)]) == 2
    assert "kinelex datasets catalog pamap2" in " ".join(capsys.readouterr().err.split())
