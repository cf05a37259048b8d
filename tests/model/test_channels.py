"""What the model looks at does not depend on how the device was turned, and nothing stands for what is missing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kinelex.model.channels import DERIVED, DESCRIPTIONS, descriptions, model_channels
from kinelex.signal.augmentation import random_rotations
from kinelex.signal.gravity import STANDARD_GRAVITY

STEPS = 100
VERTICAL = [6 + DERIVED.index(name) for name in DERIVED if "vertical" in name or "horizontal" in name]


def windows(seed: int, count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.randn(count, 6, STEPS + 8, generator=generator).unfold(2, 9, 1).mean(-1) * 6
    smooth[:, 2] += STANDARD_GRAVITY
    return smooth


def everything(signal: Tensor) -> Tensor:
    return torch.ones_like(signal, dtype=torch.bool)


def turned(signal: Tensor, seed: int) -> Tensor:
    rotations = random_rotations(len(signal), torch.Generator().manual_seed(seed))
    return torch.einsum("wij,wsjt->wsit", rotations, signal.unflatten(1, (2, 3))).flatten(1, 2)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.booleans())
def test_turning_the_device_changes_no_channel_of_the_principal_frame(seed: int, turn: int, has_gravity: bool) -> None:
    signal = windows(seed)
    gravity = torch.full((len(signal),), has_gravity)
    before, valid = model_channels(signal, everything(signal), gravity, frame="principal")
    after, valid_after = model_channels(turned(signal, turn), everything(signal), gravity, frame="principal")
    assert torch.equal(valid, valid_after)
    # The sign of an axis rests on a third moment and may flip where that is close to zero.
    flipped = torch.minimum((before - after).abs().amax(-1), (before + after).abs().amax(-1))
    assert flipped[:, :6].max() < 5e-3
    assert (before - after)[:, 6:].abs().max() < 5e-3


def test_the_measured_frame_keeps_the_devices_axes() -> None:
    signal = windows(0)
    channels, _ = model_channels(signal, everything(signal), torch.ones(3, dtype=torch.bool), frame="measured")
    torch.testing.assert_close(channels[:, :3] * STANDARD_GRAVITY, signal[:, :3])


def test_a_resting_device_has_no_movement_and_upright_gravity() -> None:
    signal = torch.zeros(1, 6, STEPS)
    signal[:, 1] = -STANDARD_GRAVITY
    channels, valid = model_channels(signal, everything(signal), torch.tensor([True]), frame="principal")
    assert valid.all()
    assert channels.abs().max() < 1e-3


@pytest.mark.parametrize("gone", range(6))
def test_what_needs_a_missing_axis_is_masked(gone: int) -> None:
    signal = windows(1)
    valid = everything(signal)
    valid[:, gone] = False
    _, found = model_channels(signal, valid, torch.ones(3, dtype=torch.bool), frame="principal")
    acc_gone = gone < 3
    assert not found[:, 6 if acc_gone else 9].any(), "a norm of two axes is no norm"
    assert found[:, 9 if acc_gone else 6].all()
    assert found[:, :3].any(-1).sum() == (6 if acc_gone else 9), "as many principal axes as axes were measured"


def test_without_gravity_nothing_is_vertical() -> None:
    signal = windows(2)
    _, found = model_channels(signal, everything(signal), torch.zeros(3, dtype=torch.bool))
    assert not found[:, VERTICAL].any()
    assert found[:, [6, 9]].all()


@given(st.integers(0, 1000), st.floats(-1e6, 1e6))
def test_values_that_were_not_measured_change_nothing(seed: int, junk: float) -> None:
    signal = windows(seed)
    valid = torch.rand(signal.shape, generator=torch.Generator().manual_seed(seed)) < 0.8
    gravity = torch.ones(3, dtype=torch.bool)
    one, _ = model_channels(signal, valid, gravity)
    other, _ = model_channels(torch.where(valid, signal, junk), valid, gravity)
    torch.testing.assert_close(one, other)


def test_every_channel_has_its_own_words() -> None:
    for frame in DESCRIPTIONS:
        words = descriptions(frame, derived=True)
        assert len(set(words)) == len(words) == 12
