"""One page of pictures of a data set: who did what, what it looks like, how strong and how long it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.stats import BIN_MS2, BRIEF_S, EXCERPT_S, DatasetStats, Excerpt, Worn
from kinelex.signal.gravity import STANDARD_GRAVITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ACTIVITIES = 60
MOST_SUBJECTS = 240
MOST_PLACEMENTS = 6
MOST_EXCERPTS = 120

_INK, _SOFT, _FAINT, _BLUE, _AMBER = "#1f2933", "#7b8794", "#e4e7eb", "#14507d", "#e9c48d"
_SHADES = ("#eef4f9", "#cfe1ef", "#a9cbe4", "#5f9ec9", "#23699d", "#0c3c63")
_AXES = {"x": "#0072b2", "y": "#e69f00", "z": "#009e73"}  # told apart by people with any kind of color vision
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.size": 8.5, "text.color": _INK, "axes.labelcolor": _SOFT, "xtick.color": _INK,
    "ytick.color": _INK, "axes.linewidth": 0.8, "text.parse_math": False,
}  # fmt: skip
_WIDTH_IN, _MARGIN_IN, _GAP_IN = 12.0, 0.35, 0.5
_HEAD_IN, _TITLE_IN = 0.95, 0.62
_USUAL_MS2 = 160.0  # the range of most sensors is 16 g or less
_LIMITS = (12, 15, 20, 30, 40, 60, 80, 100, 150, 200, 400)


def draw(stats: DatasetStats) -> Figure:
    """Draw a data set: seconds by activity and subject, excerpts, and the spread of |acc|, lengths and rates.

    What does not fit on a page that can be read is left out, and the page says so.
    """
    import matplotlib as mpl

    parts = (_People(stats), _Excerpts(stats), _Spreads(stats))
    height = _HEAD_IN + sum(part.height_in + _GAP_IN for part in parts)
    with mpl.rc_context(_STYLE):
        sheet = _Sheet(height)
        _draw_heading(sheet, stats)
        top = _HEAD_IN
        for part in parts:
            part.draw(sheet, top)
            top += part.height_in + _GAP_IN
    return sheet.figure


class _Sheet:
    """A figure on which places are inches from the upper left corner."""

    def __init__(self, height_in: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.height_in = height_in
        self.figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=120, facecolor="white")
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        box = (left / _WIDTH_IN, 1 - (top + height) / self.height_in, width / _WIDTH_IN, height / self.height_in)
        axes = self.figure.add_axes(box)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return axes

    def text(self, left: float, top: float, words: str, **style: Any) -> None:
        self.figure.text(left / _WIDTH_IN, 1 - top / self.height_in, words, **{"va": "center", **style})

    def title(self, top: float, words: str, remark: str) -> None:
        self.text(_MARGIN_IN, top + 0.08, words, fontsize=11, weight="bold")
        self.text(_MARGIN_IN, top + 0.30, remark, color=_SOFT, fontsize=8)


def _draw_heading(sheet: _Sheet, stats: DatasetStats) -> None:
    dataset = stats.dataset
    rates = dataset.rates_hz
    facts = [
        f"{len(stats.subjects)} {_plural('subject', len(stats.subjects))}",
        f"{len(stats.seconds)} {_plural('activity', len(stats.seconds))}",
        f"{len(dataset.index):,} {_plural('session', len(dataset.index))}",
        f"{dataset.hours:.2f} h",
        f"{rates[0]:g} Hz" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g} Hz",
        _shortened(", ".join(dataset.placements), 70),
        {True: "gravity in acc", False: "gravity removed", None: "gravity in some acc"}[dataset.gravity],
    ]
    sheet.text(_MARGIN_IN, 0.32, _shortened(dataset.about.title or dataset.name, 90), fontsize=16, weight="bold")
    sheet.text(_MARGIN_IN, 0.62, "  ·  ".join(facts), color=_SOFT, fontsize=9.5)


class _People:
    """Seconds by activity and subject as a heat map, with sums beside and above."""

    def __init__(self, stats: DatasetStats) -> None:
        self.hours = stats.hours_per_subject
        self.rows = list(stats.seconds)[:MOST_ACTIVITIES]
        self.people = stats.subjects[:MOST_SUBJECTS]
        left_out = _left_out(len(stats.seconds) - len(self.rows), "activity")
        left_out += _left_out(len(stats.subjects) - len(self.people), "subject")
        self.remark = f"Darker is longer; white is never. Above: hours of each subject. Beside: sums.{left_out}"
        self.table = np.array([[stats.seconds[row].get(name, 0.0) for name in self.people] for row in self.rows])
        self.totals = [sum(stats.seconds[row].values()) for row in self.rows]
        self.counts = [len(stats.seconds[row]) for row in self.rows]
        self.cell_h = 0.19 if len(self.rows) > 12 else 0.26
        self.limit = 42 if len(self.people) <= MOST_SUBJECTS // 4 else 30
        self.labels_in = 0.15 + 0.064 * max(len(_words(row, self.limit)) for row in self.rows)
        self.cell_w = min(0.5, (_WIDTH_IN - 2 * _MARGIN_IN - self.labels_in - 2.6) / len(self.people))
        self.names_in = 0.12 + 0.07 * min(max(map(len, self.people)), 16)
        self.top_in = 0.55
        self.height_in = _TITLE_IN + self.top_in + self.cell_h * len(self.rows) + self.names_in

    def draw(self, sheet: _Sheet, top: float) -> None:
        sheet.title(top, "Seconds of each activity by each subject", self.remark)
        left, width = _MARGIN_IN + self.labels_in, self.cell_w * len(self.people)
        at, height = top + _TITLE_IN + self.top_in, self.cell_h * len(self.rows)
        beside = left + width + 0.12
        self._map(sheet.axes(left, at, width, height))
        self._hours(sheet.axes(left, at - self.top_in + 0.06, width, self.top_in - 0.12))
        self._sums(sheet.axes(beside, at, min(5.0, _WIDTH_IN - _MARGIN_IN - beside), height))
        self._key(sheet.axes(beside, at - 0.36, 1.3, 0.1))

    def _colors(self) -> dict[str, Any]:
        from matplotlib.colors import LinearSegmentedColormap, LogNorm

        there = self.table[self.table > 0]
        # Seconds differ by factors: a fall lasts as long as it lasts, a walk as long as somebody wants.
        scale = LogNorm(there.min() / 1.2, there.max() * 1.2)
        return {"cmap": LinearSegmentedColormap.from_list("seconds", _SHADES), "norm": scale}

    def _key(self, axes: Axes) -> None:
        colors = self._colors()
        low, high = colors["norm"].vmin * 1.2, colors["norm"].vmax / 1.2
        if high < 1.01 * low:
            axes.set_axis_off()
            return
        axes.pcolormesh(np.geomspace(low, high, 64)[None], **colors)
        axes.set_yticks([])
        ends = axes.get_xlim()
        axes.set_xticks(ends, [f"{_short_number(low)} s", f"{_short_number(high)} s"], fontsize=7.5, color=_SOFT)

    def _map(self, axes: Axes) -> None:
        colors = self._colors()
        axes.pcolormesh(
            np.where(self.table > 0, self.table, np.nan), **colors, edgecolors="white",
            linewidth=0.6 if self.cell_w > 0.08 else 0.0,
        )  # fmt: skip
        if self.cell_w >= 0.36 and self.cell_h >= 0.19:
            for (row, column), seconds in np.ndenumerate(self.table):
                if seconds:
                    color = "white" if colors["norm"](seconds) > 0.55 else _INK
                    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "color": color}
                    axes.text(column + 0.5, row + 0.5, _short_number(seconds), **style)
        axes.set_ylim(len(self.rows), 0)
        axes.set_yticks(np.arange(len(self.rows)) + 0.5, [_words(row, self.limit) for row in self.rows])
        every = max(1, math.ceil(0.115 / self.cell_w))
        shown = range(0, len(self.people), every)
        names = [_shortened(self.people[i], 16) for i in shown]
        axes.set_xticks([i + 0.5 for i in shown], names, rotation=90, fontsize=7.5)
        axes.spines[:].set(visible=True, color=_FAINT)

    def _hours(self, axes: Axes) -> None:
        hours = [self.hours[name] for name in self.people]
        axes.bar(np.arange(len(hours)) + 0.5, hours, width=0.72, color=_SHADES[2])
        axes.set_xlim(0, len(hours))
        axes.set_xticks([])
        axes.set_yticks([0, max(hours)], ["", f"{max(hours):.2g} h"], fontsize=7.5, color=_SOFT)

    def _sums(self, axes: Axes) -> None:
        places = np.arange(len(self.rows)) + 0.5
        axes.barh(places, self.totals, height=0.66, color=_SHADES[2])
        for place, total, people in zip(places, self.totals, self.counts, strict=True):
            words = f" {total:,.0f} s  ·  {people} {_plural('subject', people)}"
            axes.text(total, place, words, va="center", fontsize=7.5, color=_SOFT)
        # Room for the words beside the longest bar.
        inches = axes.get_position().width * _WIDTH_IN
        axes.set(
            xlim=(0, max(self.totals) / max(0.15, 1 - 1.7 / inches)), ylim=(len(self.rows), 0), xticks=[], yticks=[]
        )


class _Excerpts:
    """A few seconds of acceleration of each activity at each placement."""

    def __init__(self, stats: DatasetStats) -> None:
        self.found = stats.excerpts
        placements = [w.placement for w in stats.worn if any(place == w.placement for _, place in self.found)]
        self.placements = placements[:MOST_PLACEMENTS]
        activities = [name for name in stats.seconds if any((name, place) in self.found for place in self.placements)]
        self.across = max(1, len(self.placements))
        self.activities = activities[: MOST_EXCERPTS // self.across]
        left_out = _left_out(len(activities) - len(self.activities), "activity")
        left_out += _left_out(len(placements) - len(self.placements), "placement")
        self.remark = (
            f"Up to {EXCERPT_S:g} s of acc in m/s² from one session each: its middle, and in sessions of up to"
            f" {BRIEF_S:g} s what surrounds the strongest movement. Above each its scale.{left_out}"
        )
        # Few placements leave room for several activities side by side.
        self.rows = math.ceil(len(self.activities) / max(1, 4 // self.across))
        self.side_by_side = math.ceil(len(self.activities) / max(1, self.rows))
        self.panel_h = 0.62 if self.rows < 12 else 0.46
        self.pitch_in = self.panel_h + 0.22
        self.header_in = 0.26 if self.across > 1 else 0.05
        self.height_in = _TITLE_IN + self.header_in + self.rows * self.pitch_in if self.rows else _TITLE_IN

    def draw(self, sheet: _Sheet, top: float) -> None:
        if not self.rows:
            sheet.title(top, "What it looks like", "No acceleration was measured.")
            return
        sheet.title(top, "What it looks like", self.remark)
        for place, (axis, color) in enumerate(_AXES.items()):
            sheet.text(_WIDTH_IN - _MARGIN_IN - 0.8 + 0.3 * place, top + 0.08, axis, color=color, weight="bold")
        between, block_gap = 0.08, 0.22
        room = _WIDTH_IN - 2 * _MARGIN_IN - block_gap * (self.side_by_side - 1)
        block = room / self.side_by_side
        width = (block - between * (self.across - 1)) / self.across
        for number, activity in enumerate(self.activities):
            column, row = divmod(number, self.rows)
            left = _MARGIN_IN + column * (block + block_gap)
            at = top + _TITLE_IN + self.header_in + row * self.pitch_in
            sheet.text(left, at + 0.09, _words(activity, round(13 * width)), fontsize=7.5, weight="bold")
            for place, placement in enumerate(self.placements):
                x = left + place * (width + between)
                if row == 0 and self.across > 1:
                    sheet.text(
                        x + width / 2, at - 0.1, placement, fontsize=8.5, color=_BLUE, weight="bold", ha="center"
                    )
                axes = sheet.axes(x, at + 0.19, width, self.panel_h)
                self._panel(axes, self.found.get((activity, placement)))

    def _panel(self, axes: Axes, excerpt: Excerpt | None) -> None:
        axes.set(xticks=[], yticks=[], facecolor="#f7f8fa", xlim=(0, EXCERPT_S))
        if excerpt is None or not np.isfinite(excerpt.samples).any():
            axes.text(EXCERPT_S / 2, 0.5, "none", color=_SOFT, ha="center", va="center", fontsize=7.5)
            return
        reach = float(np.nanmax(np.abs(excerpt.samples)))
        limit = next((limit for limit in _LIMITS if reach <= limit), _LIMITS[-1])
        axes.axhline(0, color="white", linewidth=0.9)
        times = np.arange(len(excerpt.samples)) / excerpt.rate_hz
        for axis, values in zip(excerpt.axes, excerpt.samples.T, strict=True):
            axes.plot(times, values, color=_AXES[axis], linewidth=0.75, solid_joinstyle="round")
        axes.set_ylim(-limit, limit)
        axes.set_title(f"±{limit}", loc="right", fontsize=6.5, color=_SOFT, pad=2)


class _Spreads:
    """How |acc| is spread at each placement, and how long and fast sessions are."""

    def __init__(self, stats: DatasetStats) -> None:
        self.stats = stats
        self.worn = [worn for worn in stats.worn if worn.overall.total_s]
        self.panels = len(self.worn) + 2
        self.columns = min(4, self.panels)
        self.panel_h, self.row_h = 1.55, 2.3
        self.height_in = _TITLE_IN + self.row_h * math.ceil(self.panels / self.columns) - 0.2

    def draw(self, sheet: _Sheet, top: float) -> None:
        from matplotlib.ticker import MaxNLocator

        remark = "Share of the time by |acc|, in bins of 0.5 m/s²; the dashed line is gravity. Amber: at rest."
        if not self.worn:
            remark = "No acceleration with all three axes was measured."
        sheet.title(top, "How strong, how long, how fast", remark)
        gap = 0.55
        width = (_WIDTH_IN - 2 * _MARGIN_IN - gap * (self.columns - 1) - 0.3) / self.columns
        for number in range(self.panels):
            row, column = divmod(number, self.columns)
            left = _MARGIN_IN + 0.3 + column * (width + gap)
            axes = sheet.axes(left, top + _TITLE_IN + 0.22 + row * self.row_h, width, self.panel_h)
            if number < len(self.worn):
                self._strengths(axes, self.worn[number])
            elif number == len(self.worn):
                self._lengths(axes, self.stats.lengths_s)
                axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            else:
                self._rates(axes, self.stats.rates_hz)
                axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.set_axisbelow(True)
            axes.grid(axis="y", color="#eef1f4", linewidth=0.8)
            axes.tick_params(labelsize=7.5)

    def _strengths(self, axes: Axes, worn: Worn) -> None:
        wide = round(0.5 / BIN_MS2)
        edges = np.arange(len(worn.overall.seconds) // wide + 1) * 0.5
        for magnitudes, color in ((worn.overall, _SHADES[2]), (worn.resting, _AMBER)):
            share = 100 * magnitudes.seconds.reshape(-1, wide).sum(axis=1) / worn.overall.total_s
            axes.stairs(share, edges, baseline=1e-4, fill=True, color=color, alpha=0.9)
        last = min(max(20.0, 5 * math.ceil(worn.overall.percentile(99.99) / 5)), _USUAL_MS2)
        beyond = 100 * worn.overall.seconds[round(last / BIN_MS2) :].sum() / worn.overall.total_s
        axes.set(yscale="log", xlim=(0, last), ylim=(1e-3, 130), xlabel="|acc| (m/s²)", ylabel="% of the time")
        axes.set_yticks([1e-3, 1e-2, 0.1, 1, 10, 100], ["0.001", "0.01", "0.1", "1", "10", "100"])
        axes.minorticks_off()
        axes.axvline(STANDARD_GRAVITY, color=_INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.text(STANDARD_GRAVITY + last / 60, 60, "9.81", fontsize=7.5)
        remarks = ["gravity removed"] if worn.gravity is False else []
        remarks += [f"{beyond:.2g} % beyond"] if beyond > 0 else []
        _panel_title(axes, worn.placement, ", ".join(remarks))

    def _lengths(self, axes: Axes, lengths_s: NDArray[np.float64]) -> None:
        low, high = float(lengths_s.min()), float(lengths_s.max())
        if high > 20 * low:
            edges = np.geomspace(low * 0.999, high * 1.001, 31)
            axes.set_xscale("log")
        else:
            edges = np.linspace(0, high * 1.02, 31)
        counts, _ = np.histogram(lengths_s, edges)
        axes.stairs(counts, edges, fill=True, color=_BLUE)
        axes.set(xlabel="seconds", ylabel="sessions", xlim=(edges[0], edges[-1]))
        if high > 20 * low:
            _plain_numbers(axes)
        _panel_title(axes, "session length", f"median {np.median(lengths_s):.4g} s")

    def _rates(self, axes: Axes, rates_hz: NDArray[np.float64]) -> None:
        rates, counts = np.unique(np.round(rates_hz, 3), return_counts=True)
        if len(rates) <= 8:
            axes.bar(range(len(rates)), counts, width=0.6, color=_BLUE)
            axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
            axes.set_xlim(-0.5 - max(0, 4 - len(rates)) / 2, len(rates) - 0.5 + max(0, 4 - len(rates)) / 2)
        else:
            counts, edges = np.histogram(rates_hz, 40)
            axes.stairs(counts, edges, fill=True, color=_BLUE)
        axes.set(xlabel="Hz", ylabel="sessions")
        _panel_title(axes, "rate", f"{len(rates)} rates" if len(rates) > 1 else "")


def _panel_title(axes: Axes, words: str, remark: str) -> None:
    axes.set_title(words, loc="left", fontsize=9, fontweight="bold", pad=5)
    axes.set_title(remark, loc="right", fontsize=7.5, color=_SOFT, pad=5)


def _plain_numbers(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _left_out(count: int, what: str) -> str:
    return f" {count} more {_plural(what, count)} left out." if count > 0 else ""


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _words(activity: str, limit: int = 34) -> str:
    return _shortened(activity.replace("_", " "), limit)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _short_number(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}" if seconds < 10_000 else f"{seconds / 1000:.0f}k"
