"""Variants against the base: means over left-out sets, spread over training seeds, intervals and tests over subjects.

A figure is the mean over the left-out sets, which count alike. A bootstrap draw takes subjects of every set with
replacement, the same ones for all variants: the interval of a difference is over pairs of equal people, and says more
than two intervals that overlap. Signed-rank tests are over subjects of all sets, each by the mean of its accuracy over
the seeds that both sides have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kinelex.evaluation.ablation.plan import BASE, Ablation
from kinelex.evaluation.ablation.scoring import TEXTS, WHOLE, SetScore, accuracy_of, macro_f1_of
from kinelex.evaluation.protocol import Texts
from kinelex.evaluation.statistics import Estimate, Statistic, holm, subject_draws
from kinelex.training.randomness import seed_of

Scores = Mapping[tuple[str, int], Sequence[SetScore]]
"""Per variant and training seed: the scores on all sets, when all folds are there."""

LEAST_PAIRS = 6
"""With fewer subjects not even unanimous differences are significant at 5 %."""

_LEVEL = 0.95
_CHUNK = 256
_FIGURES: dict[str, Statistic] = {
    "accuracy": accuracy_of,
    "macro_f1": macro_f1_of,
}


class Row(BaseModel):
    """A variant, in one text space and with one kind of texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str = Field(description="Its name.")
    text_space: str = Field(description="whole, or the part of the text space that it was scored with.")
    texts: Texts = Field(description="words: official names; vocabulary: labels with synonyms.")
    seeds: tuple[int, ...] = Field(description="Training seeds of which all folds are there.")
    accuracy: Estimate = Field(description="Mean over the left-out sets.")
    macro_f1: Estimate = Field(description="Mean over the left-out sets of that over the declared activities.")
    per_set: dict[str, tuple[float, float]] = Field(description="Accuracy and macro-F1 on each set, mean over seeds.")
    temperature: float = Field(description="Geometric mean of those that fit best.")
    gain_accuracy: Estimate | None = Field(description="Difference to the base as it is, paired; none for the base.")
    gain_macro_f1: Estimate | None = Field(description="Likewise.")
    pairs: int = Field(description="Subjects of the signed-rank test; 0 where none was made.")
    p: float | None = Field(description="Two-sided signed-rank probability of no difference in accuracy.")
    p_holm: float | None = Field(description="After Holm's correction for all variants of these texts.")


def compare(ablation: Ablation, scores: Scores, *, draws: int = 2000, seed: int = 0) -> tuple[Row, ...]:
    """The rows of the table: words first, then the vocabulary; the base first, its parts of the text space next.

    Args:
        ablation: which variants there are.
        scores: what was found; a variant without any seed is left out.
        draws: bootstrap draws of subjects.
        seed: of the draws.
    """
    rows: list[Row] = []
    for texts in TEXTS:
        entries: list[_Entry] = []
        for variant in ablation.every:
            for space in (WHOLE, *ablation.text_spaces):
                found = {s: _chosen(of, texts, space) for (name, s), of in scores.items() if name == variant}
                if any(found.values()):
                    entries.append(_Entry(variant, space, {s: of for s, of in found.items() if of}))
        if entries:
            rows += _rows(entries, texts, draws, seed)
    return tuple(rows)


@dataclass(frozen=True, eq=False)
class _Entry:
    """The scores of one row, per seed."""

    variant: str
    space: str
    by_seed: dict[int, list[SetScore]]

    @property
    def is_base(self) -> bool:
        return self.variant == BASE and self.space == WHOLE

    def parts(self, seeds: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """Per set ``(training seed, subject, class, 3)``."""
        names = [score.set for score in self.by_seed[seeds[0]]]
        return {name: np.stack([self.by_seed[s][i].parts for s in seeds]) for i, name in enumerate(names)}


def _chosen(scores: Sequence[SetScore], texts: Texts, space: str) -> list[SetScore]:
    return [score for score in scores if score.texts == texts and score.text_space == space]


def _rows(entries: Sequence[_Entry], texts: Texts, draws: int, seed: int) -> list[Row]:
    base = next((entry for entry in entries if entry.is_base), None)
    counts = {
        score.set: subject_draws(len(score.subjects), draws, seed_of(seed, 0, f"subjects of {score.set}"))
        for score in next(iter(entries[0].by_seed.values()))
    }
    rows, tested = [], []
    for entry in entries:
        seeds = sorted(entry.by_seed)
        parts = entry.parts(seeds)
        both = sorted(set(seeds) & set(base.by_seed)) if base is not None and not entry.is_base else []
        gains: dict[str, Estimate | None] = dict.fromkeys(_FIGURES)
        pairs, p = 0, None
        if base is not None and both:
            mine, theirs = entry.parts(both), base.parts(both)
            gains = {name: _estimate(statistic, counts, mine, theirs) for name, statistic in _FIGURES.items()}
            pairs, p = _signed_ranks(mine, theirs)
        tested.append(p)
        per_set = {
            name: tuple(round(float(f(of.sum(axis=1)).mean()), 4) for f in _FIGURES.values())
            for name, of in parts.items()
        }
        fitted = [score.temperature for of in entry.by_seed.values() for score in of]
        rows.append(
            {
                "variant": entry.variant, "text_space": entry.space, "texts": texts, "seeds": tuple(seeds),
                **{name: _estimate(statistic, counts, parts) for name, statistic in _FIGURES.items()},
                "per_set": per_set, "temperature": round(float(np.exp(np.mean(np.log(fitted)))), 4),
                **{f"gain_{name}": gain for name, gain in gains.items()}, "pairs": pairs, "p": p,
            }
        )  # fmt: skip
    corrected = iter(holm([p for p in tested if p is not None]))
    return [Row(**row, p_holm=None if row["p"] is None else float(next(corrected))) for row in rows]


def _estimate(
    statistic: Statistic,
    counts: Mapping[str, NDArray[np.int64]],
    parts: Mapping[str, NDArray[np.float64]],
    less: Mapping[str, NDArray[np.float64]] | None = None,
) -> Estimate:
    """Mean over sets of a figure, or of its difference to another row's on the same subjects and seeds."""

    def figure(of: Mapping[str, NDArray[np.float64]], drawn: Callable[[str, NDArray[Any]], NDArray[Any]]) -> Any:
        return np.mean([drawn(name, parts) for name, parts in of.items()], axis=0)

    def whole(name: str, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        return statistic(parts.sum(axis=1))

    def resampled(name: str, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = counts[name].astype(np.float64)
        sums = (np.tensordot(drawn[i : i + _CHUNK], parts, axes=(1, 1)) for i in range(0, len(drawn), _CHUNK))
        return np.concatenate([statistic(some).mean(axis=1) for some in sums])

    per_seed = figure(parts, whole) - (figure(less, whole) if less else 0.0)
    draws = figure(parts, resampled) - (figure(less, resampled) if less else 0.0)
    low, high = np.quantile(draws, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    several = any(of.shape[1] > 1 for of in parts.values())
    return Estimate(
        mean=float(per_seed.mean()),
        seeds=tuple(float(value) for value in per_seed),
        sd=float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None,
        low=float(low) if several else None,
        high=float(high) if several else None,
    )


def _signed_ranks(
    mine: Mapping[str, NDArray[np.float64]], theirs: Mapping[str, NDArray[np.float64]]
) -> tuple[int, float | None]:
    """Pairs and probability of a signed-rank test over the accuracy of each subject."""
    from scipy.stats import wilcoxon

    differences = []
    for name, parts in mine.items():
        seen = (parts[..., 1].sum(axis=(0, 2)) > 0) & (theirs[name][..., 1].sum(axis=(0, 2)) > 0)
        differences.append((accuracy_of(parts) - accuracy_of(theirs[name])).mean(axis=0)[seen])
    difference = np.concatenate(differences)
    if len(difference) < LEAST_PAIRS:
        return 0, None
    # Without any difference the test is undefined, and the systems are alike.
    return len(difference), float(wilcoxon(difference).pvalue) if difference.any() else 1.0
