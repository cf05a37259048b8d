"""The card of a data set: what a table of samples cannot say about itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kinelex.errors import BadRecipe, UnknownChannel, UnknownPlacement, UnreadableFile, WrongUnit
from kinelex.signal.channel import Channel, Sensor, parse_placement
from kinelex.signal.units import parse_unit

UNITLESS = ("normalised", "normalized")
"""What a card writes for a sensor whose published values have lost their unit; such a sensor cannot become SI."""

DEVICE_PLACEMENTS = {"phone": "pocket", "watch": "wrist"}
"""Columns named after a device rather than a body part: where data sets that do so have it worn."""


RESERVED = frozenset({"downloads", "raw"})
"""Folders beside the imported data sets, see `kinelex.datasets.getting`."""


def channel_of(column: str) -> Channel:
    """What a column measures by its name alone; a placement or device that it starts with says where.

    Raises:
        UnknownChannel: the column is no sensor axis.
        UnknownPlacement: what stands before the sensor is no placement.
    """
    prefix, _, rest = column.partition("_")
    return Channel.parse(rest, DEVICE_PLACEMENTS[prefix]) if prefix in DEVICE_PLACEMENTS else Channel.parse(column)


class Card(BaseModel):
    """What must be known about a data set; the YAML file beside its table.

    A card is checked when it is read: every column is a sensor channel with a placement, and every sensor has a unit.
    Whether it is true of the table is checked when the table is imported.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_\-]*$", max_length=64, description="Short name, used for its folder and in commands."
    )
    title: str = Field(default="", description="Full name.")
    subjects: int = Field(ge=1, description="Number of people.")
    placement: str = Field(description="Where the sensors were worn, in words; for columns that do not say.")
    units: dict[Sensor, str] = Field(description="Unit of each sensor in the table, or 'normalised' when it has none.")
    gravity: bool = Field(description="Whether the accelerometer measures gravity as well.")
    rate_hz: float = Field(ge=5, le=400, description="Samples per second.")
    role: str = Field(default="training", description="What the set is for: training, test, or a smoke test.")
    complete: str = Field(default="", description="How much of the published set this is.")
    cite: str = Field(default="", description="What to cite.")
    licence: str = Field(default="not stated", description="Under which terms it may be used.")
    hours: float = Field(gt=0, description="Length of all sessions together.")
    columns: tuple[str, ...] = Field(min_length=1, description="The table's sensor columns.")
    activities: dict[str, float] = Field(min_length=1, description="Seconds of each activity, by its official name.")

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"'{name}' is a folder of the store itself: choose another name")
        return name

    @field_validator("activities")
    @classmethod
    def _activities_have_time(cls, activities: dict[str, float]) -> dict[str, float]:
        for name, seconds in activities.items():
            if not name.strip() or not seconds > 0:
                raise ValueError(f"activity '{name}' has {seconds:g} s: give every activity a name and a time above 0")
        return activities

    @field_validator("units")
    @classmethod
    def _units_known(cls, units: dict[Sensor, str]) -> dict[Sensor, str]:
        for sensor, unit in units.items():
            if unit not in UNITLESS:
                try:
                    parse_unit(sensor, unit)
                except WrongUnit as error:
                    raise ValueError(str(error)) from None
        return units

    @model_validator(mode="after")
    def _columns_are_channels(self) -> Card:
        if twice := sorted({c for c in self.columns if self.columns.count(c) > 1}):
            raise ValueError(f"columns: {', '.join(twice)} listed more than once")
        for column in self.columns:
            try:
                channel = self.channel(column, placement="unknown")
            except (UnknownChannel, UnknownPlacement) as error:
                raise ValueError(f"columns: {error}") from None
            if channel.sensor not in self.units:
                raise ValueError(f"units: no unit for {channel.sensor}, which '{column}' measures")
        return self

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read a card from a YAML file.

        Raises:
            UnreadableFile: there is no such file, or it is no text.
            BadRecipe: it is no YAML mapping, or a field is missing, unknown or impossible; the message names both.
        """
        path = Path(path)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UnreadableFile(f"card '{path}' cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UnreadableFile(f"card '{path}' is no UTF-8 text") from None
        except yaml.YAMLError as error:
            raise BadRecipe(f"card '{path}' is no YAML: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict):
            raise BadRecipe(f"card '{path}' must map field names to values, such as 'rate_hz: 50'")
        return cls.parse(content, where=str(path))

    @classmethod
    def parse(cls, content: dict[str, Any], *, where: str) -> Card:
        """Check the fields of a card that was read from `where`.

        Raises:
            BadRecipe: a field is missing, unknown or impossible.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            problems = []
            for problem in error.errors():
                field = ".".join(str(part) for part in problem["loc"])
                message = problem["msg"].removeprefix("Value error, ")
                problems.append(f"{field}: {message}" if field else message)
            raise BadRecipe(f"card '{where}': {'; '.join(problems)}") from None

    @property
    def default_placement(self) -> str:
        """The standard placement of columns that name none: `placement` up to a parenthesis or comma.

        Raises:
            UnknownPlacement: the words name no single placement.
        """
        words = re.split(r"[(,]", self.placement)[0].strip()
        try:
            return parse_placement(words)
        except UnknownPlacement as error:
            raise UnknownPlacement(f"data set '{self.name}', field placement: {error}") from None

    def channel(self, column: str, placement: str | None = None) -> Channel:
        """What a column of the table measures.

        Args:
            column: a name from `columns`; a placement or device that it starts with wins.
            placement: where the sensor was worn when the column does not say; `default_placement` when left out.

        Raises:
            UnknownChannel: the column is no sensor axis.
            UnknownPlacement: neither the column nor the card says where it was worn in known words.
        """
        channel = channel_of(column)
        if channel.placement != "unknown":
            return channel
        return Channel(channel.sensor, channel.axis, self.default_placement if placement is None else placement)

    def names_placement(self, column: str) -> bool:
        """Whether the column itself says where it was worn."""
        return self.channel(column, placement="unknown").placement != "unknown"

    @property
    def usable_columns(self) -> tuple[str, ...]:
        """The columns that have a unit."""
        return tuple(c for c in self.columns if self.units[self.channel(c, "unknown").sensor] not in UNITLESS)
