"""The card beside a tidy table: units, placement, gravity and rate, which a table cannot say about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kinelex.errors import UnknownPlacement, UnreadableFile
from kinelex.signal.channel import SENSORS, UNKNOWN, Sensor, parse_placement


@dataclass(frozen=True)
class TidyCard:
    """What the YAML file beside a tidy table says; anything may be left out.

    Args:
        placement: in words; for columns that do not name one.
        units: unit per sensor.
        gravity: whether acc measures gravity.
        rate_hz: samples per second.
    """

    placement: str = ""
    units: Mapping[Sensor, str] = field(default_factory=dict)
    gravity: bool | None = None
    rate_hz: float | None = None

    @classmethod
    def beside(cls, path: Path) -> TidyCard:
        """The card of a table: the same name with ``.yaml``; an empty card when there is none.

        Raises:
            UnreadableFile: the file is no YAML, or a field is of the wrong kind.
        """
        card = (path.with_suffix("") if path.suffix == ".gz" else path).with_suffix(".yaml")
        if not card.is_file():
            return cls()
        try:
            content = yaml.safe_load(card.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise UnreadableFile(f"card '{card}' is no YAML: {' '.join(str(error).split())[:200]}") from None
        if not isinstance(content, dict):
            raise UnreadableFile(f"card '{card}' must map field names to values, such as 'rate_hz: 50'")
        units = content.get("units") or {}
        if not isinstance(units, dict) or not set(units) <= set(SENSORS):
            raise UnreadableFile(f"card '{card}', field units: map {', '.join(SENSORS)} to a unit each")
        rate_hz, gravity = content.get("rate_hz"), content.get("gravity")
        if rate_hz is not None and (isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float)):
            raise UnreadableFile(f"card '{card}', field rate_hz: '{rate_hz}' is no number")
        if gravity is not None and not isinstance(gravity, bool):
            raise UnreadableFile(f"card '{card}', field gravity: '{gravity}' is neither true nor false")
        return cls(
            placement=str(content.get("placement") or ""),
            units={sensor: str(unit) for sensor, unit in units.items()},
            gravity=gravity,
            rate_hz=None if rate_hz is None else float(rate_hz),
        )

    def placement_of(self, device: str = "") -> str:
        """Where a device was worn, or where everything was when the card names one place.

        >>> TidyCard(placement="phone in the pocket, watch on the dominant wrist").placement_of("phone")
        'pocket'
        >>> TidyCard(placement="front trouser pocket (iPhone 6s)").placement_of()
        'pocket'
        """
        words = re.sub(r"\([^)]*\)", "", self.placement)
        clauses = [clause for clause in re.split(r"[,;]| or ", words) if clause.strip()]
        if device:
            clauses = [clause for clause in clauses if device in clause.lower().split()]
        places = {place for clause in clauses if (place := _place_in(clause)) is not None}
        return places.pop() if len(places) == 1 else UNKNOWN


def _place_in(clause: str) -> str | None:
    """The longest run of words that is a placement."""
    words = clause.lower().split()
    for length in range(len(words), 0, -1):
        for first in range(len(words) - length + 1):
            try:
                place = parse_placement(" ".join(words[first : first + length]))
            except UnknownPlacement:
                continue
            if place != UNKNOWN:
                return place
    return None
