"""Windows into patches: stretches of every channel that become one token each."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinelex.model.config import ModelConfig

MIN_VALID_SHARE = 0.5
"""A patch with less than this share of measured samples gives no token."""

_FLAT = 1e-6


def cut_patches(
    signal: Float[Tensor, "window channel step"],
    valid: Bool[Tensor, "window channel step"],
    config: ModelConfig,
    patch_s: float | None = None,
) -> tuple[Float[Tensor, "window patch channel point"], Bool[Tensor, "window patch channel point"]]:
    """Cut windows into patches of the configured length, resized to the configured number of samples.

    Args:
        signal: on the model's grid; 0 where not valid.
        valid: which samples were measured.
        config: lengths, and how many samples a patch has.
        patch_s: another length in seconds than the configured one; needs `patch_points`.

    Returns:
        Patches, and which of their samples were measured.
    """
    if patch_s is None and config.points == config.patch_steps:
        patches = signal.unfold(2, config.patch_steps, config.hop_steps).transpose(1, 2)
        return patches, valid.unfold(2, config.patch_steps, config.hop_steps).transpose(1, 2)
    length = (config.patch_s if patch_s is None else patch_s) * config.grid_hz
    hop = length if config.hop_s is None else config.hop_s * config.grid_hz
    return _resized(signal, valid, length, hop, config.points)


def _resized(
    signal: Float[Tensor, "window channel step"],
    valid: Bool[Tensor, "window channel step"],
    length: float,
    hop: float,
    points: int,
) -> tuple[Float[Tensor, "window patch channel point"], Bool[Tensor, "window patch channel point"]]:
    """Patches of any length in steps, linearly between samples; each point stands for an equal part of the patch."""
    steps = signal.shape[2]
    count = max(1, int((steps - length) / hop + 1e-6) + 1)
    start = torch.arange(count, device=signal.device) * hop
    within = (torch.arange(points, device=signal.device) + 0.5) * (length / points) - 0.5
    at = (start[:, None] + within).clamp(0, steps - 1)  # (patch, point)
    left = at.floor().long()
    right = (left + 1).clamp(max=steps - 1)
    part = at - left
    patches = signal[:, :, left] * (1 - part) + signal[:, :, right] * part  # (window, channel, patch, point)
    measured = valid[:, :, left] & (valid[:, :, right] | (part == 0))
    return (patches * measured).transpose(1, 2), measured.transpose(1, 2)


def enough_measured(
    measured: Bool[Tensor, "window patch channel point"],
) -> Bool[Tensor, "window patch channel"]:
    """Which patches rest on enough measured samples to become a token."""
    return measured.float().mean(-1) >= MIN_VALID_SHARE


def standardized(
    patches: Float[Tensor, "window patch channel point"], measured: Bool[Tensor, "window patch channel point"]
) -> Float[Tensor, "window patch channel point"]:
    """Every patch of every channel with mean 0 and deviation 1, 0 where not measured: level and energy are gone.

    A patch that does not move stays 0, where a division by its rounding errors would make noise of it.

    Source: the published recipe's input.
    """
    count = measured.sum(-1, keepdim=True).clamp(min=1)
    mean = (patches * measured).sum(-1, keepdim=True) / count
    centered = (patches - mean).masked_fill(~measured, 0.0)
    spread = (centered.square().sum(-1, keepdim=True) / count).sqrt()
    return torch.where(spread > _FLAT, centered / spread.clamp(min=_FLAT), 0.0)
