"""Physical features: the published definitions, what was not measured left out, and nothing made up."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UnknownRate
from kinelex.retrieval import features
from kinelex.retrieval.features import feature_names, physical_features

Signal = NDArray[np.float64]
Mask = NDArray[np.bool_]


def reference(signal: Signal, valid: Mask, local: int) -> list[float]:
    """The features of one window of one sensor, straight from their definitions."""
    channels = [dict(enumerate(row)) for row in signal]
    there = [{t: x for t, x in channel.items() if valid[c, t]} for c, channel in enumerate(channels)]
    correlations = []
    for i, one in enumerate(there):
        for other in there[i + 1 :]:
            both = sorted(one.keys() & other.keys())
            if len(both) < 2:
                correlations.append(math.nan)
                continue
            x, y = [one[t] for t in both], [other[t] for t in both]
            covariance = sum((a - mean(x)) * (b - mean(y)) for a, b in zip(x, y, strict=True)) / (len(both) - 1)
            correlations.append(covariance / (math.sqrt(variance(x) * variance(y)) + 1e-8))
    variances, changes, crossings, ranges = [], [], [], []
    for x in there:
        variances.append(variance(x.values()) if len(x) > 1 else math.nan)
        steps = [(x[t], x[t + 1]) for t in x if t + 1 in x]
        changes.append(mean([abs(b - a) for a, b in steps]) if steps else math.nan)
        crossings.append(mean([float(sign(a) != sign(b)) for a, b in steps]) if steps else math.nan)
        stretches = [[x[t + k] for k in range(local)] for t in x if all(t + k in x for k in range(local))]
        spreads = [variance(stretch) for stretch in stretches]
        ranges.append(max(spreads) - min(spreads) if spreads else math.nan)
    return [*correlations, *variances, *changes, *crossings, *ranges]


def mean(x: Collection[float]) -> float:
    return math.fsum(x) / len(x)


def variance(x: Collection[float]) -> float:
    return math.fsum((value - mean(x)) ** 2 for value in x) / (len(x) - 1)


def sign(x: float) -> int:
    return int(x > 0) - int(x < 0)


def made_up(seed: int, windows: int = 4, channels: int = 3, steps: int = 40) -> Signal:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(windows, channels, steps)), axis=2) + rng.normal(size=(windows, channels, 1))


def test_the_golden_window_has_its_features_in_order() -> None:
    t = np.arange(12)
    window = np.stack([2 * np.sin(0.7 * t) + 0.5, (3 * t) % 7 - 3, 9.81 + 0.1 * (-1.0) ** t])
    golden = [
        0.398575, -0.085416, 0.121367,  # correlation
        2.061949, 4.628788, 0.010909,  # variance
        0.895268, 3.363636, 0.2,  # change
        0.181818, 1.0, 0.0,  # crossings
        0.396081, 0.933333, 0.0,  # range
    ]  # fmt: skip
    np.testing.assert_allclose(physical_features(window[None], rate_hz=20)[0], golden, atol=1e-5)
    assert [name.split(" of ")[0] for name in feature_names("xyz")[::3]] == [
        "correlation", "variance", "change", "crossings", "range",
    ]  # fmt: skip


@given(
    seed=st.integers(0, 2**31),
    channels=st.integers(1, 6),
    steps=st.integers(0, 25),
    there=st.sampled_from([0.0, 0.2, 0.6, 0.9, 1.0]),
    rate_hz=st.sampled_from([3.0, 10.0, 20.0]),
)
@settings(max_examples=40)
def test_any_window_with_any_gaps_has_the_features_of_their_definitions(
    seed: int, channels: int, steps: int, there: float, rate_hz: float
) -> None:
    rng = np.random.default_rng(seed)
    signal = np.round(rng.normal(size=(3, channels, steps)), 1)  # rounded: zeros and repeated values occur
    valid = rng.random(signal.shape) < there
    found = physical_features(np.where(valid, signal, np.nan), valid, rate_hz=rate_hz)
    wanted = [reference(one, mask, max(2, round(rate_hz / 2))) for one, mask in zip(signal, valid, strict=True)]
    # The correlation of a channel that does not vary is rounding over 1e-8.
    np.testing.assert_allclose(found, np.array(wanted), atol=1e-6)
    assert found.shape[1] == len(feature_names([str(c) for c in range(channels)]))


def test_three_channels_give_15_features_and_six_39() -> None:
    assert physical_features(made_up(0), rate_hz=20.0).shape == (4, 15)
    assert physical_features(made_up(0, channels=6), rate_hz=20.0).shape == (4, 39)
    assert physical_features(made_up(0)[:0], rate_hz=20.0).shape == (0, 15)


def test_what_was_not_measured_is_nowhere_in_the_features() -> None:
    signal, valid = made_up(1), np.ones((4, 3, 40), dtype=bool)
    valid[:, 1, 10:13] = False
    known = physical_features(signal, valid, rate_hz=20.0)
    for nonsense in (np.nan, np.inf, 1e9):
        np.testing.assert_array_equal(physical_features(np.where(valid, signal, nonsense), valid, rate_hz=20.0), known)
    np.testing.assert_array_equal(physical_features(np.where(valid, signal, np.nan), rate_hz=20.0), known)


def test_a_missing_channel_makes_its_features_missing_and_no_others() -> None:
    signal = made_up(2)
    known = physical_features(signal, rate_hz=20.0)
    signal[:, 2] = np.nan
    found = physical_features(signal, rate_hz=20.0)
    of_it = np.array(
        ["z" in name.split(" of ", 1)[1].replace("local variance of ", "") for name in feature_names("xyz")]
    )
    assert of_it.sum() == 6
    assert np.isnan(found[:, of_it]).all()
    np.testing.assert_allclose(found[:, ~of_it], known[:, ~of_it])


def test_local_variance_is_over_half_a_second_at_any_rate() -> None:
    """A jolt of one sample raises the variance of as many samples as half a second has: 1 / length of its square."""
    for rate_hz, length in ((10.0, 5), (20.0, 10), (50.0, 25), (25.0, 12)):
        signal = np.zeros((1, 1, 100))
        signal[0, 0, 50] = 1.0
        assert physical_features(signal, rate_hz=rate_hz)[0, -1] == pytest.approx(1 / length)


def test_a_window_shorter_than_half_a_second_has_no_local_variance() -> None:
    found = physical_features(made_up(3, steps=9), rate_hz=20.0)
    assert np.isnan(found[:, -3:]).all()
    assert np.isfinite(found[:, :-3]).all()


def test_gravity_changes_nothing_but_the_crossings() -> None:
    """Also one of a thousand meters per square second: differences of large sums must not eat the signal."""
    signal = made_up(4) - made_up(4).mean(axis=2, keepdims=True)
    calm, shifted = physical_features(signal, rate_hz=20.0), physical_features(signal + 1000.0, rate_hz=20.0)
    crossings = slice(9, 12)
    assert (calm[:, crossings] > 0).all()
    assert (shifted[:, crossings] == 0).all()
    np.testing.assert_allclose(np.delete(shifted, crossings, 1), np.delete(calm, crossings, 1), atol=1e-9)


def test_channels_that_do_not_vary_are_not_correlated() -> None:
    signal = np.full((1, 3, 40), 9.81)
    signal[0, 0] = made_up(5)[0, 0]
    found = physical_features(signal, rate_hz=20.0)
    np.testing.assert_allclose(found[0, :3], 0, atol=1e-9)
    moving = np.stack([made_up(5)[0, 0], made_up(5)[0, 0] + 3, -2 * made_up(5)[0, 0]])[None]
    np.testing.assert_allclose(physical_features(moving, rate_hz=20.0)[0, :3], [1, -1, -1], atol=1e-6)


def test_several_sensors_are_the_mean_of_those_that_are_there() -> None:
    signal = made_up(6, channels=9)
    each = [physical_features(signal[:, 3 * s : 3 * s + 3], rate_hz=20.0) for s in range(3)]
    np.testing.assert_allclose(physical_features(signal, rate_hz=20.0, sensors=3), np.mean(each, axis=0))
    signal[:, 3:6] = np.nan
    np.testing.assert_allclose(physical_features(signal, rate_hz=20.0, sensors=3), (each[0] + each[2]) / 2)
    signal[0] = np.nan
    assert np.isnan(physical_features(signal, rate_hz=20.0, sensors=3)[0]).all(), "no sensor, no features"


def test_as_published_one_sensor_is_chosen_by_the_first_sample_for_all_windows() -> None:
    signal = made_up(7, channels=9)
    each = [physical_features(signal[:, 3 * s : 3 * s + 3], rate_hz=20.0) for s in range(3)]
    first = physical_features(signal, rate_hz=20.0, sensors=3, several="first")
    np.testing.assert_array_equal(first, each[0])
    signal[0, 0, 0] = 0.0  # a reading of exactly zero is taken for a sensor that is not there
    signal[1:, 3:6] = np.nan  # and the others have it or not
    second = physical_features(signal, rate_hz=20.0, sensors=3, several="first")
    np.testing.assert_array_equal(second[0], each[1][0])
    assert np.isnan(second[1:]).all()
    signal[0, 3, 0] = np.nan
    np.testing.assert_array_equal(physical_features(signal, rate_hz=20.0, sensors=3, several="first"), each[2])


def test_a_window_has_the_same_features_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = made_up(8, windows=9, channels=6)
    together = physical_features(signal, rate_hz=20.0, sensors=2)
    np.testing.assert_array_equal(physical_features(signal[4:5], rate_hz=20.0, sensors=2), together[4:5])
    monkeypatch.setattr(features, "_BLOCK_VALUES", 500)
    np.testing.assert_array_equal(physical_features(signal, rate_hz=20.0, sensors=2), together)


def test_what_cannot_be_is_told() -> None:
    signal = made_up(9)
    with pytest.raises(BadSamples, match="not \\(3, 40\\)"):
        physical_features(signal[0], rate_hz=20.0)
    with pytest.raises(BadSamples, match="2 sensors"):
        physical_features(signal, rate_hz=20.0, sensors=2)
    with pytest.raises(BadSamples, match="of booleans"):
        physical_features(signal, np.ones(signal.shape), rate_hz=20.0)  # type: ignore[arg-type]
    with pytest.raises(BadSamples, match="mark it as missing"):
        physical_features(np.full((1, 3, 40), np.inf), np.ones((1, 3, 40), dtype=bool), rate_hz=20.0)
    for rate_hz in (0.0, math.nan):
        with pytest.raises(UnknownRate, match="rate_hz"):
            physical_features(signal, rate_hz=rate_hz)
