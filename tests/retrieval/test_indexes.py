"""Every engine keeps the same promises; exact ones find what float64 arithmetic finds, the others nearly all of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.errors import BadSamples, CorruptArtifact, MissingDependency, UsageError
from kinelex.retrieval.indexes import ExactIndex, FaissIndex, IndexConfig, MilvusIndex, VectorIndex, open_index
from kinelex.retrieval.indexes import exact as exact_module
from kinelex.retrieval.indexes import faiss_index as faiss_module
from kinelex.retrieval.indexes.config import FaissConfig, MilvusConfig
from kinelex.retrieval.neighbors import Neighbors, ranked, search_outside

ENGINES: dict[str, dict[str, Any]] = {
    "exact": {"engine": "exact"},
    "faiss-flat": {"engine": "faiss", "faiss": {"kind": "flat"}},
    "faiss-ivf": {"engine": "faiss", "faiss": {"kind": "ivf"}},
    "faiss-hnsw": {"engine": "faiss", "faiss": {"kind": "hnsw"}},
    "milvus": {"engine": "milvus"},
}
NEEDS = {"faiss": "faiss", "milvus": "milvus_lite"}
Make = Callable[..., VectorIndex]


def numbers(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def vectors(seed: int, *shape: int) -> np.ndarray:
    return numbers(seed).standard_normal(shape).astype(np.float32)


def reference(
    stored: np.ndarray, ids: np.ndarray, queries: np.ndarray, k: int, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ids and similarities from the definitions, one pair at a time, in float64."""
    table = np.empty((len(queries), len(stored)), dtype=np.float32)
    for row, query in enumerate(queries.astype(np.float64)):
        for column, vector in enumerate(stored.astype(np.float64)):
            if metric == "l2":
                table[row, column] = -sum((query - vector) ** 2)
            else:
                table[row, column] = query @ vector / np.sqrt(query @ query) / np.sqrt(vector @ vector)
    order = [
        sorted(range(len(stored)), key=lambda c, row=row: (-table[row, c], ids[c]))[:k] for row in range(len(table))
    ]
    return ids[np.array(order)], np.take_along_axis(table, np.array(order), axis=1)


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes an empty index of one engine."""
    settings = ENGINES[request.param]
    if settings["engine"] in NEEDS:
        pytest.importorskip(NEEDS[settings["engine"]])
    opened: list[Any] = []

    def index(width: int, metric: str = "cosine") -> VectorIndex:
        config = {**settings, "milvus": {"uri": str(tmp_path / "milvus.db"), "collection": f"number{len(opened)}"}}
        opened.append(open_index(width, IndexConfig(metric=metric, **config)))
        return opened[-1]

    yield index
    for one in opened:
        if isinstance(one, MilvusIndex):
            one.close()


def test_the_nearest_are_those_of_float64_arithmetic(make: Make) -> None:
    stored, queries, ids = vectors(0, 60, 8), vectors(1, 7, 8), numbers(2).permutation(1000)[:60]
    for metric in ("cosine", "l2"):
        index = make(8, metric)
        assert isinstance(index, VectorIndex)
        assert (index.metric, index.width, len(index)) == (metric, 8, 0)
        index.add(ids, stored)
        found = index.search(queries, 5)
        expected_ids, expected = reference(stored, ids, queries, 5, metric)
        assert (found.ids.dtype, found.similarity.dtype) == (np.int64, np.float32)
        np.testing.assert_array_equal(found.ids, expected_ids)
        np.testing.assert_allclose(found.similarity, expected, rtol=1e-6, atol=1e-6)


def test_places_beyond_the_examples_are_empty(make: Make) -> None:
    index = make(3)
    nothing = index.search(vectors(0, 2, 3), 4)
    assert nothing.ids.tolist() == [[-1] * 4] * 2
    assert np.isnan(nothing.similarity).all()
    index.add([5, 2], [[1, 0, 0], [0, 1, 0]])
    found = index.search([[1, 0.5, 0]], 4)
    assert found.ids.tolist() == [[5, 2, -1, -1]]
    assert np.isnan(found.similarity).tolist() == [[False, False, True, True]]


def test_no_query_has_no_neighbors(make: Make) -> None:
    index = make(3)
    index.add([0], [[1, 2, 3]])
    for queries in (np.empty((0, 3)), []):
        assert index.search(queries, 2).ids.shape == (0, 2)


def test_equally_near_ones_come_by_ascending_id(make: Make) -> None:
    for metric in ("cosine", "l2"):
        index = make(4, metric)
        same = vectors(3, 1, 4)
        ids = np.array([40, 7, 19, 3, 28, 11, 30])
        index.add(ids[:4], np.repeat(same, 4, axis=0))
        index.add(ids[4:], np.repeat(same, 3, axis=0))
        index.add([1], -same)
        found = index.search(same, 4)
        assert found.ids.tolist() == [[3, 7, 11, 19]]
        assert len(set(found.similarity[0].tolist())) == 1
        assert index.search(same, 8).ids[0, -1] == 1


def test_the_cosine_does_not_see_length(make: Make) -> None:
    index = make(2)
    index.add([0, 1, 2, 3], [[1e-20, 0], [1e20, 0], [3, 3], [0, -1]])
    found = index.search([[1e-25, 0], [1e30, 1e30]], 3)
    assert found.ids.tolist() == [[0, 1, 2], [2, 0, 1]]
    np.testing.assert_allclose(found.similarity, [[1, 1, 0.5**0.5], [1, 0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_what_points_nowhere_or_is_no_number_is_refused_whole(make: Make) -> None:
    index = make(2)
    for bad, message in (
        ([0, 0], "all zeros"),
        ([np.nan, 1], "NaN"),
        ([np.inf, 1], "infinity"),
        ([1e300, 1], "infinity"),
    ):
        with pytest.raises(BadSamples, match=f"vector 1 .*{message}"):
            index.add([0, 1], [[1, 1], bad])
        with pytest.raises(BadSamples, match=f"query 0 .*{message}"):
            index.search([bad], 1)
    assert len(index) == 0


def test_under_l2_zeros_are_a_place_like_any_other(make: Make) -> None:
    index = make(2, "l2")
    index.add([0, 1], [[0, 0], [3, 4]])
    found = index.search([[0, 0]], 2)
    assert found.ids.tolist() == [[0, 1]]
    assert found.similarity.tolist() == [[0, -25]]
    with pytest.raises(BadSamples, match="longer than"):
        index.add([2], [[1e19, 0]])


def test_vectors_of_another_width_or_number_are_refused(make: Make) -> None:
    index = make(3)
    for bad in (np.ones((2, 4)), np.ones(3), np.ones((1, 2, 3)), [[1, 2, 3], [1, 2]], [["a", "b", "c"]]):
        with pytest.raises(BadSamples):
            index.add([0, 1], bad)
        with pytest.raises(BadSamples):
            index.search(bad, 1)
    with pytest.raises(BadSamples, match="2 ids for 3 vectors"):
        index.add([0, 1], np.ones((3, 3)))
    with pytest.raises(UsageError, match="k=1 or more"):
        index.search(np.ones((1, 3)), 0)
    assert len(index) == 0


def test_an_id_is_there_once_and_changes_happen_whole(make: Make) -> None:
    index = make(2)
    index.add([0, 1], np.eye(2))
    for ids, message in (([1, 2], "id 1 is in the index"), ([3, 3], "id 3 is listed twice"), ([4, -1], "negative")):
        with pytest.raises(UsageError, match=message):
            index.add(ids, np.ones((2, 2)))
    with pytest.raises(UsageError, match="whole numbers"):
        index.add([0.5], np.ones((1, 2)))
    with pytest.raises(UsageError, match="ids 7, 8 are not in the index"):
        index.remove([0, 7, 8])
    with pytest.raises(UsageError, match="listed twice"):
        index.remove([0, 0])
    assert len(index) == 2
    assert index.search(np.eye(2), 1).ids.tolist() == [[0], [1]]
    index.add([], np.empty((0, 2)))
    index.remove([])
    assert len(index) == 2


def test_what_was_removed_is_not_found_and_may_come_back(make: Make) -> None:
    index = make(8)
    stored = vectors(4, 40, 8)
    index.add(np.arange(40), stored)
    index.remove(np.arange(1, 38))
    found = index.search(stored[:3], 5)
    assert {frozenset(row) for row in found.ids.tolist()} == {frozenset([0, 38, 39, -1])}
    index.remove([0, 38, 39])
    assert len(index) == 0
    assert (index.search(stored[:3], 5).ids == -1).all()
    index.add([7], stored[8:9])
    found = index.search(stored[8:9], 2)
    assert found.ids.tolist() == [[7, -1]]
    np.testing.assert_allclose(found.similarity[0, 0], 1, atol=1e-6)


def test_float64_is_compared_as_float32(make: Make) -> None:
    index = make(6)
    stored, queries = numbers(5).standard_normal((20, 6)), numbers(6).standard_normal((3, 6))
    index.add(np.arange(20), stored)
    expected = index.search(queries.astype(np.float32), 4)
    found = index.search(queries, 4)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.similarity, expected.similarity)


@settings(max_examples=40)
@given(data=st.data(), metric=st.sampled_from(["cosine", "l2"]))
def test_whatever_is_added_and_removed_exact_search_finds_what_is_left(data: st.DataObject, metric: str) -> None:
    # Small whole numbers, so that many are equally near.
    vector = st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any)
    index, kept = ExactIndex(3, metric), dict[int, list[int]]()
    for _ in range(data.draw(st.integers(1, 5))):
        fresh = data.draw(
            st.dictionaries(st.integers(0, 50).filter(lambda one, kept=kept: one not in kept), vector, max_size=12)
        )
        index.add(list(fresh), list(fresh.values()))
        kept |= fresh
        gone = data.draw(st.lists(st.sampled_from(sorted(kept)), unique=True)) if kept else []
        index.remove(gone)
        kept = {one: row for one, row in kept.items() if one not in gone}
    assert len(index) == len(kept)
    queries = np.array(data.draw(st.lists(vector, min_size=1, max_size=4)))
    found = index.search(queries, 6)
    if kept:
        ids, similarity = reference(np.array(list(kept.values())), np.array(list(kept)), queries, 6, metric)
        np.testing.assert_array_equal(found.ids[:, : ids.shape[1]], ids)
        np.testing.assert_array_equal(found.similarity[:, : ids.shape[1]], similarity)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_no_block_and_no_rounding_hides_a_near_one(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    # More equals and near-equals than the preselection keeps, spread over many blocks.
    monkeypatch.setattr(exact_module, "_VECTORS", 16)
    monkeypatch.setattr(exact_module, "_QUERIES", 3)
    center = vectors(7, 1, 24)
    stored = np.repeat(center, 120, axis=0)
    stored[40:] += 1e-7 * vectors(8, 80, 24)
    stored[100:] = vectors(9, 20, 24)
    index, ids = ExactIndex(24, metric), numbers(10).permutation(120)
    index.add(ids, stored)
    far = 1e4 * vectors(18, 2, 24)
    queries = np.concatenate([center + 1e-3 * vectors(11, 1, 24), vectors(12, 6, 24), center, far])
    expected_ids, expected = reference(stored, ids, queries, 9, metric)
    found = index.search(queries, 9)
    np.testing.assert_array_equal(found.ids, expected_ids)
    np.testing.assert_array_equal(found.similarity, expected)


def test_adding_one_example_does_not_copy_the_others() -> None:
    index = ExactIndex(4)
    index.add(np.arange(5000), vectors(13, 5000, 4))
    buffer = index._vectors
    for new in range(5000, 5200):
        index.add([new], vectors(new, 1, 4))
    assert index._vectors is buffer


def clustered(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """20,000 vectors around 100 centers, and 200 queries around the same."""
    centers = numbers(seed).standard_normal((100, 16))
    which = numbers(seed + 1).integers(100, size=20_200)
    table = (centers[which] + 0.5 * numbers(seed + 2).standard_normal((20_200, 16))).astype(np.float32)
    return table[:20_000], table[20_000:]


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_approximate_search_finds_nearly_all_of_the_ten_nearest(kind: str) -> None:
    pytest.importorskip("faiss")
    stored, queries = clustered(14)
    exact, fast = ExactIndex(16), FaissIndex(16, config=FaissConfig(kind=kind))
    for index in (exact, fast):
        index.add(np.arange(len(stored)), stored)
    near, found = exact.search(queries, 10), fast.search(queries, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near.ids.tolist(), found.ids.tolist(), strict=True)])
    assert recall >= 0.95
    assert (found.similarity <= near.similarity + 1e-6).all()


def test_cells_are_found_when_there_are_enough_vectors_and_again_when_there_are_many_more() -> None:
    pytest.importorskip("faiss")
    index = FaissIndex(4, config=FaissConfig(kind="ivf"))
    stored = vectors(15, 4 * faiss_module.CELLS_FROM + 2, 4)
    few = faiss_module.CELLS_FROM - 1
    index.add(np.arange(few), stored[:few])
    assert not index._grouped
    index.remove([0, 5])
    index.add(np.arange(few, few + 3), stored[few : few + 3])
    assert index._grouped == few + 1 == len(index)
    assert index._index.nlist == 45
    rest = np.arange(few + 3, len(stored))
    index.add(rest, stored[rest])
    assert index._grouped == len(stored) - 2
    found = index.search(stored[[0, 5, 9, 8000]], 1).ids[:, 0]
    assert found[2:].tolist() == [9, 8000]
    assert not set(found[:2].tolist()) & {0, 5}


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_nobody_gets_fewer_than_k_because_cells_or_links_ran_out(kind: str) -> None:
    pytest.importorskip("faiss")
    config = FaissConfig(kind=kind, cells_searched=0.01, search_breadth=1, links=4, build_breadth=4)
    index = FaissIndex(8, config=config)
    stored, count = vectors(16, 3000, 8), 2500
    index.add(np.arange(count), stored[:count])
    index.remove(np.arange(100, 700))
    found = index.search(stored[:5], 1000)
    assert found.present.all()
    assert all(len(set(row)) == 1000 and not set(row) & set(range(100, 700)) for row in found.ids.tolist())


def test_a_graph_is_built_anew_without_many_that_were_removed() -> None:
    pytest.importorskip("faiss")
    index = FaissIndex(8, config=FaissConfig(kind="hnsw"))
    stored = vectors(17, 400, 8)
    index.add(np.arange(400), stored)
    index.remove(np.arange(90))
    assert index._used == 400
    index.remove(np.arange(90, 200))
    assert index._used == len(index) == 200
    assert index.search(stored[200:], 1).ids[:, 0].tolist() == list(range(200, 400))


def test_a_milvus_collection_outlives_its_index_and_takes_the_same_vectors_only(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    config = MilvusConfig(uri=str(tmp_path / "kept.db"))
    with MilvusIndex(3, config=config) as index:
        index.add([4, 9], [[1, 0, 0], [0, 1, 0]])
    with MilvusIndex(3, config=config) as index:
        assert len(index) == 2
        assert index.search([[0, 2, 0]], 1).ids.tolist() == [[9]]
    with pytest.raises(UsageError, match="vectors of 3 numbers, not of 4"):
        MilvusIndex(4, config=config)
    with pytest.raises(UsageError, match="made for the metric COSINE, not l2"):
        MilvusIndex(3, "l2", config)
    with pytest.raises(UsageError, match="no address"):
        MilvusIndex(3)


@pytest.mark.parametrize(
    ("package", "settings"),
    [
        ("faiss", {"engine": "faiss"}),
        ("pymilvus", {"engine": "milvus"}),
        ("milvus_lite", {"engine": "milvus", "milvus": {"uri": "a.db"}}),
    ],
)
def test_a_missing_engine_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, package: str, settings: dict[str, Any]
) -> None:
    if package == "milvus_lite":
        pytest.importorskip("pymilvus")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=r"kinelex\[search\]"):
        open_index(3, IndexConfig(**settings))


def test_an_index_needs_a_width_and_a_known_metric() -> None:
    with pytest.raises(UsageError, match="at least one number"):
        ExactIndex(0)
    with pytest.raises(UsageError, match="no metric 'dot'"):
        ExactIndex(3, "dot")


def test_candidates_without_an_id_or_a_similarity_are_nobody() -> None:
    found = ranked(np.array([[0.5, np.nan, 0.9, 0.5]]), np.array([[8, 1, -1, 2]]), 3)
    assert found.ids.tolist() == [[2, 8, -1]]
    assert np.isnan(found.similarity[0, 2])
    with pytest.raises(BadSamples, match="one shape"):
        Neighbors(found.ids, found.similarity[:, :2])


def test_a_neighbor_is_found_again_in_the_table_of_examples() -> None:
    found = ranked(np.array([[0.1, 0.9, 0.5]]), np.array([30, 10, 20]), 4)
    assert found.rows(np.array([5, 10, 20, 30])).tolist() == [[1, 2, 3, -1]]
    for other in ([10, 20], [10, 20, 31]):
        with pytest.raises(UsageError, match="example 30 was found"):
            found.rows(np.array(other))
    with pytest.raises(UsageError, match="not among the 0 given"):
        found.rows(np.empty(0, dtype=np.int64))


def test_those_who_are_not_allowed_leave_their_places() -> None:
    found = ranked(np.array([[4.0, 3, 2, 1]]), np.arange(4), 4).where(np.array([[False, True, False, True]]))
    assert found.ids.tolist() == [[1, 3, -1, -1]]
    assert found.similarity[0, :2].tolist() == [3, 1]
    assert found.first(1).ids.tolist() == [[1]]
    assert found.first(5).ids.tolist() == [[1, 3, -1, -1, -1]]


@settings(max_examples=50)
@given(data=st.data(), k=st.integers(1, 6))
def test_a_query_finds_the_nearest_of_those_that_are_not_its_own(data: st.DataObject, k: int) -> None:
    count = data.draw(st.integers(1, 25))
    people = st.sampled_from(["", "ann", "bob", "eve"])
    groups = np.array(data.draw(st.lists(people, min_size=count, max_size=count)))
    ids = np.array(data.draw(st.permutations(range(count)))) * 3
    stored = vectors(data.draw(st.integers(0, 9)), count, 4)
    index = ExactIndex(4)
    index.add(ids, stored)
    found = search_outside(
        lambda rows, most: index.search(stored[rows], most),
        count,
        k,
        ids=ids,
        own_ids=ids,
        groups=groups,
        own_groups=groups,
    )
    everything = index.search(stored, count)
    owner = dict(zip(ids.tolist(), groups.tolist(), strict=True))
    for row in range(count):
        mine = owner[int(ids[row])]
        allowed = [one for one in everything.ids[row].tolist() if one != ids[row] and (not mine or owner[one] != mine)]
        assert found.ids[row].tolist() == (allowed + [-1] * k)[:k]


def test_no_more_is_asked_for_than_who_is_excluded_makes_necessary() -> None:
    asked = []

    def search(rows: np.ndarray, k: int) -> Neighbors:
        asked.append((len(rows), k))
        return ranked(-np.abs(np.arange(1000.0) - rows[:, None]), np.arange(1000), k)

    people = np.repeat(np.arange(50), 20)
    found = search_outside(search, 1000, 5, ids=np.arange(1000), groups=people, own_groups=people)
    assert (people[found.ids] != people[:, None]).all()
    assert found.present.all()
    assert max(k for _, k in asked) <= 20 + 5 + 1


def test_groups_without_those_of_the_queries_are_refused() -> None:
    def search(rows: np.ndarray, k: int) -> Neighbors:
        return Neighbors.none(len(rows), k)

    with pytest.raises(UsageError, match="pass both"):
        search_outside(search, 2, 1, ids=np.arange(3), groups=["a", "b", "c"])
    with pytest.raises(UsageError, match="one per query"):
        search_outside(search, 2, 1, ids=np.arange(3), groups=["a", "b"], own_groups=["a", "b"])
    assert (search_outside(search, 2, 1, ids=np.empty(0, dtype=np.int64)).ids == -1).all()


def test_it_says_which_vectors_it_holds(make: Make) -> None:
    index = make(4)
    assert index.ids.tolist() == []
    index.add([9, 2, 5000], vectors(0, 3, 4))
    index.remove([2])
    index.add([1], vectors(1, 1, 4))
    assert index.ids.tolist() == [1, 9, 5000]
    assert index.ids.dtype == np.int64


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_an_index_that_was_written_is_read_as_it_was(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    config = FaissConfig.model_validate({"kind": kind})
    index = FaissIndex(16, "cosine", config)
    index.add(np.arange(3000) * 2, vectors(0, 3000, 16))
    index.remove(np.arange(0, 400, 2))
    index.write(tmp_path)
    again = FaissIndex.read(tmp_path, 16, "cosine", config)
    queries = vectors(1, 20, 16)
    for step in range(2):
        here, there = index.search(queries, 10), again.search(queries, 10)
        np.testing.assert_array_equal(here.ids, there.ids, err_msg=f"step {step}")
        assert index.ids.tolist() == again.ids.tolist()
        for one in (index, again):
            one.remove([400])
            one.add([7], queries[:1])
            assert one.search(queries[:1], 1).ids.tolist() == [[7]]
            one.remove([7])
            one.add([400], vectors(3, 1, 16))


def test_files_of_another_index_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    index = FaissIndex(8)
    index.add([0], [np.ones(8)])
    index.write(tmp_path)
    with pytest.raises(CorruptArtifact, match="another index"):
        FaissIndex.read(tmp_path, 9)
    (tmp_path / "slots.npz").write_bytes(b"no table")
    with pytest.raises(CorruptArtifact, match="build it again"):
        FaissIndex.read(tmp_path, 8)
