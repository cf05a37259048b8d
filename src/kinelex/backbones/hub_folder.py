"""The folder of a model that is on this machine already, or is fetched from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinelex.errors import UnreadableFile
from kinelex.hub import fetch_from_hub, hub_file, is_hub_id


def hub_folder(name: str | Path, what: str, files: Sequence[str]) -> Path:
    """Where a model lies: a folder as it is, a hub id in the hub's cache, into which it is fetched once.

    Args:
        name: a folder, or ``owner/model``.
        what: it is, for messages.
        files: that are wanted; the last is the one that must be there.

    Raises:
        UnreadableFile: neither a folder nor a hub id.
        MissingDependency, DownloadFailed: see `fetch_from_hub`.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if not is_hub_id(str(name)):
        raise UnreadableFile(f"there is no {what} at '{name}': pass its folder, or a hub id such as owner/model")
    found = hub_file(str(name), files[-1])
    return found.parent if found else fetch_from_hub(str(name), what, files)
