"""What an evaluation found, in a folder: a record as JSON, which says what it is, and a Markdown page beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kinelex import artifact
from kinelex.errors import CorruptArtifact, UnsupportedFormat

RESULTS = "results.json"
PAGE = "report.md"


class Record(BaseModel):
    """A part of what is stored; it cannot be changed, and has no fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Read = TypeVar("Read", bound=BaseModel)


def write_record(
    record: BaseModel, page: str, folder: str | Path, *, names: tuple[str, str] = (RESULTS, PAGE)
) -> list[Path]:
    """Write the JSON record and the Markdown page.

    Args:
        record: with the fields ``kind`` and ``version``.
        page: the same for people.
        folder: where to; files of the same names are replaced.
        names: of the two files.

    Returns:
        Their paths, the record first.
    """
    results, beside = (Path(folder) / name for name in names)
    artifact.write_text(beside, page)
    artifact.write_json(results, record.model_dump(mode="json"))
    return [results, beside]


def read_record(path: str | Path, model: type[Read], kind: str, version: int, *, name: str = RESULTS) -> Read:
    """Read a record from its JSON file or the folder that holds it.

    Args:
        path: file or folder.
        model: what it should be.
        kind: what it should say that it is.
        version: the newest format that can be read.
        name: of the file in the folder.

    Raises:
        CorruptArtifact: no such file, a record of something else, or a broken one.
        UnsupportedFormat: written by a newer format version.
    """
    path = Path(path)
    path = path / name if path.is_dir() else path
    try:
        content = json.loads(path.read_bytes())
        newer = int(content["version"]) > version
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"'{path}' is not a readable report ({error}): evaluate again") from None
    if (found := content.get("kind", kind)) != kind:
        raise CorruptArtifact(f"'{path}' is a {found}, not a {kind}")
    if newer:
        raise UnsupportedFormat(f"'{path}' is report format {content['version']}; this Kinelex reads up to {version}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorruptArtifact(f"'{path}' is not a report: {where}: {first['msg']}; evaluate again") from None
