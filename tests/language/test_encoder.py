"""The text encoder gives the vectors that its makers publish, token by token, and says what is wrong with its files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import CorruptArtifact, NoTextEncoder, UnsupportedFormat
from kinelex.language import SentenceEncoder, TextEncoder, Vocabulary, identity, label_vectors, label_words, prompts

TEXTS = [
    "walking",
    "a person is brushing teeth",
    "Ünïcode, PUNCTUATION; and 12 km/h!",
    "",
    "a very long text " * 100,
    *prompts("tennis serve", ["serving in tennis"]),
]


def test_sentence_vectors_equal_those_of_sentence_transformers(minilm: SentenceEncoder, minilm_folder: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    reference = library.SentenceTransformer(str(minilm_folder), device="cpu", local_files_only=True)
    expected = reference.encode(TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(minilm.encode(TEXTS), expected, atol=1e-5)


def test_a_sentence_vector_is_the_mean_of_its_tokens(minilm: SentenceEncoder) -> None:
    tokens, mask = minilm.encode_tokens(["walking", "a person is brushing teeth"])
    assert tokens.shape == (2, 7, 384)
    assert tokens.dtype == np.float32
    assert mask.sum(axis=1).tolist() == [3, 7], "each text's words, and a token at either end"
    mean = tokens[0, mask[0]].mean(axis=0)
    np.testing.assert_allclose(minilm.encode(["walking"])[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_a_text_is_the_same_alone_and_among_others(tiny_folder: Path) -> None:
    encoder = SentenceEncoder(tiny_folder)
    texts = ["walking", "a person is sitting down", "running"] * 50
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_mpnet_is_read_as_its_library_reads_it(mpnet_folder: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.MPNetModel.from_pretrained(mpnet_folder).eval()
    known = {"a": 4, "person": 5, "is": 6, "walking": 7, "running": 8, "sitting": 9, "down": 10}
    texts = ["walking", "a person is sitting down", "", "down " * 30]
    expected = []
    for text in texts:
        # Positions are counted from 2 in a table of 14: there are 12, for the two ends and ten words.
        ids = [0, *(known[word] for word in text.split()[:10]), 2]
        with torch.inference_mode():
            mean = model(input_ids=torch.tensor([ids])).last_hidden_state[0].double().mean(dim=0).numpy()
        expected.append(mean / np.linalg.norm(mean))
    encoder = SentenceEncoder(mpnet_folder)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5)
    assert encoder.encode_tokens(texts)[1].sum(axis=1).tolist() == [3, 7, 2, 12]
    assert encoder._tokenizer.padding["pad_id"] == 1


def test_a_stated_length_is_kept_to_as_far_as_there_are_positions(mpnet_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(mpnet_folder, tmp_path / "copy"))
    for stated, kept in ((5, 5), (384, 12)):
        (copy / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": stated}))
        assert SentenceEncoder(copy).encode_tokens(["down " * 30])[0].shape == (1, kept, 16)


def test_no_texts_are_no_vectors(tiny_folder: Path) -> None:
    encoder = SentenceEncoder(tiny_folder)
    assert encoder.encode([]).shape == (0, 16)
    assert encoder.encode_tokens([])[0].shape == (0, 0, 16)


def test_an_encoder_says_who_it_is(tiny_folder: Path, minilm: SentenceEncoder) -> None:
    assert identity(minilm) == "all-MiniLM-L6-v2@53aa51172d14"
    assert (minilm.dim, SentenceEncoder(tiny_folder).dim) == (384, 16)
    assert SentenceEncoder(tiny_folder).name == "tiny"
    assert isinstance(minilm, TextEncoder)


def test_like_activities_have_like_vectors(minilm: SentenceEncoder) -> None:
    texts = ["jogging", "running", "sitting", "drinking", "eating", "climbing stairs", "walking upstairs", "vacuuming"]
    vectors = dict(zip(texts, label_vectors(texts, minilm, cache=False), strict=True))

    def near(a: str, b: str) -> float:
        return float(vectors[a] @ vectors[b])

    assert near("jogging", "running") > near("jogging", "sitting")
    assert near("climbing stairs", "walking upstairs") > near("climbing stairs", "running")
    assert near("drinking", "eating") > near("drinking", "vacuuming")


def test_official_words_lie_near_the_label_that_they_mean(minilm: SentenceEncoder) -> None:
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
    SentenceEncoder(tiny_folder).encode(["walking"])
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
        SentenceEncoder(copy)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"])
def test_a_broken_file_is_corrupt(copy: Path, file: str) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:-9])
    with pytest.raises(CorruptArtifact, match=r"get (it|the text encoder) again"):
        SentenceEncoder(copy)


def test_other_weights_than_expected_are_refused_before_they_are_used(copy: Path) -> None:
    with pytest.raises(CorruptArtifact, match=r"is not the published file .* expected 000000000000"):
        SentenceEncoder(copy, expected_sha256="0" * 64)


@pytest.mark.parametrize("settings", [{"pooling_mode_mean_tokens": False}, {"pooling_mode": "cls"}])
def test_an_encoder_that_does_not_pool_by_the_mean_is_refused(copy: Path, settings: dict[str, object]) -> None:
    (copy / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UnsupportedFormat, match="does not pool by the mean"):
        SentenceEncoder(copy)


def test_weights_that_are_only_there_in_part_are_refused_and_not_made_up(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.0.output.dense.bias"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnsupportedFormat, match=r"lack 'encoder\.layer\.0\.output\.dense\.bias'"):
        SentenceEncoder(copy)


def test_weights_without_the_head_that_nothing_uses_are_whole(copy: Path, tiny_folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {name: v for name, v in load_file(copy / "model.safetensors").items() if not name.startswith("pooler.")}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    expected = SentenceEncoder(tiny_folder).encode(["walking"])
    np.testing.assert_array_equal(SentenceEncoder(copy).encode(["walking"]), expected)


def test_without_transformers_the_error_says_what_to_install(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NoTextEncoder, match=r'needs the package \'transformers\'.*pip install "kinelex\[offline\]"'):
        SentenceEncoder(copy)
