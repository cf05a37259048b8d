"""The picture of an embedding map: dots for windows, diamonds and words for labels.

A hue stands for a kind of activity, a shade of it for a group. What is written stands beside its diamond, off the other
words; where labels of one group lie on one spot, they share a caption.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinelex.artifact import staged
from kinelex.evaluation.embedding_map import Landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Color = tuple[float, float, float]

_INK, _SOFT, _PAPER = "#22272E", "#6B7480", "#FFFFFF"
_STYLE: dict[Any, Any] = {"font.family": "sans-serif", "font.size": 9.0, "text.color": _INK, "text.parse_math": False}
_WIDTH_IN, _HEIGHT_IN = 13.0, 9.4
_WORDS = 7.4
_LINES = 3  # of a caption
_KINDS = (
    "posture", "transition", "locomotion", "sport", "exercise", "everyday", "work", "gesture", "transport", "fall",
)  # fmt: skip


def draw_map(landscape: Landscape, target: str | Path, *, title: str) -> None:
    """Draw a landscape as a PNG.

    Args:
        landscape: from `survey`.
        target: path of the PNG.
        title: name of the run.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colors = shades(landscape.groups, landscape.kinds)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=150, facecolor=_PAPER)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.01, 0.075, 0.98, 0.855))
        axes.set_axis_off()
        every = np.array([colors[group] for group in landscape.groups])
        # In an order that no label is on top of by its number.
        order = np.random.default_rng(0).permutation(len(landscape.windows))
        x, y = landscape.windows[order].T
        axes.scatter(x, y, s=11, c=every[landscape.label_of_window[order]], alpha=0.55, linewidths=0)
        x, y = landscape.labels.T
        axes.scatter(x, y, s=34, c=every, marker="D", edgecolors=_INK, linewidths=0.7, zorder=4)
        points = np.concatenate([landscape.windows, landscape.labels])
        low, high = points.min(axis=0), points.max(axis=0)
        room = 0.03 * (high - low) + 1e-9
        axes.set(xlim=(low[0] - 2 * room[0], high[0] + 2 * room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
        _write_labels(axes, landscape)
        figure.text(0.015, 0.965, title, weight="bold", fontsize=13, va="center")
        figure.text(0.015, 0.937, landscape.note, color=_SOFT, va="center")
        _legend(axes, landscape, colors)
        with staged(target) as draft:
            figure.savefig(draft, format="png", metadata={"Software": None})


def shades(groups: Sequence[str], kinds: Sequence[str]) -> dict[str, Color]:
    """A color for each group: one hue for all groups of a kind, darker and lighter within it."""
    members = _by_kind(groups, kinds)
    colors = {}
    for number, of in enumerate(members.values()):
        for place, group in enumerate(of):
            share = (place + 0.5) / len(of)
            # A step of hue between kinds, a little of it between groups, so that neighbors differ in more than light.
            hue = (number + 0.5 * (share - 0.5)) / len(members)
            colors[group] = colorsys.hls_to_rgb((0.58 + hue) % 1.0, 0.30 + 0.34 * share, 0.72)
    return colors


def captions(
    texts: Sequence[str], groups: Sequence[str], places: NDArray[np.float64], near: float = 24.0
) -> list[tuple[str, tuple[int, ...]]]:
    """What to write, and for which labels: labels of one group that lie together share a caption.

    Args:
        texts: the labels.
        groups: the group of each.
        places: ``(label, 2)`` where each lies.
        near: a label farther than this from the first of its caption gets another.

    >>> places = np.array([[0.0, 0.0], [1.0, 0.0], [90.0, 0.0]])
    >>> captions(["jogging", "running", "walking"], ["running", "running", "walking"], places)
    [('jogging\\nrunning', (0, 1)), ('walking', (2,))]
    """
    shared: list[list[int]] = []
    for i, group in enumerate(groups):
        for of in shared:
            if groups[of[0]] == group and np.linalg.norm(places[of[0]] - places[i]) <= near:
                of.append(i)
                break
        else:
            shared.append([i])
    found = []
    for of in shared:
        named = [texts[i] for i in of]
        if len(of) > _LINES:
            first = groups[of[0]] if groups[of[0]] in named else named[0]
            named = [first, f"and {len(of) - 1} of its group"]
        found.append(("\n".join(named), tuple(of)))
    return found


def spread_out(
    anchors: NDArray[np.float64], sizes: NDArray[np.float64], frame: tuple[float, float]
) -> NDArray[np.float64]:
    """Where each text goes so that none lies on another, ``(text, 2)`` centers: the nearest free place by its anchor.

    Args:
        anchors: ``(text, 2)`` what the texts belong to; a text keeps off all of them where it can.
        sizes: ``(text, 2)`` width and height of the texts, in the same unit.
        frame: width and height of the picture, which texts stay inside.
    """
    centers = np.zeros_like(anchors)
    free = np.ones(len(anchors), dtype=bool)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    # The crowded ones last, when they can see what is taken, would be far away; so they choose first.
    near = np.linalg.norm(anchors[:, None] - anchors[None], axis=-1)
    for i in np.argsort(np.sort(near, axis=1)[:, : min(5, len(anchors))].sum(axis=1), kind="stable"):
        half = sizes[i] / 2
        best, least = anchors[i] + [0.0, half[1] + 6], np.inf
        for distance in (5.0, 10.0, 17.0, 26.0, 38.0, 54.0, 76.0, 104.0):
            tried = anchors[i] + ring * (half + distance)
            tried = np.clip(tried, half, np.array(frame) - half)
            taken = _overlaps(tried, half, centers[~free], sizes[~free] / 2)
            marks = _overlaps(tried, half, anchors, np.full_like(anchors, 3.5))
            cost = 40 * taken + 4 * marks + distance / 10
            if cost.min() < least:
                best, least = tried[cost.argmin()], cost.min()
        centers[i], free[i] = best, False
    return centers


def _overlaps(
    centers: NDArray[np.float64], half: NDArray[np.float64], others: NDArray[np.float64], halves: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many of the other boxes each place of a box would lie on, ``(place,)``."""
    apart = np.abs(centers[:, None] - others[None]) - (half + halves)[None]
    return np.asarray((apart < 0).all(axis=-1).sum(axis=1))


def _write_labels(axes: Axes, landscape: Landscape) -> None:
    """The labels' texts where there is room, with a line to what stands far from its diamond."""
    from matplotlib.patheffects import withStroke

    figure = axes.figure
    box = axes.get_window_extent()
    points = 72 / figure.dpi  # texts are placed in points, in which their sizes are known
    places = (axes.transData.transform(landscape.labels) - [box.x0, box.y0]) * points
    words, members = zip(*captions(landscape.texts, landscape.groups, places), strict=True)
    anchors = np.stack([places[list(of)].mean(axis=0) for of in members])
    # Letters are about half as wide as high.
    lines = [text.split("\n") for text in words]
    sizes = np.array([[0.53 * _WORDS * max(map(len, of)) + 3, 1.25 * _WORDS * len(of)] for of in lines])
    centers = spread_out(anchors, sizes, (box.width * points, box.height * points))
    halo = [withStroke(linewidth=2.4, foreground=_PAPER)]
    line = {"arrowstyle": "-", "color": _SOFT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
    for text, anchor, center, size in zip(words, anchors, centers, sizes, strict=True):
        far = (np.abs(center - anchor) > size / 2 + 14).any()
        axes.annotate(
            text, tuple(anchor), xytext=tuple(center), xycoords="axes points", textcoords="axes points", ha="center",
            va="center", fontsize=_WORDS, zorder=5, path_effects=halo, arrowprops=line if far else None,
        )  # fmt: skip


def _legend(axes: Axes, landscape: Landscape, colors: dict[str, Color]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D(
            [], [], marker="o", linestyle="", markersize=7, color=colors[members[len(members) // 2]],
            label=f"{kind} ({len(members)} group{'s' * (len(members) > 1)})",
        )
        for kind, members in _by_kind(landscape.groups, landscape.kinds).items()
    ]  # fmt: skip
    axes.figure.legend(handles=marks, loc="lower center", ncols=min(6, len(marks)), frameon=False, fontsize=9)


def _by_kind(groups: Sequence[str], kinds: Sequence[str]) -> dict[str, list[str]]:
    """The groups of each kind, in the order in which kinds are shown."""
    order = [kind for kind in _KINDS if kind in kinds] + sorted(set(kinds) - set(_KINDS))
    pairs = list(zip(groups, kinds, strict=True))
    return {kind: sorted({group for group, of in pairs if of == kind}) for kind in order}
