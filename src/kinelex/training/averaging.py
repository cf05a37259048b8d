"""An exponential average of a model's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Follows a model; its average is what is kept, since single checkpoints swing from minute to minute.

    Early on the average is that of all weights so far, so that it does not remember its beginning for long.

    Source: Polyak & Juditsky 1992; warm-up of the decay as in EMA practice, ``min(decay, n / (n + 9))``.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.count = 0
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's weights as they are now."""
        self.count += 1
        state = model.state_dict()
        if not self.weights:
            self.weights = {name: tensor.detach().clone() for name, tensor in state.items()}
            return
        keep = min(self.decay, self.count / (self.count + 9))
        for name, tensor in state.items():
            if tensor.is_floating_point():
                self.weights[name].mul_(keep).add_(tensor.detach(), alpha=1 - keep)
