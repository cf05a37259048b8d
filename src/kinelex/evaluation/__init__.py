"""How good a model is, and how far that figure can be trusted: protocols, metrics, statistics, reports and plots.

Every figure comes with the number of people behind it, its spread over training seeds, an interval over subjects, and
the command that made it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinelex.evaluation.protocol import ZeroShotProtocol
    from kinelex.evaluation.published_figures import best_published
    from kinelex.evaluation.report import ZeroShotReport, read_report, write_report
    from kinelex.evaluation.statistics import Comparison, Estimate, bootstrap_over_subjects, wilcoxon_holm
    from kinelex.evaluation.zero_shot import evaluate_zero_shot

_HOMES = {
    "Comparison": "statistics",
    "Estimate": "statistics",
    "ZeroShotProtocol": "protocol",
    "ZeroShotReport": "report",
    "best_published": "published_figures",
    "bootstrap_over_subjects": "statistics",
    "evaluate_zero_shot": "zero_shot",
    "read_report": "report",
    "wilcoxon_holm": "statistics",
    "write_report": "report",
}

__all__ = [
    "Comparison",
    "Estimate",
    "ZeroShotProtocol",
    "ZeroShotReport",
    "best_published",
    "bootstrap_over_subjects",
    "evaluate_zero_shot",
    "read_report",
    "wilcoxon_holm",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
