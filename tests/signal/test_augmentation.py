"""Augmentations change what a device could change, in as many windows as asked, and nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from kinelex.signal import augmentation
from kinelex.signal.gravity import STANDARD_GRAVITY

GRID_HZ = 25.0
STEPS = 150


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def windows(count: int = 64, seed: int = 1) -> tuple[Tensor, Tensor]:
    signal = torch.randn(count, 6, STEPS, generator=generator(seed))
    signal[:, 1] += STANDARD_GRAVITY
    return signal, torch.ones_like(signal, dtype=torch.bool)


@given(st.integers(0, 2**31))
def test_rotations_are_rotations(seed: int) -> None:
    for turns in (
        augmentation.random_rotations(8, generator(seed)),
        augmentation.random_rotations(8, generator(seed), max_angle=0.5),
    ):
        torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand(8, 3, 3), atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.linalg.det(turns), torch.ones(8), atol=1e-5, rtol=0)


def test_small_rotations_stay_small() -> None:
    turns = augmentation.random_rotations(500, generator(), max_angle=0.3)
    angle = ((turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).acos()
    assert angle.max() <= 0.3 + 1e-3
    assert angle.max() > 0.2


def test_all_sensors_of_a_placement_turn_together() -> None:
    signal, valid = windows()
    turned, _ = augmentation.rotate(signal, valid, generator())
    acc, gyro, acc_turned, gyro_turned = signal[:, :3], signal[:, 3:], turned[:, :3], turned[:, 3:]
    # Lengths, and angles between the two sensors, survive only a shared rotation.
    torch.testing.assert_close(acc.norm(dim=1), acc_turned.norm(dim=1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close((acc * gyro).sum(1), (acc_turned * gyro_turned).sum(1), atol=1e-3, rtol=1e-3)
    assert (signal - turned).abs().amax((1, 2)).min() > 0.1


def test_a_sensor_with_a_missing_axis_is_not_turned() -> None:
    signal, valid = windows()
    valid[:, 0] = False
    turned, still_valid = augmentation.rotate(signal, valid, generator())
    assert torch.equal(turned[:, 1:3], signal[:, 1:3])
    assert torch.equal(still_valid, valid)
    assert not torch.equal(turned[:, 3:], signal[:, 3:])


def test_a_missing_sample_of_one_axis_is_missing_in_all_after_turning() -> None:
    signal, valid = windows()
    valid[:, 2, 40] = False
    _, still_valid = augmentation.rotate(signal, valid, generator())
    assert not still_valid[:, :3, 40].any()
    assert still_valid[:, 3:].all()


def test_removing_gravity_leaves_the_movement() -> None:
    t = torch.arange(STEPS) / GRID_HZ
    signal, valid = windows(8)
    signal[:] = 0
    signal[:, 1] = STANDARD_GRAVITY + torch.sin(2 * torch.pi * 2 * t)
    gravity = torch.ones(8, dtype=torch.bool)
    linear, left = augmentation.remove_gravity(signal, valid, gravity, generator(), grid_hz=GRID_HZ, share=1.0)
    assert not left.any()
    assert linear[:, 1].mean().abs() < 0.05
    torch.testing.assert_close(linear[:, 1], signal[:, 1] - STANDARD_GRAVITY, atol=0.2, rtol=0)


def test_gravity_that_is_not_there_is_not_removed() -> None:
    signal, valid = windows(8)
    absent = torch.zeros(8, dtype=torch.bool)
    same, left = augmentation.remove_gravity(signal, valid, absent, generator(), grid_hz=GRID_HZ, share=1.0)
    assert torch.equal(same, signal)
    assert not left.any()


def test_a_slower_device_loses_fast_movement_and_keeps_slow() -> None:
    t = torch.arange(STEPS) / GRID_HZ
    slow, fast = torch.sin(2 * torch.pi * 1 * t), torch.sin(2 * torch.pi * 11 * t)
    signal = torch.stack([slow, fast] * 3)[None].repeat(32, 1, 1)
    found = augmentation.slower_rate(signal, generator(), grid_hz=GRID_HZ, share=1.0, lowest_hz=8.0)
    inner = slice(25, -25)
    assert (found[:, 0, inner] - slow[inner]).abs().max() < 0.1
    power = found[:, 1, inner].square().mean(-1) / fast[inner].square().mean()
    assert power.median() < 0.05
    assert power.max() <= 1.05


def test_scale_and_jitter_stay_within_what_was_asked() -> None:
    signal, _ = windows(200)
    factor = augmentation.scale(signal, generator(), share=1.0, most=0.1) / signal
    assert factor.min() >= 0.9 - 1e-4
    assert factor.max() <= 1.1 + 1e-4
    assert (factor[:, :3] - factor[:, :1, :1]).abs().max() < 1e-3, "the axes of a sensor scale together"
    noise = augmentation.jitter(signal, generator(), share=1.0, acc=0.5, gyro=0.05) - signal
    assert noise[:, :3].std(-1).max() < 0.6
    assert noise[:, 3:].std(-1).max() < 0.06
    assert noise[:, :3].std() > 0.1


def test_dropping_never_takes_everything() -> None:
    _, valid = windows(400)
    one = augmentation.drop_sensor(valid, generator(), share=1.0)
    has = one.any(-1)
    assert (has[:, :3].all(1) ^ has[:, 3:].all(1)).all(), "exactly one sensor is left"
    axes = augmentation.drop_channels(one, generator(), share=1.0).any(-1)
    assert axes.any(1).all()
    assert (axes.sum(1) < 3).any()
    acc_only = valid.clone()
    acc_only[:, 3:] = False
    assert torch.equal(augmentation.drop_sensor(acc_only, generator(), share=1.0), acc_only)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_windows_is_changed(share: float) -> None:
    signal, valid = windows(400)
    gravity = torch.ones(400, dtype=torch.bool)
    changed = {
        "rotate": augmentation.rotate(signal, valid, generator(), share=share)[0],
        "jitter": augmentation.jitter(signal, generator(), share=share),
        "scale": augmentation.scale(signal, generator(), share=share),
        "remove_gravity": augmentation.remove_gravity(
            signal, valid, gravity, generator(), grid_hz=GRID_HZ, share=share
        )[0],
    }
    for name, after in changed.items():
        found = ((after - signal).abs().amax((1, 2)) > 1e-6).float().mean()
        assert abs(found - share) < 0.08, name
    dropped = (augmentation.drop_sensor(valid, generator(), share=share) != valid).any(-1).any(-1).float().mean()
    assert abs(dropped - share) < 0.08


def test_the_same_generator_gives_the_same_windows() -> None:
    signal, valid = windows()
    one = augmentation.rotate(signal, valid, generator(5))[0]
    assert torch.equal(one, augmentation.rotate(signal, valid, generator(5))[0])
    assert not torch.equal(one, augmentation.rotate(signal, valid, generator(6))[0])
