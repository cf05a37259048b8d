"""Wearable-motion recordings into words.

    import kinelex

    model = kinelex.load("small")
    recording = kinelex.read("walk.csv", rate_hz=50, units={"acc": "g"}, placement="left wrist")
    model.recognize(recording, labels=["walking", "running", "sitting"]).to_frame()

The names below are imported when they are first used, so that ``import kinelex`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kinelex.datasets import StoredDataset, import_dataset
    from kinelex.errors import (
        ArtifactError,
        DataError,
        KinelexError,
        MissingDependency,
        NoTextEncoder,
        UsageError,
    )
    from kinelex.language import Vocabulary
    from kinelex.readers import read, read_sessions
    from kinelex.recognition import Recognizer, Timeline, load
    from kinelex.signal import Channel, Interval, Quality, Recording

_HOMES = {
    "ArtifactError": "errors",
    "Channel": "signal",
    "DataError": "errors",
    "Interval": "signal",
    "KinelexError": "errors",
    "MissingDependency": "errors",
    "NoTextEncoder": "errors",
    "Quality": "signal",
    "Recognizer": "recognition",
    "Recording": "signal",
    "StoredDataset": "datasets",
    "Timeline": "recognition",
    "UsageError": "errors",
    "Vocabulary": "language",
    "import_dataset": "datasets",
    "load": "recognition",
    "read": "readers",
    "read_sessions": "readers",
}

__all__ = [
    "ArtifactError",
    "Channel",
    "DataError",
    "Interval",
    "KinelexError",
    "MissingDependency",
    "NoTextEncoder",
    "Quality",
    "Recognizer",
    "Recording",
    "StoredDataset",
    "Timeline",
    "UsageError",
    "Vocabulary",
    "__version__",
    "import_dataset",
    "load",
    "read",
    "read_sessions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kinelex' has no attribute '{name}'")
    value = getattr(import_module(f"kinelex.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
