"""The windows that published figures of aligned models were scored on, laid out again as nearly as can be.

They are splices. Each recording was first cut into pieces of random length, 2 to 20 s for walking, that overlap by half
to four fifths; the pieces of a person were then joined end to end in the order of their names, and the joint signal was
cut into windows of 6 s whose label is that of most of their samples. So the same signal occurs in several windows (in
2.6 of MotionSense on average), most windows hold a seam, and some hold two activities. Figures on such windows are for
comparison with published ones, and nothing else.

How near this comes:

* MotionSense: 7,989 pieces and 12,080 windows published; 7,981 to 8,086 and 12,037 to 12,133 here over ten seeds. The
  published pieces were cut without a seed, so that no two runs of that conversion are alike either.
* MobiAct, which is MobiFall 2.0: 3,646 pieces and 4,345 windows published; 3,548 and 4,199 here (3.4 % fewer). The
  seeds of its trials are known and used. Trials are about half a second shorter here, for they begin where both sensors
  run and without the gyroscope's bad start; with half a second more there would be 3,643 pieces.

Source: the published conversion, github.com/alxdofficial/tsfm, datascripts/shared/windowing.py,
datascripts/mobiact/convert.py and benchmark_data/scripts/export_raw.py, as of 2026-03; the layout was written anew.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.units import Request, Units, only_activity
from kinelex.language import PublishedGroups
from kinelex.signal.channel import Channel
from kinelex.signal.quality import Quality
from kinelex.signal.recording import Recording
from kinelex.training.randomness import seed_of

SHORTEST_S = 2.0
"""A rest shorter than this is dropped, and a piece begins at least so long after the one before."""
LONGEST_S = 90.0
OVERLAP = (0.5, 0.8)

_SEEDED = ("mobifall", "mobiact")
_RANGES = Path(__file__).with_name("published_windows.yaml")


@dataclass(frozen=True, slots=True)
class _Piece:
    session: int
    label: str
    samples: NDArray[np.float32]


def lay_out_published(sessions: Iterable[Recording], protocol: ZeroShotProtocol, dataset: str) -> Units:
    """Cut the splices of a data set into units.

    Args:
        sessions: recordings with exactly one interval each, whose label is the activity.
        protocol: window length, and the seed of pieces whose published seed nobody knows.
        dataset: its name, by which names of activities and seeds are found.

    Raises:
        BadSamples: a session without or with more than one activity, or nothing that is long enough.
    """
    published = PublishedGroups()
    splices: dict[tuple[str, float, bool], list[tuple[int, Recording]]] = {}
    named, signal_s = True, 0.0
    for number, session in enumerate(sessions):
        only_activity(session)
        named &= session.subject is not None
        signal_s += session.duration_s
        owner = session.subject if session.subject is not None else f"{number}"
        splices.setdefault((owner, session.rate_hz, session.gravity), []).append((number, session))
    owners: list[str] = []
    found: list[tuple[Request, list[str], list[int]]] = []
    spliced_s = 0.0
    for (owner, _, _), members in splices.items():
        members.sort(key=lambda member: _by_name(member[1].name))
        channels = tuple(dict.fromkeys(channel for _, session in members for channel in session.channels))
        pieces = [
            piece
            for number, session in members
            for piece in _pieces(
                number, session, channels, published.name_of(dataset, session.intervals[0].label),
                published_seed(dataset, session.name, protocol.seed),
            )
        ]  # fmt: skip
        splice, labels, sources = _spliced(pieces, members[0][1], channels, owner, protocol.window_s)
        spliced_s += splice.duration_s
        if labels:
            starts = np.arange(len(labels)) * _window_samples(splice.rate_hz, protocol.window_s) / splice.rate_hz
            found.append(((splice, starts), labels, sources))
            owners += [owner] * len(labels)
    if not found:
        raise BadSamples(f"no person's sessions together fill a window of {protocol.window_s:g} s: nothing to evaluate")
    names, subjects = np.unique(np.array(owners), return_inverse=True)
    return Units(
        labels=tuple(label for _, labels, _ in found for label in labels),
        subject_names=tuple(str(name) for name in names),
        subjects=subjects.astype(np.int64),
        named=named,
        sessions=np.array([source for _, _, sources in found for source in sources], dtype=np.int64),
        unit_of_window=np.arange(len(owners)),
        weights=np.ones(len(owners)),
        requests=tuple(request for request, _, _ in found),
        seconds=len(owners) * protocol.window_s,
        too_short=0,
        window_s=protocol.window_s,
        repeats=spliced_s / signal_s,
    )


def piece_bounds(samples: int, rate_hz: float, shortest_s: float, longest_s: float, seed: int) -> list[tuple[int, int]]:
    """First and last sample (excluded) of each piece of a recording.

    Each piece has a length and an overlap with the next one that are drawn uniformly; a recording that is no longer
    than the shortest piece stays whole.

    Args:
        samples: length of the recording.
        rate_hz: its rate.
        shortest_s: of the lengths that are drawn, by activity.
        longest_s: of the lengths that are drawn, at most `LONGEST_S`.
        seed: of Python's generator, which the published conversion drew from.
    """
    if samples <= shortest_s * rate_hz:
        return [(0, samples)]
    draw = random.Random(seed)
    bounds, first = [], 0
    while first < samples:
        length = int(draw.uniform(shortest_s, min(longest_s, LONGEST_S)) * rate_hz)
        last = min(first + length, samples)
        if last - first < SHORTEST_S * rate_hz:
            break
        bounds.append((first, last))
        first += max(int(length * (1 - draw.uniform(*OVERLAP))), int(SHORTEST_S * rate_hz))
    return bounds


def piece_range(name: str) -> tuple[float, float]:
    """From how many to how many seconds the pieces of an activity are, by its published label name.

    >>> piece_range("walking"), piece_range("juggling")
    ((2.0, 20.0), (2.0, 30.0))
    """
    return _ranges().get(name, _ranges()[""])


def published_seed(dataset: str, session: str, seed: int) -> int:
    """The seed of a session's pieces: that of the published conversion where it is known, else one of `seed`'s own.

    >>> published_seed("mobifall", "mobifall/BSC_12_3", 0)
    1245
    """
    if dataset in _SEEDED and (numbers := re.search(r"_(\d+)_(\d+)$", session)):
        person, trial = map(int, numbers.groups())
        return 42 + 100 * person + trial
    return seed_of(seed, 0, f"pieces of {session}")


@cache
def _ranges() -> dict[str, tuple[float, float]]:
    content = yaml.safe_load(_RANGES.read_text(encoding="utf-8"))
    ranges: dict[str, tuple[float, float]] = {}
    for bounds, names in {content["otherwise"]: ("",), **content["seconds"]}.items():
        low, high = map(float, bounds.split(" to "))
        ranges |= dict.fromkeys(names, (low, high))
    return ranges


def _pieces(number: int, session: Recording, channels: tuple[Channel, ...], name: str, seed: int) -> Iterator[_Piece]:
    """The pieces of a session in the order of time, with NaN for channels that it lacks."""
    samples = np.full((len(session.samples), len(channels)), np.nan, np.float32)
    samples[:, [channels.index(channel) for channel in session.channels]] = session.samples
    for first, last in piece_bounds(len(samples), session.rate_hz, *piece_range(name), seed):
        yield _Piece(number, session.intervals[0].label, samples[first:last])


def _spliced(
    pieces: list[_Piece], like: Recording, channels: tuple[Channel, ...], owner: str, window_s: float
) -> tuple[Recording, list[str], list[int]]:
    """One recording of all pieces, and of each whole window the label and the session of most of its samples."""
    samples = np.concatenate([piece.samples for piece in pieces])
    names, of_piece = np.unique(np.array([piece.label for piece in pieces]), return_inverse=True)
    lengths = [len(piece.samples) for piece in pieces]
    label_of = np.repeat(of_piece, lengths)
    session_of = np.repeat([piece.session for piece in pieces], lengths)
    length = _window_samples(like.rate_hz, window_s)
    labels, sources = [], []
    for first in range(0, len(samples) - length + 1, length):
        here = slice(first, first + length)
        label = int(np.bincount(label_of[here]).argmax())  # of equal shares the first by name
        labels.append(str(names[label]))
        sources.append(int(np.bincount(session_of[here][label_of[here] == label]).argmax()))
    splice = replace(
        like, samples=samples, channels=channels, name=f"all pieces of {owner}", start=None, intervals=(),
        quality=Quality(),
    )  # fmt: skip
    return splice, labels, sources


def _window_samples(rate_hz: float, window_s: float) -> int:
    return max(1, int(window_s * rate_hz))


def _by_name(name: str) -> list[tuple[int, str]]:
    """Order by name with numbers as numbers, as of names with leading zeros."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", name)]
