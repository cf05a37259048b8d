"""Raw windows find their like by four measures, and what is missing does not count."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kinelex.errors import BadSamples, MissingDependency, TooShort, UsageError
from kinelex.retrieval.neighbors import search_outside
from kinelex.retrieval.raw_measures import RawSignalConfig
from kinelex.retrieval.raw_signal import RawSignalIndex
from kinelex.retrieval.wavelets import wavelet_features

MEASURES = ("dtw", "cross_correlation", "pearson", "wavelet")
NEEDS = {"dtw": "aeon", "wavelet": "pywt"}
SAMPLES = 64


@pytest.fixture(params=MEASURES)
def config(request: pytest.FixtureRequest) -> RawSignalConfig:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return RawSignalConfig(measure=request.param)


def windows(seed: int, count: int, channels: int = 3) -> np.ndarray:
    """Smooth random windows with an offset, as gravity is."""
    generator = np.random.default_rng(seed)
    steps = generator.standard_normal((count, channels, SAMPLES + 7))
    smooth = np.stack([steps[..., at : at + SAMPLES] for at in range(8)]).mean(axis=0)
    return smooth + 3 * generator.standard_normal((count, channels, 1))


def warping(a: np.ndarray, b: np.ndarray, band: float) -> float:
    """The cost of the cheapest alignment, cell by cell."""
    length = a.shape[1]
    cost = np.full((length + 1, length + 1), np.inf)
    cost[0, 0] = 0
    for i in range(length):
        for j in range(length):
            if abs(i - j) <= int(band * length):
                step = sum((a[:, i] - b[:, j]) ** 2)
                cost[i + 1, j + 1] = step + min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
    return float(cost[-1, -1])


def one_feature_at_a_time(signal: np.ndarray) -> np.ndarray:
    import pywt
    from scipy.stats import kurtosis, skew

    rows = []
    for band in pywt.wavedec(signal, "db4", level=3):
        rows += [band.mean(), band.std(), sum(band**2), band.max(), skew(band), kurtosis(band)]
    return np.array(rows)


def reference(query: np.ndarray, stored: np.ndarray, config: RawSignalConfig) -> list[float]:
    """Each measure from its definition, one pair and one channel at a time; nothing is missing."""
    channels = range(query.shape[0])
    found = []
    if config.measure == "wavelet":
        table = np.array([[one_feature_at_a_time(one[c]) for c in channels] for one in stored])
        std = table.std(axis=0)
        asked = np.array([one_feature_at_a_time(query[c]) for c in channels])
        return [-float((((asked - one) / std) ** 2).mean()) for one in table]
    for one in stored:
        if config.measure == "dtw":
            scale = stored.std(axis=(0, 2))[:, None]
            found.append(-warping(query / scale, one / scale, config.band) / query.size)
        elif config.measure == "pearson":
            found.append(float(np.mean([np.corrcoef(query[c], one[c])[0, 1] for c in channels])))
        else:
            a, b = ((w - w.mean(axis=1, keepdims=True)) / w.std(axis=1, keepdims=True) for w in (query, one))
            most = int(config.longest_lag * SAMPLES)
            shifted = [
                np.mean(
                    [
                        a[c, max(lag, 0) : SAMPLES + min(lag, 0)] @ b[c, max(-lag, 0) : SAMPLES - max(lag, 0)]
                        for c in channels
                    ]
                )
                for lag in range(-most, most + 1)
            ]
            found.append(float(max(shifted)) / SAMPLES)
    return found


def test_similarities_are_those_of_the_definition(config: RawSignalConfig) -> None:
    stored, queries = windows(0, 6), windows(1, 3)
    ids = np.array([10, 4, 8, 2, 6, 0])
    found = RawSignalIndex(ids, stored, config=config).search(queries, 6)
    for row, query in enumerate(queries):
        expected = np.array(reference(query, stored, config))
        order = np.argsort(-expected)
        assert found.ids[row].tolist() == ids[order].tolist()
        np.testing.assert_allclose(found.similarity[row], expected[order], rtol=1e-5)


def test_a_window_is_most_like_itself(config: RawSignalConfig) -> None:
    stored = windows(2, 12)
    index = RawSignalIndex(np.arange(12), stored, config=config)
    found = index.search(stored, 2)
    assert found.ids[:, 0].tolist() == list(range(12))
    best = 1 if config.measure in ("pearson", "cross_correlation") else 0
    np.testing.assert_allclose(found.similarity[:, 0], best, atol=1e-6)
    assert len(index) == 12


def test_a_shifted_window_is_found_by_lags_and_by_warping_only() -> None:
    pytest.importorskip("aeon")
    time = np.arange(SAMPLES)
    pulse = np.exp(-(((time - 30) / 2) ** 2))[None]
    moved = np.exp(-(((time - 42) / 2) ** 2))[None]
    slow = 0.5 * np.cos((time - 30) / 9)[None]
    for measure, nearest in (("cross_correlation", 0), ("dtw", 0), ("pearson", 1)):
        index = RawSignalIndex([0, 1], np.stack([moved, slow]), config=RawSignalConfig(measure=measure, band=0.2))
        assert index.search(pulse[None], 1).ids.tolist() == [[nearest]], measure


def test_a_missing_channel_does_not_count(config: RawSignalConfig) -> None:
    stored, query = windows(3, 8), windows(4, 1)
    valid = np.ones(query.shape, dtype=bool)
    valid[:, 1] = False
    other = query.copy()
    other[:, 1] = 1e6
    index = RawSignalIndex(np.arange(8), stored, config=config)
    found, changed = index.search(query, 8, valid), index.search(other, 8, valid)
    np.testing.assert_array_equal(found.similarity, changed.similarity)
    # It is as if neither had that channel.
    two = RawSignalIndex(np.arange(8), stored[:, [0, 2]], config=config).search(query[:, [0, 2]], 8)
    np.testing.assert_array_equal(found.ids, two.ids)
    np.testing.assert_allclose(found.similarity, two.similarity, rtol=1e-5)
    other[:, 1] = np.nan
    np.testing.assert_array_equal(index.search(other, 8).similarity, found.similarity)


def test_examples_may_lack_channels_too(config: RawSignalConfig) -> None:
    stored, queries = windows(5, 4), windows(6, 2)
    stored[1, 0] = stored[3] = np.nan
    queries[1, 1:] = np.nan
    found = RawSignalIndex(np.arange(4), stored, config=config).search(queries, 4)
    assert set(found.ids[0].tolist()) == {0, 1, 2, -1}
    # The second query has the first channel only, which examples 1 and 3 lack.
    assert sorted(found.ids[1].tolist()) == [-1, -1, 0, 2]
    assert np.isnan(found.similarity[1, 2:]).all()


def test_small_gaps_change_little_and_large_ones_remove_the_channel(config: RawSignalConfig) -> None:
    stored = windows(7, 10)
    index = RawSignalIndex(np.arange(10), stored, config=config)
    gappy = stored.copy()
    gappy[:, :, 20:23] = np.nan
    assert index.search(gappy, 1).ids[:, 0].tolist() == list(range(10))
    gappy[:, :, : SAMPLES // 2 + 1] = np.nan
    assert (index.search(gappy, 1).ids == -1).all()


def test_the_correlation_of_gappy_windows_is_that_of_what_both_have() -> None:
    stored, query = windows(8, 1), windows(9, 1)
    query[0, :, 5:20] = np.nan
    stored[0, :, 40:50] = np.nan
    both = np.isfinite(query[0, 0]) & np.isfinite(stored[0, 0])
    expected = np.mean([np.corrcoef(query[0, c, both], stored[0, c, both])[0, 1] for c in range(3)])
    found = RawSignalIndex([0], stored, config=RawSignalConfig(measure="pearson")).search(query, 1)
    np.testing.assert_allclose(found.similarity, [[expected]], rtol=1e-6)


def test_a_flat_window_correlates_with_nothing() -> None:
    stored = windows(10, 3)
    flat = np.full((1, 3, SAMPLES), 9.81)
    for measure in ("pearson", "cross_correlation"):
        found = RawSignalIndex(np.arange(3), stored, config=RawSignalConfig(measure=measure)).search(flat, 3)
        assert found.similarity.tolist() == [[0, 0, 0]]
        assert found.ids.tolist() == [[0, 1, 2]]


def test_a_flat_band_has_no_shape() -> None:
    pytest.importorskip("pywt")
    features = wavelet_features(np.full((1, 1, SAMPLES), 9.81)).reshape(4, 6)
    np.testing.assert_allclose(features[:, 4:], 0)
    np.testing.assert_allclose(features[1:], 0, atol=1e-9)
    with pytest.raises(TooShort, match="windows of 56 samples, not 55"):
        wavelet_features(np.zeros((1, 1, 55)))


def test_more_than_there_are_and_none_at_all(config: RawSignalConfig) -> None:
    found = RawSignalIndex([3], windows(11, 1), config=config).search(windows(12, 2), 3)
    assert found.ids.tolist() == [[3, -1, -1]] * 2
    nobody = RawSignalIndex([], np.empty((0, 3, SAMPLES)), config=config)
    assert nobody.search(windows(12, 2), 3).ids.tolist() == [[-1] * 3] * 2
    assert RawSignalIndex([3], windows(11, 1), config=config).search(np.empty((0, 3, SAMPLES)), 3).ids.shape == (0, 3)


def test_a_query_need_not_find_itself() -> None:
    stored = windows(13, 6)
    index = RawSignalIndex(np.arange(6), stored, config=RawSignalConfig(measure="pearson"))
    found = search_outside(lambda rows, k: index.search(stored[rows], k), 6, 2, ids=np.arange(6), own_ids=np.arange(6))
    assert found.present.all()
    assert (found.ids != np.arange(6)[:, None]).all()


def test_what_does_not_fit_is_refused() -> None:
    config = RawSignalConfig(measure="pearson")
    stored = windows(14, 2)
    with pytest.raises(BadSamples, match="1 ids for 2 windows"):
        RawSignalIndex([0], stored, config=config)
    with pytest.raises(UsageError, match="listed once"):
        RawSignalIndex([1, 1], stored, config=config)
    with pytest.raises(BadSamples, match="table"):
        RawSignalIndex([0, 1], stored[0], config=config)
    with pytest.raises(BadSamples, match="mask"):
        RawSignalIndex([0, 1], stored, np.ones((2, 3), dtype=bool), config)
    index = RawSignalIndex([0, 1], stored, config=config)
    with pytest.raises(BadSamples, match="same channels"):
        index.search(stored[:, :2], 1)
    with pytest.raises(UsageError, match="k=1 or more"):
        index.search(stored, 0)


@pytest.mark.parametrize(("measure", "package"), [("dtw", "aeon"), ("wavelet", "PyWavelets")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, measure: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, "aeon.distances", None)
    monkeypatch.setitem(sys.modules, "pywt", None)
    with pytest.raises(MissingDependency, match=rf"(?i){package}.*kinelex\[raw\]"):
        RawSignalIndex([0], windows(15, 1), config=RawSignalConfig(measure=measure))


def test_warping_leaves_the_number_of_threads_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("aeon")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        values = np.random.default_rng(0).standard_normal((3, 1, 40)).astype(np.float32)
        valid = np.ones_like(values, dtype=bool)
        index = RawSignalIndex(np.arange(3), values, valid, RawSignalConfig(measure="dtw"))
        assert index.search(values, 1, valid).ids[:, 0].tolist() == [0, 1, 2]
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
