"""A stretch of one channel into one token, each channel by itself."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinelex.model.config import ModelConfig

MIN_VALID_SHARE = 0.5
"""A patch with less than this share of measured samples gives no token."""

_LOG_FLOOR = 2e-3
_QUIET = 0.05


class PatchTokenizer(nn.Module):
    """Patches of every channel to tokens: waveform, spectrum, and the level and spread that normalization would erase.

    A patch is described by its mean, the logarithm of its standard deviation, its samples around the mean, and the
    logarithm of its amplitude spectrum (Hann window), which does not depend on where in its cycle a movement was cut.
    Samples are divided by their own spread, but never by less than a twentieth of a unit: a still sensor's noise stays
    small. With ``normalization="zscore"`` mean and spread are withheld, as in the published recipe.
    """

    taper: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.steps, self.hop, self.zscore = config.patch_steps, config.hop_steps, config.normalization == "zscore"
        bins = self.steps // 2 + 1
        self.register_buffer("taper", torch.hann_window(self.steps, periodic=False), persistent=False)
        features = 2 + self.steps + bins
        self.project = nn.Sequential(
            nn.Linear(features, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )

    def forward(
        self, signal: Float[Tensor, "window channel step"], valid: Bool[Tensor, "window channel step"]
    ) -> tuple[Float[Tensor, "window patch channel width"], Bool[Tensor, "window patch channel"]]:
        """Return tokens and which of them rest on enough measured samples."""
        patches = signal.unfold(2, self.steps, self.hop).transpose(1, 2)  # (window, patch, channel, step)
        measured = valid.unfold(2, self.steps, self.hop).transpose(1, 2)
        share = measured.float().mean(-1)
        count = measured.sum(-1, keepdim=True).clamp(min=1)
        mean = patches.sum(-1, keepdim=True) / count
        centered = (patches - mean).masked_fill(~measured, 0.0)
        spread = (centered.square().sum(-1, keepdim=True) / count).sqrt()
        if self.zscore:
            centered = centered / spread.clamp(min=1e-6)
            mean, spread = torch.zeros_like(mean), torch.ones_like(spread)
        wave = centered / (spread + _QUIET)
        spectrum = torch.fft.rfft(centered * self.taper).abs() * (2.0 / self.steps)
        features = torch.cat([mean, _logarithm(spread), wave, _logarithm(spectrum)], dim=-1)
        return self.project(features), share >= MIN_VALID_SHARE


def _logarithm(amplitude: Tensor) -> Tensor:
    """Orders of magnitude, roughly between -1 and 1.5 for a body's motion."""
    return (amplitude + _LOG_FLOOR).log() / 3.0 + 1.0
