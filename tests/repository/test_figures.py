"""Figures of documents whose results are committed are those of the results, to the digit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kinelex.evaluation.ablation import AblationReport, Row
from kinelex.evaluation.ablation.report import RECORD, gain
from kinelex.evaluation.few_shot_report import FewShotReport, FewShotResult, read_few_shot
from kinelex.evaluation.published_figures import BestPublished, best_published
from kinelex.evaluation.record import read_record
from kinelex.evaluation.report import TaskResult, ZeroShotReport, read_report
from kinelex.evaluation.retrieval.report import mean_table, read_retrieval
from kinelex.evaluation.retrieval.studies.record import read_studies
from kinelex.evaluation.statistics import Estimate
from kinelex.recognition.prior import FAMILIARITY
from kinelex.retrieval import recollection

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SETS = ("motionsense", "mobifall")
FIGURE = r"([-+]?\d[\d,]*(?:\.\d+)?|[a-z]+)"
"""A number, or a small one as a word."""
IN_WORDS = dict(enumerate(["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]))

Cells = Sequence[str | None]


# What documents say ---------------------------------------------------------------------------------------------------


def differences_of_table(page: str, header: str, rows: Sequence[Cells]) -> list[str]:
    """Where the table below a header says something else than these cells; none: whatever stands there."""
    lines = page.splitlines()
    if lines.count(header) != 1:
        return [f"{lines.count(header)} tables with the header {header}"]
    first = last = lines.index(header) + 2
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    if last - first != len(rows):
        return [f"line {first}: a table of {last - first} rows, where the results have {len(rows)}"]
    found = []
    for number, wanted in zip(range(first, last), rows, strict=True):
        cells = [cell.strip() for cell in lines[number].strip("|").split("|")]
        said = [cell if wish is not None else None for cell, wish in zip(cells, wanted, strict=True)]
        if said != list(wanted):
            found.append(f"line {number + 1}: {said}, where the results say {list(wanted)}")
    return found


def differences_of_sentence(page: str, sentence: str, figures: Sequence[str]) -> list[str]:
    """Where a sentence, with {} for each figure, has others than these."""
    pattern = FIGURE.join(re.escape(part).replace(r"\ ", r"\s+") for part in sentence.split("{}"))
    matches = list(re.finditer(pattern, page))
    if len(matches) != 1:
        return [f"{len(matches)} times: {sentence}"]
    (match,) = matches
    assert len(match.groups()) == len(figures)
    return [
        f"line {page.count(chr(10), 0, match.start(group)) + 1}: {match[group]} where the results say {figure}, in:"
        f" {' '.join(match[0].split())}"
        for group, figure in enumerate(figures, 1)
        if match[group] != figure
    ]


def check_table(document: str, header: str, rows: Sequence[Cells]) -> None:
    assert [f"{document}, {where}" for where in differences_of_table(read(document), header, rows)] == []


def check_sentence(document: str, sentence: str, *figures: str) -> None:
    assert [f"{document}, {where}" for where in differences_of_sentence(read(document), sentence, figures)] == []


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


# What results say -----------------------------------------------------------------------------------------------------


def content(name: str) -> Any:
    return json.loads((RESULTS / name).read_bytes())


def pair(of: TaskResult | FewShotResult | Row) -> str:
    return f"{points(of.accuracy)} / {points(of.macro_f1)}"


def spread_pair(of: TaskResult | Row) -> str:
    return " / ".join(f"{points(one)} ± {100 * (one.sd or 0):.1f}" for one in (of.accuracy, of.macro_f1))


def points(estimate: Estimate | None) -> str:
    assert estimate is not None
    return f"{100 * estimate.mean:.1f}"


def bar(of: BestPublished | None) -> str:
    assert of is not None
    return f"{100 * of.accuracy:.1f} / {100 * of.macro_f1:.1f}"


@cache
def zero_shot(name: str) -> ZeroShotReport:
    return read_report(RESULTS / name)


@cache
def few_shot() -> FewShotReport:
    return read_few_shot(RESULTS / "few-shot-published")


def task_of(report: str, dataset: str, task: str) -> TaskResult:
    (data,) = (data for data in zero_shot(report).data if data.name == dataset)
    (found,) = (one for one in data.tasks if one.task == task)
    return found


def learned(dataset: str, budget: str, method: str) -> FewShotResult:
    (data,) = (data for data in few_shot().data if data.name == dataset)
    (found,) = (one for one in data.results if (one.budget, one.method) == (budget, method))
    return found


@cache
def ablation_rows(name: str) -> dict[str, Row]:
    report = read_record(RESULTS / name, AblationReport, "ablation report", 1, name=RECORD)
    return {row.variant: row for row in report.rows if (row.texts, row.text_space) == ("words", "whole")}


# docs/experiments.md --------------------------------------------------------------------------------------------------


def test_what_was_tried_says_what_the_runs_that_left_sets_out_say() -> None:
    means = {line["variant"]: line for line in content("leave-out.json")["means"]
             if line["text_space"] == "leaning, crowding"}  # fmt: skip
    figures = [f"{figure}" for variant in ("base", "any-length") for figure in means[variant]["words"]]
    check_sentence("docs/experiments.md", "left-out sets {} / {} → {} / {} ([leave-out.json]", *figures)


def test_what_was_tried_says_what_the_study_of_open_sets_says() -> None:
    means = {line["variant"]: line for line in content("transduction.json")["means"] if line["task"] == "open"}
    powered = f"training sets to the power {FAMILIARITY:g}"
    crowded, plain, prior = (means[name] for name in ("with crowding", "without crowding", powered))
    check_sentence(
        "docs/experiments.md", "all groups that are predicted: {} → {}, accuracy {} → {} ([transduction.json]",
        *(f"{of[figure]}" for figure in ("macro_f1", "accuracy") for of in (plain, prior)),
    )  # fmt: skip
    check_sentence(
        "docs/experiments.md",
        "[transduction.json](../benchmarks/results/transduction.json): {} / {} → {} / {} | yes |",
        *(f"{of[figure]}" for of in (crowded, plain) for figure in ("accuracy", "macro_f1")),
    )  # fmt: skip


def test_the_published_recipe_beside_ours_is_as_reported() -> None:
    rows = [
        [name, *(spread_pair(task_of(report, dataset, "closed_words")) for dataset in SETS)]
        for name, report in (("ours", "zero-shot"), ("published recipe, same budget", "align-published"))
    ]
    check_table("docs/experiments.md", "| | MotionSense | MobiFall |", rows)


def test_left_out_sets_one_by_one_are_as_reported() -> None:
    found = ablation_rows("leave-one-out")
    rows = []
    for name, variant in (("ours", "base"), ("published recipe, same updates", "published")):
        row = found[variant]
        assert list(row.per_set) == ["hapt", "umafall", "usc_had", "wisdm"]
        sets = [f"{100 * accuracy:.1f} / {100 * macro_f1:.1f}" for accuracy, macro_f1 in row.per_set.values()]
        rows.append([name, *sets, spread_pair(row)])
    check_table("docs/experiments.md", "| | HAPT | UMAFall | USC-HAD | WISDM | mean |", rows)


def test_figures_beside_the_published_ones_are_as_reported() -> None:
    rows: list[list[str]] = []
    for kind in ("open", "closed"):
        tasks = [task_of("zero-shot-published", dataset, f"{kind}_published") for dataset in SETS]
        rows.append(
            [f"zero-shot, {kind}", *(cell for task in tasks for cell in (pair(task), bar(task.best_published)))]
        )
    for budget, metric in (("1%", "1 %"), ("10%", "10 %")):
        for name, method in (
            ("logistic head (default)", "logistic"),
            ("ridge head", "ridge"),
            ("fine-tuned", "finetune"),
        ):
            cells = [f"{metric} of labels, {name}"]
            for dataset in SETS:
                cells += [pair(learned(dataset, budget, method))]
                cells += [bar(best_published(dataset, metric)) if method == "logistic" else ""]
            rows.append(cells)
    header = "| | MotionSense: ours | best published | MobiFall: ours | best published |"
    check_table("docs/experiments.md", header, rows)


def test_how_many_figures_are_above_the_published_ones_is_counted_right() -> None:
    leads = {}
    for budget, metric, method in (("1%", "1 %", "logistic"), ("10%", "10 %", "finetune")):
        for dataset in SETS:
            ours, best = learned(dataset, budget, method), best_published(dataset, metric)
            assert best is not None
            leads[dataset, budget, "accuracy"] = ours.accuracy.mean - best.accuracy
            leads[dataset, budget, "macro-F1"] = ours.macro_f1.mean - best.macro_f1
    below = [where for where, lead in leads.items() if lead <= 0]
    assert below == [("motionsense", "1%", "accuracy")]
    check_sentence(
        "docs/experiments.md",
        "{} of the {} figures with labels are above the best published ones, and accuracy on MotionSense with 1 % is {}"
        " points below",
        IN_WORDS[len(leads) - len(below)],
        IN_WORDS[len(leads)],
        f"{-100 * leads[below[0]]:.1f}",
    )


def test_the_table_of_single_parts_is_that_of_the_ablation() -> None:
    rows = [
        [variant, None, points(row.accuracy), plain_gain(row.gain_accuracy), points(row.macro_f1),
         plain_gain(row.gain_macro_f1)]
        for variant, row in ablation_rows("ablation").items()
    ]  # fmt: skip
    check_table("docs/experiments.md", "| variant | | accuracy | | macro-F1 | |", rows)


def plain_gain(estimate: Estimate | None) -> str:
    """A difference without its interval, in bold where that leaves zero out."""
    return gain(estimate).partition(" [")[0]


@pytest.mark.parametrize(
    ("sentence", "variants", "sign"),
    [
        ("z-scores cost {} / {} points", ("z-scored",), -1),
        (
            "**Pretraining** helps ({} / {}), and as many further updates with labels help more ({} / {})",
            ("pretrained", "longer"), 1,
        ),
        (
            "**Augmentation** costs {} / {} at so few updates, and **channel texts** {} / {}.",
            ("no-augmentation", "no-channel-text"), 1,
        ),
    ],
)  # fmt: skip
def test_what_is_concluded_from_the_ablation_has_its_figures(
    sentence: str, variants: tuple[str, ...], sign: int
) -> None:
    rows = ablation_rows("ablation")
    gains = [one for name in variants for one in (rows[name].gain_accuracy, rows[name].gain_macro_f1)]
    figures = [f"{100 * sign * one.mean:.1f}" for one in gains if one is not None]
    check_sentence("docs/experiments.md", sentence, *figures)


# Remembered examples --------------------------------------------------------------------------------------------------


def test_what_to_expect_of_examples_is_what_was_measured() -> None:
    result = content("remember.json")
    one = {shots: of["mean"] for shots, of in result["one_activity"].items()}
    every = {shots: of["mean"] for shots, of in result["all_activities"].items()}
    check_sentence(
        "docs/remembering.md", "better: F1 {}, by its name {}; with five windows {}.",
        *(f"{figure}" for figure in (
            one["1"]["examples"]["f1"], one["1"]["words of all"]["f1"], one["5"]["examples"]["f1"],
        )),
    )  # fmt: skip
    check_sentence(
        "docs/remembering.md",
        "With one window of every activity, macro-F1 goes from {} to {}, about as far as by a head that is trained on"
        " the same windows; with five such a head is better ({} against {},",
        *(f"{every[shots][name]['macro_f1']}" for shots, name in (
            ("1", "words"), ("1", "words and examples"), ("5", "logistic head"), ("5", "words and examples"),
        )),
    )  # fmt: skip


def test_the_constants_of_remembering_are_those_that_were_measured() -> None:
    constants = content("remember.json")["constants"]
    assert constants == {name: getattr(recollection, name.upper()) for name in constants}
    near, far, many, fade = (f"{abs(constants[name]):g}" for name in ("near", "far", "many", "fade"))
    document = "docs/explanation.md"
    check_sentence(document, "examples(c) = {} · cosine - {} - {} · ln(examples of c)", near, far, many)
    check_sentence(document, "(cosine - crowding) / temperature - {} · ln(examples of c)", fade)
    check_sentence(document, "the mean cosine of its {} nearest examples", IN_WORDS[constants["heard"]])


# The comparison itself ------------------------------------------------------------------------------------------------

PAGE = """\
Found:

| of | a | b |
|---|---|---|
| x | 1.0 | as |
| y | 2.0 / 3.0 | is |

It costs 6.3 / 3.4 more
than two.
"""
CELLS = (["x", "1.0", None], ["y", "2.0 / 3.0", None])


def test_a_table_that_agrees_has_no_differences_and_one_digit_is_one() -> None:
    assert differences_of_table(PAGE, "| of | a | b |", CELLS) == []
    (where,) = differences_of_table(PAGE.replace("3.0", "3.1"), "| of | a | b |", CELLS)
    assert where.startswith("line 6:") and "2.0 / 3.1" in where and "2.0 / 3.0" in where
    assert differences_of_table(PAGE, "| of | a | b |", CELLS[:1]) != []
    assert differences_of_table(PAGE, "| of | a | c |", CELLS) != []


def test_a_sentence_that_agrees_has_no_differences_and_one_digit_is_one() -> None:
    sentence, figures = "It costs {} / {} more than {}.", ("6.3", "3.4", "two")
    assert differences_of_sentence(PAGE, sentence, figures) == []
    (where,) = differences_of_sentence(PAGE.replace("3.4", "3.5"), sentence, figures)
    assert where.startswith("line 8: 3.5 where the results say 3.4")
    (where,) = differences_of_sentence(PAGE.replace("two", "three"), sentence, figures)
    assert where.startswith("line 9: three")
    assert differences_of_sentence(PAGE.replace("costs", "cost"), sentence, figures) != []


def test_new_activities_are_found_as_well_as_the_experiments_say() -> None:
    sets = content("remember-one.json")["sets"]
    titles = {"motionsense": "MotionSense", "usc_had": "USC-HAD", "utd_mhad": "UTD-MHAD"}
    ways = ("its name", "examples", "examples and its name", "linear probe", "examples of all")
    rows = [
        [titles[name], shots, *(with_interval(found["f1"][shots][way]) for way in ways)]
        for name, found in sets.items()
        for shots in found["f1"]
    ]
    header = (
        "| | windows | its name alone (zero-shot) | examples alone | examples and its name |"
        " linear probe, that many of every activity | memory, that many of every activity |"
    )
    check_table("docs/experiments.md", header, rows)
    sizes = [str(len(found["new"])) for found in sets.values()]
    check_sentence("docs/experiments.md", "was trained on ({}, {} and {} of them", *sizes)
    examples = {name: f"{found['f1']['1']['examples']['mean']:.1f}" for name, found in sets.items()}
    names = {name: f"{found['f1']['1']['its name']['mean']:.1f}" for name, found in sets.items()}
    said = "F1 {} against {} on USC-HAD, {} against {} on UTD-MHAD, and about the same on MotionSense ({} against {})."
    pairs = [figure for name in ("usc_had", "utd_mhad", "motionsense") for figure in (examples[name], names[name])]
    check_sentence("docs/experiments.md", said, *pairs)
    ends = [f"{sets['motionsense']['f1'][shots]['examples']['mean']:.1f}" for shots in ("1", "20")]
    check_sentence("docs/experiments.md", "On MotionSense it even falls, from {} to {}.", *ends)


def with_interval(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['mean']:.1f} [{low:.1f}, {high:.1f}]"


def retrieval_means() -> list[Cells]:
    """Of the table of means, the budgets that the document shows."""
    report = read_retrieval(RESULTS / "retrieval")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in mean_table(report)[2:]]
    return [row for row in rows if row[1] in ("none", "1", "5", "all")]


def studied(name: str, folder: str = "retrieval-studies") -> list[dict[str, Any]]:
    """The rows of a study."""
    (table,) = (table for table in read_studies(RESULTS / folder).tables if table.name == name)
    return list(table.rows)


def mean_point(rows: Sequence[dict[str, Any]], column: str) -> str:
    """Mean over the rows that have the figure, in percent."""
    return f"{100 * sum(row[column].mean for row in rows) / len(rows):.1f}"


def test_what_a_memory_adds_is_what_was_measured() -> None:
    check_table("docs/experiments.md", "| encoder | labels | base | vote | MoRA[B] | MoRA[F] |", retrieval_means())
    lines = {(one.backbone, one.budget): one for one in read_retrieval(RESULTS / "retrieval").comparisons()}
    cuts = [f"{100 * lines[name, 'all'].error_cut:.1f}" for name in ("small", "limu-bert-x", "statistics", "ts2vec")]
    check_sentence("docs/experiments.md", "the cut is {}, {}, {} and {} %", *cuts)
    few = [100 * one.gain for (_, budget), one in lines.items() if budget not in ("none", "all")]
    said = "with 1 to 10 labels per class macro-F1 changes by {} to {} points"
    check_sentence("docs/experiments.md", said, f"{min(few):+.1f}", f"{max(few):+.1f}")
    published = {
        (one.backbone, one.budget): one for one in read_retrieval(RESULTS / "retrieval-published-head").comparisons()
    }
    cuts = [
        f"{100 * published[name, 'all'].error_cut:.1f}" for name in ("small", "limu-bert-x", "statistics", "ts2vec")
    ]
    check_sentence("docs/experiments.md", "it is {}, {}, {} and {} %", *cuts)


def test_ways_to_find_neighbors_are_as_good_as_the_experiments_say() -> None:
    rows = []
    for strategy in dict.fromkeys(row["strategy"] for row in studied("strategies")):
        cells: list[str] = [strategy]
        for backbone in ("small", "limu-bert-x"):
            own = [r for r in studied("strategies") if (r["backbone"], r["strategy"]) == (backbone, strategy)]
            whole = all(r.get("vote") is not None for r in own)
            cells += [mean_point(own, column) if whole else "" for column in ("base", "vote", "MoRA[F]")]
        if any(cells[1:]):
            rows.append(cells)
    cuts = []
    for backbone, strategy in (("small", "raw: dynamic time warping"), ("limu-bert-x", "raw: cross-correlation")):
        own = [r for r in studied("strategies") if (r["backbone"], r["strategy"]) == (backbone, strategy)]
        base, gated = (sum(r[column].mean for r in own) / len(own) for column in ("base", "MoRA[F]"))
        cuts.append(f"{100 * (gated - base) / (1 - base):.0f}")
    check_sentence("docs/experiments.md", "cut the error of these means by {} and {} %", *cuts)
    gates = {row["parameters of the gate"] for row in studied("cost")}
    over = [row["time over embedding alone"] for row in studied("cost") if row["backbone"] == "small"]
    check_sentence(
        "docs/experiments.md",
        "(a gate of {} weights, {} % of the time of embedding with `small`)",
        *(f"{size:,}" for size in gates),
        f"{100 * (sum(over) / len(over) - 1):.0f}",
    )
    header = "| neighbors by | small: base | vote | MoRA[F] | LIMU-BERT-X: base | vote | MoRA[F] |"
    check_table("docs/experiments.md", header, rows)


def test_new_placements_and_activities_gain_what_the_experiments_say() -> None:
    placements = studied("unseen placements", "retrieval-unseen")
    activities = [row for row in studied("unseen activities", "retrieval-unseen") if row["activities"] == "unknown"]
    systems = ("base", "vote", "MoRA[B]", "MoRA[F]")
    names = list(dict.fromkeys(row["backbone"] for row in placements))
    rows = [
        [
            name,
            memory,
            *(
                mean_point([r for r in placements if (r["backbone"], r["memory"]) == (name, memory)], system)
                for system in systems
            ),
        ]
        for name in names
        for memory in dict.fromkeys(row["memory"] for row in placements)
    ]
    check_table("docs/experiments.md", "| encoder | memory | base | vote | MoRA[B] | MoRA[F] |", rows)
    rows = [
        [
            name,
            remembered,
            *(
                mean_point([r for r in activities if (r["backbone"], r["remembered"]) == (name, remembered)], system)
                for system in systems
            ),
        ]
        for name in names
        for remembered in ("5", "20", "all")
    ]
    check_table("docs/experiments.md", "| encoder | windows of each | base | vote | MoRA[B] | MoRA[F] |", rows)


def test_a_large_memory_is_as_fast_as_the_how_to_says() -> None:
    found = content("retrieval-speed.json")
    recognized, engines = found["recognition"]["engines"], found["engines"]
    exact, graph = engines["exact"]["1000000"], engines["faiss hnsw"]["100000"]
    check_sentence(
        "docs/how-to.md",
        "recognizing half an hour takes {} times as long as without a memory by exact search, {} times with"
        " `faiss-hnsw`, which finds {} % of the ten nearest; a new example is found {} ms after it was shown. A million"
        " examples take {} GB, and {} ms a window by exact search, {} times",
        f"{recognized['exact']['with_to_without']:.1f}",
        f"{recognized['faiss hnsw']['with_to_without']:.1f}",
        f"{100 * graph['recall_at_10']:.1f}",
        f"{found['recognition']['add_and_find_ms']:.0f}",
        f"{exact['index_mb'] / 1000:.1f}",
        f"{exact['p50_ms']:.0f}",
        f"{exact['scan_to_bandwidth']:.1f}",
    )


def test_models_that_never_saw_a_set_gain_what_the_experiments_say() -> None:
    titles = {"hapt": "HAPT", "usc_had": "USC-HAD", "wisdm": "WISDM", "utd_mhad": "UTD-MHAD"}
    seen = {
        (s.data, s.budget, s.system): s for s in read_retrieval(RESULTS / "retrieval").scores if s.backbone == "small"
    }
    rows = []
    for folder in ("hapt", "usc_had-wisdm", "utd_mhad"):
        scores = {
            (s.data, s.budget, s.system): s for s in read_retrieval(RESULTS / "retrieval-left-out" / folder).scores
        }
        for name in dict.fromkeys(data for data, _, _ in scores):
            assert not any(one.seen_in_training for one in scores.values())
            for budget in ("none", "5", "all"):
                pairs = [of[name, budget, system] for of in (scores, seen) for system in ("base", "gated")]
                rows.append([titles[name], budget, *(points(one.macro_f1) for one in pairs)])
    header = "| | labels | never saw it: base | MoRA[F] | `small`, trained on it: base | MoRA[F] |"
    check_table("docs/experiments.md", header, rows)
