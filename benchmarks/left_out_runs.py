"""The runs that several benchmarks look at, each of which left training sets out.

    kinelex ablate benchmarks/leave_out.yaml --only any-length --out runs/leave_out

makes them: a folder for each fold in `runs/leave_out`, which is also where they are without `--out`. The committed
figures are of two of its three folds, the one without HAPT and UMAFall and the one without USC-HAD and WISDM.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from kinelex.model import Checkpoint, load_checkpoint


def left_out_by(runs: Path) -> Iterator[tuple[str, Checkpoint, str]]:
    """Every run's name and checkpoint with each set that it left out; what left nothing out is passed over."""
    for result in sorted(runs.glob("*/result.json")):
        if left_out := json.loads(result.read_text())["recipe"].get("left_out"):
            checkpoint = load_checkpoint(result.parent / "checkpoint")
            for name in left_out:
                yield result.parent.name, checkpoint, name


def command_of(script: str, parser: argparse.ArgumentParser, call: argparse.Namespace) -> str:
    """The call as it was typed, paths too, but for what is the default anyway.

    Args:
        script: its file.
        parser: which only has options.
        call: what it understood.
    """
    words = ["python", f"benchmarks/{Path(script).name}"]
    for name, value in vars(call).items():
        if value != parser.get_default(name):
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join(words)
