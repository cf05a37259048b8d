"""The catalog: what is known about each public data set, whether it is imported or not.

One YAML file per set in ``catalog/``. An entry says how to get a set and what is in it; a `Card` says what one table of
samples holds. Entries are facts about what others published: where one could not be verified, the entry says so.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kinelex.datasets.card import UNITLESS
from kinelex.errors import BadRecipe, KinelexError, UnknownName
from kinelex.signal.channel import Sensor, parse_placement
from kinelex.signal.units import parse_unit

_FOLDER = Path(__file__).with_name("catalog")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RemoteFile(_Part):
    """A file that its owner or a mirror serves."""

    name: str = Field(pattern=r"^[\w.\-]+$", description="Under which name it is kept.")
    urls: tuple[str, ...] = Field(min_length=1, description="Where it is, the owner's own place first.")
    bytes: int | None = Field(default=None, gt=0, description="Its size, where published.")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="Its hash, where published.")

    @field_validator("urls")
    @classmethod
    def _are_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [url for url in urls if not url.startswith(("https://", "http://"))]:
            raise ValueError(f"{', '.join(bad)}: not a web address")
        return urls


class Device(_Part):
    """A sensor unit at one place of the body."""

    placement: str = Field(description="Where it is worn, in words.")
    device: str = Field(default="", description="Make or kind.")
    rate_hz: float = Field(gt=0, le=1000, description="Nominal samples per second.")
    sensors: dict[Sensor, str] = Field(min_length=1, description="Published unit of each sensor.")
    gravity: bool = Field(default=True, description="Whether the accelerometer measures gravity as well.")

    @model_validator(mode="after")
    def _known_words(self) -> Device:
        try:
            parse_placement(self.placement)
            for sensor, unit in self.sensors.items():
                if unit not in UNITLESS:
                    parse_unit(sensor, unit)
        except KinelexError as error:
            raise ValueError(str(error)) from None
        return self


class CatalogEntry(_Part):
    """What is known about a public data set."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", description="Short name, the file's own.")
    title: str = Field(min_length=1, description="Full name.")
    summary: str = Field(min_length=1, description="What was done, with what and where, in a sentence.")
    year: int = Field(ge=1990, description="When it was published.")
    page: str = Field(pattern="^https?://", description="The owner's page.")
    role: str = Field(default="training", description="What Kinelex uses it for: training, or a zero-shot test.")
    licence: str = Field(min_length=1, description="Under which terms it may be used, or 'not stated'.")
    cite: str = Field(min_length=1, description="What to cite.")
    doi: str | None = Field(default=None, pattern=r"^10\.", description="Of the publication to cite.")
    access: Literal["open", "account", "form"] = Field(
        description="open: a download; account: behind a login; form: the owner wants to be asked."
    )
    files: tuple[RemoteFile, ...] = Field(default=(), description="What to download, where access is open.")
    how: tuple[str, ...] = Field(default=(), description="The steps to get it, where access is not open.")
    layout: str = Field(min_length=1, description="Official folders and file format.")
    expects: tuple[str, ...] = Field(min_length=1, description="Patterns of files that tell that it is this set.")
    subjects: int = Field(ge=1, description="Number of people.")
    people: str | None = Field(default=None, description="Sets with the same word have the same people.")
    hours: float | None = Field(default=None, gt=0, description="Length of all recordings, where established.")
    devices: tuple[Device, ...] = Field(min_length=1, description="Every sensor unit that was worn.")
    activities: dict[str, str] = Field(min_length=1, description="Official code to official name.")
    published_split: str | None = Field(default=None, description="What the published split is.")
    published: dict[Literal["train", "validation", "test"], tuple[str, ...]] = Field(
        default={}, description="The subjects of each of its sides, as the parser names them."
    )
    evidence: str = Field(min_length=1, description="Which recordings the parser and these facts were held against.")
    quirks: tuple[str, ...] = Field(default=(), description="What a converter must know.")
    verified: tuple[str, ...] = Field(default=(), description="What was checked, and on which recordings.")
    unverified: tuple[str, ...] = Field(default=(), description="What rests on documentation alone.")

    @model_validator(mode="after")
    def _says_how_to_get_it(self) -> CatalogEntry:
        if self.access == "open" and not self.files:
            raise ValueError("files: access is open, so name what to download")
        if self.access != "open" and not self.how:
            raise ValueError(f"how: access is by {self.access}, so say which steps lead to the files")
        sides = self.published.keys()
        if bool(sides) != bool(self.published_split) or (sides and not {"train", "test"} <= sides):
            raise ValueError("published_split: say what the published split is, and who is on which side, or neither")
        return self

    @property
    def placements(self) -> tuple[str, ...]:
        """The standard names of the places where sensors were worn."""
        return tuple(dict.fromkeys(parse_placement(device.placement) for device in self.devices))

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The sensors of all devices."""
        return tuple(dict.fromkeys(sensor for device in self.devices for sensor in device.sensors))

    @property
    def rates_hz(self) -> tuple[float, ...]:
        """The nominal rates of all devices, ascending."""
        return tuple(sorted({device.rate_hz for device in self.devices}))


def catalog_names() -> tuple[str, ...]:
    """The short names of all sets in the catalog, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def catalog_entry(name: str) -> CatalogEntry:
    """What is known about the data set `name`.

    Raises:
        UnknownName: the catalog has no such set; the message lists near ones.
    """
    names = catalog_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or list(names)
        raise UnknownName(f"the catalog has no data set '{name}': it has {', '.join(near)}")
    return read_entry(_FOLDER / f"{name}.yaml")


def people_of(name: str) -> str:
    """The word for the people of the data set `name`; nothing when the catalog has no such set or they are its own."""
    return (catalog_entry(name).people or "") if name in catalog_names() else ""


def read_entry(path: Path) -> CatalogEntry:
    """Read and check an entry.

    Raises:
        BadRecipe: no YAML mapping, or a field is missing, unknown or impossible; the message names each.
    """
    try:
        return CatalogEntry.model_validate({"name": path.stem, **yaml.safe_load(path.read_text(encoding="utf-8"))})
    except (yaml.YAMLError, TypeError) as error:
        raise BadRecipe(f"entry '{path}' is no YAML mapping: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        problems = (f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        raise BadRecipe(f"entry '{path}': {'; '.join(problems)}") from None
