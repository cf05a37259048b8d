"""Token vectors: what they are, and what their cache promises."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.errors import BadLabels, NoTextEncoder
from kinelex.language import TextEncoder, TokenCache, resolve_text_encoder, token_vectors
from kinelex.language import resolution as resolution_module


class Words:
    """A text encoder that draws the vector of a word from the word itself; it remembers what it was asked."""

    name = "words"
    revision = "0123456789ab"
    dim = 6

    def __init__(self) -> None:
        self.asked: list[str] = []

    def vectors(self, text: str) -> np.ndarray:
        seeds = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") for word in text.split()]
        return np.array([np.random.default_rng(seed).normal(size=self.dim) for seed in seeds], np.float32)

    def encode_tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        self.asked += texts
        mask = np.zeros((len(texts), max(len(text.split()) for text in texts)), np.bool_)
        tokens = np.full((*mask.shape, self.dim), np.nan, np.float32)
        for row, text in enumerate(texts):
            mask[row, : len(text.split())] = True
            tokens[row, mask[row]] = self.vectors(text)
        return tokens, mask

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("token vectors need no sentence vectors")


@pytest.fixture
def words() -> Words:
    return Words()


TEXTS = ["walking", "a person is walking", "sitting down", "a person is now sitting down", "walking"]


def test_texts_are_padded_with_zeros_to_the_longest_of_the_call(words: Words) -> None:
    tokens, mask = token_vectors(TEXTS, words, cache=False)
    assert tokens.shape == (5, 6, 6)
    assert tokens.dtype == np.float32
    assert mask.sum(axis=1).tolist() == [1, 4, 2, 6, 1]
    for text, vectors, valid in zip(TEXTS, tokens, mask, strict=True):
        np.testing.assert_array_equal(vectors[valid], words.vectors(text))
        assert not vectors[~valid].any()


def test_a_text_that_is_there_twice_is_encoded_once(words: Words) -> None:
    token_vectors(TEXTS, words, cache=False)
    assert sorted(words.asked) == sorted(set(TEXTS))


@pytest.mark.parametrize("texts", [[], "walking"])
def test_a_list_of_texts_is_asked_for(words: Words, texts: Sequence[str]) -> None:
    with pytest.raises(BadLabels, match="list of at least one text"):
        token_vectors(texts, words)


@pytest.fixture(scope="module", params=["tiny_folder", "mpnet_folder", "clip_folder"])
def real(request: pytest.FixtureRequest) -> TextEncoder:
    """Real transformers of each kind, with random weights."""
    return resolve_text_encoder(request.getfixturevalue(request.param))


PHRASES = ["", "walking", "a", "a person is walking", "sitting down", "running a person is sitting down", "a " * 30]


@settings(max_examples=15)
@given(texts=st.lists(st.sampled_from(PHRASES), min_size=1, max_size=8))
def test_the_tokens_of_a_text_do_not_depend_on_the_texts_beside_it(real: TextEncoder, texts: list[str]) -> None:
    tokens, mask = token_vectors(texts, real, cache=False)
    for text, vectors, valid in zip(texts, tokens, mask, strict=True):
        alone, all_of_it = token_vectors([text], real, cache=False)
        assert all_of_it.all()
        np.testing.assert_allclose(vectors[valid], alone[0], atol=1e-5)


def test_hundreds_of_texts_keep_their_order(real: TextEncoder) -> None:
    texts = [f"{'a ' * (number % 9)}person {'is ' * (number // 50)}" for number in range(300)]
    tokens, mask = token_vectors(texts, real, cache=False)
    for row in (0, 17, 133, 299):
        np.testing.assert_allclose(
            tokens[row, mask[row]], token_vectors([texts[row]], real, cache=False)[0][0], atol=1e-5
        )


# The cache


def test_what_was_encoded_once_is_not_encoded_again(words: Words, tmp_path: Path) -> None:
    first = token_vectors(TEXTS, words, cache=tmp_path)
    asked = len(words.asked)
    again = token_vectors(TEXTS, words, cache=tmp_path)
    np.testing.assert_array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1], first[1])
    assert len(words.asked) == asked
    token_vectors([*TEXTS, "hopping"], words, cache=tmp_path)
    assert words.asked[asked:] == ["hopping"]


def test_what_comes_from_the_cache_is_what_was_encoded_to_the_bit(real: TextEncoder, tmp_path: Path) -> None:
    fresh = token_vectors(PHRASES, real, cache=tmp_path)
    kept = token_vectors(PHRASES, real, cache=tmp_path)
    np.testing.assert_array_equal(kept[0], fresh[0])
    np.testing.assert_array_equal(fresh[0], token_vectors(PHRASES, real, cache=False)[0])


def test_another_revision_has_tokens_of_its_own(words: Words, tmp_path: Path) -> None:
    token_vectors(["walking"], words, cache=tmp_path)
    other = Words()
    other.revision = "ba9876543210"
    token_vectors(["walking"], other, cache=tmp_path)
    assert other.asked == ["walking"]


def test_known_tokens_need_no_text_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = Words()
    default.revision = resolution_module.DEFAULT_SHA256[:12]
    expected, _ = token_vectors(["walking"], default, cache=tmp_path)

    def nothing_found(name: str) -> None:
        raise NoTextEncoder("nowhere")

    monkeypatch.setattr(resolution_module, "_find", nothing_found)
    for encoder in (None, "all-MiniLM-L6-v2", resolution_module.DEFAULT_IDENTITY):
        np.testing.assert_array_equal(token_vectors(["walking"], encoder, cache=tmp_path)[0], expected)
    with pytest.raises(NoTextEncoder, match="nowhere"):
        token_vectors(["walking", "hopping"], cache=tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
        lambda path: path.write_bytes(b"\xff" * 64),
        lambda path: path.write_text("walking"),
    ],
    ids=["emptied", "truncated", "one bit flipped", "noise", "text"],
)
def test_a_damaged_file_is_encoded_anew(words: Words, tmp_path: Path, damage, caplog) -> None:
    expected, _ = token_vectors(["walking"], words, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    damage(path)
    np.testing.assert_array_equal(token_vectors(["walking"], words, cache=tmp_path)[0], expected)
    assert "computed again" in caplog.text
    assert path.read_bytes() == whole


def test_the_size_is_bounded_and_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)  # hundreds of files, and no power cut to survive
    rng = np.random.default_rng(0)
    texts = [f"text {number}" for number in range(1000)]
    tokens = [rng.normal(size=(int(length), 8)).astype(np.float32) for length in rng.integers(1, 9, len(texts))]
    store = TokenCache(tmp_path, limit_mb=0.05)
    for start in range(0, len(texts), 500):
        store.put("0123456789ab", texts[start : start + 500], tokens[start : start + 500])
        values = sum(vectors.size for vectors in store.get("0123456789ab", texts) if vectors is not None)
        assert values * 4 <= 0.05 * 2**20
    found = store.get("0123456789ab", texts)
    kept = [row for row, vectors in enumerate(found) if vectors is not None]
    assert len(kept) > 150
    assert np.mean(kept) > 700
    for row in kept:
        np.testing.assert_array_equal(found[row], tokens[row])


def test_a_text_that_is_too_long_to_keep_is_not_kept(tmp_path: Path) -> None:
    store = TokenCache(tmp_path, limit_mb=0.01)
    for _ in range(2):
        store.put("0123456789ab", ["walking"], [np.ones((20, 384), np.float32)])
        assert store.get("0123456789ab", ["walking"]) == [None]


def test_a_text_that_is_put_again_is_kept_once(tmp_path: Path) -> None:
    store = TokenCache(tmp_path)
    sizes = set()
    for value in (1, 2):
        store.put("0123456789ab", ["walking"], [np.full((2, 3), value, np.float32)])
        sizes |= {path.stat().st_size for path in tmp_path.iterdir()}
    assert len(sizes) == 1
    walking, sitting = store.get("0123456789ab", ["walking", "sitting"])
    np.testing.assert_array_equal(walking, np.full((2, 3), 2, np.float32))
    assert sitting is None


def test_a_folder_that_cannot_be_written_costs_time_and_not_the_result(words: Words, tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("in the way")
    expected = token_vectors(TEXTS, words, cache=False)[0]
    np.testing.assert_array_equal(token_vectors(TEXTS, words, cache=tmp_path / "file")[0], expected)
    assert "cannot be kept" in caplog.text


def test_many_at_once_get_whole_files(tmp_path: Path) -> None:
    expected = token_vectors(TEXTS, Words(), cache=False)[0]
    with ThreadPoolExecutor(8) as pool:
        for found, _ in pool.map(lambda _: token_vectors(TEXTS, Words(), cache=tmp_path), range(40)):
            np.testing.assert_array_equal(found, expected)
    assert len(list(tmp_path.iterdir())) == len(set(TEXTS)), "nothing staged is left"


def test_the_cache_is_where_it_is_told_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: Words) -> None:
    monkeypatch.setenv("KINELEX_CACHE", str(tmp_path))
    token_vectors(["walking"], words)
    assert list((tmp_path / "tokens").glob("*.safetensors"))
