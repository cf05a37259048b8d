"""Which unit the values of a table can be in, and whether gravity is among them.

Every unit is tried on every piece, and refused where `kinelex.signal.plausibility` refuses it. Where exactly one is
left, it is decided. Else the one that makes people move as people do is a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets.conversion import REFUSED_SHARE
from kinelex.errors import WrongUnit
from kinelex.signal.channel import Channel, Sensor
from kinelex.signal.gravity import STANDARD_GRAVITY
from kinelex.signal.units import EARTH_FIELD_UT, FACTORS, SI_UNITS, to_si

_LIVELY_ACC = 3.0  # m/s² without gravity, reached a tenth of the time
_LIVELY_GYRO = 3.0  # rad/s, reached a hundredth of the time
_SURE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """The sensors of one placement in one session.

    Args:
        samples: ``(time, channel)`` as in the table.
        channels: one per column.
        session: for messages.
    """

    samples: NDArray[np.float32]
    channels: tuple[Channel, ...]
    session: str

    def of(self, *sensors: Sensor) -> Piece:
        """Only these sensors."""
        kept = [i for i, channel in enumerate(self.channels) if channel.sensor in sensors]
        return Piece(self.samples[:, kept], tuple(self.channels[i] for i in kept), self.session)


@dataclass(frozen=True, slots=True)
class UnitGuess:
    """The unit of a sensor.

    Args:
        unit: the likeliest.
        decided: whether no other is possible.
    """

    unit: str
    decided: bool


def judge_gravity(pieces: Sequence[Piece], rate_hz: float) -> tuple[UnitGuess, bool, bool]:
    """The unit of acc, whether it measures gravity, and whether that is beyond doubt.

    Args:
        pieces: some sessions.
        rate_hz: their rate.
    """
    pieces = [piece.of("acc") for piece in pieces]
    whole = [piece for piece in pieces if len(piece.channels) == 3]
    found = {unit: [_gravity_in(piece, rate_hz, unit) for piece in whole] for unit in FACTORS["acc"]}
    possible = [unit for unit, verdicts in found.items() if _stands(verdicts)]
    shares = {unit: _share_of_true(found[unit]) for unit in possible}
    gravity = bool(np.mean(list(shares.values())) > 0.5) if shares else True
    decided = len(possible) == 1
    unit = possible[0] if decided else _nearest(pieces, "acc", possible, 0.9, _typical_acc(gravity))
    share = shares.get(unit, 0.5)
    return UnitGuess(unit, decided), gravity, max(share, 1 - share) >= _SURE


def judge_unit(sensor: Sensor, pieces: Sequence[Piece], rate_hz: float, acc_unit: str, gravity: bool) -> UnitGuess:
    """The unit of a gyroscope, held against acc and the fastest that can be; a magnetometer's can only be guessed.

    Args:
        sensor: ``"gyro"`` or ``"mag"``.
        pieces: some sessions.
        rate_hz: their rate.
        acc_unit: the unit of acc.
        gravity: whether acc measures gravity.
    """
    if sensor != "gyro":
        units = [unit for unit in FACTORS["mag"] if unit != "normalized"]
        return UnitGuess(_nearest([piece.of("mag") for piece in pieces], "mag", units, 0.5, EARTH_FIELD_UT), False)
    sound = [p for p in pieces if _stands([_gravity_in(p.of("acc"), rate_hz, acc_unit, gravity)])]
    both = [piece.of("acc", "gyro") for piece in sound if piece.of("gyro").channels]
    verdicts = {
        unit: [_gravity_in(piece, rate_hz, acc_unit, gravity, gyro=unit) for piece in both] for unit in FACTORS["gyro"]
    }
    possible = [unit for unit, found in verdicts.items() if _stands(found)]
    if len(possible) == 1:
        return UnitGuess(possible[0], True)
    return UnitGuess(_nearest([piece.of("gyro") for piece in pieces], "gyro", possible, 0.99, _LIVELY_GYRO), False)


def _gravity_in(
    piece: Piece, rate_hz: float, acc: str, gravity: bool | None = None, gyro: str | None = None
) -> bool | None:
    """Whether the piece measures gravity if its units are these; None if they cannot be."""
    if not piece.channels:
        return True
    units: dict[Sensor, str] = {"acc": acc, "gyro": gyro or SI_UNITS["gyro"]}
    try:
        _, found = to_si(
            piece.samples.copy(), piece.channels, rate_hz, units=units, gravity=gravity, name=piece.session
        )
    except WrongUnit:
        return None
    return found


def _stands(verdicts: Sequence[bool | None]) -> bool:
    """Whether a unit is refused no more often than sensors are broken."""
    return verdicts.count(None) <= REFUSED_SHARE * len(verdicts)


def _share_of_true(verdicts: Sequence[bool | None]) -> float:
    told = [verdict for verdict in verdicts if verdict is not None]
    return sum(told) / len(told) if told else 0.5


def _typical_acc(gravity: bool) -> float:
    return STANDARD_GRAVITY if gravity else _LIVELY_ACC


def _nearest(pieces: Sequence[Piece], sensor: Sensor, units: Sequence[str], quantile: float, usual: float) -> str:
    """The unit in which the length of the vector is nearest to what is usual, by its factor from it."""
    units = units or list(FACTORS[sensor])
    lengths = [np.linalg.norm(piece.samples, axis=1) for piece in pieces if piece.channels]
    values = np.concatenate([np.zeros(0), *(length[np.isfinite(length)] for length in lengths)])
    if not len(values) or not (typical := float(np.quantile(values, quantile))) > 0:
        return SI_UNITS[sensor]
    return min(units, key=lambda unit: abs(np.log(typical * FACTORS[sensor][unit] / usual)))
