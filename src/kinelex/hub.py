"""Files from the model hub: what was fetched before, and what can be fetched."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from kinelex.errors import DownloadFailed, MissingDependency

_log = logging.getLogger(__name__)
_IS_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def is_hub_id(name: str) -> bool:
    """Whether a name has the form ``owner/model``.

    Examples:
        >>> is_hub_id("somebody/tiny"), is_hub_id("small"), is_hub_id("a/b/c"), is_hub_id("../runs")
        (True, False, False, False)
    """
    return _IS_HUB_ID.fullmatch(name) is not None


def hub_file(hub_id: str, file: str) -> Path | None:
    """Where a file of a hub model lies on this machine, if it was fetched before."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(hub_id, file)
    return Path(found) if isinstance(found, str) else None


def fetch_from_hub(hub_id: str, what: str, patterns: Sequence[str]) -> Path:
    """Fetch files of a hub model into the hub's cache.

    Args:
        hub_id: ``owner/model``.
        what: it is, for messages: ``"model"``.
        patterns: of the files that are wanted.

    Returns:
        The folder in which they lie.

    Raises:
        MissingDependency: the hub's client is not installed.
        DownloadFailed: no network, no such model, no room, or ``HF_HUB_OFFLINE`` is set.
    """
    try:
        from huggingface_hub import constants, snapshot_download
    except ImportError:
        raise MissingDependency(
            f"fetching the {what} '{hub_id}' needs the hub's client: pip install \"kinelex[text]\""
        ) from None
    if constants.HF_HUB_OFFLINE:
        raise DownloadFailed(
            f"the {what} '{hub_id}' is not on this machine, and HF_HUB_OFFLINE keeps it from being fetched: unset it,"
            " or pass a folder with its files"
        )
    _log.info("fetching %s '%s' from the hub", what, hub_id)
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except Exception as error:  # whatever the client, the network or the disk says
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        raise DownloadFailed(
            f"the {what} '{hub_id}' is not on this machine and could not be fetched from the hub"
            f" ({type(error).__name__}: {reason}): look at its name and the network, or pass a folder with its files"
        ) from error
