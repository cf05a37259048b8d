"""An ablation says what a change is worth, for whom, and how sure that is."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import BadRecipe
from kinelex.evaluation import metrics
from kinelex.evaluation.ablation import Ablation, Failure, Run, SetScore, compare, is_finished, read_ablation, runs_of
from kinelex.evaluation.ablation import train_runs as train_all
from kinelex.evaluation.ablation.report import AblationReport, chosen_temperature, run_scores, to_markdown
from kinelex.evaluation.ablation.scoring import _counts, text_spaces
from kinelex.model import TextSpace
from kinelex.training import Recipe

ROOT = Path(__file__).parents[2]
TEXT = """
base: {train: [hapt, wisdm, usc_had], steps: 10, model: {width: 64}}
folds: [[hapt], [usc_had]]
seeds: [0, 1]
variants:
  wide: {changes: {model.width: 128}, note: twice as wide}
"""


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "some.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "path",
    [
        ROOT / "recipes" / "ablation.yaml",
        ROOT / "benchmarks" / "leave_out.yaml",
        ROOT / "benchmarks" / "leave_one_out.yaml",
    ],
    ids=lambda path: path.stem,
)
def test_shipped_ablations_are_whole_and_leave_what_they_score_out_of_training(path: Path) -> None:
    ablation = read_ablation(path)
    runs = runs_of(ablation)
    assert len(runs) == len(ablation.every) * len(ablation.folds) * len(ablation.seeds)
    assert len({run.name for run in runs}) == len(runs)
    assert all(run.recipe.left_out == run.fold and not set(run.recipe.train) & set(run.fold) for run in runs)
    assert all(not set(run.pretrain.train) & set(run.fold) for run in runs if run.pretrain)


def test_each_variant_is_the_base_with_its_changes_only(tmp_path: Path) -> None:
    runs = runs_of(read_ablation(written(tmp_path)))
    assert [run.name for run in runs[:3]] == [
        "base-without-hapt-seed0", "wide-without-hapt-seed0", "base-without-usc_had-seed0"
    ]  # fmt: skip
    base, wide = runs[4].recipe, runs[5].recipe
    assert (base.seed, base.model.width, wide.model.width) == (1, 64, 128)
    assert wide.model_copy(update={"name": "base", "model": base.model}) == base
    assert {run.seed for run in runs_of(read_ablation(tmp_path / "some.yaml"), range(3))} == {0, 1, 2}


def test_a_base_may_be_a_recipe_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ntrain: [hapt, wisdm, usc_had]\nsteps: 7\nleft_out: [dsads]\n")
    text = TEXT.replace("{train: [hapt, wisdm, usc_had], steps: 10, model: {width: 64}}", "mine.yaml")
    run = runs_of(read_ablation(written(tmp_path, text)))[0]
    assert (run.recipe.steps, run.recipe.left_out, run.recipe.name) == (7, ("hapt",), "base")


def test_a_variant_may_be_another_recipe_and_some_fields_common_to_all(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: other\ntrain: [hapt, wisdm, usc_had]\nsteps: 7\nbatch_windows: 99\n")
    text = "common: {steps: 5}\n" + TEXT + "  other: {recipe: other.yaml, changes: {model.width: 96}}\n"
    base, wide, other = (run.recipe for run in runs_of(read_ablation(written(tmp_path, text)))[:3])
    assert [recipe.steps for recipe in (base, wide, other)] == [5, 5, 5], "common is stronger than any recipe"
    assert (base.batch_windows, other.batch_windows, other.model.width) == (256, 99, 96)


PRETRAINED = TEXT + "  ready: {pretrain: first.yaml, note: an encoder that has seen signal}\n"
FIRST = "name: first\ntrain: [hapt, wisdm, usc_had, ku_har]\nsteps: 3\nmodel: {width: 8, heads: 2}\n"


def test_a_pretrained_variant_has_an_encoder_of_its_own_that_has_seen_nobody_of_the_fold(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(FIRST)
    base, _, ready = runs_of(read_ablation(written(tmp_path, PRETRAINED)), [4])[:3]
    assert ready.pretrain is not None and base.pretrain is None
    assert ready.pretrain.train == ("wisdm", "usc_had", "ku_har"), "hapt is left out"
    assert (ready.pretrain.seed, ready.pretrain.model) == (4, ready.recipe.model)
    assert (ready.steps, base.steps) == (13, 10)
    asked = ready.recipe_in(tmp_path)
    assert asked.pretrained == str(tmp_path / "ready-without-hapt-seed4-pretraining")
    assert asked.model_copy(update={"pretrained": None, "name": "base"}) == base.recipe


def test_both_stages_are_called_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first.yaml").write_text(FIRST)
    said = "import json, sys; [print(*call[:2]) for call in json.loads(sys.argv[1])]"
    monkeypatch.setattr("kinelex.evaluation.ablation.running._TRAIN", said)
    ready = runs_of(read_ablation(written(tmp_path, PRETRAINED)))[2]
    assert not train_all([ready], tmp_path, tmp_path, jobs=1)
    first, second = (tmp_path / f"{ready.name}.log").read_text().splitlines()
    assert first == f"pretrain {ready.pretraining_in(tmp_path)}.yaml"
    assert second == f"train {tmp_path / ready.name}.yaml"
    assert Recipe.read(second.split()[1]) == ready.recipe_in(tmp_path)


def test_a_run_is_not_finished_without_the_encoder_it_began_with(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(FIRST)
    ready = runs_of(read_ablation(written(tmp_path, PRETRAINED)))[2]
    assert ready.pretrain is not None
    prints = dict.fromkeys(ready.sets, "a")
    home, fields = tmp_path / ready.name, ready.recipe_in(tmp_path).model_dump(mode="json")
    (home / "checkpoint").mkdir(parents=True)
    (home / "recipe.json").write_text(json.dumps(fields))
    learned = {name: prints[name] for name in (*ready.recipe.train, *ready.recipe.left_out)}
    (home / "result.json").write_text(json.dumps({"recipe": fields, "datasets": learned}))
    assert not is_finished(ready, tmp_path, prints)
    before = ready.pretraining_in(tmp_path)
    before.mkdir()
    (before / "result.json").write_text(json.dumps({"recipe": ready.pretrain.model_dump(mode="json")}))
    assert is_finished(ready, tmp_path, prints)
    longer = ready.pretrain.model_copy(update={"steps": 9})
    with pytest.raises(BadRecipe, match="encoder of another recipe"):
        is_finished(dataclasses.replace(ready, pretrain=longer), tmp_path, prints)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("model.width: 128", "model.widht: 128", r"variant 'wide'.*did you mean 'model\.width'"),
        ("model.width: 128", "model.width: 30", "variant 'wide'.*multiple of heads"),
        ("[hapt]", "[motionsense]", "zero-shot test set"),
        ("[hapt]", "[usc_had]", "usc_had is left out twice"),
        ("[hapt]", "[hapt, wisdm, usc_had]", "left out twice"),
        ("wide:", "base:", "cannot be called 'base'"),
        ("wide:", "Wide One:", "variants"),
        ("seeds: [0, 1]", "seeds: [1, 1]", "seed twice"),
        ("seeds: [0, 1]", "chosen: narrow", "'narrow' is not among base, wide"),
        ("{train: [hapt, wisdm, usc_had], steps: 10, model: {width: 64}}", "nowhere.yaml", r"nowhere\.yaml"),
        ("variants:", "variant:", "variant"),
        ("changes: {model.width: 128}", "recipe: nowhere.yaml", r"nowhere\.yaml"),
        ("changes: {model.width: 128}", "recipe: {steps: 3}", "variant 'wide'.*train"),
        ("changes: {model.width: 128}", "pretrain: {steps: 3}", "variant 'wide', pretraining.*train"),
    ],
)
def test_a_wrong_ablation_says_where(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(BadRecipe, match=says):
        runs_of(read_ablation(written(tmp_path, TEXT.replace(old, new))))


def test_a_fold_that_leaves_nothing_to_train_on_is_named_with_its_variant(tmp_path: Path) -> None:
    text = TEXT.replace("changes: {model.width: 128}", "changes: {train: [hapt]}")
    with pytest.raises(BadRecipe, match=r"variant 'wide'.*leave out hapt"):
        runs_of(read_ablation(written(tmp_path, text)))


def score_of(name: str, right: Sequence[Sequence[int]], *, of: int = 10, temperature: float = 1.0) -> SetScore:
    """A set of two classes with `of` windows of each per person, so many of which are right."""
    counts = []
    for a, b in right:
        counts.append(((a, of, a + of - b), (b, of, b + of - a)))
    people = tuple(f"p{i}" for i in range(len(right)))
    return SetScore(
        set=name, texts="words", text_space="whole", windows=2 * of * len(right), temperature=temperature,
        subjects=people, counts=tuple(counts),
    )  # fmt: skip


@pytest.fixture
def ablation(tmp_path: Path) -> Ablation:
    return read_ablation(written(tmp_path, TEXT + "chosen: wide\n"))


def test_figures_are_means_over_sets_and_spreads_over_seeds(ablation: Ablation) -> None:
    scores = {
        ("base", 0): [score_of("hapt", [(10, 0)] * 3, temperature=1.0), score_of("usc_had", [(10, 10)] * 4)],
        ("base", 1): [score_of("hapt", [(10, 10)] * 3, temperature=4.0), score_of("usc_had", [(10, 10)] * 4)],
    }
    (row,) = compare(ablation, scores, draws=100)
    assert row.accuracy.seeds == (0.75, 1.0)
    assert row.accuracy.mean == 0.875
    assert row.accuracy.sd == pytest.approx(np.std([0.75, 1.0], ddof=1))
    # By hand: F1 of a class that everything is taken for is 2/3, of the other 0.
    assert row.macro_f1.seeds == pytest.approx(((1 / 3 + 1) / 2, 1.0))
    assert row.per_set["hapt"] == (0.75, round((1 / 3 + 1) / 2, 4))
    assert row.temperature == pytest.approx(4 ** (1 / 4), abs=1e-3), "factors have a geometric mean"
    assert (row.gain_accuracy, row.p) == (None, None), "the base is not compared with itself"


def test_a_gain_that_every_person_has_is_told_apart_where_the_figures_overlap(ablation: Ablation) -> None:
    rng = np.random.default_rng(0)
    plain = [tuple(int(n) for n in rng.integers(0, 9, size=2)) for _ in range(12)]
    better = [(a + 1, b + 1) for a, b in plain]
    scores = {
        ("base", 0): [score_of("hapt", plain), score_of("usc_had", plain)],
        ("wide", 0): [score_of("hapt", better), score_of("usc_had", better)],
    }
    base, wide = compare(ablation, scores, draws=500)
    assert wide.gain_accuracy is not None and base.accuracy.high is not None and wide.accuracy.low is not None
    assert wide.gain_accuracy.mean == pytest.approx(0.1)
    assert (wide.gain_accuracy.low, wide.gain_accuracy.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert wide.accuracy.low < base.accuracy.high, "the two intervals by themselves would not tell"
    assert wide.pairs == 24
    assert wide.p_holm is not None and wide.p_holm < 0.001


def test_only_seeds_that_both_sides_have_are_compared(ablation: Ablation) -> None:
    good, bad = ([score_of(name, [(n, n)] * 7) for name in ("hapt", "usc_had")] for n in (9, 5))
    base, wide = compare(ablation, {("base", 0): bad, ("base", 1): good, ("wide", 1): good}, draws=100)
    assert (base.seeds, wide.seeds) == ((0, 1), (1,))
    assert wide.gain_accuracy is not None and wide.gain_accuracy.mean == 0
    assert wide.p == 1.0


def test_few_people_are_not_tested_and_one_has_no_interval(ablation: Ablation) -> None:
    def one(n: int) -> list[SetScore]:
        return [score_of(name, [(n, n)]) for name in ("hapt", "usc_had")]

    _, wide = compare(ablation, {("base", 0): one(5), ("wide", 0): one(9)}, draws=100)
    assert wide.gain_accuracy is not None
    assert (wide.gain_accuracy.low, wide.p, wide.pairs) == (None, None, 0)


def test_probabilities_are_corrected_for_all_variants(tmp_path: Path) -> None:
    more = "".join(f"  more{i}: {{changes: {{steps: {i + 20}}}}}\n" for i in range(3))
    ablation = read_ablation(written(tmp_path, TEXT + more))
    rng = np.random.default_rng(1)
    scores = {
        (name, 0): [
            score_of(s, [tuple(int(n) for n in rng.integers(0, 10, 2)) for _ in range(9)]) for s in ablation.sets
        ]
        for name in ablation.every
    }
    rows = compare(ablation, scores, draws=100)
    p = {row.variant: (row.p, row.p_holm) for row in rows if row.p is not None}
    assert set(p) == {"wide", "more0", "more1", "more2"}
    least = min(p, key=lambda name: p[name][0])
    assert p[least][1] == pytest.approx(min(1.0, 4 * p[least][0]))


def test_counts_give_the_figures_of_the_confusion_table() -> None:
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    units = SimpleNamespace(subject_names=("a", "b", "nobody"), subjects=rng.integers(0, 2, 60))
    usable = rng.random(60) < 0.8
    counts = _counts(truth, predicted[usable], usable, units, 4)  # type: ignore[arg-type]
    table = metrics.confusion(truth[usable], predicted[usable], 4)
    score = SetScore(
        set="x", texts="words", text_space="whole", windows=1, temperature=1, subjects=("a", "b", "c"), counts=counts
    )
    (found,) = run_scores(Run("base", ("x",), 0, None), [score])  # type: ignore[arg-type]
    assert found.accuracy == round(float(metrics.accuracy(table)), 4)
    assert found.macro_f1 == round(float(metrics.macro_f1(table)), 4)
    assert np.array(counts)[2].sum() == 0


def test_parts_of_the_text_space_are_taken_away_one_by_one() -> None:
    whole = TextSpace(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32))
    found = text_spaces(whole, ("centered", "leaning", "crowding"))
    kept = {name: (bool(len(space.anchors)), bool(len(space.prototypes))) for name, space in found.items()}
    assert kept == {
        "whole": (True, True), "centered": (False, False), "leaning": (True, False), "crowding": (False, True)
    }  # fmt: skip


def test_the_page_says_what_was_compared_and_what_is_missing(ablation: Ablation) -> None:
    good, bad = ([score_of(name, [(n, n)] * 7) for name in ("hapt", "usc_had")] for n in (9, 5))
    rows = compare(ablation, {("base", 0): bad, ("wide", 0): good}, draws=100)
    report = AblationReport(
        command="kinelex ablate some.yaml", ablation=ablation, versions={"kinelex": "1"}, datasets={"hapt": "abc"},
        draws=100, rows=rows, temperature=chosen_temperature(ablation, rows), missing=("wide-without-hapt-seed1",),
        runs=(),
    )  # fmt: skip
    page = to_markdown(report)
    assert "| wide | words | 90.0 [90.0, 90.0] | **+40.0** [+40.0, +40.0] |" in page
    assert "kinelex ablate some.yaml" in page and "`model.width: 128` | twice as wide |" in page
    assert "Missing: wide-without-hapt-seed1." in page
    assert "Chosen: `wide`, temperature 1.00." in page
    assert AblationReport.model_validate_json(report.model_dump_json()) == report


def test_a_folder_is_finished_only_by_this_recipe_on_these_recordings(ablation: Ablation, tmp_path: Path) -> None:
    run, prints = runs_of(ablation)[0], {"hapt": "a", "wisdm": "b", "usc_had": "c"}
    home = tmp_path / run.name
    (home / "checkpoint").mkdir(parents=True)
    assert not is_finished(run, tmp_path, prints)
    fields = run.recipe.model_dump(mode="json")
    (home / "recipe.json").write_text(json.dumps(fields))
    assert not is_finished(run, tmp_path, prints), "it was interrupted"
    (home / "result.json").write_text(json.dumps({"recipe": fields, "datasets": prints}))
    assert is_finished(run, tmp_path, prints)
    warmer = run.recipe.model_copy(update={"temperature": 2.0})
    assert not is_finished(Run(run.variant, run.fold, run.seed, warmer), tmp_path, prints), "only its end is done again"
    with pytest.raises(BadRecipe, match="on other recordings"):
        is_finished(run, tmp_path, {**prints, "wisdm": "new"})
    longer = run.recipe.model_copy(update={"steps": 11})
    with pytest.raises(BadRecipe, match=r"of another recipe.*remove it"):
        is_finished(Run(run.variant, run.fold, run.seed, longer), tmp_path, prints)


def test_a_run_that_fails_is_named_with_its_last_words_and_the_others_go_on(
    ablation: Ablation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "import sys; print('trying'); sys.exit('no such thing' if '/wide' in sys.argv[1] else 0)"
    monkeypatch.setattr("kinelex.evaluation.ablation.running._TRAIN", said)
    done: list[Run] = []
    failures = train_all(runs_of(ablation)[:3], tmp_path, tmp_path, jobs=2, finished=done.append)
    (failure,) = failures
    assert (failure.run.variant, failure.code, failure.last_lines) == ("wide", 1, ("trying", "no such thing"))
    assert [run.variant for run in done] == ["base", "base"]


def test_a_run_that_lives_on_is_waited_for_and_not_started_twice(
    ablation: Ablation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl
    import threading

    run = runs_of(ablation)[0]
    monkeypatch.setattr("kinelex.evaluation.ablation.running._TRAIN", "print('started')")
    log = tmp_path / f"{run.name}.log"
    with log.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.8, lambda: (held.write(b"ended\n"), held.flush(), fcntl.flock(held, fcntl.LOCK_UN))).start()
        failures: list[Failure] = train_all([run], tmp_path, tmp_path, jobs=1)
    assert not failures
    assert log.read_text().split() == ["ended", "started"]
    assert os.path.exists(tmp_path / f"{run.name}.yaml")
