"""Label vectors: the mean over a label's prompts, remembered on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadLabels
from kinelex.language.cache import VectorCache, cache_root
from kinelex.language.encoder import TextEncoder
from kinelex.language.prompts import prompts
from kinelex.language.resolution import loaded, revision_of
from kinelex.language.vocabulary import Vocabulary
from kinelex.language.words import same_words


def label_vectors(
    texts: Sequence[str],
    encoder: TextEncoder | str | Path | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    synonyms: bool = False,
    cache: str | Path | bool = True,
) -> NDArray[np.float32]:
    """One unit vector per label: the mean over its prompts, brought to unit length again.

    The text encoder is only looked for and loaded when a label is not in the cache.

    Args:
        texts: labels, known or not; official names with underscores will do.
        encoder: a text encoder, or what `resolve_text_encoder` takes; nothing for the default.
        vocabulary: where synonyms come from; the standard one by default.
        synonyms: also average over the synonyms of labels that the vocabulary knows.
        cache: a folder for the vectors, true for the usual one (see `cache_root`), false for none.

    Returns:
        Vectors ``(label, dim)``, float32; 384-dimensional with the default encoder.

    Raises:
        BadLabels: no label, or a blank one.
        NoTextEncoder: a label is not in the cache and no text encoder was found.
    """
    if isinstance(texts, str) or not texts:
        raise BadLabels("label vectors need a list of at least one label, such as ['walking', 'running']")
    per_label = [label_prompts(text, vocabulary, synonyms=synonyms) for text in texts]
    means = np.stack([vectors.mean(axis=0) for vectors in _encode(per_label, encoder, cache)])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def prompt_vectors(
    text: str,
    encoder: TextEncoder | str | Path | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    synonyms: bool = True,
    cache: str | Path | bool = True,
) -> NDArray[np.float32]:
    """Unit vectors ``(prompt, dim)`` of every prompt of one label, in the order of `prompts`; for training.

    Arguments and errors are those of `label_vectors`.
    """
    return _encode([label_prompts(text, vocabulary, synonyms=synonyms)], encoder, cache)[0]


def label_prompts(text: str, vocabulary: Vocabulary | None = None, *, synonyms: bool = True) -> list[str]:
    """The prompts that `label_vectors` and `prompt_vectors` encode for a label, the label itself first.

    Arguments and errors are those of `label_vectors`.
    """
    label = (vocabulary or Vocabulary.standard()).find(text) if synonyms else None
    others = [phrase for phrase in label.phrases if same_words(phrase) != same_words(text)] if label else []
    return prompts(text, others)


def _encode(
    lists: Sequence[list[str]], encoder: TextEncoder | str | Path | None, cache: str | Path | bool
) -> list[NDArray[np.float32]]:
    """Vectors ``(prompt, dim)`` of every list of prompts; what the cache lacks is encoded in one go."""
    store = _open(cache)
    revision = revision_of(encoder)
    found = [store.get(revision, one) if store else None for one in lists]
    missing = dict.fromkeys(p for one, vectors in zip(lists, found, strict=True) if vectors is None for p in one)
    if not missing:
        return [vectors for vectors in found if vectors is not None]
    fresh = dict(zip(missing, loaded(encoder).encode(list(missing)), strict=True))
    result = []
    for one, vectors in zip(lists, found, strict=True):
        if vectors is None:
            vectors = np.stack([fresh[prompt] for prompt in one])
            if store:
                store.put(revision, one, vectors)
        result.append(vectors)
    return result


def _open(cache: str | Path | bool) -> VectorCache | None:
    if cache is False:
        return None
    return VectorCache(cache_root() / "text" if cache is True else cache)
