"""Hidden tokens count, each alike, with what was measured of them; nothing else does."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kinelex.training.masking import Hidden, Masking, hide
from kinelex.training.objectives.reconstruction import reconstruction_loss
from kinelex.training.randomness import torch_generator

SHAPE = (4, 6, 5, 7)


def case(seed: int, share: float = 0.8) -> tuple[Tensor, Tensor, Tensor, Hidden]:
    """Predictions, signal that is not a number where not measured, what was measured, and what is hidden."""
    generator = torch_generator(seed, 0, "case")
    predicted, signal = torch.randn(2, *SHAPE, generator=generator, dtype=torch.float64)
    measured = torch.rand(SHAPE, generator=generator) < share
    signal = 3 + 2 * signal
    signal[~measured] = torch.nan
    hidden = hide(measured.any(3), Masking(patches=0.2, spans=0.2, channels=0.6), generator)
    return predicted, signal, measured, hidden


def reference(predicted: Tensor, signal: Tensor, measured: Tensor, tokens: Tensor, *, normalized: bool) -> float:
    """One token, one sample at a time."""
    errors = []
    for window, patch, channel in tokens.nonzero().tolist():
        there = measured[window, patch, channel]
        values, guesses = (
            signal[window, patch, channel][there].tolist(),
            predicted[window, patch, channel][there].tolist(),
        )
        if not values:
            continue
        if normalized:
            mean = sum(values) / len(values)
            spread = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) + 1e-6)
            values = [(v - mean) / spread for v in values]
        errors.append(sum((g - v) ** 2 for g, v in zip(guesses, values, strict=True)) / len(values))
    return sum(errors) / len(errors) if errors else 0.0


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    share=st.sampled_from([0.2, 0.8, 1.0]),
    level=st.sampled_from(["physical", "normalized"]),
    dropped_channels=st.booleans(),
)
def test_errors_are_those_of_the_formula(seed: int, share: float, level: str, dropped_channels: bool) -> None:
    predicted, signal, measured, hidden = case(seed, share)
    found = reconstruction_loss(predicted, signal, measured, hidden, level=level, dropped_channels=dropped_channels)
    kept = hidden.tokens & ~hidden.dropped
    for value, tokens in (
        (found.loss, hidden.tokens if dropped_channels else kept),
        (found.patches, kept),
        (found.channels, hidden.dropped),
    ):
        expected = reference(predicted, signal, measured, tokens, normalized=level == "normalized")
        assert float(value) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("level", ["physical", "normalized"])
def test_the_gradient_is_that_of_the_loss(level: str) -> None:
    predicted, signal, measured, hidden = case(1)
    assert torch.autograd.gradcheck(
        lambda p: reconstruction_loss(p, signal, measured, hidden, level=level).loss,
        (predicted.requires_grad_(),),
        fast_mode=True,
    )


def test_only_hidden_measured_samples_are_learned_from() -> None:
    predicted, signal, measured, hidden = case(2)
    predicted.requires_grad_()
    reconstruction_loss(predicted, signal, measured, hidden).loss.backward()
    assert torch.equal(predicted.grad != 0, hidden.tokens[..., None] & measured)


def test_dropped_channels_teach_unless_the_published_loss_is_asked_for() -> None:
    predicted, signal, measured, hidden = case(3)
    assert (hidden.dropped[..., None] & measured).any()
    predicted.requires_grad_()
    found = reconstruction_loss(predicted, signal, measured, hidden, dropped_channels=False)
    (gradient,) = torch.autograd.grad(found.loss, predicted)
    assert (gradient[hidden.dropped] == 0).all()
    assert found.channels > 0, "reported all the same"
    assert not found.channels.requires_grad


def test_tokens_count_alike_however_much_of_them_was_measured() -> None:
    predicted, signal = torch.zeros(1, 2, 1, 4), torch.tensor([1.0, 3.0])[None, :, None, None].expand(1, 2, 1, 4)
    measured = torch.ones(1, 2, 1, 4, dtype=torch.bool)
    measured[0, 1, 0, 1:] = False
    both = torch.ones(1, 2, 1, dtype=torch.bool)
    found = reconstruction_loss(predicted, signal, measured, Hidden(both, torch.zeros_like(both)))
    assert float(found.loss) == (1 + 9) / 2


def test_a_constant_patch_is_normalized_to_nothing_not_to_its_rounding() -> None:
    signal = torch.full((1, 1, 1, 50), 9.81) + torch.tensor([0.0, 1e-6]).repeat(25)
    measured, both = torch.ones(signal.shape, dtype=torch.bool), torch.ones(1, 1, 1, dtype=torch.bool)
    hidden = Hidden(both, torch.zeros_like(both))
    found = reconstruction_loss(torch.zeros_like(signal), signal, measured, hidden, level="normalized")
    assert found.loss < 1e-5


def test_normalized_patches_say_nothing_of_level_and_energy_and_physical_ones_do() -> None:
    predicted, signal, measured, hidden = case(4)
    stronger = 10 * signal + 5
    for level, changes in (("normalized", False), ("physical", True)):
        one, other = (reconstruction_loss(predicted, s, measured, hidden, level=level).loss for s in (signal, stronger))
        assert (abs(float(one / other) - 1) > 0.5) == changes
        if not changes:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=0)


def test_where_nothing_is_hidden_the_loss_is_zero_and_so_is_its_gradient() -> None:
    predicted, signal, measured, hidden = case(5)
    none = torch.zeros_like(hidden.tokens)
    predicted.requires_grad_()
    loss = reconstruction_loss(predicted, signal, measured, Hidden(none, none), level="normalized").loss
    loss.backward()
    assert loss == 0
    assert (predicted.grad == 0).all()


def test_nothing_is_made_on_another_device_than_the_inputs() -> None:
    """Tensors without values refuse to be mixed with others."""
    predicted, signal, measured, hidden = case(0)
    hidden = Hidden(hidden.tokens.to("meta"), hidden.dropped.to("meta"))
    for level in ("physical", "normalized"):
        found = reconstruction_loss(predicted.to("meta"), signal.to("meta"), measured.to("meta"), hidden, level=level)
        assert found.loss.device.type == "meta"
