"""Fine-tunes the tiny model into a folder; the tests start it as a process of its own to kill it."""

from __future__ import annotations

import sys

from kinelex.training.finetune import fine_tune
from tests.training.test_finetune import LONG, TEXTS, examples, settings, untrained

if __name__ == "__main__":
    fine_tune(
        untrained(), examples(), TEXTS, settings(**LONG), sys.argv[1], progress=lambda step, _: print(step, flush=True)
    )
