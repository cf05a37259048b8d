"""A memory: what goes in is found by the next search, stays after the process, and is only found where it belongs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kinelex.errors import BadLabels, CorruptArtifact, KinelexError, StoreInUse, UnknownName, UsageError, WrongEncoder
from kinelex.retrieval.indexes import IndexConfig, open_index
from kinelex.retrieval.memory import Example, Memory
from kinelex.retrieval.store import Encoder, ExampleStore

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


def test_an_index_that_measures_otherwise_or_holds_other_vectors_is_refused(memory: Memory) -> None:
    with pytest.raises(UsageError, match="'l2'"):
        Memory.temporary(ENCODER, IndexConfig(metric="l2"))
    other = open_index(3)
    other.add([0, 1], [Z, Z])
    with pytest.raises(UsageError, match="2 vectors that are not those of"):
        Memory(memory.store, other)


def test_an_index_that_was_filled_before_is_brought_up_to_date(memory: Memory) -> None:
    index = open_index(3)
    index.add(memory.store.ids, memory.store.vectors)
    memory.forget([0])
    memory.add([Z], ["rowing"])
    again = Memory(memory.store, index)
    assert index.ids.tolist() == memory.store.ids.tolist() == [1, 2, 3]
    assert again.search(np.array([Z]), 3).ids.tolist() == memory.search(np.array([Z]), 3).ids.tolist()


def many(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)


def test_a_built_index_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    from kinelex.retrieval.indexes import FaissIndex

    memory = Memory.open(tmp_path / "memory", ENCODER)
    memory.add(many(2500), ["walking"] * 2500)
    memory.choose_index(IndexConfig.model_validate({"engine": "faiss", "faiss": {"kind": "hnsw"}}))
    found = memory.search(many(5, 1), 4)
    added: list[int] = []
    inside = FaissIndex._add

    def counted(self: FaissIndex, ids: np.ndarray, vectors: np.ndarray) -> None:
        added.append(len(ids))
        inside(self, ids, vectors)

    monkeypatch.setattr(FaissIndex, "_add", counted)
    again = Memory.open(tmp_path / "memory", ENCODER)
    assert isinstance(again._index, FaissIndex), "the choice is the memory's, not the caller's"
    assert added == [], "nothing was built a second time"
    np.testing.assert_array_equal(again.search(many(5, 1), 4).ids, found.ids)
    again.forget([0])
    again.add([X], ["running"])
    third = Memory.open(tmp_path / "memory", ENCODER)
    assert added == [1, 1], "only what is new since it was written"
    assert third._index.ids.tolist() == third.store.ids.tolist()

    damaged = tmp_path / "memory" / "index" / "index.faiss"
    damaged.write_bytes(damaged.read_bytes()[:-7])
    fourth = Memory.open(tmp_path / "memory", ENCODER)
    assert added[2:] == [2500], "a damaged one is built again"
    np.testing.assert_array_equal(fourth.search(many(5, 1), 4).ids, again.search(many(5, 1), 4).ids)
    assert (tmp_path / "memory" / "index" / "index.faiss").stat().st_size > len(damaged.name), "and kept again"


def test_a_built_index_is_not_written_while_somebody_else_writes(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    config = IndexConfig.model_validate({"engine": "faiss", "faiss": {"kind": "flat"}})
    Memory.open(tmp_path / "memory", ENCODER).add(many(1200), ["walking"] * 1200)
    with ExampleStore.write(tmp_path / "memory", encoder=ENCODER):
        memory = Memory.open(tmp_path / "memory", ENCODER, config)
        assert not (tmp_path / "memory" / "index").exists()
        with pytest.raises(StoreInUse):
            memory.choose_index(config)
    assert len(memory.search(many(2, 1), 3).ids) == 2, "and it is searched all the same"
    assert (Memory.open(tmp_path / "memory", ENCODER, config).folder / "index").exists()


def test_an_index_of_another_memory_in_the_folder_is_built_anew(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    import shutil

    config = IndexConfig.model_validate({"engine": "faiss", "faiss": {"kind": "flat"}})
    for name, seed in (("one", 0), ("two", 9)):
        memory = Memory.open(tmp_path / name, ENCODER, config)
        memory.add(many(1200, seed), ["walking"] * 1200)
    shutil.rmtree(tmp_path / "two" / "index")
    shutil.copytree(tmp_path / "one" / "index", tmp_path / "two" / "index")
    there = Memory.open(tmp_path / "two", ENCODER, config)
    assert there.search(many(1200, 9)[40:41], 1).ids.tolist() == [[40]]


def test_what_is_no_choice_of_an_index_is_said(tmp_path: Path) -> None:
    Memory.open(tmp_path / "memory", ENCODER)
    (tmp_path / "memory" / "index.json").write_text('{"engine": "fortune teller"}')
    with pytest.raises(CorruptArtifact, match="choose one again"):
        Memory.open(tmp_path / "memory", ENCODER)


def test_a_memory_lives_in_milvus_too(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    config = IndexConfig.model_validate({"engine": "milvus", "milvus": {"uri": str(tmp_path / "milvus.db")}})
    memory = Memory.open(tmp_path / "memory", ENCODER)
    memory.add([X, Y, Z], ["walking", "sitting", "rowing"])
    memory.choose_index(config)
    memory.forget([0])
    assert memory.search(np.array([X, Z]), 1).ids.tolist()[1] == [2]
    other = Memory.open(tmp_path / "memory", ENCODER)
    assert other.search(np.array([Z]), 2).ids[0, 0] == 2
    other.add([X], ["running"])
    assert memory.refresh()
    assert memory.search(np.array([X]), 1).ids.tolist() == [[3]], "what another process put there is no error"
    stranger = Memory.open(tmp_path / "stranger", ENCODER)
    stranger.add([Z, Z, Z, Z], ["lying"] * 4)
    with pytest.raises(UsageError, match="not those of"):
        stranger.choose_index(config)


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
