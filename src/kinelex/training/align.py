"""Training of the aligned model: windows towards the texts of their labels."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.optim import AdamW

from kinelex.artifact import write_json
from kinelex.errors import BadRecipe
from kinelex.language.encoder import TextEncoder
from kinelex.language.vocabulary import Vocabulary
from kinelex.model.aligned import AlignedModel
from kinelex.model.channels import descriptions
from kinelex.model.checkpoint import Checkpoint
from kinelex.model.placements import PLACEMENT_TEXTS
from kinelex.training.averaging import AveragedWeights
from kinelex.training.batches import Batches
from kinelex.training.corpus import Corpus
from kinelex.training.curves import draw_curves
from kinelex.training.metrics import MetricsLog, read_metrics
from kinelex.training.objectives.alignment import alignment_loss, target_matrix
from kinelex.training.prototypes import label_prototypes
from kinelex.training.randomness import seed_of, torch_generator
from kinelex.training.recipe import Recipe
from kinelex.training.state import fast_bf16, resume_state, save_state
from kinelex.training.text import TrainingText, encode_labels


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Args:
        step: updates done.
        steps: updates in all.
        loss: of the last update.
        windows_per_s: since the run was started or resumed.
        left_s: seconds left at that rate.
    """

    step: int
    steps: int
    loss: float
    windows_per_s: float
    left_s: float


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
        BadRecipe: the corpus is on another grid, or the folder holds a run of another recipe.
    """
    folder = Path(folder)
    vocabulary = vocabulary or Vocabulary.standard()
    if corpus.grid_hz != recipe.model.grid_hz:
        raise BadRecipe(f"the corpus has {corpus.grid_hz:g} Hz and the recipe's model {recipe.model.grid_hz:g} Hz")
    batches = Batches(corpus, recipe, vocabulary)
    text = encode_labels(batches.labels, vocabulary, encoder, center=recipe.targets.center)
    run_hash = _claim(folder, recipe, _inputs(corpus, batches, text))

    with _reproducible(recipe.threads):
        model = _new_model(recipe, encoder)
        optimizer = _optimizer(model, recipe)
        average = AveragedWeights(recipe.averaging.decay)
        done = resume_state(folder / "states", run_hash, model, average, optimizer)
        log = MetricsLog(folder / "metrics.jsonl", done)
        target = target_matrix(text.means, text.group, recipe.targets)
        begun = time.monotonic()
        for step in range(done, recipe.steps):
            loss, norm = _update(step, recipe, batches, text, target, model, optimizer)
            if step >= recipe.averaging.start_share * recipe.steps:
                average.update(model)
            if not math.isfinite(loss):
                raise BadRecipe(f"the loss is {loss} after step {step + 1}: lower optimizer.learning_rate")
            last = step + 1 == recipe.steps
            if (step + 1) % recipe.log_every == 0 or last:
                log.write(step=step + 1, loss=loss, gradient_norm=norm, scale=float(model.scale.detach()))
            if score is not None and average.weights and ((step + 1) % score_every == 0 or last):
                log.write(step=step + 1, **score(_checkpoint(recipe, average, text, encoder, batches)))
                model.train()
            if (step + 1) % recipe.save_every == 0 or last:
                save_state(folder / "states", step + 1, run_hash, model, average, optimizer)
            if progress is not None:
                elapsed = time.monotonic() - begun
                rate = (step + 1 - done) / elapsed
                windows_per_s, left_s = rate * recipe.batch_windows, (recipe.steps - step - 1) / rate
                progress(Progress(step + 1, recipe.steps, loss, windows_per_s, left_s))
    draw_curves(
        read_metrics(folder / "metrics.jsonl"), folder / "curves.png", title=f"{recipe.name}, seed {recipe.seed}"
    )
    with _reproducible(recipe.threads):
        return _checkpoint(recipe, average, text, encoder, batches)


def _update(
    step: int,
    recipe: Recipe,
    batches: Batches,
    text: TrainingText,
    target: torch.Tensor,
    model: AlignedModel,
    optimizer: AdamW,
) -> tuple[float, float]:
    """One update of the weights; returns the loss and the norm of the gradient."""
    torch.manual_seed(seed_of(recipe.seed, step, "dropout"))
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, recipe)
    batch = batches.at(step)
    if recipe.targets.prompts == "sample":
        labels = text.sample(torch_generator(recipe.seed, step, "prompts"))
    else:
        labels = text.means
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_uses_bf16(recipe)):
        windows = model(batch.signal, batch.valid, batch.gravity, batch.placement)
    loss = alignment_loss(
        windows, labels, batch.label, target, model.scale, windows_per_label=recipe.targets.windows_per_label
    )
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.optimizer.clip_norm)
    optimizer.step()
    return float(loss.detach()), float(norm)


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    optimizer = recipe.optimizer
    warm = min(1.0, (step + 1) / max(1, optimizer.warmup_steps))
    return optimizer.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))


def _new_model(recipe: Recipe, encoder: TextEncoder) -> AlignedModel:
    torch.manual_seed(seed_of(recipe.seed, 0, "weights"))
    channels = descriptions(recipe.model.frame, derived=recipe.model.derived_channels)
    model = AlignedModel(
        recipe.model,
        torch.from_numpy(encoder.encode(list(channels))),
        torch.from_numpy(encoder.encode(list(PLACEMENT_TEXTS))),
    )
    return model.train()


def _optimizer(model: AlignedModel, recipe: Recipe) -> AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return AdamW(
        [
            {"params": matrices, "weight_decay": recipe.optimizer.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=recipe.optimizer.learning_rate,
        betas=(0.9, 0.98),
    )


def _checkpoint(
    recipe: Recipe, average: AveragedWeights, text: TrainingText, encoder: TextEncoder, batches: Batches
) -> Checkpoint:
    model = _new_model(recipe, encoder)
    model.load_state_dict(average.weights)
    model.eval()
    return Checkpoint(
        name=recipe.name,
        model=model,
        labels=text.table,
        text_space=replace(text.space, anchors=text.phrases, prototypes=label_prototypes(model, batches, recipe)),
        text_encoder=f"{encoder.name}@{encoder.revision}",
        trained_on=recipe.train,
    )


def _uses_bf16(recipe: Recipe) -> bool:
    return recipe.precision == "bf16" or (recipe.precision == "auto" and fast_bf16())


def _inputs(corpus: Corpus, batches: Batches, text: TrainingText) -> dict[str, str]:
    """What a run learns from, as hashes."""
    words = hashlib.sha256(repr(text.labels).encode())
    words.update(text.prompts.numpy().tobytes())
    words.update(text.group.numpy().tobytes())
    recordings = hashlib.sha256(repr(batches.tracks).encode())
    for track in batches.tracks:
        recordings.update(corpus.samples[track.start : track.start + track.steps].tobytes())
    return {"recordings": recordings.hexdigest(), "words": words.hexdigest()}


def _claim(folder: Path, recipe: Recipe, inputs: dict[str, str]) -> str:
    """Write down what the run in this folder is, and check that one that is there already ends in the same weights."""
    path, inputs_path = folder / "recipe.json", folder / "inputs.json"
    if path.is_file():
        try:
            before = Recipe.model_validate_json(path.read_bytes())
            learned: dict[str, str] = json.loads(inputs_path.read_bytes())
        except (ValueError, OSError):
            before, learned = None, {}
        if before is None or _of_weights(before) != _of_weights(recipe):
            raise BadRecipe(f"'{folder}' holds a run of another recipe: choose another folder, or remove it")
        if other := [what for what in inputs if learned.get(what) != inputs[what]]:
            raise BadRecipe(
                f"'{folder}' holds a run with other {' and '.join(other)}: choose another folder, or remove it"
            )
    write_json(inputs_path, inputs)
    write_json(path, recipe.model_dump(mode="json"))
    return hashlib.sha256((_of_weights(recipe) + json.dumps(inputs)).encode()).hexdigest()


def _of_weights(recipe: Recipe) -> str:
    """The part of a recipe that decides the weights, as text: how sure they are read to be is no part of it."""
    return recipe.model_dump_json(exclude={"temperature"})


@contextmanager
def _reproducible(threads: int) -> Iterator[None]:
    """A fixed number of threads and deterministic kernels, so that sums come out the same each time."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
