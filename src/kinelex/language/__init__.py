"""Labels into vectors: vocabulary, groups, synonyms, prompts, frozen text encoders and a disk cache.

Importing this costs no text encoder: torch and transformers are imported when a text must really be encoded.
"""

from __future__ import annotations

from kinelex.language.cache import VectorCache, cache_root
from kinelex.language.encoder import MiniLM, TextEncoder, identity
from kinelex.language.prompts import prompts, templates
from kinelex.language.published import PublishedGroups
from kinelex.language.resolution import DEFAULT_ENCODER, DEFAULT_IDENTITY, installed_text_encoder, resolve_text_encoder
from kinelex.language.vectors import label_vectors, prompt_vectors
from kinelex.language.vocabulary import Group, Label, Vocabulary
from kinelex.language.words import label_words

__all__ = [
    "DEFAULT_ENCODER",
    "DEFAULT_IDENTITY",
    "Group",
    "Label",
    "MiniLM",
    "PublishedGroups",
    "TextEncoder",
    "VectorCache",
    "Vocabulary",
    "cache_root",
    "identity",
    "installed_text_encoder",
    "label_vectors",
    "label_words",
    "prompt_vectors",
    "prompts",
    "resolve_text_encoder",
    "templates",
]
