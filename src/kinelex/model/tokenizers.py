"""A stretch of one channel into one token, each channel by itself and all with the same weights."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinelex.model.config import ModelConfig
from kinelex.model.patches import standardized

_LOG_FLOOR = 2e-3
_QUIET = 0.05
_STRIDED_WIDTHS = (32, 64)
_CONV_KERNEL = 5


class PatchTokenizer(nn.Module):
    """Waveform, spectrum, and the level and spread that normalization would erase.

    A patch is described by its mean, the logarithm of its standard deviation, its samples around the mean, and the
    logarithm of its amplitude spectrum (Hann window), which does not depend on where in its cycle a movement was cut.
    Samples are divided by their own spread, but never by less than a twentieth of a unit: a still sensor's noise stays
    small. With ``normalization="zscore"`` mean and spread are withheld, as in the published recipe.
    """

    taper: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.points, self.zscore = config.points, config.normalization == "zscore"
        bins = self.points // 2 + 1
        self.register_buffer("taper", torch.hann_window(self.points, periodic=False), persistent=False)
        features = 2 + self.points + bins
        self.project = nn.Sequential(
            nn.Linear(features, 2 * config.width), nn.GELU(), nn.Linear(2 * config.width, config.width)
        )

    def forward(
        self,
        patches: Float[Tensor, "window patch channel point"],
        measured: Bool[Tensor, "window patch channel point"],
    ) -> Float[Tensor, "window patch channel width"]:
        """Tokens of patches."""
        count = measured.sum(-1, keepdim=True).clamp(min=1)
        mean = patches.sum(-1, keepdim=True) / count
        centered = (patches - mean).masked_fill(~measured, 0.0)
        spread = (centered.square().sum(-1, keepdim=True) / count).sqrt()
        if self.zscore:
            centered = centered / spread.clamp(min=1e-6)
            mean, spread = torch.zeros_like(mean), torch.ones_like(spread)
        wave = centered / (spread + _QUIET)
        spectrum = torch.fft.rfft(centered * self.taper).abs() * (2.0 / self.points)
        features = torch.cat([mean, _logarithm(spread), wave, _logarithm(spectrum)], dim=-1)
        tokens: Tensor = self.project(features)
        return tokens


class _Convolutional(nn.Module):
    """What the tokenizers of convolutions share: patches as rows, z-scored where the configuration says so."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.zscore = config.normalization == "zscore"

    def forward(
        self,
        patches: Float[Tensor, "window patch channel point"],
        measured: Bool[Tensor, "window patch channel point"],
    ) -> Float[Tensor, "window patch channel width"]:
        """Tokens of patches."""
        windows, count, channels, _ = patches.shape
        shaped = standardized(patches, measured) if self.zscore else patches.masked_fill(~measured, 0.0)
        rows = self.rows(rearrange(shaped, "window patch channel point -> (window patch channel) point"))
        return rearrange(
            rows, "(window patch channel) width -> window patch channel width",
            window=windows, patch=count, channel=channels,
        )  # fmt: skip

    def rows(self, patches: Float[Tensor, "row point"]) -> Float[Tensor, "row width"]:
        """Tokens of single patches."""
        raise NotImplementedError


class ConvTokenizer(_Convolutional):
    """Two convolutions and the mean over the patch: what occurs in it, whenever it does.

    Layers are normalized over the channels of one patch (group norm with one group) instead of over the batch, so that
    a token does not depend on what else is in its batch.

    Source: the published model (convolutions 1 → 64 → 128 of length 5, GELU, pooling, projection; its code has
    1 → 32 → 64).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.convolutions = _convolutions(config)
        self.project = nn.Sequential(nn.Linear(config.conv_widths[1], config.width), nn.GELU())

    def rows(self, patches: Float[Tensor, "row point"]) -> Float[Tensor, "row width"]:
        """Tokens of single patches."""
        tokens: Tensor = self.project(self.convolutions(patches[:, None]).mean(-1))
        return tokens


class SpectralTemporalTokenizer(_Convolutional):
    """Three quarters of the token from convolutions, a quarter from the amplitude spectrum.

    Each part is normalized by itself: raw amplitudes would drown the other one.

    Source: the later published models.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        spectral = config.width // 4
        self.convolutions = _convolutions(config)
        self.temporal = nn.Sequential(
            nn.Linear(config.conv_widths[1], config.width - spectral), nn.LayerNorm(config.width - spectral)
        )
        self.spectral = nn.Sequential(
            nn.Linear(config.points // 2 + 1, 2 * spectral),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * spectral, spectral),
            nn.LayerNorm(spectral),
        )

    def rows(self, patches: Float[Tensor, "row point"]) -> Float[Tensor, "row width"]:
        """Tokens of single patches."""
        waves = self.temporal(self.convolutions(patches[:, None]).mean(-1))
        return torch.cat([waves, self.spectral(torch.fft.rfft(patches).abs())], dim=-1)


class StridedTokenizer(_Convolutional):
    """Strided convolutions whose last outputs stay apart: a token knows in which order things happened."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        narrow, wide = _STRIDED_WIDTHS
        self.convolutions = nn.Sequential(
            nn.Conv1d(1, narrow, 8, stride=4, padding=4),
            nn.GroupNorm(1, narrow),
            nn.GELU(),
            nn.Conv1d(narrow, wide, 4, stride=2, padding=2),
            nn.GELU(),
        )
        after = (config.points // 4 + 1) // 2 + 1
        self.project = nn.Linear(wide * after, config.width)

    def rows(self, patches: Float[Tensor, "row point"]) -> Float[Tensor, "row width"]:
        """Tokens of single patches."""
        tokens: Tensor = self.project(self.convolutions(patches[:, None]).flatten(1))
        return tokens


def tokenizer(config: ModelConfig) -> nn.Module:
    """The tokenizer that a configuration names."""
    kinds: dict[str, type[nn.Module]] = {
        "features": PatchTokenizer,
        "cnn": ConvTokenizer,
        "spectral_temporal": SpectralTemporalTokenizer,
        "strided": StridedTokenizer,
    }
    return kinds[config.tokenizer](config)


def _convolutions(config: ModelConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 1
    for width in config.conv_widths:
        layers += [
            nn.Conv1d(before, width, _CONV_KERNEL, padding=_CONV_KERNEL // 2),
            nn.GroupNorm(1, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
        ]
        before = width
    return nn.Sequential(*layers)


def _logarithm(amplitude: Tensor) -> Tensor:
    """Orders of magnitude, roughly between -1 and 1.5 for a body's motion."""
    return (amplitude + _LOG_FLOOR).log() / 3.0 + 1.0
