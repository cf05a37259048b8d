"""The course of a pretraining run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinelex.artifact import staged

_FILLING = {
    "hidden_patches": ("hidden patches", "#08519c"),
    "dropped_channels": ("dropped channels", "#d95f0e"),
}


def draw_pretraining(metrics: list[dict[str, Any]], path: Path, *, title: str) -> None:
    """Draw the errors of what is filled in, and the loss of the contrast where there is one, over the steps.

    Args:
        metrics: lines of ``metrics.jsonl``.
        path: PNG to write.
        title: name of the run.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (label, color) in _FILLING.items():
        _course(left, metrics, name, label, color)
    left.set(xlabel="step", ylabel="mean squared error", yscale="log", title=title)
    if any("contrast" in line for line in metrics):
        _course(right, metrics, "contrast", "contrast", "#08519c")
    else:
        _course(right, metrics, "gradient_norm", "norm of the gradient", "#08519c")
    right.set(xlabel="step", ylabel="loss")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    with staged(path) as draft:
        figure.savefig(draft, dpi=150, format="png")


def _course(axes: Any, metrics: list[dict[str, Any]], name: str, label: str, color: str) -> None:
    """Single values faintly, and their running mean. Zero stands for a batch that had nothing to measure."""
    lines = [line for line in metrics if line.get(name)]
    steps = np.array([line["step"] for line in lines])
    values = np.array([line[name] for line in lines])
    axes.plot(steps, values, color=color, linewidth=0.8, alpha=0.4, label=None if len(values) >= 5 else label)
    if len(values) >= 5:
        width = max(5, len(values) // 25)
        smooth = np.convolve(values, np.ones(width) / width, "valid")
        axes.plot(steps[width // 2 : width // 2 + len(smooth)], smooth, color=color, linewidth=1.8, label=label)
