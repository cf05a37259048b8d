"""The channels of one placement as the model sees them: six measured ones and those derived from them.

Measured axes depend on how the device is turned; norms and parts along gravity do not. Where a derived channel needs
what was not measured (all three axes; gravity for the vertical), it is masked, never zero-filled.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinelex.model.config import Frame
from kinelex.signal.gravity import STANDARD_GRAVITY

MEASURED = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")

DESCRIPTIONS: dict[Frame, tuple[str, ...]] = {
    "measured": (
        "accelerometer along the x axis",
        "accelerometer along the y axis",
        "accelerometer along the z axis",
        "gyroscope about the x axis",
        "gyroscope about the y axis",
        "gyroscope about the z axis",
    ),
    "principal": (
        "acceleration along the direction in which it changes most",
        "acceleration along the second direction of change",
        "acceleration along the direction in which it changes least",
        "rotation about the axis it turns about most",
        "rotation about the second axis of turning",
        "rotation about the axis it turns about least",
    ),
}
"""The first six model channels in words, per frame."""

DERIVED = (
    "magnitude of acceleration",
    "vertical acceleration, along gravity",
    "horizontal acceleration, across gravity",
    "magnitude of rotation",
    "rotation about the vertical",
    "rotation about horizontal axes, tilting",
)
"""The derived model channels in words."""

GYRO_SCALE = 2.0
"""rad/s that count as one, as 9.81 m/s² do for acceleration: typical of a swinging limb."""

SCALES = (1 / STANDARD_GRAVITY,) * 3 + (1 / GYRO_SCALE,) * 3
"""Per channel; derived channels come in the same order of sensors."""


def descriptions(frame: Frame, *, derived: bool) -> tuple[str, ...]:
    """What every model channel measures, in words and in order."""
    return DESCRIPTIONS[frame] + (DERIVED if derived else ())


def model_channels(
    signal: Float[Tensor, "window 6 step"],
    valid: Bool[Tensor, "window 6 step"],
    gravity: Bool[Tensor, " window"],
    *,
    frame: Frame = "measured",
    derived: bool = True,
) -> tuple[Float[Tensor, "window channel step"], Bool[Tensor, "window channel step"]]:
    """Turn into the wanted frame, add the derived channels, and scale.

    Args:
        signal: acc x, y, z in m/s² and gyro x, y, z in rad/s; anything where not valid.
        valid: which samples were measured.
        gravity: whether the window's acceleration contains gravity.
        frame: measured keeps the device's axes; principal turns each sensor to its own axes of greatest change within
            the window, which do not depend on how the device was turned, and takes its mean out.
        derived: also give the six derived channels.

    Returns:
        Scaled channels in the order of `descriptions` (0 where not valid), and which samples are valid.
    """
    signal = signal.masked_fill(~valid, 0.0)
    axes, axes_valid = (signal, valid) if frame == "measured" else _principal(signal, valid)
    scales = torch.tensor(SCALES, dtype=signal.dtype, device=signal.device)[:, None]
    channels, channels_valid = axes * scales, axes_valid
    if derived:
        extra, extra_valid = _derived(signal, valid, gravity)
        channels = torch.cat([channels, extra * scales], 1)
        channels_valid = torch.cat([channels_valid, extra_valid], 1)
    return channels.masked_fill(~channels_valid, 0.0), channels_valid


def _principal(
    signal: Float[Tensor, "window 6 step"], valid: Bool[Tensor, "window 6 step"]
) -> tuple[Float[Tensor, "window 6 step"], Bool[Tensor, "window 6 step"]]:
    """Each sensor along its principal axes; as many are valid as axes were measured.

    An axis has no natural sign: it is turned so that the larger excursions are positive (third moment).
    """
    sensors, measured = signal.unflatten(1, (2, 3)), valid.unflatten(1, (2, 3))  # (window, sensor, axis, step)
    present = measured.any(-1)  # (window, sensor, axis)
    together = (measured | ~present[..., None]).all(2) & present.any(-1)[..., None]  # (window, sensor, step)
    count = together.sum(-1).clamp(min=1)[..., None]
    sensors = sensors * together[:, :, None]
    centered = (sensors - (sensors.sum(-1) / count)[..., None]) * (together[:, :, None] & present[..., None])
    covariance = torch.einsum("wsit,wsjt->wsij", centered, centered) / count[..., None]
    # A missing axis has no variance and so comes last; distinct tiny ridges keep equal variances in a fixed order.
    ridge = torch.tensor([3e-6, 2e-6, 1e-6], device=signal.device)
    basis = torch.linalg.eigh(covariance + torch.diag(ridge)).eigenvectors.flip(-1)
    along = torch.einsum("wsit,wsij->wsjt", centered, basis.detach())
    sign = torch.where(along.pow(3).sum(-1, keepdim=True) < 0, -1.0, 1.0)
    rank = torch.arange(3, device=signal.device)
    along_valid = (rank < present.sum(-1, keepdim=True))[..., None] & together[:, :, None]
    return (along * sign).flatten(1, 2), along_valid.flatten(1, 2)


def _derived(
    signal: Float[Tensor, "window 6 step"], valid: Bool[Tensor, "window 6 step"], gravity: Bool[Tensor, " window"]
) -> tuple[Float[Tensor, "window 6 step"], Bool[Tensor, "window 6 step"]]:
    acc, gyro = signal[:, :3], signal[:, 3:]
    acc_valid, gyro_valid = valid[:, :3].all(1), valid[:, 3:].all(1)  # (window, step)
    steps = acc_valid.sum(-1).clamp(min=1)
    mean = (acc * acc_valid[:, None]).sum(-1) / steps[
        :, None
    ]  # (window, 3): over a window, gravity in the device's frame
    level = mean.norm(dim=-1).clamp(min=1e-6)
    down = mean / level[:, None]
    has_down = gravity & (level > 0.3 * STANDARD_GRAVITY)

    acc_norm = acc.norm(dim=1)
    acc_down = (acc * down[:, :, None]).sum(1)
    acc_flat = (acc_norm.square() - acc_down.square()).clamp(min=0).sqrt()
    gyro_norm = gyro.norm(dim=1)
    gyro_down = (gyro * down[:, :, None]).sum(1)
    gyro_flat = (gyro_norm.square() - gyro_down.square()).clamp(min=0).sqrt()

    rest = torch.where(gravity, STANDARD_GRAVITY, 0.0)[:, None]
    extra = torch.stack([acc_norm - rest, acc_down - level[:, None], acc_flat, gyro_norm, gyro_down, gyro_flat], dim=1)
    with_down = has_down[:, None]
    extra_valid = torch.stack(
        [
            acc_valid,
            acc_valid & with_down,
            acc_valid & with_down,
            gyro_valid,
            gyro_valid & acc_valid & with_down,
            gyro_valid & acc_valid & with_down,
        ],
        dim=1,
    )
    return extra, extra_valid
