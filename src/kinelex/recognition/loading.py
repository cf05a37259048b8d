"""A model by its name: shipped with the package, in a folder, or on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import kinelex
from kinelex.artifact import MANIFEST
from kinelex.errors import UnknownName
from kinelex.hub import fetch_from_hub, hub_file, is_hub_id
from kinelex.recognition.recognizer import Recognizer


def shipped_models() -> dict[str, Path]:
    """The models inside this package: name and folder."""
    folder = Path(kinelex.__file__).parent / "weights"
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/manifest.json"))}


def load(
    name_or_path: str | Path = "small",
    *,
    precision: Literal["fp32", "bf16"] = "fp32",
    memory: str | Path | None = None,
    gate: bool | str | Path = True,
) -> Recognizer:
    """Load a model by the name of a shipped one, from a folder, or from the hub.

    Args:
        name_or_path: ``"small"``; the folder of a checkpoint; or a hub id, ``owner/model``, which is fetched once.
        precision: bf16 is about twice as fast on processors that multiply it in hardware, and a little less exact.
        memory: a folder in which it remembers, made where there is none; without one it remembers until it is gone.
        gate: what says how far examples are to be trusted. True is the memory's own where it has one, else a closed
            form; False is the closed form; a folder is the gate in there.

    Raises:
        UnknownName: neither a shipped model, nor a folder, nor a hub id; the message lists the shipped ones.
        MissingDependency: a hub id, and the hub's client is not installed.
        DownloadFailed: a hub id that is not on this machine and could not be fetched.
        CorruptArtifact: a file of the checkpoint, of the memory or of the gate is missing, or not what was written.
        UnsupportedFormat: one of them was written by a newer Kinelex.
        WrongEncoder: the memory was filled by another model, or the gate was trained beside another.
        UsageError: the gate was trained for something else.
    """
    from kinelex.model import load_checkpoint
    from kinelex.model.checkpoint import FILES as CHECKPOINT_FILES

    shipped = shipped_models()
    folder = shipped.get(str(name_or_path), Path(name_or_path))
    if not folder.is_dir() and isinstance(name_or_path, str) and is_hub_id(name_or_path) and not folder.exists():
        manifest = hub_file(name_or_path, MANIFEST)
        folder = manifest.parent if manifest else fetch_from_hub(name_or_path, "model", CHECKPOINT_FILES)
    if not folder.is_dir():
        names = ", ".join(f"'{name}'" for name in shipped) or "none in this installation"
        raise UnknownName(
            f"no model '{name_or_path}': the shipped ones are {names}; or pass a checkpoint's folder, or a hub id"
            " such as owner/model"
        )
    recognizer = Recognizer(load_checkpoint(folder).described(precision=precision))
    if memory is not None:
        return recognizer.with_memory(memory, gate=gate)
    return recognizer if isinstance(gate, bool) else recognizer.with_gate(gate)
