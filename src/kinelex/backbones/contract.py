"""What an encoder wants to be fed, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kinelex.errors import BadRecipe
from kinelex.signal.channel import AXES, SENSORS, Sensor
from kinelex.signal.recording import Recording

Gravity = Literal["kept", "removed", "either"]
Missing = Literal["filled", "masked"]
Shorter = Literal["kept", "wrapped", "masked"]

ACC = tuple(f"acc_{axis}" for axis in AXES)
ACC_GYRO = (*ACC, *(f"gyro_{axis}" for axis in AXES))


@dataclass(frozen=True)
class InputContract:
    """The input that an encoder was made for; `adapt` turns any recording into it.

    Args:
        rate_hz: samples per second; none where windows of any length become `clip_steps` samples, at whatever rate
            that takes.
        channels: the rows of its input, in order, each a sensor and an axis: ``"acc_x"``.
        clip_steps: the most samples that it sees at once; none for any number. A longer window is cut into as many
            clips as cover it, evenly spread, and what they give is averaged by the time that was measured in each.
        shorter: what a window of fewer samples becomes. ``"kept"``: it goes in as it is. ``"wrapped"``: it is repeated
            from its start until the clip is full. ``"masked"``: it stands at the clip's end, and what is before it
            counts as missing.
        missing: what stands for a missing value. ``"filled"``: gaps are bridged by a straight line, and a sensor that
            is not there reads zero. ``"masked"``: zero, and the encoder is told.
        acc_unit: m/s² in one of its units of acceleration: 1, or 9.80665 where it wants g.
        gyro_unit: rad/s in one of its units of rotation.
        gravity: ``"kept"``: it expects acceleration as a resting sensor measures it. ``"removed"``: the slow part is
            taken out. ``"either"``: as the recording has it.
        needs: a window counts where at least one of these sensors was measured,
        min_measured: for at least this share of it.
        placements: where its sensor is worn, best first: the first of them that a recording has is used, left or right
            if none is said. Without any, or where a recording has none of them, all its placements are, and what they
            give is averaged.

    Raises:
        BadRecipe: a field that cannot be.
    """

    rate_hz: float | None
    channels: tuple[str, ...] = ACC_GYRO
    clip_steps: int | None = None
    shorter: Shorter = "kept"
    missing: Missing = "filled"
    acc_unit: float = 1.0
    gyro_unit: float = 1.0
    gravity: Gravity = "kept"
    needs: tuple[Sensor, ...] = ("acc",)
    min_measured: float = 0.5
    placements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {f"{sensor}_{axis}" for sensor in SENSORS for axis in AXES}
        if not self.channels or not set(self.channels) <= known or len(set(self.channels)) < len(self.channels):
            raise BadRecipe(
                f"an encoder cannot have the channels {', '.join(self.channels) or 'none'}: name each once, like acc_x"
            )
        if not set(self.needs) & set(self.sensors):
            raise BadRecipe(
                f"an encoder that needs {' or '.join(self.needs) or 'nothing'} must have a channel of it:"
                f" it has {', '.join(self.channels)}"
            )
        if self.clip_steps is not None and self.clip_steps < 1:
            raise BadRecipe(f"clips of {self.clip_steps} samples cannot be: pass at least 1")
        if self.rate_hz is None and self.clip_steps is None:
            raise BadRecipe("an encoder needs a rate, or a number of samples that every window becomes: pass one")
        if self.rate_hz is not None and not self.rate_hz > 0:
            raise BadRecipe(f"an encoder's rate cannot be {self.rate_hz:g} Hz: pass one above zero")
        if not (self.acc_unit > 0 and self.gyro_unit > 0 and 0 < self.min_measured <= 1):
            raise BadRecipe(
                f"units of {self.acc_unit:g} m/s² and {self.gyro_unit:g} rad/s with {self.min_measured:g} of a window"
                " measured cannot be: units are above zero, and the share is above zero and at most 1"
            )

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """Each sensor of its channels once."""
        return tuple(sensor for sensor in SENSORS if any(name.startswith(f"{sensor}_") for name in self.channels))

    @property
    def clip_s(self) -> float | None:
        """Seconds that it sees at once, where that is fixed."""
        return None if self.rate_hz is None or self.clip_steps is None else self.clip_steps / self.rate_hz

    def grid_hz(self, window_s: float) -> float:
        """The rate that a window of some length is brought to."""
        if self.rate_hz is not None:
            return self.rate_hz
        assert self.clip_steps is not None  # seen to when it was made
        return self.clip_steps / window_s

    def worn(self, recording: Recording) -> tuple[str, ...]:
        """The placements of a recording that are used."""
        return self._preferred(recording) or recording.placements

    def shortfalls(self, recording: Recording) -> tuple[str, ...]:
        """What a recording lacks of what the encoder was made for, in words; nothing of it is an error.

        >>> from kinelex.signal import Recording
        >>> import numpy as np
        >>> wrist = Recording.from_arrays(np.ones((100, 3)), ["acc_x", "acc_y", "acc_z"], rate_hz=10, gravity=False)
        >>> InputContract(rate_hz=20.0).shortfalls(wrist)
        ('no gyro', 'gravity was taken out of its acceleration', 'nothing above 5 Hz')
        """
        worn = self.worn(recording)
        measured = {channel.sensor for channel in recording.channels if channel.placement in worn}
        found = [f"no {sensor}" for sensor in self.sensors if sensor not in measured]
        if self.gravity == "kept" and "acc" in measured and not recording.gravity:
            found.append("gravity was taken out of its acceleration")
        if self.rate_hz is not None and recording.rate_hz < self.rate_hz:
            found.append(f"nothing above {recording.rate_hz / 2:g} Hz")
        if self.placements and not self._preferred(recording):
            found.append(f"not worn on the {' or '.join(self.placements)}")
        return tuple(found)

    def _preferred(self, recording: Recording) -> tuple[str, ...]:
        for wanted in self.placements:
            sides = (wanted, f"left {wanted}", f"right {wanted}")
            if found := tuple(place for place in recording.placements if place in sides):
                return found
        return ()
