"""Fine-tuning: a trained model learns from labeled windows of its own user, sensor or data set.

A class stays the text that it is: windows are drawn to its vector, as in the training before, so that a class without
any example can still be recognized and a few examples cannot undo what is known. The number of updates is fixed: with
a few dozen windows an epoch is one update, and epochs that are counted end long before anything is learned.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW

from kinelex.artifact import write_json
from kinelex.errors import BadLabels, BadRecipe, BadSamples
from kinelex.model.aligned import AlignedModel
from kinelex.model.checkpoint import Checkpoint
from kinelex.model.config import ModelConfig
from kinelex.model.embedding import WindowInputs, window_inputs
from kinelex.signal import augmentation
from kinelex.signal.recording import Recording
from kinelex.signal.windows import windows_of
from kinelex.training.averaging import AveragedWeights
from kinelex.training.few_shot.heads import text_rows
from kinelex.training.few_shot.low_rank import add_low_rank, merge_low_rank
from kinelex.training.loop import Learner, Progress, Schedule, run_updates
from kinelex.training.machine import fast_bf16, reproducible
from kinelex.training.randomness import seed_of, torch_generator

Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LightAugmentation(_Section):
    """How far labeled windows stray: only as far as the same device on the same person would."""

    turn_deg: float = Field(15.0, ge=0, le=180, description="Windows are turned by up to this angle about any axis.")
    scale: float = Field(0.1, ge=0, lt=1, description="Amplitudes change by up to this share in half of the windows.")
    jitter: Share = Field(0.3, description="Share of windows with added sensor noise.")
    slower_rate: Share = Field(0.0, description="Share of windows low-passed as if recorded at 8 Hz or more.")
    drop_channels: Share = Field(0.0, description="Share of windows that lose single axes.")


class FineTuning(_Section):
    """How a model learns from labeled windows."""

    weights: Literal["all", "head", "low-rank"] = Field(
        "all",
        description="all: every weight; head: only the model's last part, which makes one vector of a window; low-rank:"
        " a matrix of low rank added to every linear layer.",
    )
    rank: int = Field(8, gt=0, description="Of the matrices that low-rank adds.")
    steps: int = Field(400, gt=0, description="Updates of the weights, however many windows there are.")
    batch_windows: int = Field(32, gt=0, description="Windows per update, or all when there are fewer.")
    learning_rate: float = Field(3e-4, gt=0, description="At its highest.")
    weight_decay: float = Field(0.01, ge=0, description="On matrices only.")
    warmup_steps: int = Field(20, ge=0, description="Steps of linear warm-up; half a cosine leads down to zero after.")
    clip_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")
    smoothing: Share = Field(0.05, description="Share of each window's target that is spread over all classes.")
    average_from: float = Field(0.25, ge=0, lt=1, description="Share of the steps after which averaging begins.")
    average_decay: float = Field(0.99, ge=0, lt=1, description="Weight of the average so far, per step.")
    keep: Share = Field(
        0.25, description="Share of the weights from before in the result: it recognizes other people better."
    )
    augmentation: LightAugmentation = Field(default_factory=LightAugmentation)
    seed: int = Field(0, ge=0, description="Decides every random choice.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the processor multiplies it fast, else fp32."
    )
    threads: int = Field(2, gt=0, description="CPU threads; part of the settings, because sums depend on it.")
    save_every: int = Field(100, gt=0, description="Steps between two states to resume from.")
    log_every: int = Field(10, gt=0, description="Steps between two lines of metrics.")


@dataclass(frozen=True, eq=False)
class LabeledWindows:
    """Windows to learn from.

    Args:
        inputs: their signal.
        label: number of each window's class.
    """

    inputs: WindowInputs
    label: Int[Tensor, " window"]


def labeled_windows(
    recordings: Sequence[Recording], classes: Sequence[str], window_s: float, config: ModelConfig
) -> LabeledWindows:
    """Windows inside the annotated intervals of recordings, side by side.

    Args:
        recordings: with intervals; an interval of less than half a window gives none.
        classes: the labels to learn, in the order of their numbers.
        window_s: length of the windows.
        config: of the model that is to learn.

    Raises:
        BadLabels: an interval has another label.
        BadSamples: no interval is long enough.
    """
    number = {label: i for i, label in enumerate(classes)}
    requests: list[tuple[Recording, NDArray[np.float64]]] = []
    labels: list[int] = []
    for recording in recordings:
        for interval in recording.intervals:
            if interval.label not in number:
                raise BadLabels(
                    f"recording '{recording.name}' has '{interval.label}', which is none of the classes: add it to them"
                )
            lasts_s = interval.end_s - interval.start_s
            if lasts_s < window_s / 2:
                continue
            starts = windows_of(lasts_s, window_s, keep_tail=False, name=recording.name)
            # Of its own, so that no window reaches into what follows.
            requests.append((recording.between(interval.start_s, interval.end_s), starts))
            labels += [number[interval.label]] * len(starts)
    if not labels:
        raise BadSamples(f"no annotated interval is at least {window_s / 2:g} s long: there is nothing to learn from")
    return LabeledWindows(window_inputs(requests, window_s, config), torch.tensor(labels))


def fine_tune(
    checkpoint: Checkpoint,
    windows: LabeledWindows,
    texts: NDArray[np.float32],
    settings: FineTuning | None = None,
    folder: str | Path | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Checkpoint:
    """Fine-tune a copy of a model, or go on with the run in `folder`; the result is the same to the bit.

    Args:
        checkpoint: where it starts; it stays as it is.
        windows: what it learns from.
        texts: ``(class, text)`` raw unit vectors of the text encoder, one per class.
        settings: the defaults when left out.
        folder: of the run; metrics and states to resume from are kept there. Nothing is kept when left out.
        progress: called after every update.

    Returns:
        The averaged weights, part of the way back to those before, to be used with the same texts: its text space and
        temperature are the ones it had.

    Raises:
        BadSamples: no labeled window has enough signal.
        BadLabels: a window's class has no text.
        BadRecipe: the folder holds a run with other settings or windows, or the loss is no number any more.
    """
    settings = settings or FineTuning()
    rows, label = _usable(checkpoint.model, windows, len(texts))
    run_hash = _claim(folder, settings, checkpoint, rows, label, texts)
    text, crowding = (torch.from_numpy(part).float() for part in text_rows(checkpoint, texts))
    count = torch.bincount(label, minlength=len(texts))
    share = torch.where(count > 0, len(label) / (count.clamp(min=1) * (count > 0).sum()), 0.0)
    with reproducible(settings.threads):
        model = _learner(checkpoint.model, settings)
        optimizer = _optimizer(model, settings)
        average = AveragedWeights(settings.average_decay)

        def update(step: int) -> dict[str, float]:
            chosen = _drawn(step, len(label), settings)
            signal, valid = _changed(rows, chosen, step, settings, model.config.grid_hz)
            torch.manual_seed(seed_of(settings.seed, step, "dropout"))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, settings)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=_uses_bf16(settings)):
                vectors = model(signal, valid, rows.gravity[chosen], rows.placement[chosen])
            logits = model.scale / checkpoint.temperature * (vectors @ text.T - crowding)
            loss = F.cross_entropy(logits, label[chosen], share, label_smoothing=settings.smoothing)
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
            optimizer.step()
            return {"loss": float(loss.detach()), "gradient_norm": float(norm)}

        schedule = Schedule(
            steps=settings.steps,
            batch_windows=min(settings.batch_windows, len(label)),
            average_from=settings.average_from,
            save_every=settings.save_every,
            log_every=settings.log_every,
        )
        learner = Learner(model, optimizer, average)
        run_updates(schedule, learner, update, None if folder is None else Path(folder), run_hash, progress=progress)
        tuned = checkpoint.described(model=_averaged(model, average, checkpoint.model))
    return between(checkpoint, tuned, settings.keep)


def between(before: Checkpoint, after: Checkpoint, keep: float) -> Checkpoint:
    """The model whose weights lie between those before a fine-tuning and those after it.

    What fine-tuning learns of a few people costs some of what the model knew of all others; on the straight line
    between the two there are models that know both.

    Args:
        before: where the fine-tuning started.
        after: where it ended.
        keep: the share of the weights from before.

    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", 2022, section 3.
    """
    old, new = before.model.state_dict(), after.model.state_dict()
    model = copy.deepcopy(after.model)
    model.load_state_dict(
        {name: old[name] + (1 - keep) * (t - old[name]) if t.is_floating_point() else t for name, t in new.items()}
    )
    return after.described(model=model.eval(), fingerprint=_hash_of(model.state_dict()))


def learning_rate(step: int, settings: FineTuning) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    return settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


def _usable(model: AlignedModel, windows: LabeledWindows, classes: int) -> tuple[WindowInputs, Int[Tensor, " row"]]:
    """The rows with enough signal, and their classes."""
    if len(windows.label) != windows.inputs.windows:
        raise BadSamples(f"{len(windows.label)} labels for {windows.inputs.windows} windows: pass one per window")
    if len(windows.label) and not 0 <= int(windows.label.min()) <= int(windows.label.max()) < classes:
        raise BadLabels(f"a labeled window is of class {int(windows.label.max())}, and there are {classes} texts")
    inputs = windows.inputs
    usable = model.has_tokens(inputs.valid) if len(inputs.owner) else torch.zeros(0, dtype=torch.bool)
    if not usable.any():
        raise BadSamples("no labeled window has enough signal to learn from: check its channels and units")
    kept = replace(
        inputs,
        signal=inputs.signal[usable],
        valid=inputs.valid[usable],
        gravity=inputs.gravity[usable],
        placement=inputs.placement[usable],
        owner=inputs.owner[usable],
    )
    return kept, windows.label[kept.owner]


def _learner(model: AlignedModel, settings: FineTuning) -> AlignedModel:
    """A copy in which only what is to change can change."""
    learner = copy.deepcopy(model).train()
    if settings.weights == "low-rank":
        add_low_rank(learner, settings.rank, settings.seed)
    elif settings.weights == "head":
        learner.requires_grad_(False)
        learner.pooling.requires_grad_(True)
    else:
        learner.requires_grad_(True)
    return learner


def _averaged(learner: AlignedModel, average: AveragedWeights, model: AlignedModel) -> AlignedModel:
    """A copy of the model with the averaged weights of the learner; what could not change is the same to the bit."""
    learned = {name for name, parameter in learner.named_parameters() if parameter.requires_grad}
    learner.load_state_dict({name: average.weights[name] for name in learned}, strict=False)
    merge_low_rank(learner)
    tuned = copy.deepcopy(model)
    tuned.load_state_dict(learner.state_dict())
    return tuned.eval()


def _optimizer(model: nn.Module, settings: FineTuning) -> AdamW:
    trained = [p for p in model.parameters() if p.requires_grad]
    return AdamW(
        [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )


def _drawn(step: int, rows: int, settings: FineTuning) -> Int[Tensor, " drawn"]:
    """The rows of an update: all of them in a new order again and again, so that each is seen as often as any other."""
    size = min(settings.batch_windows, rows)
    first = step * size
    rounds = range(first // rows, (first + size - 1) // rows + 1)
    order = [torch.randperm(rows, generator=torch_generator(settings.seed, turn, "windows")) for turn in rounds]
    return torch.cat(order)[first - rounds[0] * rows :][:size]


def _changed(
    rows: WindowInputs, chosen: Int[Tensor, " drawn"], step: int, settings: FineTuning, grid_hz: float
) -> tuple[Float[Tensor, "drawn 6 step"], Bool[Tensor, "drawn 6 step"]]:
    change = settings.augmentation
    generator = torch_generator(settings.seed, step, "augmentation")
    signal, valid = rows.signal[chosen], rows.valid[chosen]
    signal, valid = augmentation.rotate(signal, valid, generator, max_angle=math.radians(change.turn_deg))
    signal = augmentation.slower_rate(signal, generator, grid_hz=grid_hz, share=change.slower_rate)
    signal = augmentation.scale(signal, generator, most=change.scale)
    signal = augmentation.jitter(signal, generator, share=change.jitter)
    valid = augmentation.drop_channels(valid, generator, share=change.drop_channels)
    return signal.masked_fill(~valid, 0.0), valid


def _uses_bf16(settings: FineTuning) -> bool:
    return settings.precision == "bf16" or (settings.precision == "auto" and fast_bf16())


def _claim(
    folder: str | Path | None,
    settings: FineTuning,
    checkpoint: Checkpoint,
    rows: WindowInputs,
    label: Int[Tensor, " row"],
    texts: NDArray[np.float32],
) -> str:
    """Write down what the run in this folder is, and check that one that is there already ends in the same weights."""
    if folder is None:
        return ""
    windows = {"signal": rows.signal, "valid": rows.valid, "gravity": rows.gravity, "placement": rows.placement}
    run = {
        "settings": settings.model_dump(mode="json", exclude={"save_every", "log_every"}),
        "model": _hash_of(checkpoint.model.state_dict()),
        "temperature": checkpoint.temperature,
        "windows": _hash_of({**windows, "label": label}),
        "texts": _hash_of({"raw": torch.from_numpy(texts)}),
    }
    path = Path(folder) / "fine-tuning.json"
    if path.is_file():
        try:
            before = json.loads(path.read_bytes())
        except ValueError:
            before = {}
        if other := [what for what in run if before.get(what) != run[what]]:
            raise BadRecipe(
                f"'{folder}' holds a run with other {' and '.join(other)}: choose another folder, or remove it"
            )
    else:
        write_json(path, run)
    return hashlib.sha256(json.dumps(run).encode()).hexdigest()


def _hash_of(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
