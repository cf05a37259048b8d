"""Two views of a patch are nearer to each other than to any other patch; and how this adds to another loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def patch_contrast(
    one: Float[Tensor, "window patch width"],
    other: Float[Tensor, "window patch width"],
    valid: Bool[Tensor, "window patch"],
    *,
    temperature: float = 0.2,
) -> Float[Tensor, ""]:
    """NT-Xent over all valid patches of a batch in two views.

    Every patch of either view picks its other view out of all patches of both, itself excluded. It knows no labels: two
    patches of the same movement push each other away, which is why it belongs before alignment and not beside it.

    Args:
        one: projected patches; need not be unit vectors, anything where not valid.
        other: the same patches, seen otherwise.
        valid: which patches rest on signal, in both views.
        temperature: divides the cosines.

    Returns:
        The mean over both views of all valid patches; 0 for a single patch, which has nothing to be taken for, and for
        none.

    Source: SimCLR (Chen et al. 2020, sec. 2.1, eq. 1); the published aligned model, first stage.
    """
    there = valid.flatten().repeat(2)
    views = torch.cat([one.flatten(0, 1), other.flatten(0, 1)]).masked_fill(~there[:, None], 0.0)
    views = F.normalize(views, dim=1)
    numbers = torch.arange(len(views), device=views.device)
    pair = numbers.roll(len(views) // 2)
    # Its own pair is seen even by a patch that is not valid, so that no row is empty; its row does not count.
    seen = (there[None] | (pair[:, None] == numbers)) & (numbers[:, None] != numbers)
    logits = (views @ views.T / temperature).masked_fill(~seen, -torch.inf)
    loss = -logits.log_softmax(1).gather(1, pair[:, None])[:, 0]
    return torch.where(there, loss, 0.0).sum() / there.sum().clamp(min=1)


class BalancedSum:
    """A sum of losses, each divided by its own running mean, so that none outweighs the others by its scale.

    Total = sum of loss / EMA(loss). The means carry no gradient, begin at the first value, and skip zeros: a batch in
    which nothing was to be measured says nothing about the scale.

    Args:
        names: of the losses.
        decay: weight of the mean so far.

    Source: the published aligned model, first stage.
    """

    def __init__(self, names: tuple[str, ...], decay: float = 0.99) -> None:
        self.decay = decay
        self.means = {name: torch.zeros(()) for name in names}

    def __call__(self, losses: Mapping[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """Take the losses of a step into the means, and return their balanced sum."""
        parts = []
        for name in self.means:
            value = losses[name].detach()
            before = self.means[name].to(value)
            mean = torch.where(before == 0, value, self.decay * before + (1 - self.decay) * value)
            self.means[name] = mean = torch.where(value == 0, before, mean)
            parts.append(losses[name] / torch.where(mean == 0, 1.0, mean))
        return torch.stack(parts).sum()

    def state(self) -> dict[str, Tensor]:
        """The means, to save."""
        return dict(self.means)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from saved means."""
        self.means = {name: state[name].clone() for name in self.means}
