"""``kinelex train``: a run of a recipe, from imported data sets to a calibrated checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

if TYPE_CHECKING:
    from kinelex.datasets import StoredDataset
    from kinelex.evaluation.left_out import LeftOutScore
    from kinelex.language import TextEncoder
    from kinelex.model import Checkpoint
    from kinelex.training import Corpus, Progress, Recipe


def train(
    recipe: Path,
    *,
    out: Path | None = None,
    root: Path | None = None,
    seed: Annotated[int | None, Parameter(help="Use this seed instead of the recipe's.")] = None,
    leave_out: Annotated[list[str] | None, Parameter(negative=())] = None,
    fields: Annotated[list[str] | None, Parameter(name="--set", negative=())] = None,
    score_every: int = 500,
    map_: Annotated[bool, Parameter(name="--map")] = True,
    tensorboard: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Train a model as a recipe says. The same call again resumes a run that was interrupted, to the bit.

    The folder of the run holds the resolved recipe, metrics.jsonl, curves.png, states to resume from, and in the end
    result.json, map.png and the checkpoint, calibrated on the sets that the recipe leaves out, or by the temperature
    that the recipe names if it leaves none out: kinelex predict --model RUN/checkpoint FILE.

    Args:
        recipe: A YAML file; see recipes/.
        out: Folder of the run; runs/NAME-seed0 when left out.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        leave_out: Take these sets out of training and score on them instead of those that the recipe leaves out.
        fields: Set a field of the recipe otherwise, such as --set model.width=192 --set train=hapt,dsads.
        score_every: Updates between two scores on the left-out sets.
        map_: Also draw map.png: training windows and label texts as the model sees them, by t-SNE.
        tensorboard: Also write TensorBoard's event files, into the folder tensorboard of the run.
    """
    from kinelex.datasets import StoredDataset, data_root
    from kinelex.evaluation.left_out import LeftOut
    from kinelex.evaluation.sources import EvaluationSet
    from kinelex.language import resolve_text_encoder
    from kinelex.training import open_corpus
    from kinelex.training import train as run
    from kinelex.training.overrides import read_recipe

    plan = read_recipe(recipe, fields or (), **({} if seed is None else {"seed": seed}))
    if leave_out:
        plan = plan.leaving_out(*leave_out)
    folder = out or Path("runs") / f"{plan.name}-seed{plan.seed}"
    console = Console(stderr=True)
    home = data_root() if root is None else root
    datasets = [StoredDataset.open(home, name) for name in (*plan.train, *plan.left_out)]
    with events(folder, tensorboard) as shown:
        encoder = resolve_text_encoder(plan.text_encoder)
        with console.status("reading the training signal") as status:
            trained_on = [dataset for dataset in datasets if dataset.name in plan.train]
            corpus = open_corpus(
                trained_on, plan.model.grid_hz, home / ".corpora", lambda name: status.update(f"converting {name}")
            )
            status.update("reading what is left out")
            left_out = LeftOut([EvaluationSet.stored(d) for d in datasets if d.name in plan.left_out], encoder)
        with bar(plan.steps, console, shown) as progress:
            checkpoint = run(
                plan,
                corpus,
                folder,
                encoder=encoder,
                progress=progress,
                score=left_out.summary if plan.left_out else None,
                score_every=score_every,
            )
    scores = left_out.score(checkpoint)
    checkpoint = _finish(folder, plan, checkpoint, corpus, datasets, scores)
    if map_:
        _draw_map(folder, plan, checkpoint, corpus, encoder, console)
    for name, score in scores.items():
        console.print(
            f"left out {name}: accuracy {100 * score.accuracy:.1f}, macro-F1 {100 * score.macro_f1:.1f}"
            f" ({score.windows} windows)"
        )
    console.print(f"checkpoint: {folder / 'checkpoint'}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def events(folder: Path, wanted: bool) -> Iterator[Callable[[], None]]:
    """What shows new metrics to TensorBoard, or does nothing."""
    if not wanted:
        yield lambda: None
        return
    from kinelex.training.events import EventFiles

    with EventFiles(folder / "metrics.jsonl", folder / "tensorboard") as events:
        yield events.follow


@contextmanager
def bar(steps: int, console: Console, shown: Callable[[], None]) -> Iterator[Callable[[Progress], None]]:
    """A progress bar, as what a run calls after each update."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("step {task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("starting", total=steps)

        def tell(progress: Progress) -> None:
            text = f"loss {progress.loss:.3f}, {progress.windows_per_s:.0f} windows/s, {clock(progress.left_s)} left"
            bar.update(task, completed=progress.step, description=text)
            shown()

        yield tell


def _finish(
    folder: Path,
    plan: Recipe,
    checkpoint: Checkpoint,
    corpus: Corpus,
    datasets: list[StoredDataset],
    scores: Mapping[str, LeftOutScore],
) -> Checkpoint:
    """Calibrate, describe and save the checkpoint, and write down what it is the result of."""
    from dataclasses import asdict

    from kinelex.artifact import write_json
    from kinelex.evaluation.card import model_card
    from kinelex.model import save_checkpoint

    temperature = plan.temperature
    if scores:
        # A geometric mean: temperatures are factors.
        temperature = math.exp(sum(math.log(score.temperature) for score in scores.values()) / len(scores))
    checkpoint = checkpoint.described(temperature=temperature)
    checkpoint = checkpoint.described(card=model_card(checkpoint, plan, datasets, scores))
    save_checkpoint(checkpoint, folder / "checkpoint")
    result: dict[str, Any] = {
        "recipe": plan.model_dump(mode="json"),
        "corpus_hours": round(corpus.hours, 2),
        "temperature": checkpoint.temperature,
        "left_out": {name: asdict(score) for name, score in scores.items()},
        "datasets": {d.name: d.fingerprint for d in datasets},
        "versions": versions_of(plan),
    }
    write_json(folder / "result.json", result)
    return checkpoint


def versions_of(plan: Recipe) -> dict[str, str]:
    """What the run was computed with, and on."""
    import platform

    import torch

    from kinelex.evaluation.zero_shot import versions
    from kinelex.training.machine import device_of

    if device_of(plan).type == "cuda":
        device = f"cuda, {torch.cuda.get_device_name()}"
    else:
        device = f"cpu, {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {**versions(), "device": device}


def _draw_map(
    folder: Path, plan: Recipe, checkpoint: Checkpoint, corpus: Corpus, encoder: TextEncoder, console: Console
) -> None:
    from kinelex.evaluation.embedding_map import can_map, survey
    from kinelex.evaluation.embedding_map_picture import draw_map

    if not can_map():
        console.print("no map.png: scikit-learn is not installed: pip install 'kinelex[train]'", markup=False)
        return
    with console.status("drawing the map"):
        landscape = survey(checkpoint, corpus, encoder, seed=plan.seed)
        draw_map(landscape, folder / "map.png", title=f"{plan.name}, seed {plan.seed}")


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, with hours where there are some."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
