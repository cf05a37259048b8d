"""Fine-tunes the tiny model into a folder; the tests start it as a process of its own to kill it."""

from __future__ import annotations

import sys

from kinelex.training.few_shot.fine_tuning import fine_tune
from tests.training.test_fine_tuning import LONG, TEXTS, examples, settings, untrained

if __name__ == "__main__":
    fine_tune(
        untrained(), examples(), TEXTS, settings(**LONG), sys.argv[1], progress=lambda at: print(at.step, flush=True)
    )
