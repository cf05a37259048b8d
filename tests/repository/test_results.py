"""What documents and the shipped model say is what the committed results say."""

from __future__ import annotations

import json
from pathlib import Path

from kinelex.evaluation.ablation import read_ablation
from kinelex.evaluation.report import percent, read_report
from kinelex.model import load_checkpoint
from kinelex.training import Recipe
from kinelex.training.overrides import with_changes

ROOT = Path(__file__).parents[2]
OWN = {"name", "seed", "threads", "temperature", "save_every"}
"""What a recipe may have otherwise than the runs that it was chosen by."""


def test_the_recipe_is_the_variant_that_was_chosen() -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "leave-out.json").read_text())
    study = result["study"]
    ablation = read_ablation(ROOT / "benchmarks" / "leave_out.yaml")
    assert (ablation.base, ablation.chosen) == (study["base"], study["chosen"])
    assert [list(fold) for fold in ablation.folds] == study["folds"]
    assert {name: variant.changes for name, variant in ablation.every.items()} == study["variants"]
    content = {"name": "chosen", **with_changes(ablation.base, ablation.every[study["chosen"]].changes)}
    recipe = Recipe.read(ROOT / "recipes" / "small.yaml")
    assert recipe.model_dump(exclude=OWN) == Recipe.model_validate(content).model_dump(exclude=OWN)
    assert recipe.temperature == result["temperature"]


def test_the_shipped_model_follows_the_recipe() -> None:
    recipe = Recipe.read(ROOT / "recipes" / "small.yaml")
    shipped = load_checkpoint("small")
    assert shipped.trained_on == recipe.train
    assert shipped.temperature == recipe.temperature
    assert shipped.model.config == recipe.model


def test_the_figures_of_the_readme_are_those_of_the_report() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    report = read_report(ROOT / "benchmarks" / "results" / "zero-shot")
    assert load_checkpoint("small").fingerprint in {used.fingerprint for used in report.checkpoints}
    for data in report.data:
        closed = {task.task: task for task in data.tasks}
        for texts in ("closed_words", "closed_vocabulary"):
            task = closed[texts]
            row = f"{data.units:,} | {percent(task.accuracy)} | {percent(task.macro_f1)} |"
            assert row in readme, f"{data.title}, {texts}: {row}"
    errors = sorted(
        task.calibration_error.mean for data in report.data for task in data.tasks if task.task == "closed_words"
    )
    said = f"error {100 * errors[0]:.0f} and {100 * errors[1]:.0f} % with the official names"
    assert said in " ".join(readme.split())
    (watch,) = read_report(ROOT / "benchmarks" / "results" / "basic-motions").data
    (task,) = watch.tasks
    assert f"| {watch.units} | {percent(task.accuracy)} | {percent(task.macro_f1)} |" in readme
