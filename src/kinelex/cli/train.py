"""``kinelex train``: a run of a recipe, from imported data sets to a calibrated checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

if TYPE_CHECKING:
    from kinelex.training import Progress


def train(
    recipe: Path,
    *,
    out: Path | None = None,
    root: Path | None = None,
    seed: Annotated[int | None, Parameter(help="Use this seed instead of the recipe's.")] = None,
    leave_out: Annotated[list[str] | None, Parameter(negative=())] = None,
    score_every: int = 500,
) -> None:
    """Train a model as a recipe says. The same call again resumes a run that was interrupted, to the bit.

    The folder of the run holds the resolved recipe, metrics.jsonl, curves.png, states to resume from, and in the end
    the checkpoint, calibrated on the sets that the recipe leaves out, or by the temperature that the recipe names if it
    leaves none out: kinelex predict --model RUN/checkpoint FILE.

    Args:
        recipe: A YAML file; see recipes/.
        out: Folder of the run; runs/NAME-seed0 when left out.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        leave_out: Take these sets out of training and score on them instead of those that the recipe leaves out.
        score_every: Updates between two scores on the left-out sets.
    """
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from kinelex.artifact import write_json
    from kinelex.datasets import StoredDataset, data_root
    from kinelex.evaluation.card import model_card
    from kinelex.evaluation.left_out import LeftOut
    from kinelex.evaluation.sources import EvaluationSet
    from kinelex.language import resolve_text_encoder
    from kinelex.model import save_checkpoint
    from kinelex.training import Recipe, open_corpus
    from kinelex.training import train as run

    plan = Recipe.read(recipe, **({} if seed is None else {"seed": seed}))
    if leave_out:
        plan = plan.leaving_out(*leave_out)
    folder = out or Path("runs") / f"{plan.name}-seed{plan.seed}"
    console = Console(stderr=True)
    home = data_root() if root is None else root
    datasets = [StoredDataset.open(home, name) for name in (*plan.train, *plan.left_out)]
    encoder = resolve_text_encoder()

    with console.status("reading the training signal") as status:
        trained_on = [dataset for dataset in datasets if dataset.name in plan.train]
        corpus = open_corpus(
            trained_on, plan.model.grid_hz, home / ".corpora", lambda name: status.update(f"converting {name}")
        )
        status.update("reading what is left out")
        left_out = LeftOut([EvaluationSet.stored(d) for d in datasets if d.name in plan.left_out], encoder)

    columns = (TextColumn("step {task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("starting", total=plan.steps)

        def tell(progress: Progress) -> None:
            text = f"loss {progress.loss:.3f}, {progress.windows_per_s:.0f} windows/s, {_clock(progress.left_s)} left"
            bar.update(task, completed=progress.step, description=text)

        checkpoint = run(
            plan,
            corpus,
            folder,
            encoder=encoder,
            progress=tell,
            score=left_out.summary if plan.left_out else None,
            score_every=score_every,
        )

    scores = left_out.score(checkpoint)
    checkpoint = checkpoint.described(temperature=plan.temperature)
    if scores:
        # A geometric mean: temperatures are factors.
        product = 1.0
        for score in scores.values():
            product *= score.temperature
        checkpoint = checkpoint.described(temperature=product ** (1 / len(scores)))
    checkpoint = checkpoint.described(card=model_card(checkpoint, plan, datasets, scores))
    save_checkpoint(checkpoint, folder / "checkpoint")
    write_json(
        folder / "result.json",
        {
            "recipe": plan.model_dump(mode="json"),
            "corpus_hours": round(corpus.hours, 2),
            "temperature": checkpoint.temperature,
            "left_out": {
                name: {
                    "accuracy": s.accuracy,
                    "macro_f1": s.macro_f1,
                    "windows": s.windows,
                    "temperature": s.temperature,
                }
                for name, s in scores.items()
            },
            "datasets": {d.name: d.fingerprint for d in datasets},
        },
    )
    for name, score in scores.items():
        console.print(
            f"left out {name}: accuracy {100 * score.accuracy:.1f}, macro-F1 {100 * score.macro_f1:.1f}"
            f" ({score.windows} windows)"
        )
    console.print(f"checkpoint: {folder / 'checkpoint'}", highlight=False, markup=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
