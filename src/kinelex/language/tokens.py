"""Token vectors of texts, remembered on disk: what a learned text pooling is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadLabels
from kinelex.language.cache import cache_root
from kinelex.language.encoder import TextEncoder, batches
from kinelex.language.resolution import loaded, revision_of
from kinelex.language.token_cache import TokenCache


def token_vectors(
    texts: Sequence[str], encoder: TextEncoder | str | Path | None = None, *, cache: str | Path | bool = True
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Vectors of the tokens of every text, all padded to the longest.

    What a text's tokens are does not depend on the texts beside it, but for rounding (about 1e-6). The text encoder is
    only looked for and loaded when a text is not in the cache, and encodes each text once.

    Args:
        texts: texts to be encoded as they stand, such as `prompts` of labels.
        encoder: a text encoder, or what `resolve_text_encoder` takes; nothing for the default.
        cache: a folder for the vectors, true for the usual one (see `cache_root`), false for none.

    Returns:
        Vectors ``(text, token, width)``, float32, zero on padding; and a mask ``(text, token)`` that is false there.

    Raises:
        BadLabels: no text, or one that is not in a list.
        NoTextEncoder: a text is not in the cache and no text encoder was found.
    """
    if isinstance(texts, str) or not texts:
        raise BadLabels("token vectors need a list of at least one text, such as ['a person is walking']")
    return padded(token_lists(texts, encoder, cache=cache))


def token_lists(
    texts: Sequence[str], encoder: TextEncoder | str | Path | None = None, *, cache: str | Path | bool = True
) -> list[NDArray[np.float32]]:
    """Vectors ``(token, width)`` of every text, without padding; arguments and errors are those of `token_vectors`."""
    distinct = list(dict.fromkeys(texts))
    store = TokenCache(cache_root() / "tokens" if cache is True else cache) if cache is not False else None
    revision = revision_of(encoder)
    known = store.get(revision, distinct) if store else [None] * len(distinct)
    found = {text: vectors for text, vectors in zip(distinct, known, strict=True) if vectors is not None}
    missing = [text for text in distinct if text not in found]
    if missing:
        fresh = _encode(missing, loaded(encoder))
        if store:
            store.put(revision, missing, fresh)
        found.update(zip(missing, fresh, strict=True))
    return [found[text] for text in texts]


def padded(lists: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Vectors ``(text, token, width)``, zero beyond the end of each text, and the mask that says where that is."""
    lengths = np.array([len(vectors) for vectors in lists])
    mask = np.arange(lengths.max()) < lengths[:, None]
    tokens = np.zeros((*mask.shape, lists[0].shape[1]), np.float32)
    tokens[mask] = np.concatenate(lists)
    return tokens, mask


def _encode(texts: list[str], encoder: TextEncoder) -> list[NDArray[np.float32]]:
    found = dict[int, NDArray[np.float32]]()
    for rows in batches(texts):
        tokens, mask = encoder.encode_tokens([texts[row] for row in rows])
        found |= {row: one[here] for row, one, here in zip(rows, tokens, mask, strict=True)}
    return [found[row] for row in range(len(texts))]
