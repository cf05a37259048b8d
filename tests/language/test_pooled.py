"""A pooling of one's own makes a text encoder like any other, whose vectors no cache mistakes for another's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import UsageError
from kinelex.language import (
    PooledEncoder,
    SentenceEncoder,
    TextEncoder,
    identity,
    label_vectors,
    prompt_vectors,
    prompts,
    resolve_text_encoder,
)
from kinelex.language.pooled import Pooling

TEXTS = ["walking", "a person is sitting down", "", "running"]
WEIGHTS = np.random.default_rng(5).normal(size=(16, 5)).astype(np.float32)


def linear(weights: np.ndarray) -> Pooling:
    """The mean over a text's tokens, through a linear map."""

    def pool(tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.where(mask[..., None], tokens, 0).sum(axis=1) / mask.sum(axis=1, keepdims=True) @ weights

    return pool


@pytest.fixture(scope="module")
def tiny(tiny_folder: Path) -> SentenceEncoder:
    return SentenceEncoder(tiny_folder)


@pytest.fixture
def pooled(tiny: SentenceEncoder) -> PooledEncoder:
    return PooledEncoder(tiny, linear(WEIGHTS), "first")


def expected(tiny: SentenceEncoder, texts: Sequence[str], weights: np.ndarray = WEIGHTS) -> np.ndarray:
    rows = []
    for text in texts:
        tokens, mask = tiny.encode_tokens([text])
        row = tokens[0, mask[0]].astype(np.float64).mean(axis=0) @ weights.astype(np.float64)
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


def test_it_is_a_text_encoder_as_long_as_the_pooling_makes_it(pooled: PooledEncoder, tiny: SentenceEncoder) -> None:
    assert isinstance(pooled, TextEncoder)
    assert (pooled.name, pooled.dim) == ("tiny", 5)
    assert PooledEncoder(tiny, linear(WEIGHTS), "first", name="tiny-pooled").name == "tiny-pooled"


def test_the_revision_is_of_both_the_encoder_and_the_pooling(
    pooled: PooledEncoder, tiny: SentenceEncoder, mpnet_folder: Path
) -> None:
    others = [
        PooledEncoder(tiny, linear(-WEIGHTS), "second"),
        PooledEncoder(resolve_text_encoder(mpnet_folder), linear(WEIGHTS), "first"),
        tiny,
    ]
    assert len({pooled.revision, *(other.revision for other in others)}) == 4
    assert PooledEncoder(tiny, linear(WEIGHTS), "first").revision == pooled.revision
    assert identity(pooled) == f"tiny@{int(pooled.revision, 16):012x}", "12 hexadecimal digits"


def test_sentence_vectors_are_pooled_tokens_at_unit_length(pooled: PooledEncoder, tiny: SentenceEncoder) -> None:
    np.testing.assert_allclose(pooled.encode(TEXTS), expected(tiny, TEXTS), atol=1e-5)
    many = TEXTS * 80
    np.testing.assert_allclose(pooled.encode(many), np.tile(expected(tiny, TEXTS), (80, 1)), atol=1e-5)
    assert pooled.encode([]).shape == (0, 5)


def test_tokens_are_those_of_the_encoder(pooled: PooledEncoder, tiny: SentenceEncoder) -> None:
    for found, own in zip(pooled.encode_tokens(TEXTS), tiny.encode_tokens(TEXTS), strict=True):
        np.testing.assert_array_equal(found, own)


def test_label_and_prompt_vectors_are_made_of_it(pooled: PooledEncoder, tiny: SentenceEncoder, tmp_path: Path) -> None:
    sentences = expected(tiny, prompts("walking"))
    mean = sentences.mean(axis=0)
    for cache in (False, tmp_path, tmp_path):
        found = prompt_vectors("walking", pooled, synonyms=False, cache=cache)
        np.testing.assert_allclose(found, sentences, atol=1e-5)
        label = label_vectors(["sitting", "walking"], pooled, cache=cache)[1]
        np.testing.assert_allclose(label, mean / np.linalg.norm(mean), atol=1e-5)


def test_the_cache_does_not_mistake_one_pooling_for_another(tiny: SentenceEncoder, tmp_path: Path) -> None:
    turned = WEIGHTS[:, ::-1].copy()
    for weights, fingerprint in ((WEIGHTS, "first"), (turned, "second"), (WEIGHTS, "first")):
        encoder = PooledEncoder(tiny, linear(weights), fingerprint)
        found = prompt_vectors("walking", encoder, synonyms=False, cache=tmp_path)
        np.testing.assert_allclose(found, expected(tiny, prompts("walking"), weights), atol=1e-5)
    plain = prompt_vectors("walking", tiny, synonyms=False, cache=tmp_path)
    np.testing.assert_allclose(plain, tiny.encode(prompts("walking")), atol=1e-6)


def test_another_pooling_of_the_same_tokens_does_not_encode_them_again(
    tiny: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PooledEncoder(tiny, linear(WEIGHTS), "first", cache=tmp_path).encode(TEXTS)
    second = PooledEncoder(tiny, linear(-WEIGHTS), "second", cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(tiny, "encode_tokens", lambda texts: pytest.fail("it was asked again"))
        found = second.encode(TEXTS)
    np.testing.assert_allclose(found, -expected(tiny, TEXTS), atol=1e-5)


@pytest.mark.parametrize(
    ("pool", "complaint"),
    [
        (lambda tokens, mask: tokens, r"gave \(1, 3, 16\) for 1 texts: it must give \(text, dim\)"),
        (lambda tokens, mask: tokens[:0, 0], r"gave \(0, 16\) for 1 texts"),
        (lambda tokens, mask: tokens[:, 0] * 0, "length 0.0 for 'a'"),
        (lambda tokens, mask: tokens[:, 0] * np.nan, "length nan for 'a'"),
    ],
)
def test_a_pooling_that_gives_no_vectors_is_refused(tiny: SentenceEncoder, pool: Pooling, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        PooledEncoder(tiny, pool, "none")
