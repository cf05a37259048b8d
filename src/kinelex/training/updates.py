"""What an update is made with: the optimizer, its learning rate, the length of patches."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import AdamW

from kinelex.training.pretraining.recipe import PretrainRecipe
from kinelex.training.randomness import numpy_generator
from kinelex.training.recipe import Optimizer, Recipe


def adamw(model: nn.Module, settings: Optimizer) -> AdamW:
    """The optimizer of all weights that may change; matrices alone decay."""
    learned = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in learned if p.ndim > 1]
    others = [p for p in learned if p.ndim <= 1]
    return AdamW(
        [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
    )


def learning_rate(step: int, recipe: Recipe | PretrainRecipe) -> float:
    """Linear warm-up, then half a cosine down to what is to be left."""
    optimizer = recipe.optimizer
    warm = min(1.0, (step + 1) / max(1, optimizer.warmup_steps))
    share = optimizer.end_share + (1 - optimizer.end_share) * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return optimizer.learning_rate * warm * share


def patch_length(step: int, recipe: Recipe | PretrainRecipe) -> float | None:
    """Seconds of the patches of an update, drawn among those of the recipe; none: the model's own."""
    lengths = recipe.augmentation.patch_s
    return float(numpy_generator(recipe.seed, step, "patch length").choice(lengths)) if lengths else None
