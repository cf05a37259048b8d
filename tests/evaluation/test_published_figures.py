"""The bar is the best published figure, and every set and metric that is compared has one."""

from __future__ import annotations

from typing import get_args

import pytest

from kinelex.evaluation.published_figures import Metric, best_published, published_figures


def test_every_set_has_every_metric_of_the_same_runs() -> None:
    sets = published_figures().sets
    assert set(sets) == {"motionsense", "mobifall"}
    for about in sets.values():
        assert set(about.figures) == set(get_args(Metric))
        assert len({tuple(runs) for runs in about.figures.values()}) == 1
        for runs in about.figures.values():
            assert all(0 < run.accuracy < 100 and 0 < (run.macro_f1 or 1) < 100 for run in runs.values())


@pytest.mark.parametrize(
    ("dataset", "metric", "accuracy", "macro_f1"),
    [
        ("motionsense", "zero-shot open", 63.66, 35.52),
        ("motionsense", "zero-shot closed", 66.60, 56.62),
        ("motionsense", "1 %", 89.74, 88.69),
        ("motionsense", "10 %", 95.0, 94.62),
        ("mobifall", "zero-shot open", 59.01, 25.62),
        ("mobifall", "zero-shot closed", 61.73, 29.46),
        ("mobifall", "1 %", 66.44, 37.82),
        ("mobifall", "10 %", 77.01, 60.02),
    ],
)
def test_the_bar_is_the_best_of_any_run(dataset: str, metric: Metric, accuracy: float, macro_f1: float) -> None:
    bar = best_published(dataset, metric)
    assert bar is not None
    assert (100 * bar.accuracy, 100 * bar.macro_f1) == (pytest.approx(accuracy), pytest.approx(macro_f1))
    runs = published_figures().sets[dataset].figures[metric]
    assert runs[bar.accuracy_of].accuracy == pytest.approx(accuracy)
    assert runs[bar.macro_f1_of].macro_f1 == pytest.approx(macro_f1)


def test_a_set_without_published_figures_has_no_bar() -> None:
    assert best_published("hapt", "10 %") is None
