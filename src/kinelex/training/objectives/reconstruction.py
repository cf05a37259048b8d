"""Filling in what was hidden: the error of predicted patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinelex.training.masking import Hidden

Level = Literal["physical", "normalized"]

_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """How well hidden tokens were predicted.

    Args:
        loss: mean squared error over all tokens that count: what is minimized.
        patches: the same over patches hidden in channels that are otherwise seen, without gradient.
        channels: the same over dropped channels, without gradient, whether they count or not.
    """

    loss: Float[Tensor, ""]
    patches: Float[Tensor, ""]
    channels: Float[Tensor, ""]


def reconstruction_loss(
    predicted: Float[Tensor, "window patch channel step"],
    signal: Float[Tensor, "window patch channel step"],
    measured: Bool[Tensor, "window patch channel step"],
    hidden: Hidden,
    *,
    level: Level = "physical",
    dropped_channels: bool = True,
) -> Reconstruction:
    """Mean squared error of the hidden tokens, each of which counts alike.

    A dropped channel can only be told from the others, so counting it teaches what sensors have to do with each other.

    Args:
        predicted: what the model says that the patches are.
        signal: what they are, on the model's scales; anything where not measured.
        measured: which samples were; of a token that misses some, the others count.
        hidden: the tokens that the model did not see. Seen ones do not count, nor those without any sample.
        level: physical predicts the signal itself; normalized, as published, each patch less its mean and over its
            standard deviation, so that posture and energy need not be predicted.
        dropped_channels: whether tokens of dropped channels count; as published, they do not.

    Returns:
        Errors, 0 where nothing counts.

    Source: masked autoencoders (He et al. 2022, sec. 3, "Reconstruction target"); the published aligned model, first
    stage.
    """
    count = measured.sum(3, keepdim=True).clamp(min=1)
    target = signal.masked_fill(~measured, 0.0)
    if level == "normalized":
        mean = target.sum(3, keepdim=True) / count
        centered = (target - mean).masked_fill(~measured, 0.0)
        # Beside its floor the rounding of a constant channel is nothing.
        target = centered / (centered.square().sum(3, keepdim=True) / count + _LEAST_VARIANCE).sqrt()
    error = (predicted - target).masked_fill(~measured, 0.0).square().sum(3) / count[..., 0]  # (window, patch, channel)
    there = hidden.tokens & measured.any(3)
    patches, channels = there & ~hidden.dropped, there & hidden.dropped
    loss = _mean(error, there if dropped_channels else patches)
    return Reconstruction(loss, _mean(error.detach(), patches), _mean(error.detach(), channels))


def _mean(
    error: Float[Tensor, "window patch channel"], counts: Bool[Tensor, "window patch channel"]
) -> Float[Tensor, ""]:
    return torch.where(counts, error, 0.0).sum() / counts.sum().clamp(min=1)
