"""TS2Vec: dilated convolutions that learn, without labels, to tell moments and windows from each other at every scale.

Source: Yue et al., "TS2Vec: Towards universal representation of time series", AAAI 2022, section 2. This is an
implementation of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from kinelex.backbones.contract import ACC_GYRO, InputContract

TS2VEC_CONTRACT = InputContract(
    rate_hz=25.0, channels=ACC_GYRO, missing="masked", gravity="either", needs=("acc", "gyro")
)


KERNEL = 3


class TS2VecConfig(BaseModel):
    """The network and its training; defaults are the published ones but for the depth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(64, gt=0, description="Width of the hidden layers.")
    depth: int = Field(
        6,
        gt=0,
        description="Residual blocks before the last; each sees twice as far (10 as published, for longer series).",
    )
    dim: int = Field(320, gt=0, description="Length of a window's vector.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the numbers of each vector that training leaves out.")
    masked: float = Field(0.5, ge=0, lt=1, description="Share of the samples that training hides from each view.")
    steps: int = Field(600, ge=0, description="Training steps.")
    batch: int = Field(16, gt=1, description="Windows in a training step.")
    learning_rate: float = Field(1e-3, gt=0, description="Of AdamW, constant.")
    seed: int = Field(0, ge=0, description="What all randomness is a function of.")


class TS2Vec(nn.Module):
    """The encoder: a vector for every sample, which knows what is around it.

    Args:
        channels: rows of its input.
        config: its shape.
    """

    def __init__(self, channels: int, config: TS2VecConfig) -> None:
        super().__init__()
        self.project = nn.Conv1d(channels, config.width, 1)
        widths = [config.width] * (config.depth + 1) + [config.dim]
        self.blocks = nn.ModuleList(_Block(widths[i], widths[i + 1], dilation=2**i) for i in range(config.depth + 1))

    def forward(
        self, signal: Float[Tensor, "clip channel step"], seen: Bool[Tensor, "clip step"]
    ) -> Float[Tensor, "clip step dim"]:
        """Vectors of all samples; one that is not seen is zero after the projection (section 2.3)."""
        hidden: Tensor = self.project(signal) * seen[:, None]
        for block in self.blocks:
            hidden = block(hidden)
        return rearrange(hidden, "clip dim step -> clip step dim")


class _Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int, wider: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, wider, KERNEL, padding="same", dilation=dilation)
        self.second = nn.Conv1d(wider, wider, KERNEL, padding="same", dilation=dilation)
        self.shortcut = nn.Identity() if width == wider else nn.Conv1d(width, wider, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = self.second(F.gelu(self.first(F.gelu(hidden)))) + self.shortcut(hidden)
        return changed


def hierarchical_loss(
    first: Float[Tensor, "clip step dim"], second: Float[Tensor, "clip step dim"]
) -> Float[Tensor, ""]:
    """The contrast of two views of the same moments, averaged over scales (algorithm 1).

    At each scale a moment's other view is to be nearer than the other moments of the window (equation 1), and than the
    same moment of other windows of the batch (equation 2). Then every two steps become one by their maximum, until one
    is left, where windows alone are compared.

    Nothing here knows labels: windows of one activity are pushed apart like any others, which is what a backbone
    without labels has to live with.

    Args:
        first, second: vectors of the same samples from two views.
    """
    losses = []
    while True:
        across_windows = _contrast(rearrange(first, "b t d -> t b d"), rearrange(second, "b t d -> t b d"))
        if first.shape[1] == 1:
            losses.append(across_windows / 2)
            return torch.stack(losses).mean()
        losses.append((across_windows + _contrast(first, second)) / 2)
        first, second = (F.max_pool1d(view.transpose(1, 2), 2).transpose(1, 2) for view in (first, second))


def _contrast(first: Float[Tensor, "set item dim"], second: Float[Tensor, "set item dim"]) -> Float[Tensor, ""]:
    """Cross-entropy of finding each item's other view among all other items of its set, both views of them."""
    items = first.shape[1]
    if items == 1:
        return first.new_zeros(())
    views = torch.cat([first, second], dim=1)
    likeness = torch.einsum("s i d, s j d -> s i j", views, views)
    itself = torch.eye(2 * items, dtype=torch.bool, device=views.device)
    chance = F.log_softmax(likeness.masked_fill(itself, -torch.inf), dim=2)
    number = torch.arange(2 * items, device=views.device)
    return -chance[:, number, (number + items) % (2 * items)].mean()
