"""Trains the tiny recipe into a folder; the tests start it as a process of its own to kill it."""

from __future__ import annotations

import sys

from kinelex.language import resolve_text_encoder
from kinelex.model import save_checkpoint
from kinelex.training import train
from tests.training.conftest import small_corpus, small_recipe

if __name__ == "__main__":
    folder = sys.argv[1]
    checkpoint = train(
        small_recipe(),
        small_corpus(),
        folder,
        encoder=resolve_text_encoder(),
        progress=lambda at: print(at.step, flush=True),
    )
    save_checkpoint(checkpoint, f"{folder}/checkpoint")
