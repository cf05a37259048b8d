"""What holds for every backbone, whoever made it: any rate, any sensors, and NaN where there is nothing to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinelex.backbones import Backbone, ClassifyingBackbone
from kinelex.errors import BadLabels, UsageError
from kinelex.signal import Recording
from tests.backbones.conftest import Moving

NAMES = (
    "aligned", "limu-bert", "limu-bert-x", "limu-bert with a head", "statistics", "ts2vec", "mantis", "moment",
    "function",
)  # fmt: skip
CLASSIFY = ("aligned", "limu-bert with a head", "function")
RATES_HZ = (10.0, 20.0, 31.25, 50.0, 100.0)


@pytest.fixture(params=NAMES)
def backbone(request: pytest.FixtureRequest, backbones: dict[str, Any]) -> Any:
    return backbones[request.param]


def test_each_kind_is_tested(backbones: dict[str, Any]) -> None:
    assert set(backbones) == set(NAMES)
    assert {name for name, backbone in backbones.items() if isinstance(backbone, ClassifyingBackbone)} == set(CLASSIFY)
    assert all(isinstance(backbone, Backbone) for backbone in backbones.values())


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("gyro", [True, False], ids=["with gyro", "without"])
def test_any_rate_with_or_without_gyroscope_gives_finite_vectors_of_one_length(
    backbone: Any, moving: Moving, rate_hz: float, gyro: bool
) -> None:
    vectors = backbone.embed(moving(3, rate_hz, gyro=gyro), [0.0, 5.0, 11.5], 6.0)
    assert vectors.shape == (3, backbone.dim)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(5), axis=0)) == 3


def test_the_same_call_gives_the_same_bits(backbone: Any, moving: Moving) -> None:
    calls = [backbone.embed(moving(3), [0.0, 4.0], 6.0) for _ in range(2)]
    np.testing.assert_array_equal(*calls)


def test_a_window_without_signal_is_a_row_of_nan_and_no_other_is(backbone: Any, moving: Moving) -> None:
    vectors = backbone.embed(moving(3, gap=1), [0.0, 6.0, 12.0, 500.0], 6.0)
    np.testing.assert_array_equal(
        np.isnan(vectors), np.array([[False], [True], [False], [True]]).repeat(backbone.dim, 1)
    )


def test_a_recording_that_is_all_magnetometer_has_nothing_to_see(backbone: Any) -> None:
    compass = Recording.from_arrays(np.full((300, 3), 30.0), ["mag_x", "mag_y", "mag_z"], rate_hz=50)
    assert np.isnan(backbone.embed(compass, [0.0], 6.0)).all()


def test_no_windows_give_no_rows(backbone: Any, moving: Moving) -> None:
    assert backbone.embed(moving(2), [], 6.0).shape == (0, backbone.dim)


def test_what_a_window_is_does_not_depend_on_the_others(backbone: Any, moving: Moving) -> None:
    recording = moving(8)
    together = backbone.embed(recording, [0.0, 13.0, 27.4, 42.0], 5.0)
    alone = np.concatenate([backbone.embed(recording, [start], 5.0) for start in (0.0, 13.0, 27.4, 42.0)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window_s", [1.5, 2.0, 3.3, 6.0, 11.0])
def test_windows_of_any_length_are_embedded(backbone: Any, moving: Moving, window_s: float) -> None:
    vectors = backbone.embed(moving(4), [0.0, 7.0], window_s)
    assert vectors.shape == (2, backbone.dim)
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("name", NAMES[1:])  # the aligned model is told where a sensor is worn
def test_two_placements_count_as_one_that_is_worn_twice(backbones: dict[str, Any], moving: Moving, name: str) -> None:
    one, two = (backbones[name].embed(moving(3, placements=n), [0.0, 6.0], 6.0) for n in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def neighbors(queries: NDArray[np.float32], stored: NDArray[np.float32]) -> NDArray[np.int64]:
    """Three for each query by cosine, other than the window itself."""
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (queries, stored)]
    cosine = unit[0] @ unit[1].T
    np.fill_diagonal(cosine, -2)
    return np.argsort(-cosine, axis=1)[:, :3]


def test_the_same_movement_at_half_the_rate_keeps_its_neighbors(backbone: Any, moving: Moving) -> None:
    starts = np.arange(0, 20 * 6, 6.0) + 0.5
    fast, slow = (backbone.embed(moving(20, rate_hz), starts, 5.0) for rate_hz in (50.0, 25.0))
    cosine = (fast / np.linalg.norm(fast, axis=1, keepdims=True)) @ (
        slow / np.linalg.norm(slow, axis=1, keepdims=True)
    ).T
    np.testing.assert_array_equal(cosine.argmax(axis=0), np.arange(20))
    same = [len(set(a) & set(b)) / 3 for a, b in zip(neighbors(fast, fast), neighbors(slow, fast), strict=True)]
    assert np.mean(same) >= 0.9


@settings(max_examples=8)
@given(
    rate_hz=st.floats(10.0, 100.0), gyro=st.booleans(), starts=st.lists(st.floats(-8.0, 20.0), max_size=4),
    window_s=st.floats(2.0, 9.0),
)  # fmt: skip
@pytest.mark.parametrize("name", ["limu-bert", "limu-bert-x", "statistics", "ts2vec", "mantis", "moment"])
def test_rows_are_finite_or_missing_as_a_whole(
    backbones: dict[str, Any],
    moving: Moving,
    name: str,
    rate_hz: float,
    gyro: bool,
    starts: list[float],
    window_s: float,
) -> None:
    vectors = backbones[name].embed(moving(2, rate_hz, gyro=gyro), starts, window_s)
    assert vectors.shape == (len(starts), backbones[name].dim)
    missing = np.isnan(vectors)
    assert (missing.all(axis=1) | ~missing.any(axis=1)).all()
    inside = np.array([start >= 0 and start + window_s <= 12 for start in starts], dtype=bool)
    assert not missing[inside].any()


@pytest.mark.parametrize("name", CLASSIFY)
class TestClassifying:
    LABELS = ("running", "walking")

    def test_rows_sum_to_one_or_are_nan(self, backbones: dict[str, Any], moving: Moving, name: str) -> None:
        shares = backbones[name].predict_proba(moving(3, gap=1), [0.0, 6.0, 12.0], 6.0, self.LABELS)
        assert shares.shape == (3, 2)
        assert shares.dtype == np.float32
        np.testing.assert_allclose(shares.sum(axis=1), [1.0, np.nan, 1.0], rtol=1e-6)
        assert (shares[[0, 2]] >= 0).all()

    def test_columns_follow_the_labels(self, backbones: dict[str, Any], moving: Moving, name: str) -> None:
        forward, backward = (
            backbones[name].predict_proba(moving(2), [0.0, 5.0], 6.0, labels)
            for labels in (self.LABELS, self.LABELS[::-1])
        )
        np.testing.assert_allclose(forward, backward[:, ::-1], rtol=1e-6)

    @pytest.mark.parametrize("labels", [[], "walking", ["walking", "strolling"]])
    def test_labels_that_cannot_be_told_apart_are_refused(
        self, backbones: dict[str, Any], moving: Moving, name: str, labels: Any
    ) -> None:
        with pytest.raises(BadLabels):
            backbones[name].predict_proba(moving(1), [0.0], 6.0, labels)


@pytest.mark.parametrize("name", ["limu-bert with a head", "function"])
def test_a_classifier_says_what_it_knows(backbones: dict[str, Any], moving: Moving, name: str) -> None:
    with pytest.raises(BadLabels, match="does not know 'swimming': choose among walking, sitting, jogging"):
        backbones[name].predict_proba(moving(1), [0.0], 6.0, ["walking", "swimming"])


@pytest.mark.parametrize(("starts", "window_s"), [([0.0], 0.0), ([0.0], float("nan")), ([float("nan")], 6.0)])
def test_windows_that_cannot_be_are_refused(
    backbones: dict[str, Any], moving: Moving, starts: list[float], window_s: float
) -> None:
    with pytest.raises(UsageError):
        backbones["statistics"].embed(moving(1), starts, window_s)


def test_the_aligned_model_answers_as_its_recognizer_does(backbones: dict[str, Any], moving: Moving) -> None:
    from kinelex.recognition import Recognizer

    backbone = backbones["aligned"]
    labels = ["running", "walking upstairs", "lying"]
    recording = moving(3)
    timeline = Recognizer(backbone.checkpoint).recognize(recording, labels, window_s=6.0, hop_s=6.0)
    shares = backbone.predict_proba(recording, timeline.starts_s, 6.0, labels)
    np.testing.assert_allclose(shares, timeline.probabilities, rtol=1e-5, atol=1e-7)
