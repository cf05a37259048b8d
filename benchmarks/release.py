"""Put a trained run into the package as a shipped model, with a card that states its committed results.

    python benchmarks/release.py runs/small-seed0 benchmarks/results/zero_shot

The report must be of this very checkpoint (alone, or among other seeds of its recipe); its weights are not changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from kinelex.datasets import StoredDataset
from kinelex.errors import KinelexError, UsageError
from kinelex.evaluation.card import model_card
from kinelex.evaluation.left_out import LeftOutScore
from kinelex.evaluation.report import read_report
from kinelex.model import load_checkpoint, save_checkpoint
from kinelex.training import Recipe

WEIGHTS = Path(__file__).parents[1] / "src" / "kinelex" / "weights"
MOST_BYTES = 10_000_000


def release(run: Path, reports: list[Path], root: Path | None) -> Path:
    """Write the checkpoint of `run` to the package; returns its folder there."""
    checkpoint = load_checkpoint(run / "checkpoint")
    result = json.loads((run / "result.json").read_text())
    recipe = Recipe.model_validate(result["recipe"])
    pages = [read_report(path) for path in reports]
    for path, page in zip(reports, pages, strict=True):
        if checkpoint.fingerprint not in {used.fingerprint for used in page.checkpoints}:
            raise UsageError(f"'{path}' does not report on the checkpoint of '{run}': evaluate that one")
    datasets = [StoredDataset.open(root, name) for name in (*recipe.train, *recipe.left_out)]
    left_out = {name: LeftOutScore(**score) for name, score in result["left_out"].items()}
    folder = WEIGHTS / checkpoint.name
    save_checkpoint(checkpoint.described(card=model_card(checkpoint, recipe, datasets, left_out, pages)), folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > MOST_BYTES:
        raise UsageError(f"'{folder}' has {size / 1e6:.1f} MB: a shipped model may have {MOST_BYTES / 1e6:.0f}")
    print(f"{folder}: {size / 1e6:.1f} MB, weights {checkpoint.fingerprint[:12]}")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished kinelex train")
    parser.add_argument("reports", type=Path, nargs="*", help="folders of kinelex evaluate zero-shot")
    parser.add_argument("--root", type=Path, help="folder of the imported data sets")
    arguments = parser.parse_args()
    try:
        release(arguments.run, arguments.reports, arguments.root)
    except KinelexError as error:
        sys.exit(f"error: {error}")
