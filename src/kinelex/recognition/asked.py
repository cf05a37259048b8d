"""What a call asks for, checked: which windows, which labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadLabels, UsageError
from kinelex.signal.recording import Recording
from kinelex.signal.windows import windows_of


def window_starts(recording: Recording, window_s: float, hop_s: float | None = None) -> NDArray[np.float64]:
    """Where windows begin so that they cover the whole recording.

    Where whole hops do not reach the end, one more window ends exactly there.

    Raises:
        TooShort: the recording is shorter than half a window.
        UsageError: see `check_hop`.
    """
    hop = check_hop(window_s, hop_s)
    starts = windows_of(recording.duration_s, window_s, hop, keep_tail=False, name=recording.name)
    last_s = recording.duration_s - window_s
    return np.append(starts, last_s) if last_s - starts[-1] > 0.5 / recording.rate_hz else starts


def check_hop(window_s: float, hop_s: float | None = None) -> float:
    """The seconds from one window to the next: half a window when left out.

    Raises:
        UsageError: a window of no or endless length, or a hop that is not above zero or leaves holes between windows.
    """
    hop = window_s / 2 if hop_s is None else hop_s
    if not (0 < window_s < float("inf") and 0 < hop <= window_s):
        raise UsageError(
            f"windows of {window_s:g} s every {hop:g} s cannot be: window_s must be above zero, and hop_s above zero"
            " and at most window_s, so that no second is left out"
        )
    return hop


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without surrounding blanks, at least two, no two alike.

    Raises:
        BadLabels: a single string, an empty list, one label alone, a blank one, or one that is named twice.
    """
    if isinstance(labels, str):
        raise BadLabels(f"labels must be a list of names, not one string: pass {labels.split(',')!r}")
    names: list[str] = []
    seen: dict[str, str] = {}
    for position, label in enumerate(labels, 1):
        if not isinstance(label, str):
            raise BadLabels(f"label {position} is {label!r}, not a name of an activity")
        name = " ".join(label.split())
        if not any(character.isalnum() for character in name):
            raise BadLabels(f"label {position} of {len(labels)} is blank: leave it out, or name an activity")
        if same_key(name) in seen:
            raise BadLabels(f"'{seen[same_key(name)]}' and '{name}' are one label named twice: leave one out")
        seen[same_key(name)] = name
        names.append(name)
    if not names:
        raise BadLabels('no labels: name at least two activities, such as ["walking", "sitting"]')
    if len(names) == 1:
        raise BadLabels(f"'{names[0]}' alone would always win: name at least one other activity, such as 'standing'")
    return tuple(names)


def same_key(label: str) -> str:
    """The same for two labels of the same words."""
    from kinelex.language.words import same_words

    return same_words(label)
