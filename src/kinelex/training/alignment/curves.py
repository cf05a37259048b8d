"""The course of a run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinelex.artifact import staged


def draw_curves(metrics: list[dict[str, Any]], path: Path, *, title: str) -> None:
    """Draw loss, learned scale and left-out score over the steps.

    Args:
        metrics: lines of ``metrics.jsonl``.
        path: PNG to write.
        title: name of the run.
    """
    from matplotlib.figure import Figure

    training = [line for line in metrics if "loss" in line]
    scored = [line for line in metrics if "left_out_macro_f1" in line]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = np.array([line["step"] for line in training])
    loss = np.array([line["loss"] for line in training])
    left.plot(steps, loss, color="#9ecae1", linewidth=0.8)
    if len(loss) >= 5:
        width = max(5, len(loss) // 25)
        smooth = np.convolve(loss, np.ones(width) / width, "valid")
        left.plot(steps[width // 2 : width // 2 + len(smooth)], smooth, color="#08519c", linewidth=1.8)
    left.set(xlabel="step", ylabel="loss", title=title)
    if scored:
        at = [line["step"] for line in scored]
        right.plot(at, [line["left_out_accuracy"] for line in scored], "o-", color="#08519c", label="accuracy")
        right.plot(at, [line["left_out_macro_f1"] for line in scored], "s-", color="#d95f0e", label="macro-F1")
        right.set(xlabel="step", ylabel="left-out set, averaged weights", ylim=(0, 1))
        right.legend(frameon=False)
    else:
        right.plot(steps, [line["scale"] for line in training], color="#d95f0e")
        right.set(xlabel="step", ylabel="factor from cosine to logit")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    with staged(path) as draft:
        figure.savefig(draft, dpi=150, format="png")
