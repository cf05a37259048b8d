"""The store: sessions come back as asked for, and nothing that was damaged is believed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.datasets import StoredDataset, data_root, import_dataset, list_stored
from kinelex.errors import CorruptArtifact, UnknownName, UnsupportedFormat


def test_opening_gives_what_importing_gave(imported: StoredDataset) -> None:
    root = imported.folder.parent
    assert StoredDataset.open(root, "made_up") == imported
    assert list_stored(root) == ("made_up",)


def test_it_knows_its_subjects_labels_and_length(stored: StoredDataset) -> None:
    assert stored.subjects == ("person0", "person1", "person2", "person3")
    assert stored.labels == ("running", "standing", "walking")
    assert stored.activities == {"running": 48, "standing": 48, "walking": 48}
    assert stored.hours == pytest.approx(144 / 3600)
    assert stored.placements == ("pocket",)


def test_sessions_come_sorted_by_subject_and_name(stored: StoredDataset) -> None:
    order = [(recording.subject, recording.name) for recording in stored.sessions()]
    assert order == sorted(order)


def test_only_the_subjects_and_activities_asked_for_come(stored: StoredDataset) -> None:
    chosen = list(stored.sessions(subjects=["person1", "person3"], activities=["walking"]))
    assert [recording.name for recording in chosen] == [
        f"made_up/walking_{subject}_{number}" for subject in (1, 3) for number in (0, 1)
    ]
    everything = {recording.name: recording.samples for recording in stored.sessions()}
    for recording in chosen:
        np.testing.assert_array_equal(recording.samples, everything[recording.name])
    assert not list(stored.sessions(subjects=[]))


def test_an_unknown_subject_or_activity_is_named_at_once(stored: StoredDataset) -> None:
    with pytest.raises(UnknownName, match=r"subject 'person9'"):
        stored.sessions(subjects=["person9"])
    with pytest.raises(UnknownName, match=r"activity 'walk'.*walking"):
        stored.sessions(activities=["walk"])
    with pytest.raises(UnknownName, match="list of names"):
        stored.sessions(subjects="person1")


def test_a_kept_session_keeps_no_other_in_memory(stored: StoredDataset) -> None:
    recording = next(stored.sessions())
    assert recording.samples.base is None or recording.samples.base.size == recording.samples.size


def test_shards_hold_whole_sessions_up_to_their_limit(source, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinelex.datasets.shards.SHARD_ROWS", 1000)
    dataset = import_dataset(source(), root)
    rows = [sum(s.rows for s in dataset.index if s.shard == shard) for shard in range(len(dataset.shards))]
    assert rows == [900] * 8
    assert len(list(dataset.sessions())) == 24
    assert [r.name for r in dataset.sessions(["person2"])] == [
        f"made_up/{s.name}" for s in dataset.index if s.subject == "person2"
    ]


def test_a_session_longer_than_a_shard_gets_its_own(source, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinelex.datasets.shards.SHARD_ROWS", 100)
    dataset = import_dataset(source(), root)
    assert len(dataset.shards) == 24
    assert all(len(recording.samples) == 300 for recording in dataset.sessions())


def test_any_parquet_reader_can_use_a_shard(stored: StoredDataset) -> None:
    import pandas as pd

    frame = pd.read_parquet(stored.folder / stored.shards[0][0])
    assert list(frame.columns[:4]) == ["session", "subject", "activity", "pocket_acc_x"]
    first = next(stored.sessions())
    rows = frame[frame["session"] == first.name.removeprefix("made_up/")]
    np.testing.assert_array_equal(rows.iloc[:, 3:].to_numpy(), first.samples)


# Where data sets live.


def test_the_root_is_the_variable_or_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KINELEX_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("KINELEX_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert data_root() == tmp_path / "xdg" / "kinelex" / "datasets"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_root() == Path.home() / ".local" / "share" / "kinelex" / "datasets"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_root() == Path.home() / "Library" / "Application Support" / "kinelex" / "datasets"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert data_root() == tmp_path / "local" / "kinelex" / "datasets"


def test_an_unknown_data_set_names_near_ones(stored: StoredDataset, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"'madeup'.*made_up.*kinelex datasets import"):
        StoredDataset.open(root, "madeup")
    with pytest.raises(UnknownName, match="empty"):
        StoredDataset.open(tmp_path / "nowhere", "madeup")


# Damage.


@settings(max_examples=40)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_in_a_shard_is_found(imported: StoredDataset, where: float, bit: int) -> None:
    path = imported.folder / imported.shards[0][0]
    whole = path.read_bytes()
    broken = bytearray(whole)
    broken[int(where * len(whole))] ^= 1 << bit
    try:
        path.write_bytes(broken)
        with pytest.raises(CorruptArtifact, match="shard-00000"):
            StoredDataset.open(imported.folder.parent, "made_up", verify=True)
        with pytest.raises(CorruptArtifact, match="shard-00000"):
            imported.verify()
    finally:
        path.write_bytes(whole)
    imported.verify()


def test_damaged_samples_are_not_read_even_unverified(imported: StoredDataset) -> None:
    path = imported.folder / imported.shards[0][0]
    whole = path.read_bytes()
    broken = bytearray(whole)
    middle = len(whole) // 3
    broken[middle : middle + 64] = bytes(byte ^ 0xFF for byte in whole[middle : middle + 64])
    try:
        path.write_bytes(broken)
        dataset = StoredDataset.open(imported.folder.parent, "made_up")
        with pytest.raises(CorruptArtifact, match="import 'made_up' again"):
            list(dataset.sessions())
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("how", ["truncated", "longer", "empty", "removed"])
def test_a_shard_of_another_size_is_found_on_opening(stored: StoredDataset, root: Path, how: str) -> None:
    path = stored.folder / stored.shards[0][0]
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[:-1], "longer": content + b"x", "empty": b""}[how])
    with pytest.raises(CorruptArtifact, match="shard-00000"):
        StoredDataset.open(root, "made_up")
    with pytest.raises(CorruptArtifact, match=r"shard-00000|made_up"):
        list(stored.sessions())


@pytest.mark.parametrize("keep", [0, 1, 0.5, 0.999])
def test_a_truncated_manifest_is_corrupt(stored: StoredDataset, root: Path, keep: float) -> None:
    path = stored.folder / "manifest.json"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))] if keep < 1 else content[:1])
    with pytest.raises(CorruptArtifact, match="manifest"):
        StoredDataset.open(root, "made_up")


@pytest.mark.parametrize(
    "field", ["about", "sessions", "activities", "streams", "notes", "findings", "source", "shards"]
)
def test_a_manifest_that_was_edited_is_corrupt(stored: StoredDataset, root: Path, field: str) -> None:
    path = stored.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for content in ({k: v for k, v in manifest.items() if k != field}, {**manifest, field: 7}):
        path.write_text(json.dumps(content))
        with pytest.raises(CorruptArtifact, match="manifest"):
            StoredDataset.open(root, "made_up")


def test_one_changed_label_in_the_manifest_is_found(stored: StoredDataset, root: Path) -> None:
    path = stored.folder / "manifest.json"
    path.write_text(path.read_text().replace('"walking"', '"running"', 1))
    with pytest.raises(CorruptArtifact, match="manifest"):
        StoredDataset.open(root, "made_up")


def test_a_newer_format_is_left_alone(source, root: Path) -> None:
    path = source()
    manifest_path = import_dataset(path, root).folder / "manifest.json"
    manifest = json.loads(manifest_path.read_text())
    manifest_path.write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(UnsupportedFormat, match="upgrade"):
        StoredDataset.open(root, "made_up")
    with pytest.raises(UnsupportedFormat, match="upgrade"):
        import_dataset(path, root)
    assert json.loads(manifest_path.read_text())["version"] == 99


def test_importing_again_mends_what_was_damaged(source, root: Path) -> None:
    path = source()
    dataset = import_dataset(path, root)
    shard = dataset.folder / dataset.shards[0][0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-8] + b"damaged!")
    assert import_dataset(path, root) == dataset
    assert shard.read_bytes() == whole
