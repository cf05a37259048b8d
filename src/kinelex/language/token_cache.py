"""A disk cache for the token vectors of single texts: of bounded size, and as safe to share and delete as the other."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from kinelex import artifact

_log = logging.getLogger(__name__)

_BUCKETS = 256


class TokenCache:
    """Vectors ``(token, width)`` of texts, in at most 256 files.

    A text is found by a hash of the encoder's revision and of itself, so nothing here is ever stale. Texts whose
    hashes begin alike share a file: the thousands of prompts of a training run are then read and written in a few
    hundred steps, and a new prompt costs one small file, not all of them. A file that is full forgets what was put into
    it first. Each carries a digest; one that does not match is treated as absent and written anew. Files appear in one
    step; of two processes that write the same one, the later wins, and what the other added is encoded once more.

    Args:
        folder: where the files are; it is made when the first one is written.
        limit_mb: the size that all files together may reach; ten thousand prompts take 190 MB with the default
            encoder.
    """

    def __init__(self, folder: str | Path, *, limit_mb: float = 1024) -> None:
        self.folder = Path(folder)
        self._limit_values = int(limit_mb * 2**20 / _BUCKETS / np.float32().nbytes)

    def get(self, revision: str, texts: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """The vectors of each text, or nothing for one that is not here or damaged."""
        keys = [_key(revision, text) for text in texts]
        wanted, found = set(keys), dict[bytes, NDArray[np.float32]]()
        for bucket in sorted({key[0] for key in keys}):
            # Copies, so that what nobody wants does not stay in memory with them.
            found |= {key: vectors.copy() for key, vectors in self._read(bucket).items() if key in wanted}
        return [found.get(key) for key in keys]

    def put(self, revision: str, texts: Sequence[str], tokens: Iterable[NDArray[np.float32]]) -> None:
        """Keep the vectors of each text, if the folder can be written."""
        fresh: dict[int, dict[bytes, NDArray[np.float32]]] = {}
        for text, vectors in zip(texts, tokens, strict=True):
            key = _key(revision, text)
            fresh.setdefault(key[0], {})[key] = np.ascontiguousarray(vectors, np.float32)
        try:
            for bucket, entries in fresh.items():
                kept = {key: vectors for key, vectors in self._read(bucket).items() if key not in entries}
                artifact.write_bytes(self._file(bucket), _packed(_newest(kept | entries, self._limit_values)))
        except OSError as error:
            _log.warning("token vectors cannot be kept in '%s': %s", self.folder, error)

    def _file(self, bucket: int) -> Path:
        return self.folder / f"{bucket:02x}.safetensors"

    def _read(self, bucket: int) -> dict[bytes, NDArray[np.float32]]:
        """All that a file holds, the oldest first; nothing if it is not there or damaged."""
        try:
            entry = load(self._file(bucket).read_bytes())
            keys, shapes, values, digest = (entry[name] for name in ("keys", "shapes", "values", "digest"))
        except FileNotFoundError:
            return {}
        except (OSError, KeyError, SafetensorError) as error:
            _log.warning("token vectors in '%s' cannot be read and are computed again: %s", self._file(bucket), error)
            return {}
        if digest.tobytes() != _digest(keys, shapes, values):
            _log.warning("token vectors in '%s' are damaged and are computed again", self._file(bucket))
            return {}
        sizes = shapes.prod(axis=1)
        return {
            key.tobytes(): values[end - size : end].reshape(shape)
            for key, shape, size, end in zip(keys, shapes, sizes, np.cumsum(sizes), strict=True)
        }


def _key(revision: str, text: str) -> bytes:
    return hashlib.sha256(json.dumps([revision, text]).encode()).digest()


def _newest(entries: Mapping[bytes, NDArray[np.float32]], limit: int) -> dict[bytes, NDArray[np.float32]]:
    """The last entries, as many as fit into a number of values."""
    excess = sum(vectors.size for vectors in entries.values()) - limit
    kept = dict(entries)
    for key, vectors in entries.items():
        if excess <= 0:
            break
        del kept[key]
        excess -= vectors.size
    return kept


def _packed(entries: Mapping[bytes, NDArray[np.float32]]) -> bytes:
    keys = np.frombuffer(b"".join(entries), np.uint8).reshape(-1, hashlib.sha256().digest_size)
    shapes = np.array([vectors.shape for vectors in entries.values()], np.int64).reshape(-1, 2)
    values = np.concatenate([np.empty(0, np.float32), *(vectors.ravel() for vectors in entries.values())])
    digest = np.frombuffer(_digest(keys, shapes, values), np.uint8)
    return save({"keys": keys, "shapes": shapes, "values": values, "digest": digest})


def _digest(*arrays: NDArray[np.generic]) -> bytes:
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(str((array.dtype, array.shape)).encode())
        whole.update(np.ascontiguousarray(array).data)
    return whole.digest()
