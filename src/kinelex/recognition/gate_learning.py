"""A gate learned, and judged: whether it is worth having to people whom it did not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.recognition.gate_windows import Floats, GateWindows
from kinelex.recognition.gating import purpose
from kinelex.recognition.recognizer import Recognizer
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.gate import Gate
from kinelex.retrieval.gate_examples import GateExamples, held_out_windows
from kinelex.retrieval.gate_training import FIXED_WEIGHTS, GateRecipe, train_gate

LEAST_PEOPLE = 3
"""One to learn from, one to stop by, one to judge by."""

JUDGED = 0.2
"""The share of the windows that a gate is judged by, of whole people."""

_LEAST = 1e-12  # what a probability of zero counts where its logarithm is asked for, as in the gate's own loss


@dataclass(frozen=True, slots=True)
class Score:
    """How good answers are.

    Args:
        loss: mean negative log likelihood of the truth, in nats.
        accuracy: share of the windows whose most probable label is the true one.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class LearnedGate:
    """A gate, and what it is worth to people whom it did not learn from.

    Args:
        gate: what was learned.
        learned: windows and people it learned from, those it was stopped by included.
        judged: windows and people it was judged by.
        score: the gate's.
        fixed: of each weight that is the same for all windows; 0 are the words alone, 1 the examples.
        closed_form: of what stands in for a gate where there is none.
        weight: its mean weight of examples in the judged windows.
    """

    gate: Gate
    learned: tuple[int, int]
    judged: tuple[int, int]
    score: Score
    fixed: dict[float, Score]
    closed_form: Score
    weight: float

    @property
    def beaten_by(self) -> list[str]:
        """What is at least as good without a gate, in words; nothing where the gate is worth having."""
        best = min(self.fixed, key=lambda weight: self.fixed[weight].loss)
        others = {f"the fixed weight {best:g}": self.fixed[best], "the closed form": self.closed_form}
        return [name for name, score in others.items() if not self.score.loss < score.loss]


def learn_gate(
    recognizer: Recognizer, windows: GateWindows, recipe: GateRecipe | None = None, *, sets: Sequence[str] = ()
) -> LearnedGate:
    """Train a gate beside a model, and judge it by people who were set apart.

    Args:
        recognizer: who answered.
        windows: what it said.
        recipe: the defaults when left out.
        sets: names of the data sets that the windows are of, to be kept with the gate.

    Raises:
        BadSamples: too few people or windows.
    """
    recipe = recipe or GateRecipe()
    apart = _set_apart(windows, recipe.seed)
    mine = np.flatnonzero(~apart)
    examples = _at(windows.examples, mine)
    known_for = purpose(recognizer.encoder, windows.window_s).model_copy(
        update={"labels": windows.labels, "sets": tuple(sets)}
    )
    gate = train_gate(replace(examples, subjects=windows.people[mine]), recipe, known_for).gate
    judged = _at(windows.examples, np.flatnonzero(apart))
    weights = gate.weights(judged.features)

    def mixed(weight: float | Floats) -> Score:
        return _score(fuse(judged.p_model, judged.p_retrieved, weight, compat=recipe.compat), judged.classes)

    return LearnedGate(
        gate=gate,
        learned=(len(mine), len(np.unique(windows.people[mine]))),
        judged=(len(weights), len(np.unique(windows.people[apart]))),
        score=mixed(weights),
        fixed={weight: mixed(weight) for weight in FIXED_WEIGHTS},
        closed_form=_score(windows.closed_form[apart], judged.classes),
        weight=float(weights.mean()),
    )


def _set_apart(windows: GateWindows, seed: int) -> NDArray[np.bool_]:
    """The windows of the people by whom the gate is judged."""
    people = np.unique(windows.people)
    if len(people) < LEAST_PEOPLE:
        raise BadSamples(
            f"a gate learns from at least {LEAST_PEOPLE} people of whom others are remembered too, and here"
            f" {'is' if len(people) == 1 else 'are'} {len(people)}, in {len(windows)} windows: name more people or sets"
        )
    apart = held_out_windows(len(windows), windows.people.tolist(), JUDGED, seed)
    if not apart.any() or np.isin(windows.people[apart], windows.people[~apart]).any():
        raise BadSamples(
            f"of {len(windows)} windows of {len(people)} people nobody can be set apart to judge a gate by: name more"
            " people or sets"
        )
    return apart


def _at(examples: GateExamples, rows: NDArray[np.integer]) -> GateExamples:
    return GateExamples(
        examples.features[rows], examples.p_model[rows], examples.p_retrieved[rows], examples.classes[rows]
    )


def _score(chances: Floats, truth: NDArray[np.integer]) -> Score:
    of_truth = chances[np.arange(len(truth)), truth]
    return Score(
        loss=float(-np.log(np.maximum(of_truth, _LEAST)).mean()),
        accuracy=float((chances.argmax(axis=1) == truth).mean()),
    )
