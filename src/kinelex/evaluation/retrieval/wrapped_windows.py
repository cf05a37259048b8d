"""Windows as published figures of retrieval were made on: 20 Hz, 10 s, acceleration alone, what is shorter repeated.

Public sets came to that protocol as files of ready windows, which nobody else has; those of up to 10 s were repeated
from their beginning until they had 200 samples. So are sessions here: they are cut into windows of 10 s from their
start, and what remains, or a session that is shorter, is repeated likewise.

Source: UniMTS (arXiv 2410.19818, its public code data.py), which MoRA (arXiv 2605.08117) evaluates by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation.published_windows import SHORTEST_S
from kinelex.evaluation.retrieval.protocol import PUBLISHED_WINDOW_S
from kinelex.evaluation.units import only_activity
from kinelex.signal.recording import Interval, Recording
from kinelex.signal.resampling import resample

WRAPPED_HZ = 20.0


def wrapped_sessions(sessions: Iterable[Recording]) -> Iterator[Recording]:
    """Sessions as they were seen: each a whole number of windows long.

    A session without any acceleration gives none.

    Args:
        sessions: recordings with exactly one interval each.

    Raises:
        BadSamples: a session without or with more than one activity.
    """
    for session in sessions:
        label = only_activity(session)
        if not any(channel.sensor == "acc" for channel in session.channels):
            continue
        acc = session.select("acc")
        samples = wrapped(resample(acc.samples, acc.rate_hz, WRAPPED_HZ), int(WRAPPED_HZ * PUBLISHED_WINDOW_S))
        interval = Interval(0.0, len(samples) / WRAPPED_HZ, label)
        yield replace(acc, samples=samples, rate_hz=WRAPPED_HZ, intervals=(interval,))


def wrapped(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Samples ``(time, channel)`` to a whole number of windows: the last is repeated until it is full.

    A rest beside whole windows that lasts less than `SHORTEST_S` is left out.

    >>> wrapped(np.arange(3, dtype=np.float32)[:, None], 7)[:, 0].tolist()
    [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0]
    """
    whole = len(samples) // length * length
    rest = samples[whole:]
    if not len(rest) or (whole and len(rest) < SHORTEST_S * WRAPPED_HZ):
        return samples[:whole]
    return np.concatenate([samples[:whole], np.pad(rest, ((0, length - len(rest)), (0, 0)), mode="wrap")])
