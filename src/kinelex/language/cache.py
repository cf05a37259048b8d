"""A disk cache for text vectors: safe to share between processes, safe to delete, never trusted blindly."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from kinelex import artifact

_log = logging.getLogger(__name__)


def cache_root() -> Path:
    """The folder for what can be computed again: ``KINELEX_CACHE`` if it is set, else ``~/.cache/kinelex``."""
    chosen = os.environ.get("KINELEX_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "kinelex"


class VectorCache:
    """Vectors of lists of prompts, one small file per list.

    The key is what the vectors depend on, the encoder's revision and the prompts themselves: a new template or synonym
    makes a new key, so nothing here is ever stale. Each entry carries a digest over its key and numbers; an entry that
    does not match is treated as absent and written anew. Entries appear in one step, so that any number of processes
    can read and write; a folder that cannot be written costs time, not the result.

    Args:
        folder: where the entries are; it is made when the first one is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, revision: str, prompts: Sequence[str]) -> Path:
        """The file of one entry."""
        return self._file(_key(revision, prompts))

    def get(self, revision: str, prompts: Sequence[str]) -> NDArray[np.float32] | None:
        """The vectors ``(prompt, dim)`` of `prompts`, or nothing if they are not here or damaged."""
        key = _key(revision, prompts)
        try:
            entry = load(self._file(key).read_bytes())
            vectors, digest = entry["vectors"], entry["digest"]
        except FileNotFoundError:
            return None
        except (OSError, KeyError, SafetensorError) as error:
            _log.warning("text vectors in '%s' cannot be read and are computed again: %s", self._file(key), error)
            return None
        if vectors.ndim != 2 or len(vectors) != len(prompts) or digest.tobytes() != _digest(key, vectors):
            _log.warning("text vectors in '%s' are damaged and are computed again", self._file(key))
            return None
        return np.asarray(vectors, np.float32)

    def put(self, revision: str, prompts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors ``(prompt, dim)`` of `prompts`, if the folder can be written."""
        key = _key(revision, prompts)
        vectors = np.ascontiguousarray(vectors, np.float32)
        digest = np.frombuffer(_digest(key, vectors), np.uint8)
        try:
            artifact.write_bytes(self._file(key), save({"vectors": vectors, "digest": digest}))
        except OSError as error:
            _log.warning("text vectors cannot be kept in '%s': %s", self.folder, error)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"


def _key(revision: str, prompts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([revision, *prompts]).encode()).hexdigest()


def _digest(key: str, vectors: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(key.encode() + str(vectors.shape).encode() + vectors.tobytes()).digest()
