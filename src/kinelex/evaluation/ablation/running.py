"""The runs of an ablation, each a ``kinelex train`` of its own, after a ``kinelex pretrain`` where that is asked for:
side by side, gone on with after an interruption.

A run holds a lock on its log while it lives. Whoever comes back after only the ablation was killed waits for such a
run to end instead of training the same folder twice.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from kinelex.artifact import write_text
from kinelex.errors import BadRecipe
from kinelex.evaluation.ablation.plan import Run
from kinelex.training import PretrainRecipe, Recipe
from kinelex.training.metrics import read_metrics

_TRAIN = """
import json, sys
from kinelex.cli import main
for call in json.loads(sys.argv[1]):
    if code := main(call):
        raise SystemExit(code)
"""
_PAUSE_S = 0.2
_LOOK_S = 2.0  # between two looks at how far the runs are
_LAST_LINES = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that did not end well.

    Args:
        run: which one.
        code: its exit code; negative: the signal that ended it.
        log: all that it printed.
        last_lines: the end of that.
    """

    run: Run
    code: int
    log: Path
    last_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far all runs are.

    Args:
        steps: updates that are done, of all runs.
        all_steps: updates of all runs.
        finished: runs that are done.
        runs: runs in all.
        failed: runs that failed.
        left_s: seconds left at the rate so far; none before the first update.
    """

    steps: int
    all_steps: int
    finished: int
    runs: int
    failed: int
    left_s: float | None


def is_finished(run: Run, folder: Path, fingerprints: Mapping[str, str]) -> bool:
    """Whether a run stands in its folder, trained by this recipe on these recordings.

    Args:
        run: the run.
        folder: of the ablation.
        fingerprints: hash of every imported set.

    Raises:
        BadRecipe: its folder holds another run.
    """
    home = folder / run.name
    if not (home / "recipe.json").is_file():
        return False
    other = f"'{home}' holds a run %s: choose another folder with --out, or remove it"
    recipe = run.recipe_in(folder)
    if _weights(_read_recipe(home / "recipe.json")) != _weights(recipe):
        raise BadRecipe(other % "of another recipe")
    try:
        result = json.loads((home / "result.json").read_bytes())
        learned, asked = result["datasets"], Recipe.model_validate(result["recipe"]) == recipe
        if run.pretrain is not None:
            before = json.loads((run.pretraining_in(folder) / "result.json").read_bytes())
            if PretrainRecipe.model_validate(before["recipe"]) != run.pretrain:
                raise BadRecipe(other % "that began with an encoder of another recipe")
    except (OSError, ValueError, KeyError):
        return False
    if learned != {name: fingerprints[name] for name in (*run.recipe.train, *run.recipe.left_out)}:
        raise BadRecipe(other % "on other recordings")
    return asked and (home / "checkpoint").is_dir()


def train_runs(
    runs: Sequence[Run],
    folder: Path,
    root: Path,
    *,
    jobs: int = 2,
    finished: Callable[[Run], None] | None = None,
    failed: Callable[[Failure], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Failure]:
    """Train runs side by side; one that fails does not stop the others.

    Args:
        runs: those that are to be trained, or gone on with.
        folder: of the ablation; each run has a folder, a recipe and a log there.
        root: the folder of all data sets.
        jobs: how many at once.
        finished: called with each run that has ended well.
        failed: called with each that has not.
        progress: called every few seconds, and after each run.

    Returns:
        What failed.
    """
    waiting, living, failures = list(runs), list[_Living](), list[Failure]()
    clock = _Clock(runs, folder)
    try:
        while waiting or living:
            for one in [one for one in living if one.process.poll() is not None]:
                living.remove(one)
                one.log.close()
                if one.process.returncode == 0:
                    clock.finished.add(one.run.name)
                    if finished is not None:
                        finished(one.run)
                else:
                    failures.append(one.failure())
                    if failed is not None:
                        failed(failures[-1])
            for run in list(waiting):
                if len(living) < jobs and (begun := _begin(run, folder, root)):
                    waiting.remove(run)
                    living.append(begun)
            if progress is not None:
                clock.tell(progress, len(failures))
            time.sleep(_PAUSE_S)
        return failures
    finally:
        for one in living:
            one.process.terminate()
        for one in living:
            one.process.wait()
            one.log.close()


@dataclass(frozen=True, slots=True)
class _Living:
    run: Run
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    log_from: int

    def failure(self) -> Failure:
        path = Path(self.log.name)
        said = path.read_bytes()[self.log_from :].decode(errors="replace").splitlines()
        lines = tuple(line.rstrip() for line in said if line.strip())[-_LAST_LINES:]
        return Failure(self.run, self.process.returncode, path, lines)


class _Clock:
    """Counts updates over all runs, and from their rate what is left."""

    def __init__(self, runs: Sequence[Run], folder: Path) -> None:
        self.finished: set[str] = set()
        self._runs, self._folder = runs, folder
        self._begun = time.monotonic()
        self._first = sum(self._steps(run) for run in runs)
        self._seen, self._at = self._first, -_LOOK_S

    def tell(self, progress: Callable[[Progress], None], failed: int) -> None:
        now = time.monotonic()
        if now - self._at < _LOOK_S:
            return
        self._at, self._seen = now, sum(self._steps(run) for run in self._runs)
        whole = sum(run.steps for run in self._runs)
        rate = (self._seen - self._first) / max(now - self._begun, 1e-9)
        left_s = (whole - self._seen) / rate if rate > 0 else None
        progress(Progress(self._seen, whole, len(self.finished), len(self._runs), failed, left_s))

    def _steps(self, run: Run) -> int:
        if run.name in self.finished:
            return run.steps
        stages: list[tuple[Recipe | PretrainRecipe, Path]] = [(run.recipe, self._folder / run.name)]
        if run.pretrain is not None:
            stages.append((run.pretrain, run.pretraining_in(self._folder)))
        logs = [(stage.steps, read_metrics(home / "metrics.jsonl")) for stage, home in stages]
        return sum(min(steps, int(lines[-1]["step"])) for steps, lines in logs if lines)


def _begin(run: Run, folder: Path, root: Path) -> _Living | None:
    """Start a run; nothing where one that an earlier ablation started still lives."""
    home = folder / run.name
    folder.mkdir(parents=True, exist_ok=True)
    # A log of a process: appended to as it comes, like metrics.
    log = home.with_name(f"{run.name}.log").open("ab")
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.close()
        return None
    calls = [["train", *_call(run.recipe_in(folder), home, root), "--score-every", str(run.recipe.steps), "--no-map"]]
    if run.pretrain is not None:
        calls.insert(0, ["pretrain", *_call(run.pretrain, run.pretraining_in(folder), root)])
    command = [sys.executable, "-c", _TRAIN, json.dumps(calls)]
    log_from = log.tell()
    # The child holds the log, and with it the lock, as long as it lives.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    return _Living(run, process, log, log_from)


def _call(recipe: Recipe | PretrainRecipe, home: Path, root: Path) -> list[str]:
    """Write down a recipe, and how the command that follows it is called."""
    path = home.with_name(f"{home.name}.yaml")
    write_text(path, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
    return [str(path), "--out", str(home), "--root", str(root)]


def _read_recipe(path: Path) -> Recipe | None:
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except ValueError:
        return None


def _weights(recipe: Recipe | None) -> str:
    """The part of a recipe that decides the weights."""
    return "" if recipe is None else recipe.model_dump_json(exclude={"temperature"})
