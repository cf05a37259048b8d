"""The text encoder gives the vectors that its makers publish, token by token, and says what is wrong with its files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import CorruptArtifact, NoTextEncoder, UnsupportedFormat
from kinelex.language import MiniLM, TextEncoder, Vocabulary, identity, label_vectors, label_words, prompts

TEXTS = [
    "walking",
    "a person is brushing teeth",
    "Ünïcode, PUNCTUATION; and 12 km/h!",
    "",
    "a very long text " * 100,
    *prompts("tennis serve", ["serving in tennis"]),
]


def test_sentence_vectors_equal_those_of_sentence_transformers(minilm: MiniLM, minilm_folder: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    reference = library.SentenceTransformer(str(minilm_folder), device="cpu", local_files_only=True)
    expected = reference.encode(TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(minilm.encode(TEXTS), expected, atol=1e-5)


def test_a_sentence_vector_is_the_mean_of_its_tokens(minilm: MiniLM) -> None:
    tokens, mask = minilm.encode_tokens(["walking", "a person is brushing teeth"])
    assert tokens.shape == (2, 7, 384)
    assert tokens.dtype == np.float32
    assert mask.sum(axis=1).tolist() == [3, 7], "each text's words, and a token at either end"
    mean = tokens[0, mask[0]].mean(axis=0)
    np.testing.assert_allclose(minilm.encode(["walking"])[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_a_text_is_the_same_alone_and_among_others(tiny_folder: Path) -> None:
    encoder = MiniLM(tiny_folder)
    texts = ["walking", "a person is sitting down", "running"] * 50
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_no_texts_are_no_vectors(tiny_folder: Path) -> None:
    encoder = MiniLM(tiny_folder)
    assert encoder.encode([]).shape == (0, 16)
    assert encoder.encode_tokens([])[0].shape == (0, 0, 16)


def test_an_encoder_says_who_it_is(tiny_folder: Path, minilm: MiniLM) -> None:
    assert identity(minilm) == "all-MiniLM-L6-v2@53aa51172d14"
    assert (minilm.dim, MiniLM(tiny_folder).dim) == (384, 16)
    assert MiniLM(tiny_folder).name == "tiny"
    assert isinstance(minilm, TextEncoder)


def test_like_activities_have_like_vectors(minilm: MiniLM) -> None:
    texts = ["jogging", "running", "sitting", "drinking", "eating", "climbing stairs", "walking upstairs", "vacuuming"]
    vectors = dict(zip(texts, label_vectors(texts, minilm, cache=False), strict=True))

    def near(a: str, b: str) -> float:
        return float(vectors[a] @ vectors[b])

    assert near("jogging", "running") > near("jogging", "sitting")
    assert near("climbing stairs", "walking upstairs") > near("climbing stairs", "running")
    assert near("drinking", "eating") > near("drinking", "vacuuming")


def test_official_words_lie_near_the_label_that_they_mean(minilm: MiniLM) -> None:
    # Most of them: what "forward_lying" means, only the data set's documentation says.
    vocabulary = Vocabulary.standard()
    names = {name: label for name, label in vocabulary.official["utd_mhad"].items() if "2" not in name}
    labels = minilm.encode(vocabulary.texts)
    nearest = (minilm.encode([label_words(name) for name in names]) @ labels.T).argmax(axis=1)
    hits = [vocabulary.texts[row] == label for row, label in zip(nearest, names.values(), strict=True)]
    assert np.mean(hits) > 0.8


def test_loading_is_silent_and_leaves_the_settings_of_transformers_alone(tiny_folder: Path, capfd) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    MiniLM(tiny_folder).encode(["walking"])
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


# What is wrong with the files


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()
    with pytest.raises(CorruptArtifact, match=f"lacks {file}"):
        MiniLM(copy)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"])
def test_a_broken_file_is_corrupt(copy: Path, file: str) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:-9])
    with pytest.raises(CorruptArtifact, match=r"get (it|the text encoder) again"):
        MiniLM(copy)


def test_other_weights_than_expected_are_refused_before_they_are_used(copy: Path) -> None:
    with pytest.raises(CorruptArtifact, match=r"is not the published file .* expected 000000000000"):
        MiniLM(copy, expected_sha256="0" * 64)


def test_an_encoder_that_does_not_pool_by_the_mean_is_refused(copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": False}))
    with pytest.raises(UnsupportedFormat, match="does not pool by the mean"):
        MiniLM(copy)


def test_without_transformers_the_error_says_what_to_install(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NoTextEncoder, match=r'needs the package \'transformers\'.*pip install "kinelex\[offline\]"'):
        MiniLM(copy)
