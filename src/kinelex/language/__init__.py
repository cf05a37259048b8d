"""Labels into vectors: vocabulary, groups, synonyms, prompts, frozen text encoders and a disk cache.

Importing this costs no text encoder: torch and transformers are imported when a text must really be encoded.
"""

from __future__ import annotations

from kinelex.language.cache import VectorCache, cache_root
from kinelex.language.clip_text import ClipText
from kinelex.language.encoder import TextEncoder, identity
from kinelex.language.pooled import PooledEncoder
from kinelex.language.prompts import prompts, templates
from kinelex.language.published import PublishedGroups
from kinelex.language.resolution import DEFAULT_ENCODER, DEFAULT_IDENTITY, installed_text_encoder, resolve_text_encoder
from kinelex.language.sentence import SentenceEncoder
from kinelex.language.token_cache import TokenCache
from kinelex.language.tokens import token_vectors
from kinelex.language.vectors import label_prompts, label_vectors, prompt_vectors
from kinelex.language.vocabulary import Group, Label, Vocabulary
from kinelex.language.words import label_words

__all__ = [
    "DEFAULT_ENCODER",
    "DEFAULT_IDENTITY",
    "ClipText",
    "Group",
    "Label",
    "PooledEncoder",
    "PublishedGroups",
    "SentenceEncoder",
    "TextEncoder",
    "TokenCache",
    "VectorCache",
    "Vocabulary",
    "cache_root",
    "identity",
    "installed_text_encoder",
    "label_prompts",
    "label_vectors",
    "label_words",
    "prompt_vectors",
    "prompts",
    "resolve_text_encoder",
    "templates",
    "token_vectors",
]
