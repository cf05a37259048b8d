"""What every stage of training does around its updates: go on where it was, average, write down, save, tell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import AdamW

from kinelex.errors import BadRecipe
from kinelex.training.averaging import AveragedWeights
from kinelex.training.metrics import MetricsLog
from kinelex.training.pretraining.recipe import PretrainRecipe
from kinelex.training.recipe import Recipe
from kinelex.training.state import resume_state, save_state

Update = Callable[[int], Mapping[str, float]]
"""One update of the weights; it is given how many came before, and tells its loss and what else is to be logged."""


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


@runtime_checkable
class Kept(Protocol):
    """A part of a run that remembers, beside weights and moments: a memory bank, running means, a loss scale."""

    def state(self) -> Mapping[str, Tensor]:
        """What is to be saved to go on, under names that no other part has."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what all parts saved; from nothing where the run begins."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many updates there are, and after which of them something is done.

    Args:
        steps: updates in all.
        batch_windows: windows per update.
        average_from: share of the updates after which weights are averaged; after the last one they always are.
        save_every: updates between two states to resume from.
        log_every: updates between two lines of metrics.
    """

    steps: int
    batch_windows: int
    average_from: float
    save_every: int
    log_every: int

    @classmethod
    def of(cls, recipe: Recipe | PretrainRecipe) -> Schedule:
        """What a recipe says of it."""
        return cls(
            steps=recipe.steps,
            batch_windows=recipe.batch_windows,
            average_from=recipe.averaging.start_share,
            save_every=recipe.save_every,
            log_every=recipe.log_every,
        )


@dataclass(frozen=True, eq=False)
class Learner:
    """Everything that updates change: a state of it is all that going on needs.

    Args:
        model: what learns.
        optimizer: of its weights.
        average: of its weights, which is what is used in the end.
        kept: whatever else remembers.
    """

    model: nn.Module
    optimizer: AdamW
    average: AveragedWeights
    kept: tuple[Kept, ...] = ()

    def resume(self, states: Path, run_hash: str) -> int:
        """Take in the newest whole state of this run; returns how many updates it has seen, 0 without any."""
        more: dict[str, Tensor] = {}
        done = resume_state(states, run_hash, self.model, self.average, self.optimizer, more)
        for part in self.kept:
            part.load(more)
        return done

    def save(self, states: Path, step: int, run_hash: str) -> None:
        """Write the state after so many updates."""
        more = {name: value for part in self.kept for name, value in part.state().items()}
        save_state(states, step, run_hash, self.model, self.average, self.optimizer, more)


@dataclass(frozen=True, eq=False)
class Measure:
    """What is looked at now and then while a run goes on, and logged.

    Args:
        every: updates between two looks; there is one after the last update, none before weights are averaged.
        values: what was found; it must not change the weights.
    """

    every: int
    values: Callable[[], Mapping[str, float]]


def run_updates(
    schedule: Schedule,
    learner: Learner,
    update: Update,
    folder: Path | None,
    run_hash: str,
    *,
    measure: Measure | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Do the updates of a run that are not done yet; the same call again ends in the same bits.

    An update must be a function of its number and of the learner, and everything must run on the same threads with
    deterministic kernels, see `kinelex.training.machine.reproducible`.

    Args:
        schedule: how many updates, and when to do what.
        learner: what they change; it is brought to where an earlier life of the run had come.
        update: does one of them.
        folder: of the run; metrics.jsonl and states are kept there. Nothing is kept when left out.
        run_hash: of everything that decides the weights: states of other runs are passed over.
        measure: what else is looked at.
        progress: called after every update.

    Raises:
        BadRecipe: the loss is no number any more.
    """
    done = 0 if folder is None else learner.resume(folder / "states", run_hash)
    log = None if folder is None else MetricsLog(folder / "metrics.jsonl", done)
    begun = time.monotonic()
    for step in range(done + 1, schedule.steps + 1):
        last = step == schedule.steps
        values = dict(update(step - 1))
        if step - 1 >= schedule.average_from * schedule.steps or last:
            learner.average.update(learner.model)
        if not math.isfinite(values["loss"]):
            raise BadRecipe(f"the loss is {values['loss']} after step {step}: lower the learning rate")
        if log is not None and (step % schedule.log_every == 0 or last):
            log.write(step=step, **values)
        if log is not None and measure is not None and learner.average.weights and (step % measure.every == 0 or last):
            log.write(step=step, **measure.values())
            learner.model.train()
        if folder is not None and (step % schedule.save_every == 0 or last):
            learner.save(folder / "states", step, run_hash)
        if progress is not None:
            rate = (step - done) / (time.monotonic() - begun)
            left_s = (schedule.steps - step) / rate
            progress(Progress(step, schedule.steps, values["loss"], rate * schedule.batch_windows, left_s))
