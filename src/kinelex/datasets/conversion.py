"""From a session's raw samples to stored ones: even clock, SI units, no value that its sensor cannot have measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.card import UNITLESS, Card
from kinelex.datasets.screening import rests_off_gravity
from kinelex.datasets.tidy import Run
from kinelex.errors import BadSamples, UnknownChannel, WrongUnit
from kinelex.signal.channel import Channel, Sensor
from kinelex.signal.clock import regularize
from kinelex.signal.units import to_si
from kinelex.signal.zero_fill import mask_zero_fill

RATE_TOLERANCE = 0.02
REFUSED_SHARE = 0.1
"""When more than this share of the sensors is refused, it is the card that is wrong, not the sensors."""


class Converter:
    """Turns sessions of one data set into what is stored, and keeps account of what it mended and refused.

    Args:
        card: what the set says about itself.
        placements: every different content of the table's placement column; one empty text when it has none.
        label: how messages call the table.

    Raises:
        UnknownPlacement: the table or card names a placement in words that are not known.
        UnknownChannel: two columns are the same channel.
    """

    def __init__(self, card: Card, placements: Iterable[str], label: str) -> None:
        self.columns = card.usable_columns
        self.rate_hz, self.gravity = card.rate_hz, card.gravity
        self._card = card
        self._units: dict[Sensor, str] = {s: unit for s, unit in card.units.items() if unit not in UNITLESS}
        self._placed = {where: self._channels_at(where, label) for where in sorted(placements)}
        self.channels = tuple(dict.fromkeys(channel for placed in self._placed.values() for channel in placed))
        self.findings: defaultdict[str, list[str]] = defaultdict(list)
        self._sensors = 0
        self._refused: list[str] = []

    def start(self) -> None:
        """Begin a new account."""
        self.findings = defaultdict(list)
        self._sensors, self._refused = 0, []

    def finish(self) -> dict[str, list[str]]:
        """The sessions since `start` that were mended or refused, by reason.

        Raises:
            WrongUnit: so many sensors were refused that the card must be wrong.
        """
        if len(self._refused) > REFUSED_SHARE * self._sensors:
            raise WrongUnit(
                f"data set '{self._card.name}': {len(self._refused)} of {self._sensors} sensors cannot be what its card"
                f" says (units: {self._units}, gravity: {self._card.gravity}); the first: {self._refused[0]}"
            )
        return dict(self.findings)

    def convert(self, run: Run, times: NDArray[np.float64], samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The session as it is stored.

        Args:
            run: which session.
            times: ``(time,)`` seconds.
            samples: ``(time, column)`` in the table's units, NaN where missing.

        Returns:
            ``(time, channel)`` with one column per channel of the set, SI, on an even clock; None when nothing is left.

        Raises:
            BadSamples: infinite values, a row without time, or a rate that is not the card's.
        """
        name = f"{self._card.name}/{run.session}"
        if np.isinf(samples).any():
            raise BadSamples(f"session '{name}' has infinite values: leave missing values empty")
        channels = self._placed[run.placement]
        if not self._is_even(times, name):
            samples = regularize(samples, times_s=times, rate_hz=self._card.rate_hz, name=name).samples
            self.findings["uneven clock, made even"].append(run.session)
        zero_filled = False
        stored = np.full((len(samples), len(self.channels)), np.nan, dtype=np.float32)
        for placement in dict.fromkeys(channel.placement for channel in channels):
            columns = [i for i, channel in enumerate(channels) if channel.placement == placement]
            columns = [i for i in columns if not np.isnan(samples[:, i]).all()]
            here, raw = [channels[i] for i in columns], samples[:, columns]
            if self._card.gravity and columns:
                zero_filled |= mask_zero_fill(raw, here, self._card.rate_hz) > 0
            if not np.isnan(raw).all():
                si = self._in_si(raw, here, name)
                if si is None:
                    self.findings[f"{placement} sensor off its scale, left out"].append(run.session)
                else:
                    stored[:, [self.channels.index(channel) for channel in here]] = si
        if zero_filled:
            self.findings["exact zeros, taken as missing"].append(run.session)
        if np.isnan(stored).all():
            self.findings["no usable value, left out"].append(run.session)
            return None
        return stored

    def _in_si(
        self, samples: NDArray[np.float32], channels: Sequence[Channel], name: str
    ) -> NDArray[np.float32] | None:
        """The samples of one placement in SI, or None when they cannot be in the card's units."""
        self._sensors += 1
        rate_hz, gravity = self._card.rate_hz, self._card.gravity
        try:
            si, _ = to_si(samples, channels, rate_hz, units=self._units, gravity=gravity, name=name)
            acc = [i for i, channel in enumerate(channels) if channel.sensor == "acc"]
            if gravity and len(acc) == 3 and rests_off_gravity(si[:, acc], rate_hz):
                raise WrongUnit(f"recording '{name}' rests where gravity is not 9.81 m/s²")
        except WrongUnit as error:
            self._refused.append(str(error))
            return None
        return si

    def _channels_at(self, placement: str, label: str) -> tuple[Channel, ...]:
        channels = tuple(self._card.channel(column, placement or None) for column in self.columns)
        if twice := sorted({channel.name for channel in channels if channels.count(channel) > 1}):
            raise UnknownChannel(
                f"'{label}' has more than one column for {', '.join(twice)}: name each by its placement"
            )
        return channels

    def _is_even(self, times: NDArray[np.float64], name: str) -> bool:
        """Whether the timestamps are the card's clock, give or take a quarter of a sample.

        Raises:
            BadSamples: a timestamp is missing, or the rate is not the card's.
        """
        rate_hz = self._card.rate_hz
        if not np.isfinite(times).all():
            raise BadSamples(f"session '{name}' has rows without t: every row needs its time in seconds")
        if len(times) < 2:
            return True
        step = float(np.median(np.diff(times)))
        if not abs(step * rate_hz - 1) <= RATE_TOLERANCE:
            measured = f"{1 / step:.4g} Hz" if step > 0 else "no clock that runs forward"
            raise BadSamples(f"session '{name}' has {measured} by its column t, its card says rate_hz: {rate_hz:g}")
        # Columns of time are often float32, whose steps grow with the time itself.
        tolerance = 0.25 / rate_hz + float(np.spacing(np.float32(np.abs(times).max())))
        return bool(np.abs(times - times[0] - np.arange(len(times)) / rate_hz).max() <= tolerance)
