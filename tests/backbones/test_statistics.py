"""Each statistic is what its name says, missing values left out, and standardized by the training windows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kinelex.backbones import STATISTICS_CONTRACT, adapt, adapt_many, fit_statistics
from kinelex.backbones.statistics import BANDS_HZ, FEATURES, QUANTILES, SERIES, statistics_of
from kinelex.errors import BadSamples
from tests.backbones.conftest import Moving

RATE_HZ = 25.0
Floats = NDArray[np.float64]


def features(signal: Floats, valid: NDArray[np.bool_] | None = None) -> dict[str, float]:
    valid = np.ones(signal.shape, bool) if valid is None else valid
    row = statistics_of(signal[None].astype(np.float32), valid[None], RATE_HZ)[0]
    assert len(row) == len(FEATURES) == len(set(FEATURES))
    return dict(zip(FEATURES, row, strict=True))


@pytest.fixture
def signal() -> Floats:
    return np.random.default_rng(0).normal(1.0, 2.0, (6, 150))


def test_moments_quantiles_and_correlations_are_those_of_numpy(signal: Floats) -> None:
    found = features(signal)
    rows = np.concatenate([signal, [np.linalg.norm(signal[:3], axis=0), np.linalg.norm(signal[3:], axis=0)]])
    for name, row in zip(SERIES, rows, strict=True):
        assert found[f"{name} mean"] == pytest.approx(row.mean(), rel=1e-4)
        assert found[f"{name} std"] == pytest.approx(np.log(row.std()), abs=1e-3)
        assert found[f"{name} energy"] == pytest.approx(np.log((row**2).mean()), abs=1e-3)
        away = row - row.mean()
        assert found[f"{name} crossings"] == pytest.approx((away[1:] * away[:-1] < 0).mean() * RATE_HZ)
        assert found[f"{name} change"] == pytest.approx(np.log(np.abs(np.diff(row)).mean() * RATE_HZ + 0.1), rel=1e-4)
        for q in QUANTILES:
            assert found[f"{name} quantile {q:g}"] == pytest.approx(np.quantile(row, q), abs=1e-4)
    assert found["acc_x with acc_z"] == pytest.approx(np.corrcoef(signal[0], signal[2])[0, 1], abs=1e-4)
    assert found["gyro_y with gyro_z"] == pytest.approx(np.corrcoef(signal[4], signal[5])[0, 1], abs=1e-4)


@pytest.mark.parametrize("hz", [0.6, 1.5, 2.5, 4.0, 6.5, 10.0])
def test_a_tone_shows_in_its_own_band_with_its_own_power(hz: float) -> None:
    tone = np.zeros((6, 300))
    tone[1] = 5 + 3 * np.sin(2 * np.pi * hz * np.arange(300) / RATE_HZ)
    found = features(tone)
    powers = {band: np.exp(found[f"acc_y {band[0]:g} to {band[1]:g} Hz"]) for band in BANDS_HZ}
    own = next(band for band in BANDS_HZ if band[0] <= hz < band[1])
    assert powers[own] == pytest.approx(4.5, rel=0.05)  # 3² / 2
    assert sum(powers.values()) - powers[own] < 0.1
    noise = np.random.default_rng(0).normal(size=(6, 300))
    assert found["acc_y entropy"] < 0.5 < 0.8 < features(noise)["acc_y entropy"] <= 1


def test_missing_samples_are_left_out(signal: Floats) -> None:
    valid = np.ones(signal.shape, bool)
    valid[:, 100:] = False
    spoiled = np.where(valid, signal, 777.0)
    found, wanted = features(spoiled, valid), features(signal[:, :100])
    for name in FEATURES:
        if " Hz" not in name and "entropy" not in name:
            assert found[name] == pytest.approx(wanted[name], rel=1e-6, abs=1e-6), name
    assert all(np.isfinite(list(found.values())))


def test_a_sensor_that_is_not_there_has_no_statistics_and_counts_as_average(moving: Moving) -> None:
    clips = adapt(moving(1, gyro=False), [0.0], 6.0, STATISTICS_CONTRACT)
    found = dict(zip(FEATURES, statistics_of(clips.signal, clips.valid, RATE_HZ)[0], strict=True))
    assert {name for name, value in found.items() if np.isnan(value)} == {n for n in FEATURES if n.startswith("gyro")}
    backbone = fit_statistics(adapt_many([(moving(4), np.arange(0, 18, 2.0))], 6.0, STATISTICS_CONTRACT))
    vector = dict(zip(FEATURES, backbone.embed(moving(1, gyro=False), [0.0], 6.0)[0], strict=True))
    assert {name for name, value in vector.items() if value == 0} == {n for n in FEATURES if n.startswith("gyro")}


def test_training_windows_have_mean_zero_and_spread_one(moving: Moving) -> None:
    recording, starts = moving(6), np.arange(0, 30, 1.0)
    backbone = fit_statistics(adapt_many([(recording, starts)], 6.0, STATISTICS_CONTRACT), ("made up",))
    vectors = backbone.embed(recording, starts, 6.0)
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(vectors.std(axis=0), 1, atol=1e-3)
    assert backbone.trained_on == ("made up",) and backbone.dim == len(FEATURES)


def test_turning_the_device_leaves_the_lengths_of_its_vectors_alone(signal: Floats) -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    found, turned = features(signal), features(np.concatenate([turn @ signal[:3], turn @ signal[3:]]))
    for name in FEATURES:
        if "norm" in name:
            assert turned[name] == pytest.approx(found[name], abs=1e-3), name
    assert turned["acc_x mean"] != pytest.approx(found["acc_x mean"], abs=0.1)


def test_nothing_to_fit_to_is_refused(moving: Moving) -> None:
    with pytest.raises(BadSamples, match="no window has usable signal"):
        fit_statistics(adapt(moving(1, gap=0), [0.0], 6.0, STATISTICS_CONTRACT))
