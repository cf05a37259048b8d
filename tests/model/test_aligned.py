"""The model as a whole: masks, gradients, rates, batches."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.model import AlignedModel, Checkpoint, ModelConfig
from kinelex.model.transformer import SelfAttention
from kinelex.signal import Channel, Recording
from tests.model.conftest import TINY, untrained

CHANNELS = tuple(Channel(sensor, axis, "left wrist") for sensor in ("acc", "gyro") for axis in ("x", "y", "z"))


def walk(rate_hz: float, duration_s: float = 12.0, channels: tuple[Channel, ...] = CHANNELS) -> Recording:
    """A two-hertz swing: band-limited, so that it is the same signal at every rate above 8 Hz."""
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    axes = np.stack(
        [np.sin(2 * np.pi * 2 * t + k) * (1 + k) + 0.3 * np.sin(2 * np.pi * t * 1.0 + 2 * k) for k in range(6)], 1
    )
    axes[:, 2] += 9.81
    return Recording(axes[:, : len(channels)].astype(np.float32), rate_hz, channels)


def inputs(count: int = 4, steps: int = 150) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    signal = torch.randn(count, 6, steps, generator=generator)
    return (
        signal,
        torch.ones_like(signal, dtype=torch.bool),
        torch.ones(count, dtype=torch.bool),
        torch.zeros(count).long(),
    )


def test_embeddings_are_unit_vectors(model: AlignedModel) -> None:
    vectors = model(*inputs())
    assert vectors.shape == (4, TINY.text_dim)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("config", [
    TINY, TINY.model_copy(update={"frame": "measured", "derived_channels": False}),
    TINY.model_copy(update={"normalization": "zscore"}), TINY.model_copy(update={"channel_text": False, "layers": 2}),
])  # fmt: skip
def test_every_parameter_gets_a_gradient(config: ModelConfig) -> None:
    model = untrained(config).train()
    vectors = model(*inputs())
    target = torch.nn.functional.normalize(torch.randn(4, TINY.text_dim), dim=1)
    (model.scale * vectors * target).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    # A bias on all keys shifts every score alike and cancels in the softmax; half of this bias is for values.
    assert not without


def test_zscore_erases_amplitude_and_physical_inputs_keep_it() -> None:
    signal, valid, gravity, place = inputs()
    for normalization, same in (("zscore", True), ("physical", False)):
        model = untrained(TINY.model_copy(update={"normalization": normalization, "derived_channels": False}))
        distance = (model(signal, valid, gravity, place) - model(signal * 3, valid, gravity, place)).abs().max()
        assert bool(distance < 1e-3) is same


def test_missing_samples_are_never_looked_at(model: AlignedModel) -> None:
    signal, valid, gravity, place = inputs()
    valid[:, 4] = False
    valid[1, :, 100:] = False
    one = model(signal, valid, gravity, place)
    other = model(torch.where(valid, signal, 77.0), valid, gravity, place)
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("along", "axis"), [("patch", 2), ("channel", 1)])
def test_self_attention_mixes_along_its_axis_only(along: Literal["patch", "channel"], axis: int) -> None:
    torch.manual_seed(0)
    attention = SelfAttention(16, 2, along)
    tokens, valid = torch.randn(3, 4, 5, 16), torch.ones(3, 4, 5, dtype=torch.bool)
    changed = tokens.clone()
    changed.select(axis, 1).add_(1.0)  # one channel for attention along patches, and the other way round
    moved = (attention(changed, valid) - attention(tokens, valid)).abs().amax(-1) > 1e-5
    assert moved.select(axis, 1).all()
    assert moved.sum() == moved.select(axis, 1).numel()
    # Along its own axis, whatever is valid reaches every token, and nothing else does.
    valid[:, 2, 3] = False
    changed = tokens.clone()
    changed[:, 2, 3] += 1.0
    moved = (attention(changed, valid) - attention(tokens, valid)).abs().amax(-1) > 1e-5
    assert moved.sum() == moved[:, 2, 3].sum()


def test_bf16_gives_nearly_the_same_vectors(model: AlignedModel) -> None:
    whole = model(*inputs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = model(*inputs())
    assert short.dtype == torch.float32
    assert (whole * short).sum(1).min() > 0.995


def test_each_channel_counts(model: AlignedModel) -> None:
    signal, valid, gravity, place = inputs()
    whole = model(signal, valid, gravity, place)
    for axis in range(6):
        fewer = valid.clone()
        fewer[:, axis] = False
        assert (model(signal, fewer, gravity, place) - whole).abs().max() > 1e-4


@given(rate_hz=st.floats(16.0, 400.0))
@settings(max_examples=25)
def test_the_rate_of_a_recording_hardly_matters(checkpoint_at_rate: Checkpoint, rate_hz: float) -> None:
    reference = checkpoint_at_rate.embed(walk(100.0), [3.0], 6.0)
    found = checkpoint_at_rate.embed(walk(rate_hz), [3.0], 6.0)
    assert float((reference * found).sum()) > 0.98


@pytest.fixture(scope="module")
def checkpoint_at_rate() -> Checkpoint:
    from kinelex.model import LabelTable, TextSpace

    nothing = np.zeros((1, TINY.text_dim), np.float32)
    return Checkpoint("tiny", untrained(), LabelTable(("walking",), nothing), TextSpace(nothing[0]), "fake@1")


@given(
    rate_hz=st.floats(5.0, 400.0),
    duration_s=st.floats(3.0, 20.0),
    chosen=st.sets(st.integers(0, 5), min_size=1),
)
@settings(max_examples=40)
def test_any_rate_length_and_channels_give_a_vector(
    checkpoint_at_rate: Checkpoint, rate_hz: float, duration_s: float, chosen: set[int]
) -> None:
    whole = walk(rate_hz, duration_s)
    columns = sorted(chosen)
    part = Recording(whole.samples[:, columns], rate_hz, tuple(CHANNELS[i] for i in columns))
    vectors = checkpoint_at_rate.embed(part, [0.0], 6.0)
    assert np.isfinite(vectors).all()


def test_a_window_is_embedded_alike_in_any_batch(checkpoint: Checkpoint) -> None:
    recording = walk(50.0, 60.0)
    starts = np.arange(0, 54, 3.0)
    together = checkpoint.embed(recording, starts, 6.0)
    small = checkpoint.embed(recording, starts, 6.0, batch_windows=4)
    alone = np.concatenate([checkpoint.embed(recording, [start], 6.0) for start in starts])
    np.testing.assert_allclose(together, small, atol=1e-5)
    np.testing.assert_allclose(together[3:-3], alone[3:-3], atol=2e-3)


def test_starts_may_come_in_any_order(checkpoint: Checkpoint) -> None:
    recording = walk(50.0, 60.0)
    starts = np.array([30.0, 0.0, 12.0])
    found = checkpoint.embed(recording, starts, 6.0)
    np.testing.assert_allclose(found[np.argsort(starts)], checkpoint.embed(recording, np.sort(starts), 6.0), atol=1e-5)


def test_a_window_without_signal_has_no_vector(checkpoint: Checkpoint) -> None:
    recording = walk(50.0, 30.0)
    recording.samples[500:] = np.nan
    vectors = checkpoint.embed(recording, [0.0, 15.0], 6.0)
    assert np.isfinite(vectors[0]).all()
    assert np.isnan(vectors[1]).all()


def test_placements_are_embedded_one_by_one_and_averaged(checkpoint: Checkpoint) -> None:
    ankle = tuple(Channel(c.sensor, c.axis, "right ankle") for c in CHANNELS)
    left, right = walk(50.0), walk(50.0, channels=ankle)
    right.samples[:] *= 1.7
    both = Recording(np.hstack([left.samples, right.samples]), 50.0, CHANNELS + ankle)
    mean = checkpoint.embed(left, [0.0], 6.0) + checkpoint.embed(right, [0.0], 6.0)
    np.testing.assert_allclose(checkpoint.embed(both, [0.0], 6.0), mean / np.linalg.norm(mean), atol=1e-5)
