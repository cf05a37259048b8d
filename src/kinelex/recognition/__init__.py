"""What users hold: a `Recognizer` that turns recordings and activity names into a `Timeline`.

Also how probabilities are computed, calibrated, and declared unsure.
"""

from __future__ import annotations

from kinelex.model.scoring import probabilities
from kinelex.recognition.calibration import Unsure, fit_temperature
from kinelex.recognition.loading import load, shipped_models
from kinelex.recognition.recognizer import EVERYDAY, Recognizer
from kinelex.recognition.timeline import Segment, Timeline, Window

__all__ = [
    "EVERYDAY",
    "Recognizer",
    "Segment",
    "Timeline",
    "Unsure",
    "Window",
    "fit_temperature",
    "load",
    "probabilities",
    "shipped_models",
]
