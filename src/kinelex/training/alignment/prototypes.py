"""Where the windows of each training label ended up: what a trained model tells crowded places in its text space by."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from kinelex.model.aligned import AlignedModel
from kinelex.training.batches import Batches
from kinelex.training.recipe import Recipe

WINDOWS = 4096
"""Training windows that are embedded for it."""


def label_prototypes(model: AlignedModel, batches: Batches, recipe: Recipe) -> NDArray[np.float32]:
    """Mean direction of the windows of each training label, ``(label, text)`` unit vectors.

    The windows are those of the batches that would have come next, changed as in training; a label that none of them
    carries has no prototype.

    Args:
        model: trained, in evaluation mode.
        batches: its training windows.
        recipe: how they were drawn.
    """
    total = torch.zeros(len(batches.labels), recipe.model.text_dim, device=batches.device)
    model = model.to(batches.device)
    with torch.no_grad():
        for step in range(recipe.steps, recipe.steps + -(-WINDOWS // recipe.batch_windows)):
            batch = batches.at(step)
            seen = model.has_tokens(batch.valid)
            windows = model(batch.signal, batch.valid, batch.gravity, batch.placement)
            total.index_add_(0, batch.label[seen], windows[seen])
    model.cpu()
    total = total.cpu()
    return np.asarray(F.normalize(total[total.abs().sum(1) > 0], dim=1).numpy(), dtype=np.float32)
