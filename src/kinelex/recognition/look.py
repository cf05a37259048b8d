"""How pictures look: ink on paper, sizes of text, and colors that people with any kind of color vision tell apart."""

from __future__ import annotations

from typing import Any

INK, SOFT, FAINT, MIST, PAPER = "#22272E", "#6B7480", "#D5D9DE", "#F4F5F7", "#FFFFFF"

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7A5FA8", "#8C6D31", "#44AA99", "#AA4466")
"""Okabe and Ito's colors for universal design without black and yellow, then four more of like strength."""

AXIS_GRAYS = {"x": "#3B4754", "y": "#7C8A99", "z": "#B4BEC9"}
"""Axes of a sensor in one family: color is for words."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.size": 9.5, "axes.edgecolor": FAINT, "axes.labelcolor": SOFT,
    "xtick.color": SOFT, "ytick.color": SOFT, "text.color": INK, "axes.linewidth": 0.8, "hatch.linewidth": 0.7,
    "svg.fonttype": "none", "text.parse_math": False,
}  # fmt: skip
"""For ``matplotlib.rc_context``; labels are written as they are, whatever signs they hold."""
