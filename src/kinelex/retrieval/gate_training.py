"""How a gate is trained: from arrays alone, within seconds; neither model nor memory is touched.

Whoever makes the arrays decides whether they are honest: no window may have been among its own neighbors, better none
of its own person, and the model's answers should be as unsure as they will be for strangers. A gate that was shown
windows which find themselves learns that retrieval is always right.

There is no state to resume from: the same call again takes as long as reading one would, and ends in the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.optim import AdamW

from kinelex.errors import BadLabels, BadRecipe
from kinelex.retrieval.compat import Compat, NamedCompat
from kinelex.retrieval.gate import Gate, GateConfig, GateNetwork, TrainedFor
from kinelex.retrieval.gate_examples import GateExamples, Rows, held_out_windows, learnable
from kinelex.retrieval.gate_losses import GateLosses, Losses, classification_loss
from kinelex.training.machine import reproducible
from kinelex.training.randomness import numpy_generator, seed_of
from kinelex.training.recipe import Readable

FIXED_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""What a gate is compared with: the same weight for every window, as in the paper's sensitivity analysis."""


class GateRecipe(Readable):
    """How a gate is trained."""

    epochs: int = Field(20, gt=0, description="Times that every window is seen, at most.")
    patience: int = Field(5, gt=0, description="Epochs without a better one on the held-out slice, before it stops.")
    held_out: float = Field(
        0.2, ge=0, lt=0.5, description="Share of the windows that it is stopped by: of whole persons where known."
    )
    batch_windows: int = Field(256, gt=1, description="Windows per update, at most.")
    learning_rate: float = Field(1e-3, gt=0, description="Of AdamW; 1e-4 as published.")
    weight_decay: float = Field(0.05, ge=0, description="On matrices only.")
    hidden: int = Field(128, gt=0, description="Width of the hidden layer.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of hidden units that are left out in training.")
    seed: int = Field(0, ge=0, description="Decides every random choice.")
    compat: NamedCompat = Field(
        default_factory=Compat, description="Quirks of the public code to keep; mora-code for all of them."
    )


@dataclass(frozen=True, slots=True)
class Epoch:
    """How far an epoch has led.

    Args:
        number: 1 for the first.
        total: mean of what was minimized, over the batches.
        classification: likewise of this loss.
        alignment: likewise.
        sparsity: likewise.
        held_out: classification loss on the held-out slice after it; NaN without one.
    """

    number: int
    total: float
    classification: float
    alignment: float
    sparsity: float
    held_out: float


@dataclass(frozen=True, eq=False)
class GateTraining:
    """A gate, and what its training was like.

    Args:
        gate: the weights of the best epoch: on the held-out slice, or without one by what was minimized.
        curve: every epoch.
        best: number of the epoch that was kept.
        windows: how many it learned from.
        held_out: ``(window,)`` which of all windows were held out.
        fixed: classification loss on the held-out slice, or without one on all windows, of the weights that are the
            same for every window. A gate that does not get below the least of them is not worth having.
    """

    gate: Gate
    curve: tuple[Epoch, ...]
    best: int
    windows: int
    held_out: NDArray[np.bool_]
    fixed: dict[float, float]


def train_gate(
    examples: GateExamples,
    recipe: GateRecipe | None = None,
    trained_for: TrainedFor | None = None,
    *,
    progress: Callable[[Epoch], None] | None = None,
) -> GateTraining:
    """Train a gate; the result is a function of what is given, to the bit.

    Args:
        examples: what it learns from.
        recipe: the defaults when left out.
        trained_for: kept with the gate, see `TrainedFor`.
        progress: called after every epoch.

    Raises:
        BadSamples: shapes that do not match, rows that are no probabilities, infinite features, or fewer than two
            windows in which both model and neighbors say something.
        BadLabels: a class that the probabilities do not have, or another number of labels than classes.
        BadRecipe: the loss is no number any more.
    """
    recipe, trained_for = recipe or GateRecipe(), trained_for or TrainedFor()
    rows, usable = learnable(examples)
    if trained_for.labels and len(trained_for.labels) != (classes := rows.p_model.shape[1]):
        raise BadLabels(f"the gate is said to be for {len(trained_for.labels)} labels, and there are {classes} classes")
    share = 0.0 if recipe.compat.one_epoch else recipe.held_out
    subjects = None if examples.subjects is None else [examples.subjects[i] for i in np.flatnonzero(usable)]
    held = held_out_windows(len(rows), subjects, share, recipe.seed)
    learned, kept_out = (rows.at(np.flatnonzero(part)) for part in (~held, held))
    trained_for = trained_for.model_copy(update={"compat": recipe.compat})
    with reproducible(1):
        run = _Run(learned, kept_out, recipe)
        curve = run.epochs(progress)
        judged = kept_out if len(kept_out) else learned
        fixed = {weight: _fixed_loss(judged, weight, recipe.compat) for weight in FIXED_WEIGHTS}
    everywhere = np.zeros(len(usable), dtype=np.bool_)
    everywhere[np.flatnonzero(usable)[held]] = True
    return GateTraining(
        gate=Gate(run.network, trained_for),
        curve=tuple(curve),
        best=run.best,
        windows=len(learned),
        held_out=everywhere,
        fixed=fixed,
    )


class _Run:
    """The updates of one training."""

    def __init__(self, learned: Rows, held_out: Rows, recipe: GateRecipe) -> None:
        self.learned, self.held_out, self.recipe = learned, held_out, recipe
        torch.manual_seed(seed_of(recipe.seed, 0, "weights of a gate"))
        config = GateConfig(
            features=learned.features.shape[1],
            hidden=recipe.hidden,
            dropout=recipe.dropout,
            normalization=recipe.compat.normalization,
        )
        self.network = GateNetwork(config).double()
        self.network.standardize_by(learned.features)
        count = torch.bincount(learned.classes, minlength=learned.p_model.shape[1])
        self.losses = GateLosses(count.double() / count.sum(), recipe.compat)
        learning = [*self.network.parameters(), *self.losses.parameters()]
        self.optimizer = AdamW(
            [
                {"params": [p for p in learning if p.ndim > 1], "weight_decay": recipe.weight_decay},
                {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=(0.9, 0.999),
        )
        # Batch norm needs at least two windows in every batch.
        self.batches = max(1, min(math.ceil(len(learned) / recipe.batch_windows), len(learned) // 2))
        self.step = 0
        self.best = 0

    def epochs(self, progress: Callable[[Epoch], None] | None) -> list[Epoch]:
        """All epochs until it stops; the network ends as it was after the best."""
        curve: list[Epoch] = []
        least, weights = math.inf, deepcopy(self.network.state_dict())
        for number in range(1, (1 if self.recipe.compat.one_epoch else self.recipe.epochs) + 1):
            epoch = self.epoch(number)
            curve.append(epoch)
            if progress is not None:
                progress(epoch)
            judged = epoch.held_out if len(self.held_out) else epoch.total
            if judged < least:
                self.best, least, weights = number, judged, deepcopy(self.network.state_dict())
            if len(self.held_out) and number - self.best >= self.recipe.patience:
                break
        self.network.load_state_dict(weights)
        return curve

    def epoch(self, number: int) -> Epoch:
        """See every window once."""
        order = numpy_generator(self.recipe.seed, number, "order of a gate's windows").permutation(len(self.learned))
        seen = [self.update(self.learned.at(part)) for part in np.array_split(order, self.batches)]
        means = np.mean(seen, axis=0)
        if not np.isfinite(means).all():
            raise BadRecipe(f"the loss of the gate is {means[0]} in epoch {number}: lower learning_rate")
        total, classification, alignment, sparsity = (float(mean) for mean in means)
        return Epoch(number, total, classification, alignment, sparsity, self.held_out_loss())

    def update(self, batch: Rows) -> tuple[float, float, float, float]:
        """One step of the optimizer; returns the losses before it."""
        torch.manual_seed(seed_of(self.recipe.seed, self.step, "dropout of a gate"))
        self.step += 1
        self.network.train()
        found: Losses = self.losses(self.network(batch.features), batch.p_model, batch.p_retrieved, batch.classes)
        self.optimizer.zero_grad()
        found.total.backward()
        self.optimizer.step()
        total, classification, alignment, sparsity = (
            float(loss.detach()) for loss in (found.total, found.classification, found.alignment, found.sparsity)
        )
        return total, classification, alignment, sparsity

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Classification loss on the held-out slice."""
        if not len(self.held_out):
            return math.nan
        self.network.eval()
        return _loss(self.held_out, self.network(self.held_out.features), self.recipe.compat)


def _loss(rows: Rows, gate_logit: Tensor, compat: Compat) -> float:
    found = classification_loss(
        gate_logit, rows.p_model, rows.p_retrieved, rows.classes, mixed_logits=compat.mixed_logits
    )
    return float(found)


def _fixed_loss(rows: Rows, weight: float, compat: Compat) -> float:
    return _loss(rows, torch.full((len(rows),), weight, dtype=torch.float64).logit(), compat)
