"""The picture of a timeline: the signal above, the words below.

Colors are told apart by people with any kind of color vision, and never carry a meaning alone: every activity is also
written, "unsure" is hatched and gray, and a probability is a height or a depth of color. A recording with room for its
words gets them above its segments; a long one with many segments gets a lane for each activity.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinelex import artifact
from kinelex.errors import UsageError
from kinelex.recognition.look import AXIS_GRAYS, FAINT, INK, MIST, PALETTE, PAPER, SOFT, STYLE
from kinelex.signal.channel import UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kinelex.recognition.timeline import Segment, Timeline

FILE_TYPES = (".png", ".svg", ".pdf")

_WIDTH_IN, _LEFT, _RIGHT = 11.0, 0.072, 0.98
_BINS = 1400  # more columns than this cannot be told apart on paper
_WORD_SIZES = (10.5, 9.0, 7.8)
_UNSURE_HATCH, _MISSING_HATCH = "////", "\\\\\\\\"


def draw(timeline: Timeline) -> Figure:
    """Draw a timeline."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lanes = list(timeline.seconds()) if _needs_lanes(timeline) else []
    signal_in, truth_in, words_in = 2.1, 0.21 if timeline.recording.intervals else 0.0, 0.27 * len(lanes) or 1.3
    heights = [signal_in, *([truth_in] if truth_in else []), words_in]
    top_in, bottom_in, between_in = 0.85, 0.82, 0.09
    total_in = top_in + sum(heights) + between_in * (len(heights) - 1) + bottom_in
    left = max(_LEFT, 0.014 + 0.0062 * max((len(_shortened(label)) for label in lanes), default=0))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH_IN, total_in), dpi=150, facecolor=PAPER)
        FigureCanvasAgg(figure)
        panels, upper_in = [], total_in - top_in
        for height in heights:
            box = (left, (upper_in - height) / total_in, _RIGHT - left, height / total_in)
            panels.append(figure.add_axes(box))
            upper_in -= height + between_in
        colors = _colors(timeline)
        _draw_heading(figure, timeline, left, total_in)
        _draw_signal(panels[0], timeline, colors)
        if truth_in:
            _draw_truth(panels[1], timeline, colors)
        if lanes:
            _draw_lanes(panels[-1], timeline, lanes, colors)
        else:
            _draw_words(panels[-1], timeline, colors)
        for panel in panels:
            panel.set_xlim(0.0, timeline.recording.duration_s)
            _shade_missing(panel, timeline)
            panel.spines[:].set_visible(False)
            panel.tick_params(axis="both", length=0)
            if panel is not panels[-1]:
                panel.tick_params(bottom=False, labelbottom=False)
        _time_axis(panels[-1], timeline.recording.duration_s)
        _draw_key(figure, timeline, left, colors)
    return figure


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all; the suffix decides the file type.

    Raises:
        UsageError: a file type that is none of `FILE_TYPES`.
    """
    import matplotlib as mpl

    path = check_file_type(path)
    with artifact.staged(path) as draft, mpl.rc_context(STYLE):
        figure.savefig(draft, format=path.suffix[1:].lower(), facecolor=figure.get_facecolor())
    return path


def check_file_type(path: str | Path) -> Path:
    """The path, if a picture can be written to it.

    Raises:
        UsageError: a file type that is none of `FILE_TYPES`.
    """
    path = Path(path)
    if path.suffix.lower() not in FILE_TYPES:
        raise UsageError(f"'{path}' is no picture file: end it in {', '.join(FILE_TYPES)}")
    return path


def envelope(
    values: NDArray[np.float32], rate_hz: float, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """Times, lowest and highest value of each bin; the values themselves (twice the same array) when they are few.

    A spike never disappears in a long recording, as it would if every n-th sample were drawn.
    """
    if len(values) <= 4 * bins:
        return np.arange(len(values)) / rate_hz, values, values
    starts = np.linspace(0, len(values), bins, endpoint=False).astype(np.int64)
    # fmin and fmax pass over missing values; a bin without any value stays NaN and is a hole in the picture.
    return starts / rate_hz, np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)


def _colors(timeline: Timeline) -> dict[str, str]:
    """A color for each activity that occurs; where there are more than colors, they repeat from the start."""
    spoken = {segment.activity for segment in timeline.segments} | set(_truth_words(timeline).values())
    return {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(n for n in timeline.labels if n in spoken)}


def _truth_words(timeline: Timeline) -> dict[str, str]:
    """Annotated names, such as ``walking_upstairs``, as the timeline's labels where they are the same words."""
    from kinelex.language.words import label_words, same_words

    labels = {same_words(label): label for label in timeline.labels}
    names = {interval.label for interval in timeline.recording.intervals}
    return {name: labels.get(same_words(name), label_words(name)) for name in names}


def _draw_heading(figure: Figure, timeline: Timeline, left: float, total_in: float) -> None:
    recording = timeline.recording
    figure.text(left, 1 - 0.30 / total_in, recording.name, fontsize=15, fontweight="bold", va="center")
    places = [place for place in recording.placements if place != UNKNOWN]
    sensors = {"acc": "accelerometer", "gyro": "gyroscope", "mag": "magnetometer"}
    facts = [
        ", ".join(places) or "placement unknown",
        " + ".join(sensors[name] for name in dict.fromkeys(channel.sensor for channel in recording.channels)),
        f"{recording.rate_hz:.4g} Hz",
        *(() if recording.gravity else ("gravity removed",)),
        *((f"model '{timeline.model}'",) if timeline.model else ()),
    ]
    figure.text(left, 1 - 0.60 / total_in, "  ·  ".join(facts), color=SOFT, va="center")


def _draw_signal(panel: Axes, timeline: Timeline, colors: dict[str, str]) -> None:
    for segment in _visible(timeline):
        if segment.activity is not None and not segment.unsure:
            panel.axvspan(segment.start_s, segment.end_s, color=colors[segment.activity], alpha=0.10, lw=0)
    traces, unit = _traces(timeline)
    for values, color, name in traces:
        times, low, high = envelope(values, timeline.recording.rate_hz, _BINS)
        if low is high:
            panel.plot(times, low, color=color, lw=0.8, label=name, solid_joinstyle="round")
        else:
            panel.fill_between(times, low, high, color=color, lw=0.3, label=name)
    panel.set_ylabel(unit, labelpad=6)
    panel.grid(axis="y", color=FAINT, lw=0.5, alpha=0.7)
    panel.set_axisbelow(True)
    panel.margins(y=0.08)
    panel.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=8.5, labelcolor=SOFT,
        handlelength=1.2, columnspacing=1.2, borderaxespad=0.0,
    )  # fmt: skip


def _traces(timeline: Timeline) -> tuple[list[tuple[NDArray[np.float32], str, str]], str]:
    """What to draw above, and its unit: the accelerometer, or the first sensor when there is none.

    One trace per axis as long as they can be told apart, and their common magnitude in a long recording.
    """
    recording = timeline.recording
    sensors = [channel.sensor for channel in recording.channels]
    sensor = "acc" if "acc" in sensors else sensors[0]
    place = recording.channels[sensors.index(sensor)].placement
    columns = [i for i, c in enumerate(recording.channels) if (c.sensor, c.placement) == (sensor, place)]
    unit = {"acc": "acceleration (m/s²)", "gyro": "rotation (rad/s)", "mag": "magnetic field (µT)"}[sensor]
    if len(recording.samples) <= 4 * _BINS or len(columns) == 1:
        axes = [recording.channels[i].axis for i in columns]
        return [(recording.samples[:, i], AXIS_GRAYS[a], a) for i, a in zip(columns, axes, strict=True)], unit
    squares = np.zeros(len(recording.samples), dtype=np.float32)
    for i in columns:
        squares += np.square(recording.samples[:, i])
    return [(np.sqrt(squares, out=squares), "#5B6876", "lowest to highest magnitude")], unit


def _draw_words(panel: Axes, timeline: Timeline, colors: dict[str, str]) -> None:
    """Each segment a tinted block with its word on top; within it, the probability of that word as a filled height."""
    cells = timeline.cells
    for segment in timeline.segments:
        if segment.activity is None:
            continue
        color = SOFT if segment.unsure else colors[segment.activity]
        panel.axvspan(segment.start_s, segment.end_s, color=color, alpha=0.14, lw=0)
        first, last = np.searchsorted(cells.edges_s, [segment.start_s, segment.end_s])
        panel.stairs(
            cells.probabilities[first:last, timeline.labels.index(segment.activity)], cells.edges_s[first : last + 1],
            baseline=0.0, fill=True, lw=0.0, alpha=0.35 if segment.unsure else 0.85, color=color,
            hatch=_UNSURE_HATCH if segment.unsure else None,
        )  # fmt: skip
        if segment.end_s < timeline.recording.duration_s:
            panel.axvline(segment.end_s, color=PAPER, lw=1.2)
        if size := _word_size(timeline, segment):
            panel.text(
                (segment.start_s + segment.end_s) / 2, 1.165, _word(segment), ha="center", va="center", fontsize=size,
                color=_darker(color), fontweight="bold", fontstyle="italic" if segment.unsure else "normal",
            )  # fmt: skip
    for level in (0.5, 1.0):
        panel.axhline(level, color=PAPER, lw=0.6, alpha=0.8)
    panel.set_ylim(0.0, 1.32)
    panel.set_yticks([0.0, 0.5, 1.0], ["0", "50", "100%"], fontsize=8.5)
    panel.set_ylabel("probability", labelpad=6, y=0.38)


def _draw_lanes(panel: Axes, timeline: Timeline, lanes: list[str], colors: dict[str, str]) -> None:
    """A row for each activity, longest first; the surer, the deeper its color."""
    least_s = timeline.recording.duration_s / _BINS  # what is narrower than a dot would not be seen
    for row, label in enumerate(lanes):
        panel.axhspan(row - 0.42, row + 0.42, color=MIST, lw=0, zorder=0)
        for unsure in (False, True):
            segments = [s for s in timeline.segments if s.activity == label and s.unsure is unsure]
            shade = SOFT if unsure else colors[label]
            panel.broken_barh(
                [(s.start_s, max(s.duration_s, least_s)) for s in segments], (row - 0.42, 0.84), lw=0,
                facecolors=[(shade, 0.25 if unsure else 0.35 + 0.65 * s.probability) for s in segments],
                edgecolor=SOFT, hatch=_UNSURE_HATCH if unsure else None,
            )  # fmt: skip
    panel.set_ylim(len(lanes) - 0.5, -0.5)
    panel.set_yticks(range(len(lanes)), [_shortened(label) for label in lanes], fontsize=8.5)


def _needs_lanes(timeline: Timeline) -> bool:
    """Whether most of the words would not fit above their segments."""
    spoken = [segment for segment in timeline.segments if segment.activity is not None]
    return sum(_word_size(timeline, segment) > 0 for segment in spoken) < len(spoken) / 2


def _word(segment: Segment) -> str:
    return f"{segment.activity}?" if segment.unsure else str(segment.activity)


def _word_size(timeline: Timeline, segment: Segment) -> float:
    return _size_that_fits(_word(segment), segment.duration_s / timeline.recording.duration_s)


def _size_that_fits(word: str, share: float) -> float:
    """The largest font size at which the word fits a share of the width; 0 if none does, and only the key names it."""
    width_points = 72 * _WIDTH_IN * (_RIGHT - _LEFT) * share
    return next((size for size in _WORD_SIZES if 0.62 * size * len(word) <= width_points - 4), 0.0)


def _draw_truth(panel: Axes, timeline: Timeline, colors: dict[str, str]) -> None:
    words = _truth_words(timeline)
    for interval in timeline.recording.intervals:
        word, color = words[interval.label], colors.get(words[interval.label], FAINT)
        panel.axvspan(interval.start_s, interval.end_s, color=color, lw=0)
        if _size_that_fits(word, (interval.end_s - interval.start_s) / timeline.recording.duration_s):
            middle_s = (interval.start_s + interval.end_s) / 2
            panel.text(middle_s, 0.46, word, ha="center", va="center", fontsize=_WORD_SIZES[-1], color=_contrast(color))
    panel.set_ylim(0.0, 1.0)
    panel.set_yticks([0.5], ["truth"], fontsize=8.5)


def _visible(timeline: Timeline) -> list[Segment]:
    """The segments that are at least a dot wide: of a day's thousands, most of the drawing time is saved."""
    return [segment for segment in timeline.segments if segment.duration_s * _BINS >= timeline.recording.duration_s]


def _shade_missing(panel: Axes, timeline: Timeline) -> None:
    for segment in _visible(timeline):
        if segment.activity is None:
            span = (segment.start_s, segment.end_s)
            panel.axvspan(*span, facecolor=MIST, edgecolor=FAINT, hatch=_MISSING_HATCH, lw=0, zorder=0.5)


def _draw_key(figure: Figure, timeline: Timeline, left: float, colors: dict[str, str]) -> None:
    """The activities that occur, longest first, with their color and time, and what the hatches mean."""
    from matplotlib.patches import Patch

    from kinelex.recognition.timeline import clock

    handles = [
        Patch(facecolor=colors[label], label=f"{_shortened(label)}  {clock(seconds)}")
        for label, seconds in list(timeline.seconds().items())[: len(PALETTE)]
    ]
    if any(segment.unsure and segment.activity for segment in timeline.segments):
        handles.append(Patch(facecolor=FAINT, edgecolor=SOFT, hatch=_UNSURE_HATCH, lw=0, label="unsure"))
    if any(segment.activity is None for segment in timeline.segments):
        handles.append(Patch(facecolor=MIST, edgecolor=FAINT, hatch=_MISSING_HATCH, lw=0, label="no signal"))
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(left - 0.008, 0.0), ncols=6, frameon=False, fontsize=8.8,
        handlelength=1.0, handleheight=1.0, columnspacing=1.8, labelcolor=INK,
    )  # fmt: skip


def _shortened(label: str, limit: int = 26) -> str:
    return label if len(label) <= limit else label[: limit - 1].rstrip() + "…"


def _time_axis(panel: Axes, duration_s: float) -> None:
    """Ticks at times that people count in, in seconds, minutes or hours."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
    step = next((s for s in steps if duration_s / s <= 13), 86400 * math.ceil(duration_s / 86400 / 13))
    unit = "seconds" if duration_s <= 120 else "minutes" if duration_s <= 5400 else "hours"
    divisor = {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
    parts = unit == "seconds" or step % divisor == 0

    def written(seconds: float, _: Any) -> str:
        if parts:
            return f"{seconds / divisor:g}"
        return f"{int(seconds // divisor)}:{int(seconds % divisor * 60 / divisor):02d}"

    panel.xaxis.set_major_locator(MultipleLocator(step))
    panel.xaxis.set_major_formatter(FuncFormatter(written))
    panel.tick_params(axis="x", length=3, color=FAINT)
    panel.set_xlabel(unit, loc="right", fontsize=8.5, labelpad=1)


def _contrast(color: str) -> str:
    """White or ink, whichever is better read on this color."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return PAPER if 0.30 * red + 0.59 * green + 0.11 * blue < 0.55 else INK


def _darker(color: str, share: float = 0.72) -> Any:
    """The same hue dark enough to be read as text on white."""
    from matplotlib.colors import to_rgb

    return tuple(share * part for part in to_rgb(color))
