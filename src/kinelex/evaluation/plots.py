"""Pictures of an evaluation: what was taken for what, and whether the confidence was deserved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinelex import artifact
from kinelex.errors import BadSamples
from kinelex.evaluation.report import DataResult, TaskResult, percent
from kinelex.language import label_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _SOFT, _BLUE, _AMBER = "#1f2933", "#7b8794", "#14507d", "#e9c48d"
_SHADES = ("#ffffff", "#dfeaf4", "#a9cbe4", "#5f9ec9", "#23699d", "#0c3c63")
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def plot_confusion(data: DataResult, task: TaskResult, target: str | Path) -> Path:
    """Draw what each true class was predicted as, in percent of its units, as a PNG.

    Rows are the classes that occur; in an open set, predictions of all other groups share the last column.

    Args:
        data: for its name and counts.
        task: the result to draw.
        target: path of the PNG.

    Returns:
        The path.
    """
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    names, table, columns = _visible_confusion(task)
    shares = 100 * table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    cell = 0.46 if len(names) > 8 else 0.58
    longest = max(map(len, columns))
    labels_in = 0.075 * max(map(len, names)) + 0.55
    width, height = labels_in + cell * len(columns) + 0.25, cell * len(names) + 0.055 * longest + 1.0
    with mpl.rc_context(_STYLE):
        figure = _figure(width, height)
        axes = figure.add_axes(
            (labels_in / width, 1 - (0.95 + cell * len(names)) / height, cell * len(columns) / width,
             cell * len(names) / height)
        )  # fmt: skip
        shades = LinearSegmentedColormap.from_list("shares", _SHADES)
        axes.imshow(shares, cmap=shades, vmin=0, vmax=100, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            right = names[row] == columns[column]
            if share >= 0.5 or right:
                color = "white" if share > 55 else (_INK if share >= 5 else _SOFT)
                weight = "bold" if right else "normal"
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=color, weight=weight)
        counts = [result.units for result in task.classes if result.units]
        axes.set_yticks(range(len(names)), [f"{n}  {c:,}" for n, c in zip(names, counts, strict=True)])
        axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="#e4e7eb", linewidth=0.6)
        axes.tick_params(which="both", length=0)
        _bare(axes)
        _titles(figure, data, task, f"Row: true activity and its {_units(data)}s. Cell: percent of them predicted so.")
        return _save(figure, target)


def plot_reliability(data: DataResult, task: TaskResult, target: str | Path) -> Path:
    """Draw accuracy against confidence, above how often each confidence was given, as a PNG.

    Args:
        data: for its name.
        task: the result to draw.
        target: path of the PNG.

    Returns:
        The path.
    """
    import matplotlib as mpl

    bins = task.reliability
    edges, count = np.array(bins.edges), np.array(bins.count, dtype=np.float64)
    filled = count > 0
    confidence = np.array([np.nan if c is None else c for c in bins.confidence])[filled]
    accuracy = np.array([np.nan if a is None else a for a in bins.accuracy])[filled]
    with mpl.rc_context(_STYLE):
        figure = _figure(4.4, 5.3)
        upper, lower = figure.add_axes((0.14, 0.31, 0.80, 0.52)), figure.add_axes((0.14, 0.10, 0.80, 0.16))
        upper.plot([0, 100], [0, 100], color=_SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
        upper.text(5, 9, "as sure as right", color=_SOFT, fontsize=8, rotation=38)
        upper.vlines(100 * confidence, 100 * confidence, 100 * accuracy, color=_AMBER, linewidth=2.2)
        upper.plot(100 * confidence, 100 * accuracy, color=_SHADES[2], linewidth=1.2)
        # A point that rests on few units is small, so that the eye does not follow noise.
        sizes = 12 + 90 * np.sqrt(count[filled] / count.sum())
        upper.scatter(100 * confidence, 100 * accuracy, s=sizes, color=_BLUE, zorder=3, clip_on=False)
        upper.set(xlim=(0, 100), ylim=(0, 100), ylabel="right (%)")
        upper.tick_params(labelbottom=False)
        lower.bar(50 * (edges[1:] + edges[:-1]), 100 * count / count.sum(), width=92 * np.diff(edges), color=_SHADES[2])
        lower.set(xlim=(0, 100), xlabel="probability of the predicted class (%)", ylabel=f"{_units(data)}s (%)")
        for axes in (upper, lower):
            axes.tick_params(length=0)
            axes.set_axisbelow(True)
            axes.grid(axis="y", color="#eef1f4", linewidth=0.8)
            _bare(axes)
        _titles(figure, data, task, f"Expected calibration error {percent(task.calibration_error)} %")
        return _save(figure, target)


def plot_risk_coverage(data: DataResult, task: TaskResult, target: str | Path) -> Path:
    """Draw the error rate that is left when only the surest answers are kept, as a PNG.

    Args:
        data: for its name.
        task: the result to draw; it must have a risk-coverage curve.
        target: path of the PNG.

    Returns:
        The path.

    Raises:
        BadSamples: the result has no such curve, as those of earlier versions.
    """
    import matplotlib as mpl

    curve = task.risk_coverage
    if curve is None:
        raise BadSamples(f"the result on '{data.name}' has no risk-coverage curve: evaluate again")
    coverage, risk = 100 * np.array(curve.coverage), 100 * np.array(curve.risk)
    with mpl.rc_context(_STYLE):
        figure = _figure(4.4, 3.9)
        axes = figure.add_axes((0.14, 0.14, 0.80, 0.62))
        axes.axhline(risk[-1], color=_SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.fill_between(coverage, risk, color=_SHADES[1])
        axes.plot(coverage, risk, color=_BLUE, linewidth=1.8)
        axes.text(2, risk[-1] + 0.012 * axes.get_ylim()[1], "of all answers", color=_SOFT, fontsize=8, va="bottom")
        axes.set(xlim=(0, 100), ylim=(0, None), ylabel="wrong (%)")
        axes.set_xlabel(f"{_units(data)}s kept, the surest first (%)")
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#eef1f4", linewidth=0.8)
        _bare(axes)
        area = 100 * float(np.mean(task.area_under_risk_coverage))
        _titles(figure, data, task, f"Mean risk over all coverages {area:.1f} %")
        return _save(figure, target)


def _visible_confusion(task: TaskResult) -> tuple[list[str], NDArray[Any], list[str]]:
    """Rows that occur, and a column for each of them, and one for all else that was predicted."""
    table = np.array(task.confusion)
    closed = not task.task.startswith("open")
    rows = [i for i, result in enumerate(task.classes) if result.units]
    kept = list(range(len(task.classes))) if closed else rows
    names, columns = ([label_words(task.classes[i].name) for i in chosen] for chosen in (rows, kept))
    shown = table[np.ix_(rows, kept)]
    others = table[rows].sum(axis=1) - shown.sum(axis=1)
    if others.any():
        return names, np.column_stack([shown, others]), [*columns, "any other"]
    return names, shown, columns


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width, 4.6), height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _titles(figure: Figure, data: DataResult, task: TaskResult, remark: str) -> None:
    height = figure.get_figheight()
    left = 0.14 / figure.get_figwidth()
    figure.text(left, 1 - 0.24 / height, f"{data.title}: {task.title}", weight="bold", fontsize=11, va="center")
    scores = f"Accuracy {percent(task.accuracy)} %, macro-F1 {percent(task.macro_f1)} %"
    figure.text(left, 1 - 0.50 / height, scores, color=_INK, va="center")
    figure.text(left, 1 - 0.70 / height, remark, color=_SOFT, fontsize=8, va="center")


def _units(data: DataResult) -> str:
    return "recording" if data.units == data.sessions else "window"


def _bare(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)


def _save(figure: Figure, target: str | Path) -> Path:
    with artifact.staged(target) as draft:
        # The software field would make equal pictures differ between versions.
        figure.savefig(draft, dpi=160, bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    return Path(target)
