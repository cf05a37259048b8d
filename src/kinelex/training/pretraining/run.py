"""Pretraining, the first stage: an encoder learns from signal alone, and the training with labels may begin with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch.optim import AdamW

from kinelex.artifact import remove_leftovers
from kinelex.errors import BadRecipe
from kinelex.language.encoder import TextEncoder, identity
from kinelex.language.vocabulary import Vocabulary
from kinelex.model.aligned import AlignedModel
from kinelex.model.descriptions import Descriptions
from kinelex.training.averaging import AveragedWeights
from kinelex.training.batches import Batches
from kinelex.training.claim import claim, recordings_hash
from kinelex.training.corpus import Corpus
from kinelex.training.loop import Learner, Progress, Schedule, run_updates
from kinelex.training.machine import Precision, device_of, reproducible
from kinelex.training.metrics import read_metrics
from kinelex.training.pretraining.curves import draw_pretraining
from kinelex.training.pretraining.encoder import FOLDER, save_pretrained
from kinelex.training.pretraining.recipe import PretrainRecipe
from kinelex.training.pretraining.step import Pretrainer, PretrainingStep
from kinelex.training.randomness import seed_of
from kinelex.training.updates import adamw, learning_rate, patch_length


def pretrain(
    recipe: PretrainRecipe,
    corpus: Corpus,
    folder: str | Path,
    *,
    encoder: TextEncoder,
    progress: Callable[[Progress], None] | None = None,
) -> AlignedModel:
    """Pretrain an encoder, or go on with the run in `folder`; the result is the same to the bit.

    Args:
        recipe: everything that decides the result.
        corpus: the training signal, on the grid of the recipe's model; what is done in it has no part in this.
        folder: the run: resolved recipe, metrics, curves, states to resume from, and in the end the encoder.
        encoder: the frozen text encoder, which says what channels and placements mean.
        progress: called after every update.

    Returns:
        A model whose encoder has the averaged weights, as they were written into the run's folder; its head has learned
        nothing.

    Raises:
        BadRecipe: the corpus is on another grid, or the folder holds a run of another recipe.
    """
    folder = Path(folder)
    if corpus.grid_hz != recipe.model.grid_hz:
        raise BadRecipe(f"the corpus has {corpus.grid_hz:g} Hz and the recipe's model {recipe.model.grid_hz:g} Hz")
    drawn = recipe.as_recipe()
    device = device_of(drawn)
    batches = Batches(corpus, drawn, _any_names(), device)
    described = Descriptions.encoded(recipe.model, encoder)
    inputs = {"recordings": recordings_hash(corpus, batches.tracks), "words": _words_hash(described, encoder)}
    run_hash = claim(folder, recipe, inputs)
    remove_leftovers(folder)

    with reproducible(recipe.threads):
        learning = _new(recipe, described).to(device)
        objective, precision = PretrainingStep(recipe), Precision(drawn, device)
        optimizer, average = adamw(learning, recipe.optimizer), AveragedWeights(recipe.averaging.decay)

        def update(step: int) -> dict[str, float]:
            return _update(step, recipe, batches, objective, learning, optimizer, precision)

        learner = Learner(learning, optimizer, average, (objective, precision))
        run_updates(Schedule.of(recipe), learner, update, folder, run_hash, progress=progress)
        result = _new(recipe, described)
        result.load_state_dict(average.weights)
    title = f"{recipe.name}, seed {recipe.seed}"
    draw_pretraining(read_metrics(folder / "metrics.jsonl"), folder / "curves.png", title=title)
    save_pretrained(folder / FOLDER, result.model, name=recipe.name, trained_on=recipe.train)
    return result.model.eval()


def _update(
    step: int,
    recipe: PretrainRecipe,
    batches: Batches,
    objective: PretrainingStep,
    learning: Pretrainer,
    optimizer: AdamW,
    precision: Precision,
) -> dict[str, float]:
    """One update of the weights; returns what is logged of it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, recipe)
    torch.manual_seed(seed_of(recipe.seed, step, "dropout"))
    loss, values = objective.loss(learning, batches.at(step), step, precision, patch_length(step, recipe))
    optimizer.zero_grad()
    precision.backward(loss)
    norm = precision.update(optimizer, learning, recipe.optimizer.clip_norm)
    return {**values, "gradient_norm": norm}


def _new(recipe: PretrainRecipe, described: Descriptions) -> Pretrainer:
    torch.manual_seed(seed_of(recipe.seed, 0, "weights"))
    return Pretrainer(recipe.model, described, recipe.contrast.width).train()


def _any_names() -> Vocabulary:
    """A vocabulary that takes any activity's name, since none is learned from."""
    return Vocabulary.standard().model_copy(update={"official": {}})


def _words_hash(described: Descriptions, encoder: TextEncoder) -> str:
    words = hashlib.sha256(identity(encoder).encode())
    for vectors in (described.channels, described.placements, described.tokens):
        words.update(vectors.numpy().tobytes())
    return words.hexdigest()
