"""The example store does what a dictionary would, and says no to what it cannot keep."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from kinelex.artifact import MANIFEST
from kinelex.errors import (
    BadLabels,
    BadSamples,
    CorruptArtifact,
    KinelexError,
    StoreInUse,
    UnknownName,
    UnsupportedFormat,
    UsageError,
    WrongEncoder,
)
from kinelex.retrieval import segments, store_manifest, store_view, store_writing
from kinelex.retrieval.store import Encoder, ExampleStore, ExampleWriter

ENCODER = Encoder(name="tiny", fingerprint="9f2c41d07b5e", width=3)
OTHER = Encoder(name="tiny", fingerprint="77aa00d07b5e", width=3)


@pytest.fixture(autouse=True)
def nothing_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of calls would; that they do otherwise is shown in `test_store_faults.py`."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of three examples: 0 walking, 1 sitting, 2 walking."""
    path = tmp_path / "examples"
    ExampleStore.create(path, ENCODER)
    with writing(path) as writer:
        writer.add(np.eye(3), ["walking", "sitting", "walking"])
    return path


def writing(folder: Path) -> ExampleWriter:
    return ExampleStore.write(folder, encoder=ENCODER)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# What an example should be, and a store of them as a dictionary.


@dataclass(frozen=True)
class Kept:
    vector: tuple[float, ...]
    label: str
    subject: str | None
    recording: str | None
    start_s: float | None
    end_s: float | None


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
labels = texts.filter(lambda text: bool(text.strip()))
numbers = st.floats(-1e3, 1e3, width=32)
names = st.none() | texts.map(lambda text: text if text.strip() else None)
examples = st.builds(
    lambda vector, label, subject, recording, start, length: Kept(
        vector, label, subject, recording, start, None if start is None or length is None else start + length
    ),
    st.tuples(numbers, numbers, numbers).filter(any),
    labels,
    names,
    names,
    st.none() | st.floats(0, 1e5),
    st.none() | st.floats(0, 10),
)


def add(writer: ExampleWriter, new: list[Kept]) -> list[int]:
    ids = writer.add(
        [example.vector for example in new],
        [example.label for example in new],
        subjects=[example.subject for example in new],
        recordings=[example.recording for example in new],
        start_s=[np.nan if example.start_s is None else example.start_s for example in new],
        end_s=[np.nan if example.end_s is None else example.end_s for example in new],
    )
    assert ids.dtype == np.int64
    return ids.tolist()


def held(store: ExampleStore) -> dict[int, Kept]:
    columns = (store.vectors, store.labels, store.subjects, store.recordings, store.start_s, store.end_s)
    assert all(len(column) == len(store) for column in columns)
    assert store.vectors.dtype == np.float32 and store.vectors.shape == (len(store), 3)
    found = {}
    for id_, vector, label, subject, recording, start, end in zip(store.ids.tolist(), *columns, strict=True):
        times = [None if np.isnan(seconds) else float(seconds) for seconds in (start, end)]
        found[id_] = Kept(tuple(vector.tolist()), str(label), str(subject) or None, str(recording) or None, *times)
    assert list(found) == sorted(found) and len(found) == len(store)
    return found


class StoreMachine(RuleBasedStateMachine):
    """Any calls in any order leave the store with what a dictionary would hold."""

    ids = Bundle("ids")

    @initialize()
    def create(self) -> None:
        self.root = Path(mkdtemp())
        self.folder = self.root / "store"
        ExampleStore.create(self.folder, ENCODER)
        self.writer = writing(self.folder)
        self.reader = ExampleStore.open(self.folder, encoder=ENCODER)
        self.expected: dict[int, Kept] = {}
        self.given = 0

    @rule(target=ids, new=st.lists(examples, max_size=5))
    def add(self, new: list[Kept]) -> object:
        ids = add(self.writer, new)
        assert ids == list(range(self.given, self.given + len(new))), "ids ascend and are never given twice"
        self.given += len(new)
        self.expected |= dict(zip(ids, new, strict=True))
        return multiple(*ids)

    @rule(gone=st.lists(consumes(ids), max_size=3))
    def delete(self, gone: list[int]) -> None:
        self.writer.delete(gone)
        for id_ in gone:
            del self.expected[id_]

    @rule(changed=st.lists(ids, max_size=3), label=labels)
    def relabel(self, changed: list[int], label: str) -> None:
        self.writer.relabel(changed, label)
        for id_ in changed:
            self.expected[id_] = replace(self.expected[id_], label=label)

    @rule(more=st.integers(0, 3), known=st.lists(ids, max_size=2))
    def fail(self, more: int, known: list[int]) -> None:
        with pytest.raises(UnknownName):
            self.writer.delete([*known, self.given + more])
        with pytest.raises(BadSamples):
            self.writer.add([[1, 2, 3], [0, 0, 0]], ["walking", "sitting"])

    @rule()
    def compact(self) -> None:
        self.writer.compact()
        stored = [pq.read_metadata(path).num_rows for path in sorted(self.folder.glob("*.parquet"))]
        assert sum(stored) == len(self.expected), "what was deleted is gone from the disk"
        assert all(rows == store_writing.ROWS_AT_MOST for rows in stored[:-1])

    @rule()
    def reopen(self) -> None:
        self.writer.close()
        self.writer = writing(self.folder)
        self.reader = ExampleStore.open(self.folder)

    @rule()
    def refresh(self) -> None:
        before = self.reader.fingerprint
        assert self.reader.refresh() == (before != self.reader.fingerprint)
        assert held(self.reader) == self.expected

    @rule(go_on=st.booleans())
    def snapshot(self, go_on: bool) -> None:
        copy = self.root / f"copy-{len(list(self.root.iterdir()))}"
        self.reader.snapshot(copy)
        assert held(ExampleStore.open(copy)) == self.expected
        if go_on:
            self.writer.close()
            self.folder = copy
            self.writer = writing(copy)
            self.reader = ExampleStore.open(copy)

    @invariant()
    def holds_what_a_dictionary_would(self) -> None:
        store = ExampleStore.open(self.folder)
        assert held(store) == self.expected
        assert len(self.writer) == len(self.expected)
        listed = json.loads((self.folder / MANIFEST).read_bytes())
        wanted = {segment["file"] for segment in (*listed["examples"], *listed["changes"])}
        assert {name for name in files(self.folder) if name.endswith(".parquet")} == wanted, "no file is left over"

    def teardown(self) -> None:
        self.writer.close()
        shutil.rmtree(self.root)


@pytest.fixture
def merging_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small segments are merged, and large ones split, at sizes that a few examples reach."""
    monkeypatch.setattr(store_writing, "MERGED_AT", 3)
    monkeypatch.setattr(store_writing, "SMALL", (3, 5))
    monkeypatch.setattr(store_writing, "ROWS_AT_MOST", 4)


@pytest.mark.usefixtures("merging_early")
def test_a_store_holds_what_a_dictionary_would() -> None:
    run_state_machine_as_test(StoreMachine, settings=settings(max_examples=25, stateful_step_count=15, deadline=None))


# What is kept, and how.


def test_vectors_come_back_to_the_bit(folder: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    vectors[0] = [np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal, -0.0]
    with writing(folder) as writer:
        writer.add(vectors, ["walking"] * 500)
        writer.compact()
    assert ExampleStore.open(folder).vectors[3:].tobytes() == vectors.tobytes()


def test_what_is_not_known_stays_unknown(folder: Path) -> None:
    with writing(folder) as writer:
        writer.add(
            np.ones((3, 3)),
            ["a", "b", "c"],
            subjects=[None, float("nan"), "Ada"],  # type: ignore[list-item]  # as a table from pandas has it
            recordings=["", "walk.csv", None],
            start_s=[np.nan, 2.0, np.nan],
            end_s=[4.0, np.nan, np.nan],
        )
    store = ExampleStore.open(folder)
    assert store.subjects[3:].tolist() == ["", "", "Ada"]
    assert store.recordings[3:].tolist() == ["", "walk.csv", ""]
    np.testing.assert_array_equal(store.start_s[3:], [np.nan, 2.0, np.nan])
    np.testing.assert_array_equal(store.end_s[3:], [4.0, np.nan, np.nan])


def test_a_store_knows_when_an_example_was_added(folder: Path) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    with writing(folder) as writer:
        writer.add([[1, 2, 3]], ["walking"])
        writer.compact()
    assert np.datetime64(before, "us") <= ExampleStore.open(folder).added_at[-1] <= np.datetime64("now") + 1


def test_other_programs_can_read_the_segments(folder: Path) -> None:
    table = pq.read_table(folder / "examples-00000000.parquet")
    assert table.column("vector").to_pylist() == np.eye(3).tolist()
    assert table.column("label").to_pylist() == ["walking", "sitting", "walking"]


def test_an_addition_touches_no_file_that_is_there_but_the_manifest(folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    with writing(folder) as writer:
        writer.add([[1, 2, 3]], ["walking"])
        writer.delete(1)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert before.items() < after.items()


def test_hundreds_of_single_additions_and_changes_leave_few_files(folder: Path) -> None:
    with writing(folder) as writer:
        for number in range(300):
            id_ = writer.add([[1, 2, number]], [f"label {number}"])
            writer.relabel(id_, f"changed {number}")
    store = ExampleStore.open(folder)
    assert store.labels[3:].tolist() == [f"changed {number}" for number in range(300)]
    assert store.vectors[3:, 2].tolist() == list(range(300))
    assert len(list(folder.glob("*.parquet"))) < 60


def test_arrays_cannot_be_written_to(folder: Path) -> None:
    store = ExampleStore.open(folder)
    for array in (store.ids, store.vectors, store.labels, store.subjects, store.recordings, store.start_s):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_the_fingerprint_changes_with_the_examples_and_not_with_the_files(folder: Path) -> None:
    seen = [ExampleStore.open(folder).fingerprint]
    with writing(folder) as writer:
        for change in (
            lambda: writer.add([[1, 2, 3]], ["walking"]),
            lambda: writer.relabel(0, "running"),
            lambda: writer.delete(1),
        ):
            change()
            seen.append(ExampleStore.open(folder).fingerprint)
        writer.compact()
    assert len(set(seen)) == 4
    assert ExampleStore.open(folder).fingerprint == seen[-1]


# Readers beside a writer.


def test_a_reader_keeps_what_it_saw_until_it_is_refreshed(folder: Path) -> None:
    reader = ExampleStore.open(folder)
    before = held(reader)
    with writing(folder) as writer:
        writer.add([[1, 2, 3]], ["running"])
        writer.delete(0)
        writer.relabel(1, "lying")
        writer.compact()
        assert held(reader) == before
        assert reader.refresh()
    assert reader.labels.tolist() == ["lying", "walking", "running"]
    assert not reader.refresh()


def test_a_refresh_reads_only_what_is_new(folder: Path) -> None:
    reader = ExampleStore.open(folder)
    with writing(folder) as writer:
        writer.add([[1, 2, 3]], ["running"])
    (folder / "examples-00000000.parquet").unlink()
    assert reader.refresh()
    assert reader.labels.tolist() == ["walking", "sitting", "walking", "running"]


def test_a_store_that_was_replaced_is_read_anew(folder: Path, tmp_path: Path) -> None:
    reader = ExampleStore.open(folder)
    reader.snapshot(tmp_path / "copy")
    with writing(folder) as writer:
        writer.add([[1, 2, 3]], ["running"])
    reader.refresh()
    with writing(tmp_path / "copy") as writer:
        writer.add([[3, 2, 1]], ["cycling"])
        writer.add([[3, 2, 2]], ["rowing"])
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    assert reader.refresh()
    assert reader.labels.tolist() == ["walking", "sitting", "walking", "cycling", "rowing"]


def test_no_file_goes_while_somebody_reads_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(folder) as writer:
        writer.relabel(0, "running")
        read = segments.read_segment

        def compacted_meanwhile(*arguments: object) -> object:
            monkeypatch.setattr(store_view, "read_segment", read)
            writer.compact()
            return read(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(store_view, "read_segment", compacted_meanwhile)
        reader = ExampleStore.open(folder)
        assert reader.labels.tolist() == ["running", "sitting", "walking"]
        assert "examples-00000000.parquet" in files(folder), "it was kept for the reader"
        writer.add([[1, 2, 3]], ["walking"])
        writer.compact()
    assert {name for name in files(folder) if "parquet" in name} == {"examples-00000004.parquet"}


def test_readers_and_a_writer_at_once_never_disagree(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writing, "MERGED_AT", 2)
    done = threading.Event()
    broken: list[object] = []

    def read() -> None:
        try:
            while not done.is_set():
                store = ExampleStore.open(folder)
                # Each example says in its vector what its label must be.
                assert store.labels[3:].tolist() == [f"label {number:.0f}" for number in store.vectors[3:, 0]]
        except BaseException as error:
            broken.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with writing(folder) as writer:
        for number in range(1, 40):
            writer.add([[number, 0, 0]], [f"label {number}"])
            if number % 5 == 0:
                writer.compact()
    done.set()
    for reader in readers:
        reader.join()
    assert not broken


def test_a_folder_that_may_only_be_read_is_read(folder: Path) -> None:
    (folder / "readers.lock").unlink()
    folder.chmod(0o555)
    try:
        assert len(ExampleStore.open(folder)) == 3
    finally:
        folder.chmod(0o755)


# One writer.


def test_a_second_writer_is_told_who_the_first_is(folder: Path) -> None:
    with writing(folder), pytest.raises(StoreInUse, match=f"process {os.getpid()} on .*: wait"):
        writing(folder)
    writing(folder).close()


def test_a_writer_in_another_process_is_told_so_too(folder: Path) -> None:
    code = (
        "import sys; from kinelex.retrieval.store import ExampleStore\n"
        "try: ExampleStore.write(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__)"
    )
    with writing(folder):
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "StoreInUse"


def test_threads_may_share_a_writer(folder: Path) -> None:
    with writing(folder) as writer:
        threads = [
            threading.Thread(target=lambda name=name: [writer.add([[1, 2, 3]], [name]) for _ in range(10)])
            for name in ("a", "b", "c")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    store = ExampleStore.open(folder)
    assert sorted(store.labels[3:]) == ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    assert store.ids.tolist() == list(range(33))


def test_a_closed_writer_writes_no_more(folder: Path) -> None:
    writer = writing(folder)
    writer.close()
    writer.close()
    with pytest.raises(UsageError, match="closed"):
        writer.add([[1, 2, 3]], ["walking"])


# One encoder.


@pytest.mark.parametrize("other", [OTHER, Encoder("tiny", ENCODER.fingerprint, 4)], ids=["weights", "width"])
def test_another_encoder_is_refused(folder: Path, other: Encoder) -> None:
    for opening in (ExampleStore.open, ExampleStore.write):
        with pytest.raises(WrongEncoder, match="tiny"):
            opening(folder, encoder=other)
    writing(folder).close()


def test_what_an_encoder_is_called_does_not_matter(folder: Path) -> None:
    assert len(ExampleStore.open(folder, encoder=replace(ENCODER, name="renamed"))) == 3


def test_a_writer_that_does_not_know_the_encoder_only_adds_nothing(folder: Path) -> None:
    with ExampleStore.write(folder) as writer:
        writer.delete(0)
        with pytest.raises(UsageError, match="encoder="):
            writer.add([[1, 2, 3]], ["walking"])


def test_a_reader_whose_store_was_replaced_by_that_of_another_encoder_keeps_its_own(folder: Path) -> None:
    reader = ExampleStore.open(folder)
    shutil.rmtree(folder)
    ExampleStore.create(folder, OTHER)
    with pytest.raises(WrongEncoder):
        reader.refresh()
    assert len(reader) == 3


@pytest.mark.parametrize(
    "fields", [{"name": " "}, {"fingerprint": ""}, {"width": 0}, {"width": True}, {"name": "\ud800"}]
)
def test_an_encoder_says_what_it_is(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        replace(ENCODER, **fields)  # type: ignore[arg-type]


# What is refused, whole.

GOOD = {"vectors": [[1, 2, 3], [4, 5, 6]], "labels": ["walking", "sitting"]}
REFUSED = {
    "a vector of NaN": (BadSamples, {"vectors": [[1, 2, 3], [np.nan, 1, 1]]}),
    "a vector beyond float32": (BadSamples, {"vectors": [[1, 2, 3], [1e39, 1, 1]]}),
    "a zero vector": (BadSamples, {"vectors": [[1, 2, 3], [0, 0, 0]]}),
    "another width": (BadSamples, {"vectors": [[1, 2], [3, 4]]}),
    "one vector without its row": (BadSamples, {"vectors": [1, 2, 3]}),
    "vectors of words": (BadSamples, {"vectors": [["a", "b", "c"]] * 2}),
    "ragged vectors": (BadSamples, {"vectors": [[1, 2, 3], [1]]}),
    "a blank label": (BadLabels, {"labels": ["walking", " "]}),
    "a label that is no text": (BadLabels, {"labels": ["walking", None]}),
    "half a character": (BadLabels, {"labels": ["walking", "\ud800"]}),
    "a label that ends in NUL": (BadLabels, {"labels": ["walking", "a\0"]}),
    "a label as long as a story": (BadLabels, {"labels": ["walking", "a" * 1001]}),
    "a text for labels": (BadLabels, {"labels": "ab"}),
    "too few labels": (BadLabels, {"labels": ["walking"]}),
    "too many subjects": (BadSamples, {"subjects": ["a", "b", "c"]}),
    "a number for a subject": (BadSamples, {"subjects": ["a", 1]}),
    "a text for recordings": (BadSamples, {"recordings": "ab"}),
    "an endless time": (BadSamples, {"end_s": [1, np.inf]}),
    "a time for all": (BadSamples, {"start_s": 1.0}),
    "times of words": (BadSamples, {"start_s": ["a", "b"]}),
    "an end before the start": (BadSamples, {"start_s": [1, 2], "end_s": [2, 1]}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_addition_with_something_wrong_adds_nothing(folder: Path, name: str) -> None:
    error, wrong = REFUSED[name]
    before = files(folder)
    with writing(folder) as writer:
        with pytest.raises(error):
            writer.add(**{**GOOD, **wrong})
        assert files(folder) == before
        assert writer.add(**GOOD).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ([0, 7], UnknownName),
        ([0, -1], UnknownName),
        ([0.0], UsageError),
        ([True], UsageError),
        ([[0], [1, 2]], UsageError),
    ],
)
def test_a_change_with_a_wrong_id_changes_nothing(folder: Path, ids: list[object], error: type[KinelexError]) -> None:
    with writing(folder) as writer:
        for change in (lambda: writer.delete(ids), lambda: writer.relabel(ids, "running")):
            with pytest.raises(error):
                change()
    assert ExampleStore.open(folder).labels.tolist() == ["walking", "sitting", "walking"]


def test_what_is_deleted_is_not_there_to_be_deleted_or_relabeled(folder: Path) -> None:
    with writing(folder) as writer:
        writer.delete([1, 1])
        for change in (lambda: writer.delete(1), lambda: writer.relabel(1, "running")):
            with pytest.raises(UnknownName, match="no example 1"):
                change()
        with pytest.raises(BadLabels):
            writer.relabel(0, "")


def test_an_id_is_not_given_again_when_the_last_example_is_gone(folder: Path) -> None:
    with writing(folder) as writer:
        writer.delete([0, 1, 2])
        writer.compact()
    assert len(ExampleStore.open(folder)) == 0
    with writing(folder) as writer:
        assert writer.add([[1, 2, 3]], ["walking"]).tolist() == [3]


def test_nothing_is_made_where_something_is(folder: Path, tmp_path: Path) -> None:
    store = ExampleStore.open(folder)
    (tmp_path / "file").write_text("mine")
    for there in (folder, tmp_path / "file"):
        with pytest.raises(UsageError):
            ExampleStore.create(there, ENCODER)
        with pytest.raises(UsageError):
            store.snapshot(there)
    assert len(ExampleStore.open(folder)) == 3


def test_a_store_without_its_manifest_is_damaged_and_not_made_again(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(CorruptArtifact, match="segments but no manifest"):
        ExampleStore.open(folder)
    with pytest.raises(UsageError, match="lost its manifest"):
        ExampleStore.create(folder, ENCODER)
    assert "examples-00000000.parquet" in files(folder)


def test_where_no_store_is_none_is_opened_or_made(tmp_path: Path) -> None:
    for opening in (ExampleStore.open, ExampleStore.write):
        with pytest.raises(UnknownName, match=r"ExampleStore\.create"):
            opening(tmp_path)
    assert files(tmp_path) == set()


def test_a_manifest_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"kind": "checkpoint", "version": 1, "files": {}}')
    with pytest.raises(CorruptArtifact, match="holds a checkpoint"):
        ExampleStore.open(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_manifest, "VERSION", 2)
    ExampleStore.create(tmp_path / "newer", ENCODER)
    monkeypatch.undo()
    with pytest.raises(UnsupportedFormat, match="format 2"):
        ExampleStore.open(tmp_path / "newer")


EVERYTHING = """
import sys
from kinelex.retrieval.store import Encoder, ExampleStore
folder, encoder = sys.argv[1] + "/store", Encoder("tiny", "9f2c", 2)
ExampleStore.create(folder, encoder)
with ExampleStore.write(folder, encoder=encoder) as writer:
    writer.add([[1, 2], [3, 4]], ["walking", "sitting"], subjects=["Ada", None])
    writer.delete(0)
    writer.relabel(1, "lying")
    writer.compact()
    writer.relabel(1, "lying")
store = ExampleStore.open(folder)
store.verify()
print(store.labels.tolist(), [name for name in ("torch", "pandas", "pydantic") if name in sys.modules])
"""


def test_the_store_imports_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EVERYTHING, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lying'] []"
