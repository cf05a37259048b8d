"""A memory: what goes in is found by the next search, stays after the process, and is only found where it belongs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kinelex.errors import BadLabels, KinelexError, UnknownName, UsageError, WrongEncoder
from kinelex.retrieval.indexes import IndexConfig, open_index
from kinelex.retrieval.memory import Example, Memory
from kinelex.retrieval.store import Encoder

ENCODER = Encoder(name="tiny", fingerprint="9f2c", width=3)
X, Y, Z = np.eye(3)


@pytest.fixture
def memory() -> Memory:
    """Two examples of walking and one of rowing."""
    memory = Memory.temporary(ENCODER)
    memory.add([X, Y, Z], ["walking", "walking", "rowing"], recordings=["a.csv", "a.csv", None], start_s=[0, 3, np.nan],
               end_s=[6, 9, np.nan])  # fmt: skip
    return memory


def test_what_is_added_is_found_at_once(memory: Memory) -> None:
    found = memory.search(np.array([[0.1, 0.9, 0.0]]), 2)
    assert found.ids.tolist() == [[1, 0]]
    (new,) = memory.add([[0.1, 0.9, 0.0]], ["sitting"])
    assert memory.search(np.array([[0.1, 0.9, 0.0]]), 1).ids.tolist() == [[new]]
    assert memory.labels == ("walking", "rowing", "sitting") and len(memory) == 4


def test_what_is_forgotten_or_relabeled_is_so_at_once_and_numbers_are_not_given_again(memory: Memory) -> None:
    memory.forget([1])
    assert memory.search(np.array([Y]), 3).ids.tolist()[0][0] != 1
    memory.relabel([0], "strolling")
    assert [str(one) for one in memory.examples([0, 2])] == [
        "strolling (example 0 from 'a.csv', 0.0 - 6.0 s)", "rowing (example 2)"
    ]  # fmt: skip
    assert memory.add([Y], ["walking"]).tolist() == [3]
    memory.compact()
    assert memory.search(np.array([Y]), 1).ids.tolist() == [[3]]
    with pytest.raises(UnknownName, match="no example 1"):
        memory.examples([0, 1])
    with pytest.raises(UnknownName, match="example 7"):
        memory.forget([0, 7])
    with pytest.raises(BadLabels):
        memory.relabel([0], "  ")
    assert len(memory) == 3, "nothing is half done"


@pytest.mark.parametrize("engine", ["exact", "faiss"])
def test_a_folder_is_a_memory_for_the_next_process_and_for_others_beside_it(tmp_path: Path, engine: str) -> None:
    if engine == "faiss":
        pytest.importorskip("faiss")
    config = IndexConfig(engine=engine)  # type: ignore[arg-type]
    one = Memory.open(tmp_path / "memory", ENCODER, config)
    one.add([X, Y], ["walking", "rowing"])
    other = Memory.open(tmp_path / "memory", ENCODER, config, create=False)
    assert other.search(np.array([X]), 1).ids.tolist() == [[0]]
    one.add([Z], ["sitting"])
    one.forget([0])
    assert other.search(np.array([Z]), 1).ids.tolist() != [[2]], "it does not look at the disk by itself"
    assert other.refresh() and not other.refresh()
    assert other.search(np.array([Z, X]), 3).ids.tolist() == [[2, 1, -1], [1, 2, -1]]
    assert Memory.open(tmp_path / "memory", ENCODER, config).search(np.array([Z]), 1).ids.tolist() == [[2]]


def test_only_examples_of_some_labels_are_found_however_far_they_are(memory: Memory) -> None:
    rng = np.random.default_rng(0)
    memory.add(rng.normal([1, 0, 0], 0.05, (40, 3)), ["walking"] * 40)
    found = memory.search(np.array([X, Y]), 2, ["rowing", "sitting"])
    assert found.ids.tolist() == [[2, -1], [2, -1]]
    assert memory.search(np.array([X]), 2, ["sitting"]).ids.tolist() == [[-1, -1]]
    assert memory.search(np.array([X]), 1, memory.labels).ids.tolist() == memory.search(np.array([X]), 1).ids.tolist()


def test_a_rare_label_among_many_is_found_without_asking_for_all_of_them(memory: Memory) -> None:
    rng = np.random.default_rng(0)
    memory.add(rng.normal([1, 0, 0], 0.05, (500, 3)), ["walking"] * 500)
    asked: list[int] = []
    inside, memory._index = memory._index, SimpleNamespace(search=lambda v, k: asked.append(k))  # type: ignore[assignment]
    found = memory.search(np.tile(X, (100, 1)), 3, ["rowing"])
    assert asked == [], "the rare ones are searched by themselves"
    assert (found.ids == [2, -1, -1]).all()
    memory._index = inside
    memory.add([Z], ["rowing"])
    assert set(memory.search(np.array([Z]), 3, ["rowing"]).ids[0].tolist()) == {2, 503, -1}, "and what is new is there"
    memory.relabel([2], "sitting")
    assert memory.search(np.array([Z]), 3, ["rowing"]).ids.tolist() == [[503, -1, -1]]


def test_examples_of_a_label_are_found_however_it_is_written(memory: Memory) -> None:
    assert memory.ids_of("Walking ") == [0, 1]
    with pytest.raises(UnknownName, match="nothing is remembered of 'running': there is 'walking', 'rowing'"):
        memory.ids_of("running")
    with pytest.raises(UnknownName, match="nothing at all"):
        Memory.temporary(ENCODER).ids_of("running")


def test_an_index_that_measures_otherwise_or_is_not_empty_is_refused(memory: Memory) -> None:
    with pytest.raises(UsageError, match="'l2'"):
        Memory.temporary(ENCODER, IndexConfig(metric="l2"))
    full = open_index(3)
    full.add([9], [X])
    with pytest.raises(UsageError, match="not one of 1 vectors"):
        Memory(memory.store, full)


def test_a_window_without_signal_and_an_empty_memory_have_no_neighbors(memory: Memory) -> None:
    nothing = np.full((1, 3), np.nan)
    found = memory.search(np.vstack([nothing, X]), 1)
    assert found.ids.tolist() == [[-1], [0]] and np.isnan(found.similarity[0, 0])
    empty = Memory.temporary(ENCODER)
    assert empty.search(np.array([X]), 2).ids.tolist() == [[-1, -1]]
    assert empty.labels == () and empty.examples() == []
    assert empty.labels_of(empty.search(np.array([X]), 2), {"walking": 0}).tolist() == [[-1, -1]]


def test_neighbors_are_of_the_class_that_their_label_means(memory: Memory) -> None:
    found = memory.search(np.array([[0.0, 0.5, 0.9], [1.0, 0.2, 0.1]]), 4)
    assert found.ids.tolist() == [[2, 1, 0, -1], [0, 1, 2, -1]]
    assert memory.sizes({"rowing": 2, "walking": 0, "sitting": 1}, 4).tolist() == [2, 0, 1, 0]
    assert memory.labels_of(found, {"rowing": 5}).tolist() == [[5, -1, -1, -1], [-1, -1, 5, -1]]


def test_another_model_and_a_foreign_folder_are_refused(tmp_path: Path) -> None:
    Memory.open(tmp_path / "memory", ENCODER)
    with pytest.raises(WrongEncoder, match="tiny"):
        Memory.open(tmp_path / "memory", Encoder("tiny", "another", 3))
    with pytest.raises(UnknownName):
        Memory.open(tmp_path / "nowhere", ENCODER, create=False)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text('{"kind": "checkpoint", "version": 1, "files": {}}')
    with pytest.raises(KinelexError, match="checkpoint"):
        Memory.open(tmp_path / "run", ENCODER)


def test_a_temporary_memory_leaves_nothing_behind() -> None:
    memory = Memory.temporary(ENCODER)
    memory.add([X], ["walking"])
    folder = memory.folder
    assert folder.is_dir()
    del memory
    assert not folder.exists()


def test_an_example_says_when_it_was_remembered(memory: Memory) -> None:
    (first, *_) = memory.examples()
    assert isinstance(first, Example)
    assert (first.recording, first.start_s, first.end_s, first.subject) == ("a.csv", 0.0, 6.0, "")
    assert first.added_at.year >= 2024
    with pytest.raises(UsageError):
        memory.forget(["first"])
