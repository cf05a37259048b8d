"""How far a figure can be trusted: intervals over subjects, and tests between systems.

Windows of one person resemble each other, so the person is what is drawn: a bootstrap draw takes subjects with
replacement, and all windows of a subject go along. Training seeds are not resampled: within each draw the figure is
averaged over them, so that the interval speaks about new people, for the mean of such training runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from kinelex.errors import BadSamples, UsageError

Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]

# Tables of this many draws are held at once: for 3 training seeds and 60 classes, 22 MB.
_CHUNK = 256


class Estimate(BaseModel):
    """A figure as the mean over training seeds, with its spread over seeds and its interval over subjects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float = Field(description="Mean over the training seeds, on all subjects.")
    seeds: tuple[float, ...] = Field(description="The figure of each training seed.")
    sd: float | None = Field(description="Standard deviation over the training seeds; none with one seed.")
    low: float | None = Field(description="Lower end of the interval over subjects; none with one subject.")
    high: float | None = Field(description="Upper end of the interval over subjects; none with one subject.")


class Comparison(BaseModel):
    """What a paired signed-rank test says about two systems."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: str = Field(description="One system.")
    second: str = Field(description="The other system.")
    pairs: int = Field(description="Subjects (or data sets) on which both were scored.")
    difference: float = Field(description="Median of first minus second over the pairs.")
    p: float = Field(description="Two-sided Wilcoxon signed-rank probability, uncorrected.")
    p_holm: float = Field(description="The probability after Holm's correction for all pairs of systems.")
    significant: bool = Field(description="Whether p_holm is below the chosen level.")


def subject_draws(subjects: int, draws: int, seed: int) -> NDArray[np.int64]:
    """How often each bootstrap draw takes each subject, ``(draw, subject)``; every row sums to `subjects`."""
    return np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)


def bootstrap_over_subjects(
    parts: ArrayLike, statistic: Statistic, *, draws: int = 2000, level: float = 0.95, seed: int = 0
) -> Estimate:
    """The figure, its spread over training seeds, and its percentile interval over subjects.

    The figure must be a function of something that adds up over subjects: a confusion table for accuracy and F1, a pair
    (sum, count) for a mean. A draw is then a weighted sum instead of a pass over the windows.

    Args:
        parts: ``(training seed, subject, ...)``, what each subject adds.
        statistic: maps sums ``(..., *rest)`` of parts to figures ``(...)``, such as `metrics.accuracy`.
        draws: bootstrap draws.
        level: probability that the interval is to cover.
        seed: of the draws.

    Raises:
        BadSamples: `parts` holds no training seed or no subject.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval) with the
    subject as the sampling unit.

    >>> tables = np.array([[[[9, 1], [0, 10]], [[5, 5], [1, 9]]]])  # one training seed, two subjects
    >>> from kinelex.evaluation.metrics import accuracy
    >>> bootstrap_over_subjects(tables, accuracy).mean
    0.825
    """
    parts = np.asarray(parts)
    if parts.ndim < 2 or not parts.shape[0] or not parts.shape[1]:
        raise BadSamples(f"a bootstrap needs (training seed, subject, ...), at least one of each, not {parts.shape}")
    if draws < 1 or not 0 < level < 1:
        raise UsageError(f"draws = {draws} and level = {level:g}: pass at least 1 draw and a level between 0 and 1")
    per_seed = np.asarray(statistic(parts.sum(axis=1)), dtype=np.float64)
    low = high = None
    if parts.shape[1] > 1:
        # As floats, which are exact for counts, the weighted sums are one matrix product.
        counts = subject_draws(parts.shape[1], draws, seed).astype(np.float64)
        figures = np.concatenate(
            [
                statistic(np.tensordot(counts[first : first + _CHUNK], parts, axes=(1, 1))).mean(axis=1)
                for first in range(0, draws, _CHUNK)
            ]
        )
        low, high = (float(q) for q in np.quantile(figures, [(1 - level) / 2, (1 + level) / 2]))
    return Estimate(
        mean=float(per_seed.mean()),
        seeds=tuple(float(value) for value in per_seed),
        sd=float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None,
        low=low,
        high=high,
    )


def mean_of(parts: NDArray[Any]) -> NDArray[np.float64]:
    """The statistic of a mean: parts ``(..., 2)`` are (sum, count)."""
    return np.asarray(parts[..., 0] / np.maximum(parts[..., 1], 1), dtype=np.float64)


def sums_per_subject(values: NDArray[Any], subjects: NDArray[np.integer]) -> NDArray[np.float64]:
    """Sum and count of each subject's values, ``(subject, 2)``, for `bootstrap_over_subjects` with `mean_of`.

    Args:
        values: ``(unit,)``.
        subjects: ``(unit,)`` subject numbers from 0.
    """
    return np.stack([np.bincount(subjects, values), np.bincount(subjects)], axis=-1).astype(np.float64)


def holm(probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Holm's step-down correction: the probabilities to compare with the level of the whole family of tests.

    Source: S. Holm, Scandinavian Journal of Statistics 6, 1979.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def wilcoxon_holm(scores: Mapping[str, Iterable[float]], *, level: float = 0.05) -> list[Comparison]:
    """Compare every pair of systems on the same subjects by Wilcoxon's signed-rank test, corrected by Holm.

    Args:
        scores: per system one score per subject (or data set), in the same order for all.
        level: below which corrected probability a difference is called significant.

    Returns:
        One comparison per pair of systems, smallest probability first.

    Raises:
        UsageError: fewer than two systems, or scores of different lengths.

    Source: Benavoli, Corani, Mangili, JMLR 17, 2016 (why signed-rank rather than mean-rank tests).
    """
    from scipy.stats import wilcoxon

    table = {name: np.asarray(list(values), dtype=np.float64) for name, values in scores.items()}
    lengths = {len(values) for values in table.values()}
    if len(table) < 2 or len(lengths) != 1 or lengths == {0}:
        sizes = ", ".join(f"{name}: {len(values)}" for name, values in table.items()) or "none"
        raise UsageError(f"a comparison needs two or more systems with scores on the same subjects, not {sizes}")
    pairs = list(combinations(table, 2))
    raw = []
    for first, second in pairs:
        difference = table[first] - table[second]
        # Without any difference the test is undefined, and the systems are alike.
        raw.append(float(wilcoxon(difference).pvalue) if difference.any() else 1.0)
    corrected = holm(raw)
    found = [
        Comparison(
            first=first,
            second=second,
            pairs=len(table[first]),
            difference=float(np.median(table[first] - table[second])),
            p=p,
            p_holm=float(p_holm),
            significant=bool(p_holm < level),
        )
        for (first, second), p, p_holm in zip(pairs, raw, corrected, strict=True)
    ]
    return sorted(found, key=lambda comparison: comparison.p)
