"""Every way in which Kinelex can say no.

::

    KinelexError
    ├── UsageError                 the call is wrong (exit code 2)
    │   ├── BadLabels                  empty, blank or duplicate activity names
    │   ├── BadRecipe                  a recipe or configuration field is wrong
    │   ├── StoreInUse                 somebody else is writing to the example store
    │   ├── UnknownName                no data set, model or format of that name
    │   └── WrongEncoder               vectors of another model than the stored ones
    ├── DataError                  the data is wrong (exit code 3)
    │   ├── UnreadableFile             missing, empty, truncated, or of no known format
    │   ├── BadSamples                 text among numbers, columns without values, wrong shape
    │   ├── UnknownRate                no timestamps and no rate_hz
    │   ├── WrongUnit                  values that cannot be in the unit that was claimed
    │   ├── UnknownChannel             a column that is no sensor channel
    │   ├── UnknownPlacement           a body placement that is not in the list
    │   ├── TooShort                   less signal than half a window
    │   └── UnsafeArchive              an archive that would write elsewhere, or unpack without end
    ├── DownloadFailed             a file could not be fetched whole (exit code 5)
    ├── ArtifactError              something Kinelex wrote is not what it was (exit code 3)
    │   ├── CorruptArtifact            missing file, wrong size, wrong hash, broken manifest
    │   └── UnsupportedFormat          written by another format version
    └── MissingDependency          an optional package is needed (exit code 4)
        └── NoTextEncoder              free text asked for, and no text encoder found

A message says what, where and what to do:
``recording 'a.csv' has no sampling rate: pass rate_hz=50``.
"""

from __future__ import annotations

__all__ = [
    "ArtifactError",
    "BadLabels",
    "BadRecipe",
    "BadSamples",
    "CorruptArtifact",
    "DataError",
    "DownloadFailed",
    "KinelexError",
    "MissingDependency",
    "NoTextEncoder",
    "StoreInUse",
    "TooShort",
    "UnknownChannel",
    "UnknownName",
    "UnknownPlacement",
    "UnknownRate",
    "UnreadableFile",
    "UnsafeArchive",
    "UnsupportedFormat",
    "UsageError",
    "WrongEncoder",
    "WrongUnit",
]


class KinelexError(Exception):
    """The root of all errors that Kinelex raises on purpose."""

    exit_code = 1


class UsageError(KinelexError):
    """The call itself is wrong."""

    exit_code = 2


class BadLabels(UsageError):
    """The list of activity names is empty, has a blank, or names one activity twice."""


class BadRecipe(UsageError):
    """A recipe or configuration has a missing, unknown or impossible field."""


class StoreInUse(UsageError):
    """Another process or thread is writing to the example store; there is one writer at a time."""


class UnknownName(UsageError):
    """No data set, model, preset or format has this name."""


class WrongEncoder(UsageError):
    """The example store holds vectors of another model, which cannot be compared with these."""


class DataError(KinelexError):
    """The data is wrong."""

    exit_code = 3


class UnreadableFile(DataError):
    """The file is missing, empty, truncated, or of no known format."""


class BadSamples(DataError):
    """The samples are not a table of numbers of the expected shape."""


class UnknownRate(DataError):
    """Neither timestamps nor a rate say when the samples were taken."""


class WrongUnit(DataError):
    """The values cannot be in the unit that was claimed."""


class UnknownChannel(DataError):
    """A column or channel name is no sensor axis that Kinelex knows."""


class UnknownPlacement(DataError):
    """The placement is not in the list of body placements."""


class TooShort(DataError):
    """There is less signal than half a window."""


class UnsafeArchive(DataError):
    """An archive has members outside its folder, or would unpack to far more than it can hold."""


class DownloadFailed(KinelexError):
    """No address gave the whole file; what has arrived stays, and the next call goes on there."""

    exit_code = 5


class ArtifactError(KinelexError):
    """A file that Kinelex wrote is not what it was."""

    exit_code = 3


class CorruptArtifact(ArtifactError):
    """A file is missing, or its size, hash or manifest does not match."""


class UnsupportedFormat(ArtifactError):
    """The artefact was written in a format version that this Kinelex cannot read."""


class MissingDependency(KinelexError):
    """An optional package is needed; the message says which extra to install."""

    exit_code = 4


class NoTextEncoder(MissingDependency):
    """Free text was asked for, and no text encoder could be found."""
