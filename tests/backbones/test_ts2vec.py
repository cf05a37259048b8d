"""TS2Vec against its formulas; its training learns, and is the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.special import log_softmax

from kinelex.backbones import TS2VEC_CONTRACT, Clips, TS2VecBackbone, TS2VecConfig, adapt, adapt_many, fit_ts2vec
from kinelex.backbones.ts2vec import TS2Vec, hierarchical_loss
from kinelex.backbones.ts2vec_backbone import overlapping_crops, standardized
from kinelex.errors import BadSamples
from tests.backbones.conftest import Moving, drawn

TINY = TS2VecConfig(width=8, depth=2, dim=12, steps=2, batch=4)
Floats = NDArray[np.float64]


def gelu(x: Floats) -> Floats:
    from scipy.special import erf

    return x * (1 + erf(x / np.sqrt(2))) / 2


def convolved(x: Floats, weight: Floats, bias: Floats, dilation: int) -> Floats:
    """``(in, step)`` to ``(out, step)``, sample by sample, zeros outside."""
    reach = weight.shape[2] // 2
    found = np.repeat(bias[:, None], x.shape[1], axis=1)
    for t in range(x.shape[1]):
        for tap in range(weight.shape[2]):
            at = t + (tap - reach) * dilation
            if 0 <= at < x.shape[1]:
                found[:, t] += weight[:, :, tap] @ x[:, at]
    return found


def test_the_encoder_is_residual_dilated_convolutions_behind_a_masked_projection() -> None:
    network = drawn(TS2Vec(6, TINY))
    w = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    random = np.random.default_rng(0)
    signal, seen = random.normal(size=(6, 30)), random.random(30) < 0.7
    h = convolved(signal, w["project.weight"], w["project.bias"], 1) * seen
    for block in range(3):
        parts = {
            name: (w[f"blocks.{block}.{name}.weight"], w[f"blocks.{block}.{name}.bias"]) for name in ("first", "second")
        }
        changed = convolved(gelu(h), *parts["first"], 2**block)
        changed = convolved(gelu(changed), *parts["second"], 2**block)
        if block == 2:
            h = convolved(h, w["blocks.2.shortcut.weight"], w["blocks.2.shortcut.bias"], 1)
        h = changed + h
    found = network(torch.tensor(signal[None], dtype=torch.float32), torch.from_numpy(seen[None]))
    np.testing.assert_allclose(found[0].numpy().T, h, rtol=1e-4, atol=1e-5 * np.abs(h).max())


def loss_of(first: Floats, second: Floats) -> float:
    """Algorithm 1 with equations 1 and 2 written out, one anchor after the other."""
    scales = []
    while True:
        windows, steps, _ = first.shape
        views = np.stack([first, second])  # view, window, step
        terms = []
        for i in range(windows):
            for t in range(steps):
                for view in (0, 1):
                    anchor = views[view, i, t]
                    others = [(v, s) for v in (0, 1) for s in range(steps) if (v, s) != (view, t)]
                    moment = [anchor @ views[v, i, s] for v, s in others]
                    positive = others.index((1 - view, t))
                    temporal = -log_softmax(moment)[positive] if steps > 1 else 0.0
                    others = [(v, j) for v in (0, 1) for j in range(windows) if (v, j) != (view, i)]
                    instance = [anchor @ views[v, j, t] for v, j in others]
                    across = -log_softmax(instance)[others.index((1 - view, i))] if windows > 1 else 0.0
                    terms.append((temporal + across) / 2)
        scales.append(np.mean(terms))
        if steps == 1:
            return float(np.mean(scales))
        half = steps // 2
        first, second = (v[:, : 2 * half].reshape(windows, half, 2, -1).max(axis=2) for v in (first, second))


@pytest.mark.parametrize("shape", [(3, 7, 4), (2, 8, 3), (4, 1, 5), (1, 6, 2)])
def test_the_loss_is_that_of_the_paper(shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=shape), random.normal(size=shape)
    found = hierarchical_loss(torch.from_numpy(first), torch.from_numpy(second))
    assert float(found) == pytest.approx(loss_of(first, second), rel=1e-9)


@given(steps=st.integers(2, 300), seed=st.integers(0, 1000), step=st.integers(0, 1000))
def test_crops_overlap_in_at_least_two_samples(steps: int, seed: int, step: int) -> None:
    first, begin, end, last = overlapping_crops(steps, seed, step)
    assert 0 <= first <= begin <= end - 2 and end <= last <= steps
    assert overlapping_crops(steps, seed, step) == (first, begin, end, last)


def test_crops_reach_everywhere() -> None:
    crops = np.array([overlapping_crops(20, 0, step) for step in range(500)])
    assert crops.min(axis=0).tolist() == [0, 0, 2, 2]
    assert (crops.max(axis=0) >= [16, 17, 20, 20]).all()


@pytest.fixture(scope="module")
def clips(moving: Moving) -> Clips:
    requests = [(moving(6), np.arange(0, 30, 1.5)), (moving(3, gyro=False), np.arange(0, 12, 3.0))]
    return adapt_many(requests, 3.0, TS2VEC_CONTRACT)


def test_the_same_windows_and_seed_give_the_same_weights_whatever_else_is_drawn(clips: Clips) -> None:
    first = fit_ts2vec(clips, TINY)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    second = fit_ts2vec(clips, TINY)
    assert torch.equal(before, torch.random.get_rng_state())
    other = fit_ts2vec(clips, TINY.model_copy(update={"seed": 1}))
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name
    assert not torch.equal(first.network.project.weight, other.network.project.weight)


def contrast(backbone: TS2VecBackbone, clips: Clips) -> float:
    """The loss on whole windows of which each view shows a random half, always the same."""
    signal = standardized(clips.signal, clips.valid, backbone.mean, backbone.std)
    random = torch.Generator().manual_seed(0)
    shown = [torch.rand(len(signal), signal.shape[2], generator=random) < 0.5 for _ in range(2)]
    return float(hierarchical_loss(*(backbone.network(signal, part) for part in shown)))


def test_training_makes_views_of_one_moment_more_alike(clips: Clips) -> None:
    config = TS2VecConfig(width=16, depth=3, dim=32, steps=60, batch=8, learning_rate=0.01)
    losses: list[float] = []
    trained = fit_ts2vec(clips, config, progress=lambda step, loss: losses.append(loss))
    untrained = fit_ts2vec(clips, config.model_copy(update={"steps": 0}))
    assert len(losses) == 60
    assert contrast(trained, clips) < 0.8 * contrast(untrained, clips)


def test_the_weights_are_the_average_over_all_steps(clips: Clips) -> None:
    # Of one step: half way between where it began and where it went.
    ends = [fit_ts2vec(clips, TINY.model_copy(update={"steps": n})).network.state_dict() for n in (0, 1)]
    one_step = [ends[1][name] - ends[0][name] for name in ends[0]]
    # AdamW's first step moves a weight by the learning rate where its gradient is not zero.
    moved = torch.cat([change.abs().flatten() for change in one_step])
    assert float(moved.median()) == pytest.approx(0.5e-3, rel=0.05)


def test_channels_are_standardized_by_what_was_measured(clips: Clips) -> None:
    backbone = fit_ts2vec(clips, TINY)
    for channel in range(6):
        measured = clips.signal[:, channel][clips.valid[:, channel]]
        assert backbone.mean[channel] == pytest.approx(measured.mean(), abs=1e-4)
        assert backbone.std[channel] == pytest.approx(measured.std(), rel=1e-4)


def test_what_was_not_measured_does_not_count(moving: Moving, clips: Clips) -> None:
    backbone = fit_ts2vec(clips, TINY)
    found = adapt(moving(2), [1.0], 4.0, TS2VEC_CONTRACT)
    valid = found.valid.copy()
    valid[:, :, 60:] = False
    other = found.signal.copy()
    other[:, :, 60:] = 1e3
    np.testing.assert_array_equal(backbone.encode(found.signal, valid), backbone.encode(other, valid))


def test_too_few_windows_are_refused(moving: Moving) -> None:
    with pytest.raises(BadSamples, match="telling windows apart, and there are 1"):
        fit_ts2vec(adapt(moving(1), [0.0], 6.0, TS2VEC_CONTRACT), TINY)


@pytest.mark.parametrize("fields", [{"width": 0}, {"dropout": 1.0}, {"batch": 1}, {"speed": 3}])
def test_impossible_configurations_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TS2VecConfig(**fields)
