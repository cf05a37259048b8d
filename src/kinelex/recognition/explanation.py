"""The picture of a reason: a window, its nearest examples beside it, and what words and examples say of it.

Bars are told apart by place and words, never by color alone; the weight is written and drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import UsageError
from kinelex.recognition.look import AXIS_GRAYS, FAINT, INK, MIST, PALETTE, PAPER, SOFT, STYLE
from kinelex.recognition.recall import Neighbor, Recalled
from kinelex.signal.recording import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kinelex.recognition.timeline import Timeline

_WORDS, _EXAMPLES, _BOTH = PALETTE[0], PALETTE[1], AXIS_GRAYS["x"]
_LABELS = 6  # as many as can be read; the most probable ones
_SHOWN = 3


def draw_explanation(timeline: Timeline, at_s: float, sources: Mapping[str, Recording]) -> Figure:
    """Draw why the window nearest to a time was answered as it was; see `Timeline.explain`.

    Raises:
        UsageError: no memory had a part in the answer.
    """
    import matplotlib as mpl

    recalled = timeline.recalled
    if recalled is None:
        raise UsageError("no memory had a part in this answer: remember something with one of its labels first")
    row = int(np.abs(timeline.starts_s + timeline.window_s / 2 - at_s).argmin())
    with mpl.rc_context(STYLE):
        return _drawn(timeline, recalled, row, sources)


def _drawn(timeline: Timeline, recalled: Recalled, row: int, sources: Mapping[str, Recording]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.6), dpi=150, facecolor=PAPER)
    FigureCanvasAgg(figure)
    _heading(figure, timeline, row)
    grid = figure.add_gridspec(
        2, 1 + _SHOWN, left=0.06, right=0.98, top=0.80, bottom=0.10, hspace=0.62, wspace=0.12, height_ratios=(1.0, 1.1)
    )
    start_s = float(timeline.starts_s[row])
    own = figure.add_subplot(grid[0, 0])
    unit = _signal(own, timeline.recording, start_s, start_s + timeline.window_s)
    own.set_title(f"this window, {start_s:.1f} s", fontsize=9.5, fontweight="bold", loc="left")
    own.set_ylabel(unit, fontsize=8.5)
    for place, neighbor in enumerate(_nearest(recalled, row)):
        panel = figure.add_subplot(grid[0, 1 + place], sharey=own)
        _example(panel, neighbor, sources)
    _bars(figure.add_subplot(grid[1, :]), timeline, recalled, row)
    return figure


def _heading(figure: Figure, timeline: Timeline, row: int) -> None:
    window = timeline.windows[row]
    said = "no signal" if window.label is None else f"{window.label}, {np.nanmax(window.probabilities):.0%}"
    figure.text(0.06, 0.945, said, fontsize=15, fontweight="bold", va="center")
    where = f"{timeline.recording.name}  ·  {window.start_s:.1f} to {window.end_s:.1f} s"
    figure.text(0.06, 0.885, where, fontsize=9.5, color=SOFT, va="center")


def _nearest(recalled: Recalled, row: int) -> list[Neighbor]:
    found = recalled.neighbors
    pairs = zip(found.ids[row].tolist(), found.similarity[row].tolist(), strict=True)
    return [Neighbor(recalled.examples[i], near) for i, near in pairs if i in recalled.examples][:_SHOWN]


def _example(panel: Axes, neighbor: Neighbor, sources: Mapping[str, Recording]) -> None:
    example = neighbor.example
    panel.set_title(f"{example.label}  {neighbor.similarity:.2f}", fontsize=9.5, fontweight="bold", loc="left")
    source = sources.get(example.recording)
    known = source is not None and np.isfinite(example.start_s) and example.start_s < source.duration_s
    if source is not None and known:
        _signal(panel, source, example.start_s, example.end_s)
    else:
        panel.set_xticks([])
        panel.spines[:].set_visible(False)
        panel.set_facecolor(MIST)
        words = [f"example {example.id}", example.recording or "source not known", f"{example.added_at:%Y-%m-%d %H:%M}"]
        panel.text(0.5, 0.5, "\n".join(words), ha="center", va="center", color=SOFT, fontsize=8.5,
                   transform=panel.transAxes, wrap=True)  # fmt: skip
    panel.tick_params(axis="y", length=0, labelleft=False)


def _signal(panel: Axes, recording: Recording, start_s: float, end_s: float) -> str:
    """Draw the accelerometer, or the first sensor when there is none; returns its unit."""
    part = recording.between(start_s, end_s)
    sensors = [channel.sensor for channel in part.channels]
    sensor = "acc" if "acc" in sensors else sensors[0]
    place = part.channels[sensors.index(sensor)].placement
    columns = [i for i, c in enumerate(part.channels) if (c.sensor, c.placement) == (sensor, place)]
    for column in columns:
        axis = part.channels[column].axis
        panel.plot(part.times_s, part.samples[:, column], color=AXIS_GRAYS[axis], lw=0.8, label=axis)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8, color=SOFT)
    panel.grid(axis="y", color=FAINT, lw=0.5, alpha=0.7)
    return {"acc": "m/s²", "gyro": "rad/s", "mag": "µT"}[sensor]


def _bars(panel: Axes, timeline: Timeline, recalled: Recalled, row: int) -> None:
    """Three bars for each of the most probable labels: by words, by examples, by both."""
    both = timeline.probabilities[row]
    sides: list[tuple[str, NDArray[np.float32], str]] = [
        ("by words", recalled.by_words[row], _WORDS),
        ("by examples", recalled.by_examples[row], _EXAMPLES),
        ("both", both, _BOTH),
    ]
    chosen = np.argsort(-np.nan_to_num(np.fmax.reduce([side for _, side, _ in sides])), kind="stable")[:_LABELS]
    for place, (name, side, color) in enumerate(sides):
        heights = np.nan_to_num(side[chosen])
        panel.bar(np.arange(len(chosen)) + 0.27 * (place - 1), heights, width=0.25, color=color, label=name)
    panel.set_xticks(np.arange(len(chosen)), [timeline.labels[i] for i in chosen], fontsize=9.5, color=INK)
    panel.set_ylim(0, 1)
    panel.set_yticks([0, 0.5, 1], ["0", "50", "100 %"], fontsize=8.5, color=SOFT)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    panel.grid(axis="y", color=FAINT, lw=0.5, alpha=0.7)
    panel.set_axisbelow(True)
    weight = recalled.weight[row]
    share = "" if np.isnan(weight) else f"{recalled.weighed_by}: {weight:.0%} of the answer comes from examples"
    panel.set_title(share, loc="left", fontsize=9.5, color=SOFT)
    panel.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=8.5)
