"""Whether numbers can be what their unit says, judged by the one constant that every body carries: gravity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import WrongUnit
from kinelex.signal.blocks import Blocks, blocks_of, columns_by_sensor, cut_blocks
from kinelex.signal.channel import Channel, Sensor
from kinelex.signal.gravity import STANDARD_GRAVITY

_RESTING = (0.6 * STANDARD_GRAVITY, 1.6 * STANDARD_GRAVITY)  # worn-out sensors read 7.9 to 11.6 m/s² at rest
_MOVING = (2.0, 40.0)  # m/s², median |acc| of people who never rest; those who jump up and down read 2.4 to 20
_MOVING_WITHOUT_GRAVITY = 60.0
_FASTEST = 40.0  # rad/s on one axis; gyroscopes end at 35
_FAST = 6.0  # rad/s, a usual 99th percentile of lively people
_LIVELY = 2.0  # m/s², variation of acc within a second, reached in a fifth of the seconds
_SLOWEST = 0.12  # rad/s, 99th percentile; people who move that lively reach 0.48 at least
_UNIT_FACTOR = 2.5  # a unit explains a reading that is right up to this factor in it

Factors = Mapping[Sensor, Mapping[str, float]]


def check_and_infer_gravity(
    samples: NDArray[np.float32],
    channels: Sequence[Channel],
    rate_hz: float,
    *,
    claimed: Mapping[Sensor, str],
    factors: Factors,
    gravity: bool | None,
    name: str,
) -> bool:
    """Check samples that were converted to SI against what a worn sensor can read, and find out about gravity.

    A resting accelerometer that measures gravity reads 9.81 m/s², wherever and however it is worn; on the move it does
    so over a second, roughly. Numbers in another unit miss that by a factor of 10 or 1000. All accelerometers of a
    recording are judged together, because one of them may be broken. Gyroscopes have an upper end, and cannot turn less
    than gravity turns around them, nor hardly at all while the body moves.

    Args:
        samples: ``(time, channel)`` in SI if `claimed` is right.
        channels: one per column.
        rate_hz: samples per second.
        claimed: unit per sensor, as the samples came.
        factors: SI value of each unit, per sensor.
        gravity: whether acc is said to measure gravity; None when nobody said.
        name: what messages call the recording.

    Returns:
        Whether acc measures gravity. What cannot be told (no accelerometer with all three axes) counts as measured.

    Raises:
        WrongUnit: the values cannot be in the claimed unit, or gravity is there or not against what was said.
    """
    acc = blocks_of(samples, channels, rate_hz, "acc")
    has_gravity = True if gravity is None else gravity
    if len(acc.level):
        judge = _AccJudge(acc, claimed["acc"], factors["acc"], name)
        has_gravity = judge.infer() if gravity is None else gravity
        if has_gravity:
            judge.check_with_gravity(said=gravity is not None)
        else:
            judge.check_without_gravity()
    columns = columns_by_sensor(channels)
    for (sensor, placement), axes in columns.items():
        if sensor == "gyro":
            gyro = _GyroJudge(samples, rate_hz, axes, claimed["gyro"], factors["gyro"], name)
            gyro.check_range()
            acc_axes = columns.get(("acc", placement), [])
            if len(axes) == len(acc_axes) == 3:
                gyro.check_against(acc_axes, gravity=has_gravity)
    return has_gravity


class _AccJudge:
    """The accelerometers of one recording against 9.81 m/s²."""

    def __init__(self, blocks: Blocks, unit: str, factors: Mapping[str, float], name: str) -> None:
        self.blocks, self.unit, self.factors, self.name = blocks, unit, factors, name
        still = blocks.still
        # One still second in a minute of hopping is rather a sensor that fell silent.
        self.rests = bool(still.sum() >= max(1, 0.05 * len(still)))
        self.resting = float(np.median(blocks.level[still])) if self.rests else float("nan")
        self.level = float(np.median(blocks.level))
        self.size = float(np.median(blocks.size))

    def infer(self) -> bool:
        """Whether gravity is measured: one constant vector rules, and is no mere offset of the sensor."""
        # A reading in mg that was none is 100 or 1000 times too small, as small as an offset.
        offset = 0.005 if self.unit == "mg" else 0.5
        if self.rests:
            return self.resting > offset
        if self.blocks.constancy > 0.88 and self.level > offset:
            return True
        if self.unit == "mg" and self.blocks.constancy > 0.6 and self.size < 0.2:
            return True
        return self.level > 2.5 or (self.blocks.constancy > 0.6 and self.size > 2.0)

    def check_with_gravity(self, *, said: bool) -> None:
        if self.rests:
            if not _RESTING[0] < self.resting < _RESTING[1]:
                what = f"reads {self.resting:.3g} m/s² at rest instead of 9.81"
                self._refuse(what, self.resting / STANDARD_GRAVITY)
            return
        if not _MOVING[0] < self.size < _MOVING[1]:
            what = f"has a typical |acc| of {self.size:.3g} m/s² where gravity alone is 9.81"
            self._refuse(what, self.size / STANDARD_GRAVITY)
        if said and len(self.blocks.level) >= 3 and self.level < 2.0 and self.blocks.constancy < 0.45:
            raise WrongUnit(
                f"recording '{self.name}' is said to measure gravity, but only {self.level:.2f} m/s² of its acc are"
                " constant within a second: pass gravity=False if gravity was removed"
            )

    def check_without_gravity(self) -> None:
        if self.rests and _RESTING[0] < self.resting < _RESTING[1]:
            raise WrongUnit(
                f"recording '{self.name}' is said to be without gravity, but reads {self.resting:.2f} m/s² at rest,"
                " which is gravity: pass gravity=True"
            )
        if self.size > _MOVING_WITHOUT_GRAVITY:
            self._refuse(f"has a typical |acc| of {self.size:.3g} m/s² without gravity", self.size / 3.0)

    def _refuse(self, what: str, ratio: float) -> NoReturn:
        """Raise, naming the unit that would explain a reading of `ratio` times what it should be."""
        guess = _explaining_unit(ratio, self.unit, self.factors)
        removed = "if gravity was removed pass gravity=False"
        if guess:
            advice = f"that looks like {guess}, not {self.unit}: pass units={{'acc': '{guess}'}}"
            advice += f", or {removed}" if ratio < 1 else ""
        elif ratio < 1:
            advice = f"{removed}, else check the unit (read as {self.unit})"
        else:
            advice = f"no unit that Kinelex knows explains it (read as {self.unit}): convert it to m/s^2"
        raise WrongUnit(f"recording '{self.name}' {what}; {advice}")


class _GyroJudge:
    """One gyroscope against what gyroscopes can read, and against the accelerometer beside it."""

    def __init__(
        self,
        samples: NDArray[np.float32],
        rate_hz: float,
        axes: list[int],
        unit: str,
        factors: Mapping[str, float],
        name: str,
    ) -> None:
        self.samples, self.rate_hz, self.unit, self.factors, self.name = samples, rate_hz, unit, factors, name
        self.blocks = cut_blocks(samples, rate_hz, axes)

    def check_range(self) -> None:
        speeds = np.abs(self.blocks[np.isfinite(self.blocks)])
        high = float(np.quantile(speeds, 0.99)) if len(speeds) else 0.0
        if high > _FASTEST:
            guess = _explaining_unit(high / _FAST, self.unit, self.factors, within=20.0)
            self._refuse(f"turns at {high:.3g} rad/s, faster than gyroscopes can measure", guess)

    def check_against(self, acc_axes: list[int], *, gravity: bool) -> None:
        acc = cut_blocks(self.samples, self.rate_hz, acc_axes)
        whole = np.isfinite(acc).all(axis=(1, 2)) & np.isfinite(self.blocks).all(axis=(1, 2))
        acc, speed = acc[whole], np.linalg.norm(self.blocks[whole], axis=2)
        if len(acc) < 2:
            return
        fast = float(np.quantile(speed, 0.99))
        if np.quantile(_spread(acc), 0.8) > _LIVELY and 0 < fast < _SLOWEST:
            guess = _explaining_unit(fast / _FAST, self.unit, self.factors, within=20.0)
            self._refuse(f"turns at less than {fast:.2g} rad/s while its acc moves a lot", guess)
        if not gravity:
            return
        # The direction of gravity in the first and in the second half of each second; halves in which the body is calm.
        half = acc.shape[1] // 2
        before, after = acc[:, :half], acc[:, half : 2 * half]
        mean_before, mean_after = before.mean(axis=1), after.mean(axis=1)
        lengths = np.linalg.norm(mean_before, axis=1), np.linalg.norm(mean_after, axis=1)
        calm = (_spread(before) < 0.15 * lengths[0]) & (_spread(after) < 0.15 * lengths[1])
        cosine = (mean_before * mean_after).sum(axis=1)[calm] / (lengths[0] * lengths[1])[calm]
        by_gravity = float(np.arccos(np.clip(cosine, -1, 1)).sum())
        by_gyro = float(speed.mean(axis=1)[calm].sum()) * half / self.rate_hz
        if by_gravity > 1.0 and by_gravity > 5 * by_gyro > 0:
            guess = _explaining_unit(by_gyro / by_gravity, self.unit, self.factors, within=20.0)
            what = (
                f"turns by {np.degrees(by_gravity):.0f}° against gravity while its gyroscope sums up to"
                f" {np.degrees(by_gyro):.1f}°"
            )
            self._refuse(what, guess)

    def _refuse(self, what: str, guess: str | None) -> NoReturn:
        advice = f"that looks like {guess}, not {self.unit}: pass units={{'gyro': '{guess}'}}"
        raise WrongUnit(f"recording '{self.name}' {what}; {advice if guess else f'check the unit {self.unit}'}")


def _explaining_unit(ratio: float, unit: str, factors: Mapping[str, float], within: float = _UNIT_FACTOR) -> str | None:
    """The unit in which a reading of `ratio` times what is right would be right, up to a factor of `within`."""
    misses = {other: abs(np.log(ratio * factor / factors[unit])) for other, factor in factors.items() if other != unit}
    guess = min(misses, key=lambda other: misses[other])
    return guess if misses[guess] < np.log(within) else None


def _spread(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(blocks.var(axis=1).sum(axis=1)), dtype=np.float64)
