"""Pretrains the tiny recipe into a folder, in several lives that each end badly; the tests start it as a process.

Everything slow is imported once; each life is a fork of what is there before anything was computed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinelex.training import Corpus, PretrainRecipe, Progress, pretrain
from tests.training.conftest import small_corpus


class Words:
    """A text encoder whose vectors depend on nothing but the letters of a text."""

    name, revision, dim = "letters", "000000000000", 384

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors ``(text, 384)``."""
        vectors = np.stack([np.cos(np.arange(self.dim) * (1 + sum(text.encode()) % 97)) for text in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def encode_tokens(self, texts: Sequence[str]) -> Any:
        """Never needed here."""
        raise NotImplementedError


def tiny(**changes: object) -> PretrainRecipe:
    return PretrainRecipe.model_validate(
        {
            "name": "tiny", "train": ["hapt", "sisfall"], "steps": 20, "batch_windows": 12, "save_every": 4,
            "log_every": 1, "threads": 1, "precision": "fp32",
            "model": {"width": 16, "layers": 1, "heads": 2, "queries": 2, "dropout": 0.1},
        }
        | changes
    )  # fmt: skip


def run(folder: Path, corpus: Corpus, at_step: int = -1) -> None:
    def killed(progress: Progress) -> None:
        if progress.step == at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    pretrain(tiny(), corpus, folder, encoder=Words(), progress=killed)


def die_before_renaming_to(name: str) -> None:
    """The folder is whole and beside its place: nothing is tidied up."""
    replace = os.replace

    def deadly(source: Any, target: Any) -> None:
        if Path(target).name == name:
            os._exit(9)
        replace(source, target)

    os.replace = deadly


def die_before_removing(name: str) -> None:
    """The new state is in its place, and an old one still is too."""
    rmtree = shutil.rmtree

    def deadly(path: Any, *more: Any, **fields: Any) -> None:
        if Path(path).name == name:
            os._exit(9)
        rmtree(path, *more, **fields)

    shutil.rmtree = deadly  # type: ignore[assignment]


def lives(folder: Path) -> None:
    corpus = small_corpus()
    ends = [
        lambda: (die_before_renaming_to("step-00000008"), run(folder, corpus)),
        lambda: (die_before_removing("step-00000004"), run(folder, corpus)),
        lambda: run(folder, corpus, at_step=15),
        lambda: (die_before_renaming_to("encoder"), run(folder, corpus)),
    ]
    for end in ends:
        child = os.fork()
        if child == 0:
            end()
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), end=" ", flush=True)
        states = sorted(path.name for path in (folder / "states").glob("*"))
        print(",".join(name if name.startswith("step") else "staged" for name in states), flush=True)


if __name__ == "__main__":
    lives(Path(sys.argv[1]))
