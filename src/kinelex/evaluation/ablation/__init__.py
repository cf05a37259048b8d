"""Ablations: one recipe with one thing changed at a time, trained without some sets, scored on those, told apart by
statistics.
"""

from kinelex.evaluation.ablation.comparison import Row, compare
from kinelex.evaluation.ablation.plan import BASE, Ablation, Run, Variant, read_ablation, runs_of
from kinelex.evaluation.ablation.report import AblationReport, RunScore, to_markdown, write_ablation
from kinelex.evaluation.ablation.running import Failure, Progress, is_finished, train_runs
from kinelex.evaluation.ablation.scoring import SetScore, score_run

__all__ = [
    "BASE",
    "Ablation",
    "AblationReport",
    "Failure",
    "Progress",
    "Row",
    "Run",
    "RunScore",
    "SetScore",
    "Variant",
    "compare",
    "is_finished",
    "read_ablation",
    "runs_of",
    "score_run",
    "to_markdown",
    "train_runs",
    "write_ablation",
]
