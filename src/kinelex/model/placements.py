"""The words for where a sensor is worn."""

from __future__ import annotations

from kinelex.signal.channel import PLACEMENTS, UNKNOWN

MODEL_PLACEMENTS = (UNKNOWN, *(p for p in PLACEMENTS if p != UNKNOWN))
"""Rows of a model's placement vectors; left and right share a row."""

PLACEMENT_TEXTS = tuple(
    "worn somewhere on the body" if place == UNKNOWN else f"worn on the {place}" for place in MODEL_PLACEMENTS
)


def placement_row(placement: str) -> int:
    """The row of a standard placement name."""
    return MODEL_PLACEMENTS.index(placement.removeprefix("left ").removeprefix("right "))
