"""What is hidden from a model that learns to fill gaps: single patches, spans of them, whole channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Generator, Tensor

Share = Annotated[float, Field(ge=0, le=1)]


class Masking(BaseModel):
    """Which tokens are hidden; one of three strategies is drawn for each window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patches: Share = Field(0.4, description="Share of windows that lose random patches, in all channels.")
    spans: Share = Field(0.4, description="Share of windows that lose spans of patches, in all channels.")
    channels: Share = Field(0.2, description="Share of windows that lose whole channels, and a few patches beside.")
    patch_ratio: Share = Field(0.3, description="How much of a window's patches is hidden, by patches or by spans.")
    shortest_span: int = Field(2, ge=1, description="Patches in the shortest span.")
    longest_span: int = Field(4, ge=1, description="Patches in the longest span.")
    channel_ratio: Share = Field(0.3, description="How much of a window's channels is dropped, at least one.")
    beside_ratio: Share = Field(0.15, description="How much of the patches is hidden in the channels that stay.")

    @model_validator(mode="after")
    def _consistent(self) -> Masking:
        if abs(self.patches + self.spans + self.channels - 1) > 1e-6:
            raise ValueError(f"patches + spans + channels is {self.patches + self.spans + self.channels:g}, not 1")
        if self.shortest_span > self.longest_span:
            raise ValueError(f"shortest_span {self.shortest_span} is longer than longest_span {self.longest_span}")
        return self


@dataclass(frozen=True, eq=False)
class Hidden:
    """The tokens that a model does not see.

    Args:
        tokens: all of them.
        dropped: those of them that are hidden because their whole channel is.
    """

    tokens: Bool[Tensor, "window patch channel"]
    dropped: Bool[Tensor, "window patch channel"]


def hide(valid: Bool[Tensor, "window patch channel"], masking: Masking, generator: Generator) -> Hidden:
    """Choose the tokens to hide; a window that has any valid token keeps one in sight.

    Ratios are of what is valid, rounded to whole patches or channels. Patches that overlap tell of each other: hide by
    patches only where they lie side by side.

    Args:
        valid: which tokens rest on signal; others are never hidden, since they are not seen anyway.
        masking: the strategies.
        generator: source of randomness, on any device; how much is drawn depends on the shape only.

    Source: the published aligned model, structured masking of its first stage, there with one strategy per batch.
    """
    windows, patches, channels = valid.shape

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device).to(valid.device)

    strategy = draw(windows)[:, None, None]
    present = valid.any(2)
    single = _some(present, _count(present, masking.patch_ratio, least=1), draw(windows, patches))
    spanned = _spans(present, masking, draw(windows, patches), draw(windows, patches))
    measured = valid.any(1)
    gone = _some(measured, _count(measured, masking.channel_ratio, least=1), draw(windows, channels))[:, None] & valid
    rest = (valid & ~gone).any(2)
    beside = _some(rest, _count(rest, masking.beside_ratio, least=0), draw(windows, patches))

    by_channel = strategy >= masking.patches + masking.spans
    by_patch = torch.where(strategy < masking.patches, single[:, :, None], spanned[:, :, None])
    tokens = torch.where(by_channel, gone | beside[:, :, None], by_patch) & valid
    return Hidden(tokens, gone & by_channel)


def _count(there: Bool[Tensor, "window item"], ratio: float, *, least: int) -> Int[Tensor, " window"]:
    """How many of a window's items the ratio comes to; one always stays."""
    total = there.sum(1)
    return (ratio * total).round().long().clamp(min=least if ratio > 0 else 0).minimum(total - 1).clamp(min=0)


def _some(
    there: Bool[Tensor, "window item"], count: Int[Tensor, " window"], draws: Float[Tensor, "window item"]
) -> Bool[Tensor, "window item"]:
    """So many of the items that are there, the ones with the smallest draws."""
    rank = draws.masked_fill(~there, 2.0).argsort(1).argsort(1)
    return there & (rank < count[:, None])


def _spans(
    present: Bool[Tensor, "window patch"],
    masking: Masking,
    length_draws: Float[Tensor, "window patch"],
    place_draws: Float[Tensor, "window patch"],
) -> Bool[Tensor, "window patch"]:
    """Spans at random places, counted along the patches that are present.

    Lengths are drawn until the ratio is used up. A window is then a row of items, spans and single patches that stay;
    every order of them is equally likely.
    """
    total = present.sum(1)
    wanted = _count(present, masking.patch_ratio, least=masking.shortest_span)[:, None]
    drawn = masking.shortest_span + (length_draws * (masking.longest_span - masking.shortest_span + 1)).long()
    left = wanted - (drawn.cumsum(1) - drawn)
    # A rest too short for a span stays in sight; only the one span of a very short window is cut below the shortest.
    length = drawn.minimum(left) * (left >= wanted.clamp(max=masking.shortest_span))
    spans = (length > 0).sum(1)
    items = total - length.sum(1) + spans
    numbers = torch.arange(place_draws.shape[1], device=present.device)
    is_span = _some(numbers < items[:, None], spans, place_draws)
    which = (is_span.cumsum(1) - 1).clamp(min=0)
    ends = torch.where(is_span, length.gather(1, which), 1).cumsum(1)
    # The item that each patch is part of.
    order = (present.cumsum(1) - 1).clamp(min=0)
    item = torch.searchsorted(ends, order, right=True).clamp(max=place_draws.shape[1] - 1)
    return present & is_span.gather(1, item)
