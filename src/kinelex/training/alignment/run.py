"""Training of the aligned model: windows towards the texts of their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import AdamW

from kinelex.errors import BadRecipe
from kinelex.language.encoder import TextEncoder
from kinelex.language.vectors import label_vectors
from kinelex.language.vocabulary import Vocabulary
from kinelex.model.aligned import AlignedModel
from kinelex.model.checkpoint import Checkpoint, LabelTable
from kinelex.model.descriptions import Descriptions
from kinelex.training.alignment.curves import draw_curves
from kinelex.training.alignment.prototypes import label_prototypes
from kinelex.training.alignment.step import AlignmentStep
from kinelex.training.averaging import AveragedWeights
from kinelex.training.batches import Batch, Batches
from kinelex.training.claim import claim, recordings_hash
from kinelex.training.corpus import Corpus
from kinelex.training.loop import Learner, Measure, Progress, Schedule, run_updates
from kinelex.training.machine import Precision, compile_network, device_of, reproducible
from kinelex.training.metrics import read_metrics
from kinelex.training.pretraining.encoder import Pretrained, read_pretrained
from kinelex.training.randomness import seed_of
from kinelex.training.recipe import Recipe
from kinelex.training.text import TrainingText, encode_labels
from kinelex.training.updates import adamw, learning_rate, patch_length

Scores = Callable[[Checkpoint], Mapping[str, float]]


def train(
    recipe: Recipe,
    corpus: Corpus,
    folder: str | Path,
    *,
    encoder: TextEncoder,
    vocabulary: Vocabulary | None = None,
    progress: Callable[[Progress], None] | None = None,
    score: Scores | None = None,
    score_every: int = 500,
) -> Checkpoint:
    """Train a model, or go on with the run in `folder`; the result is the same to the bit.

    Args:
        recipe: everything that decides the result.
        corpus: the training signal, on the grid of the recipe's model.
        folder: the run: resolved recipe, metrics, curves, states to resume from.
        encoder: the frozen text encoder.
        vocabulary: what labels mean; the standard one when left out.
        progress: called after every update.
        score: measures a checkpoint on what was left out; its values go into the metrics. It must not train on it.
        score_every: updates between two scores.

    Returns:
        The averaged weights with the vocabulary's vectors, not calibrated yet.

    Raises:
        BadRecipe: the corpus is on another grid, the folder holds a run of another recipe, or the pretrained encoder
            has another shape or has seen what is left out.
    """
    folder = Path(folder)
    vocabulary = vocabulary or Vocabulary.standard()
    if corpus.grid_hz != recipe.model.grid_hz:
        raise BadRecipe(f"the corpus has {corpus.grid_hz:g} Hz and the recipe's model {recipe.model.grid_hz:g} Hz")
    device = device_of(recipe)
    batches = Batches(corpus, recipe, vocabulary, device)
    described = Descriptions.encoded(recipe.model, encoder)
    learned = recipe.model.label_side != "sentence"
    center = recipe.targets.center and not learned
    text = encode_labels(batches.labels, vocabulary, encoder, center=center, tokens=learned)
    pretrained = _begun_with(recipe)
    inputs = {"recordings": recordings_hash(corpus, batches.tracks), "words": _words_hash(text)}
    if pretrained is not None:
        inputs["pretrained"] = pretrained.fingerprint
    # How sure the weights are read to be is no part of them.
    run_hash = claim(folder, recipe, inputs, aside=["temperature"])

    with reproducible(recipe.threads):
        model = _new_model(recipe, described)
        if pretrained is not None:
            pretrained.into(model)
        model.to(device)
        if recipe.compile:
            compile_network(model)
        optimizer, average = adamw(model, recipe.optimizer), AveragedWeights(recipe.averaging.decay)
        objective, precision = AlignmentStep(recipe, text, device), Precision(recipe, device)
        trained_on = recipe.train if pretrained is None else tuple(dict.fromkeys(recipe.train + pretrained.trained_on))

        def checkpoint_now() -> Checkpoint:
            averaged = _new_model(recipe, described)
            averaged.load_state_dict(average.weights)
            return _checkpoint(recipe, averaged.eval(), text, encoder, batches, trained_on)

        def update(step: int) -> dict[str, float]:
            loss, norm = update_on(batches.at(step), step, recipe, objective, model, optimizer, precision)
            return {"loss": loss, "gradient_norm": norm, "scale": float(model.scale.detach())}

        run_updates(
            Schedule.of(recipe),
            Learner(model, optimizer, average, (objective, precision)),
            update,
            folder,
            run_hash,
            measure=None if score is None else Measure(score_every, lambda: score(checkpoint_now())),
            progress=progress,
        )
    draw_curves(
        read_metrics(folder / "metrics.jsonl"), folder / "curves.png", title=f"{recipe.name}, seed {recipe.seed}"
    )
    with reproducible(recipe.threads):
        checkpoint = checkpoint_now()
        return replace(checkpoint, labels=_table(checkpoint, text, encoder, vocabulary))


def update_on(
    batch: Batch,
    step: int,
    recipe: Recipe,
    objective: AlignmentStep,
    model: AlignedModel,
    optimizer: AdamW,
    precision: Precision,
) -> tuple[float, float]:
    """One update of the weights; returns the loss and the norm of the gradient.

    Args:
        batch: of this step.
        step: how many updates came before.
        recipe: learning rate, parts, patch lengths.
        objective: what the batch is compared with.
        model: what learns.
        optimizer: of its weights.
        precision: of the network.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, recipe)
    parts = batch.parts(recipe.micro_batches)
    patch_s = patch_length(step, recipe)

    def embed(part: int) -> tuple[Tensor, Tensor]:
        torch.manual_seed(seed_of(recipe.seed, step, f"dropout {part}"))
        with precision.autocast():
            return _vectors(model, parts[part], patch_s)

    def loss_of(vectors: Tensor, valid: Tensor) -> Tensor:
        return objective.loss(model, vectors, valid, batch.label, step)

    optimizer.zero_grad()
    if len(parts) == 1:
        loss = loss_of(*embed(0))
        precision.backward(loss)
    else:
        loss = _in_parts(embed, loss_of, len(parts), precision)
    norm = precision.update(optimizer, model, recipe.optimizer.clip_norm)
    objective.remember()
    return float(loss.detach()), norm


def _in_parts(
    embed: Callable[[int], tuple[Tensor, Tensor]],
    loss_of: Callable[[Tensor, Tensor], Tensor],
    count: int,
    precision: Precision,
) -> Tensor:
    """The gradient of a whole batch with the memory of a part: every window keeps all others as negatives.

    Windows are embedded part by part without a graph, the loss of all of them gives the gradient of each vector, and
    each part is embedded once more to pass it on, with the same dropout.

    Source: Gao et al., "Scaling deep contrastive learning batch size under memory limited setup", 2021.
    """
    with torch.no_grad():
        found = [embed(part) for part in range(count)]
    vectors = torch.cat([vectors for vectors, _ in found]).requires_grad_()
    loss = loss_of(vectors, torch.cat([valid for _, valid in found]))
    precision.backward(loss)
    gradient = vectors.grad
    if gradient is not None:
        for part, piece in enumerate(gradient.split([len(v) for v, _ in found])):
            embed(part)[0].backward(piece)
    return loss


def _vectors(model: AlignedModel, batch: Batch, patch_s: float | None) -> tuple[Tensor, Tensor]:
    """One vector per window, or per patch of it, and which of them stand for measured signal."""
    inputs = (batch.signal, batch.valid, batch.gravity, batch.placement, patch_s)
    if model.config.output == "patch":
        return model.patch_vectors(*inputs)
    windows: Tensor = model(*inputs)
    return windows[:, None], torch.ones(len(windows), 1, dtype=torch.bool, device=windows.device)


def _begun_with(recipe: Recipe) -> Pretrained | None:
    """The encoder that the recipe names, where it names one that it may begin with."""
    if recipe.pretrained is None:
        return None
    pretrained = read_pretrained(recipe.pretrained)
    pretrained.check(recipe)
    return pretrained


def _new_model(recipe: Recipe, described: Descriptions) -> AlignedModel:
    torch.manual_seed(seed_of(recipe.seed, 0, "weights"))
    return AlignedModel(recipe.model, described).train()


def _checkpoint(
    recipe: Recipe,
    model: AlignedModel,
    text: TrainingText,
    encoder: TextEncoder,
    batches: Batches,
    trained_on: tuple[str, ...],
) -> Checkpoint:
    space = text.space
    if recipe.model.label_side == "sentence" and recipe.targets.leaning:
        space = replace(space, anchors=text.phrases)
    if recipe.model.label_side == "sentence" and recipe.targets.crowding:
        space = replace(space, prototypes=label_prototypes(model, batches, recipe))
    return Checkpoint(
        name=recipe.name,
        model=model,
        labels=text.table,
        text_space=space,
        text_encoder=f"{encoder.name}@{encoder.revision}",
        trained_on=trained_on,
    )


def _table(checkpoint: Checkpoint, text: TrainingText, encoder: TextEncoder, vocabulary: Vocabulary) -> LabelTable:
    """The vectors of the vocabulary, as the checkpoint's label side sees them."""
    if checkpoint.model.label_pooling is None:
        return text.table
    learned = checkpoint.label_encoder(encoder)
    texts = text.table.texts
    return LabelTable(texts, label_vectors(texts, learned, vocabulary=vocabulary, synonyms=True, cache=False))


def _words_hash(text: TrainingText) -> str:
    words = hashlib.sha256(repr(text.labels).encode())
    words.update(text.prompts.numpy().tobytes())
    words.update(text.group.numpy().tobytes())
    return words.hexdigest()
