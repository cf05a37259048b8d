"""Batched changes that a real recording could have come with: another way to wear the device, another device.

Every function takes windows of one placement, ``signal (window, 6, step)`` with acc x, y, z in m/s² and gyro x, y, z in
rad/s, and a `torch.Generator` on the same device; nothing here keeps a random state of its own. Each draws per window
and touches a share of the windows only. Values that are not valid may be anything before and after.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

Signal = Float[Tensor, "window 6 step"]
Valid = Bool[Tensor, "window 6 step"]


def _chosen(windows: int, share: float, generator: Generator) -> Bool[Tensor, " window"]:
    return torch.rand(windows, generator=generator, device=generator.device) < share


def random_rotations(windows: int, generator: Generator, *, max_angle: float = torch.pi) -> Float[Tensor, "window 3 3"]:
    """Rotations about uniformly drawn axes: uniform over SO(3), or by at most `max_angle` radians.

    Args:
        windows: how many.
        generator: source of randomness.
        max_angle: pi draws uniformly from all rotations (unit quaternions); less draws the angle up to it.
    """
    drawn = torch.randn(windows, 4, generator=generator, device=generator.device)
    quaternion = torch.nn.functional.normalize(drawn, dim=-1)
    if max_angle < torch.pi:
        axis = torch.nn.functional.normalize(quaternion[:, 1:], dim=-1)
        half = torch.rand(windows, 1, generator=generator, device=generator.device) * max_angle / 2
        quaternion = torch.cat([half.cos(), axis * half.sin()], dim=-1)
    w, x, y, z = quaternion.unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).view(windows, 3, 3)


def rotate(
    signal: Signal, valid: Valid, generator: Generator, *, share: float = 1.0, max_angle: float = torch.pi
) -> tuple[Signal, Valid]:
    """Turn the device on the body: one rotation per window, shared by all sensors of the placement.

    A sensor with a missing axis cannot be turned and is left as it is.
    """
    turns = random_rotations(len(signal), generator, max_angle=max_angle)
    turns = torch.where(_chosen(len(signal), share, generator)[:, None, None], turns, torch.eye(3, device=turns.device))
    sensors = signal.unflatten(1, (2, 3))  # (window, sensor, axis, step)
    whole = valid.unflatten(1, (2, 3)).any(-1).all(-1)  # (window, sensor)
    together = valid.unflatten(1, (2, 3)).all(2, keepdim=True).expand(-1, -1, 3, -1)
    turned = torch.einsum("wij,wsjt->wsit", turns, sensors.masked_fill(~together, 0.0))
    keep = whole[:, :, None, None]
    sensors = torch.where(keep, turned, sensors)
    return sensors.flatten(1, 2), torch.where(keep, together, valid.unflatten(1, (2, 3))).flatten(1, 2)


def jitter(
    signal: Signal, generator: Generator, *, share: float = 0.3, acc: float = 0.02, gyro: float = 0.005
) -> Signal:
    """Add sensor noise: standard deviation up to `acc` m/s² and `gyro` rad/s, drawn per window."""
    level = torch.rand(len(signal), 1, 1, generator=generator, device=generator.device)
    level = level * _chosen(len(signal), share, generator)[:, None, None]
    spread = torch.tensor([acc] * 3 + [gyro] * 3, device=signal.device)[:, None]
    return signal + torch.randn(signal.shape, generator=generator, device=generator.device) * spread * level


def scale(signal: Signal, generator: Generator, *, share: float = 0.5, most: float = 0.15) -> Signal:
    """Move more or less strongly, or carry an uncalibrated sensor: one factor within ``1 ± most`` per sensor."""
    factor = 1 + (torch.rand(len(signal), 2, generator=generator, device=generator.device) * 2 - 1) * most
    factor = torch.where(_chosen(len(signal), share, generator)[:, None], factor, 1.0)
    return signal * factor.repeat_interleave(3, dim=1)[:, :, None]


def slower_rate(
    signal: Signal, generator: Generator, *, grid_hz: float, share: float = 0.4, lowest_hz: float = 8.0
) -> Signal:
    """Record with a slower device: what lies above half of a rate drawn from `lowest_hz` to `grid_hz` is lost."""
    steps = signal.shape[-1]
    drawn = torch.rand(len(signal), 1, 1, generator=generator, device=generator.device)
    rate = lowest_hz * (grid_hz / lowest_hz) ** drawn
    edge = torch.where(_chosen(len(signal), share, generator)[:, None, None], rate / 2, grid_hz)
    mirrored = torch.cat([signal, signal.flip(-1)], dim=-1)  # periodic, so that the ends do not ring
    hz = torch.fft.rfftfreq(2 * steps, 1 / grid_hz, device=signal.device)
    gain = torch.sigmoid((edge - hz) * 6.0)
    slow: Tensor = torch.fft.irfft(torch.fft.rfft(mirrored) * gain, n=2 * steps)
    return slow[..., :steps]


def remove_gravity(
    signal: Signal,
    valid: Valid,
    gravity: Bool[Tensor, " window"],
    generator: Generator,
    *,
    grid_hz: float,
    share: float = 0.2,
    cutoff_hz: float = 0.25,
) -> tuple[Signal, Bool[Tensor, " window"]]:
    """Record with a device that reports linear acceleration: what is slower than `cutoff_hz` is taken out of acc.

    Returns:
        The signal, and whether gravity is still in it.
    """
    chosen = _chosen(len(signal), share, generator) & gravity
    acc = signal[:, :3]
    acc_valid = valid[:, :3]
    mean = (acc * acc_valid).sum(-1, keepdim=True) / acc_valid.sum(-1, keepdim=True).clamp(min=1)
    centered = (acc - mean) * acc_valid
    steps = acc.shape[-1]
    hz = torch.fft.rfftfreq(2 * steps, 1 / grid_hz, device=signal.device)
    slow = torch.fft.irfft(
        torch.fft.rfft(torch.cat([centered, centered.flip(-1)], dim=-1)) * (hz < cutoff_hz), n=2 * steps
    )[..., :steps]
    linear = torch.cat([centered - slow, signal[:, 3:]], dim=1)
    return torch.where(chosen[:, None, None], linear, signal), gravity & ~chosen


def drop_sensor(valid: Valid, generator: Generator, *, share: float = 0.25) -> Valid:
    """Record without a gyroscope, or (one time in five) without an accelerometer, where the other one is there."""
    has = valid.any(-1)
    both = has[:, :3].any(-1) & has[:, 3:].any(-1)
    chosen = _chosen(len(valid), share, generator) & both
    acc_goes = torch.rand(len(valid), generator=generator, device=generator.device) < 0.2
    lost = torch.stack([chosen & acc_goes, chosen & ~acc_goes], dim=1).repeat_interleave(3, dim=1)
    return valid & ~lost[:, :, None]


def drop_channels(valid: Valid, generator: Generator, *, share: float = 0.1) -> Valid:
    """Lose single axes: in the chosen windows each goes with probability one third, but never all of them."""
    chosen = _chosen(len(valid), share, generator)
    lost = (torch.rand(len(valid), 6, generator=generator, device=generator.device) < 1 / 3) & chosen[:, None]
    left = valid & ~lost[:, :, None]
    return torch.where(left.any(-1).any(-1)[:, None, None], left, valid)
