"""Small changes of big matrices: a product of two thin ones is added to every linear layer, and merged at the end."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from kinelex.training.randomness import torch_generator


class LowRank(nn.Module):
    """A matrix plus ``up @ down``; nothing at first, because `up` begins at zero.

    Source: Hu et al., "LoRA: low-rank adaptation of large language models", 2022, section 4.1.
    """

    def __init__(self, out: int, into: int, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.zeros(out, rank))
        self.down = nn.Parameter(torch.randn(rank, into, generator=generator) / into**0.5)

    def forward(self, matrix: Float[Tensor, "out into"]) -> Float[Tensor, "out into"]:
        """The changed matrix."""
        return matrix + self.up @ self.down


def add_low_rank(model: nn.Module, rank: int, seed: int) -> None:
    """Freeze all weights, and let every linear layer change by a matrix of this rank."""
    model.requires_grad_(False)
    generator = torch_generator(seed, 0, "low rank")
    for layer in _linear(model):
        change = LowRank(layer.out_features, layer.in_features, rank, generator)
        parametrize.register_parametrization(layer, "weight", change)


def merge_low_rank(model: nn.Module) -> None:
    """Make the changes part of the weights: the model has the tensors that it had before again."""
    for layer in _linear(model):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _linear(model: nn.Module) -> list[nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Linear)]
