"""A zero-shot evaluation finds what a model knows, on stored data, from start to report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinelex.datasets import StoredDataset
from kinelex.errors import BadLabels, BadSamples, CorruptArtifact, UnknownName, UnsupportedFormat, UsageError
from kinelex.evaluation import evaluate_zero_shot, read_report, write_report
from kinelex.evaluation.candidates import _KINDS, closed_set, open_set, ordered
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.zero_shot import score
from kinelex.language import Vocabulary
from kinelex.signal.recording import Recording

WORDS = ("walk fast", "front knees lying", "sit chair", "jumping")
QUICK = ZeroShotProtocol(draws=100)


@pytest.fixture
def source(tiny: StoredDataset) -> EvaluationSet:
    return EvaluationSet.stored(tiny)


def evaluate(checkpoints: Any, source: EvaluationSet, protocol: ZeroShotProtocol, encoder: Any) -> Any:
    return evaluate_zero_shot(checkpoints, [source], protocol, encoder=encoder, command="kinelex evaluate zero-shot")


def test_a_model_that_knows_scores_one(source: EvaluationSet, make_checkpoint: Any, encoder: Any) -> None:
    report = evaluate([make_checkpoint(WORDS)], source, QUICK, encoder)
    (data,) = report.data
    (task,) = data.tasks
    # 20 s give 3 windows, 6 s and 4 s one each, 2.5 s none.
    assert (data.subjects, data.units, data.sessions, data.sessions_too_short) == (4, 4 * 4 * 5, 4 * 4 * 3, 16)
    assert data.hours == pytest.approx(4 * 4 * (18 + 6 + 4) / 3600)
    assert task.accuracy.mean == task.macro_f1.mean == task.mean_reciprocal_rank.mean == 1.0
    assert (task.accuracy.low, task.accuracy.high, task.accuracy.sd) == (1.0, 1.0, None)
    assert {result.name: result.units for result in task.classes} == {name.replace(" ", "_"): 20 for name in WORDS}
    assert data.seen_in_training is False


def test_confusions_stand_where_the_model_errs(source: EvaluationSet, make_checkpoint: Any, encoder: Any) -> None:
    one_wrong = ("walk fast", "front knees lying", "jumping", "jumping")
    (task,) = evaluate([make_checkpoint(one_wrong)], source, QUICK, encoder).data[0].tasks
    names = [result.name for result in task.classes]
    table = np.array(task.confusion)
    assert table[names.index("sit_chair"), names.index("jumping")] == 20
    assert task.accuracy.mean == pytest.approx(0.75)
    assert task.macro_f1.mean == pytest.approx((1 + 1 + 0 + 2 / 3) / 4)
    assert set(task.per_subject.values()) == {0.75}


def test_figures_are_means_over_training_seeds(source: EvaluationSet, make_checkpoint: Any, encoder: Any) -> None:
    seeds = [make_checkpoint(WORDS), make_checkpoint(("walk fast",) * 4, seed=1)]
    report = evaluate(seeds, source, QUICK, encoder)
    (task,) = report.data[0].tasks
    assert task.accuracy.seeds == (1.0, 0.25)
    assert task.accuracy.mean == pytest.approx(0.625)
    assert task.accuracy.sd == pytest.approx(0.75 / np.sqrt(2))
    assert [used.fingerprint for used in report.checkpoints] == [c.fingerprint for c in seeds]
    assert sum(map(sum, task.confusion)) == 2 * report.data[0].units


def test_each_window_is_embedded_once_for_all_candidate_sets(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any
) -> None:
    checkpoint = make_checkpoint(WORDS)
    evaluate([checkpoint], source, QUICK.model_copy(update={"texts": ("words",)}), encoder)
    assert checkpoint.calls == 1, "sessions of one kind are embedded together"


def test_an_open_set_is_scored_by_groups(make_session: Callable[..., Recording], make_checkpoint: Any,
                                         encoder: Any) -> None:  # fmt: skip
    official = ("walking", "jogging", "stairs_up")
    sessions = [make_session(i, name, 6.0, subject=f"p{p}") for i, name in enumerate(official) for p in range(3)]
    source = EvaluationSet.of("motionsense_like", sessions)
    known = ("walking", "running", "jogging", "walking upstairs", "jumping", "sitting")
    # Running for jogging is the same group; jumping for stairs is wrong, and no activity of the set.
    checkpoint = make_checkpoint(("walking", "running", "jumping"), known=known)
    (task,) = evaluate([checkpoint], source, QUICK.model_copy(update={"open_set": True}), encoder).data[0].tasks[1:]
    assert task.task == "open_groups"
    assert task.candidates == len(known)
    assert task.accuracy.mean == pytest.approx(2 / 3)
    assert task.macro_f1.mean == pytest.approx(2 / 3), "over the three groups in truth"
    assert task.macro_f1_union.mean == pytest.approx(2 / 4), "as published: jumping adds a class of F1 0"
    assert {r.name for r in task.classes} == {"walking", "running", "walking upstairs", "jumping"}


def test_published_groups_score_as_published_and_say_so(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any, tmp_path: Path
) -> None:
    official = ("standing", "sit_chair", "walking")
    sessions = [make_session(i, name, 6.0, subject=f"p{p}") for i, name in enumerate(official) for p in range(3)]
    source = EvaluationSet.of("mobifall", sessions)
    # Sitting for sitting down was right when published; a wave has no published group and is one of its own.
    known = ("standing", "sitting", "sitting down", "walking", "waving")
    checkpoint = make_checkpoint(("standing", "sitting", "waving"), known=known)

    def scored(groups: str) -> tuple[Any, Any]:
        report = evaluate([checkpoint], source, QUICK.model_copy(update={"open_set": True, "groups": groups}), encoder)
        return report, report.data[0].tasks[1]

    report, task = scored("published")
    assert task.accuracy.mean == pytest.approx(2 / 3)
    assert {r.name: r.texts for r in task.classes}["sitting"] == ("sitting", "sitting down")
    assert "waving" in {r.name for r in task.classes}
    write_report(report, tmp_path, plots=False)
    assert read_report(tmp_path).protocol.groups == "published"
    assert "by published groups" in (tmp_path / "report.md").read_text()
    assert any("published ones, flaws included" in remark for remark in report.remarks())
    report, task = scored("standard")
    assert task.accuracy.mean == pytest.approx(1 / 3), "sitting down is no posture"
    assert not any("flaws" in remark for remark in report.remarks())


def test_the_published_protocol_scores_as_published_and_shows_the_bar(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any, tmp_path: Path
) -> None:
    official = ("standing", "sit_chair", "car_step_in")
    sessions = [make_session(i, name, 31.0, subject=f"p{p}{i}") for i, name in enumerate(official) for p in range(3)]
    source = EvaluationSet.of("mobifall", sessions)
    checkpoint = make_checkpoint(("standing", "sitting chair", "standing"))
    report = evaluate([checkpoint], source, ZeroShotProtocol.published(draws=100), encoder)
    (data,) = report.data
    tasks = {task.task: task for task in data.tasks}
    assert set(tasks) == {f"{kind}_published{how}" for kind in ("closed", "open") for how in ("", "_words")}
    assert {result.name for result in tasks["closed_published"].classes} == {"standing", "sitting_chair", "car_step_in"}
    assert (tasks["open_published"].candidates, tasks["open_published"].macro_f1_over) == (87, "union")
    assert tasks["open_published"].macro_f1 == tasks["open_published"].macro_f1_union
    assert [r.recall for r in tasks["closed_published_words"].classes] == [0.0, 1.0, 1.0], "car, sitting, standing"
    groups = {r.name: r for r in tasks["open_published_words"].classes}
    assert (groups["standing"].recall, groups["vehicle_entry"].texts) == (1.0, ()), "no training label is of its group"
    for kind in ("closed", "open"):
        bar = tasks[f"{kind}_published"].best_published
        assert bar is not None
        assert bar.metric == f"zero-shot {kind}"
    assert data.signal_repeats > 1.3
    write_report(report, tmp_path, plots=False)
    assert read_report(tmp_path) == report
    page = (tmp_path / "report.md").read_text()
    for needed in (
        "Protocol: published", "*best published, zero-shot open*", "| 59.0 (TSFM", "the same signal occurs in",
        "spliced as published",
    ):  # fmt: skip
        assert needed in page, needed


def test_our_protocol_is_not_held_against_published_figures(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any
) -> None:
    sessions = [make_session(i, ("walking", "sitting")[i], 10.0, subject=f"p{i}") for i in (0, 1)]
    source = EvaluationSet.of("motionsense", sessions)
    report = evaluate([make_checkpoint(("walking", "sitting"))], source, QUICK, encoder)
    assert all(task.best_published is None for task in report.data[0].tasks)
    assert report.data[0].signal_repeats == 1


def test_the_published_protocol_leaves_nothing_open_that_was_fixed() -> None:
    rules = ZeroShotProtocol.published()
    assert (rules.unit, rules.window_s, rules.groups, rules.open_set) == ("window", 6.0, "published", True)
    with pytest.raises(ValueError, match="sets window_s itself"):
        ZeroShotProtocol(name="published", **{**rules.model_dump(exclude={"name"}), "window_s": 5.0})


@pytest.mark.parametrize("scope", ["recording", "subject", "set"])
def test_transductive_figures_stand_beside_the_others_under_their_own_name(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any, scope: str, tmp_path: Path
) -> None:
    rules = QUICK.model_copy(update={"transductive": scope})
    alone = evaluate([make_checkpoint(WORDS, noise=0.3)], source, QUICK, encoder).data[0].tasks
    report = evaluate([make_checkpoint(WORDS, noise=0.3)], source, rules, encoder)
    plain, adapted = report.data[0].tasks
    assert plain == alone[0], "nothing else changes"
    assert adapted.task == "closed_words_transductive"
    assert scope in adapted.title
    assert adapted.brier != plain.brier, "it is another answer"
    assert adapted.best_published is None
    assert any("not zero-shot figures of single windows" in remark for remark in report.remarks())


def test_pictures_of_a_transductive_task_stand_under_it_alone(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any, tmp_path: Path
) -> None:
    report = evaluate([make_checkpoint(WORDS)], source, QUICK.model_copy(update={"transductive": "set"}), encoder)
    write_report(report, tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert (tmp_path / "tiny-closed-words-transductive-confusion.png").is_file()
    assert page.count("(tiny-closed-words-transductive-confusion.png)") == 1
    assert page.count("(tiny-closed-words-confusion.png)") == 1


def test_texts_of_an_open_set_are_not_held_back_where_it_is_crowded(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any
) -> None:
    sessions = [make_session(i, ("walking", "sitting")[i], 10.0, subject=f"p{i}") for i in (0, 1)]
    source = EvaluationSet.of("x", sessions)
    checkpoint = make_checkpoint(("walking", "sitting"), crowded=("walking",))
    closed, opened = evaluate([checkpoint], source, QUICK.model_copy(update={"open_set": True}), encoder).data[0].tasks
    assert closed.accuracy.mean == 0.5, "walking lost everything there"
    assert opened.accuracy.mean == 1.0


def test_parts_of_a_set_are_scored_apart(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any, tmp_path: Path
) -> None:
    def worn(session: Recording, where: str) -> Recording:
        return replace(session, channels=tuple(replace(c, placement=where) for c in session.channels))

    sessions = [
        worn(make_session(i, ("walking", "sitting")[i], 12.0, subject=f"p{p}", rate_hz=rate), where)
        for i in (0, 1)
        for p in range(2)
        for where, rate in (("pocket", 20.0), ("left wrist", 50.0))
    ]
    checkpoint = make_checkpoint(("walking", "sitting"), wrong_at="left wrist")
    report = evaluate([checkpoint], EvaluationSet.of("x", sessions), QUICK, encoder)
    (task,) = report.data[0].tasks
    found = {(part.kind, part.name): (part.units, part.accuracy.mean) for part in task.parts}
    assert found == {
        ("placement", "pocket"): (8, 1.0), ("placement", "left wrist"): (8, 0.5),
        ("rate", "20 Hz"): (8, 1.0), ("rate", "50 Hz"): (8, 0.5),
    }  # fmt: skip
    write_report(report, tmp_path, plots=False)
    assert (
        "| x | closed set, official names as words | placement: left wrist | 8 | 50.0"
        in (tmp_path / "report.md").read_text()
    )


def test_similarities_and_recalls_are_those_of_the_truth(encoder: Any) -> None:
    task = open_set("x", ["jogging", "sitting"], Vocabulary.standard(), ("running", "jogging", "sitting", "waving"),
                    np.eye(4, dtype=np.float32))  # fmt: skip
    chances = np.array([[0.1, 0.2, 0.3, 0.4], [0.1, 0.1, 0.5, 0.3]])
    cosines = np.array([[0.9, 0.5, 0.1, 0.3], [0.0, 0.2, 0.8, 0.4]])
    truth = np.array([task.class_of_label["jogging"], task.class_of_label["sitting"]])
    result = score([chances], truth, np.array([0, 1]), ["a", "b"], task, QUICK, cosines=[cosines])
    assert result.similarity is not None
    assert result.similarity.true.mean == pytest.approx((0.9 + 0.8) / 2), "the nearest text of the class"
    assert result.similarity.others.mean == pytest.approx(((0.1 + 0.3) / 2 + (0.0 + 0.2 + 0.4) / 3) / 2)
    assert result.similarity.gap.mean == pytest.approx(result.similarity.true.mean - result.similarity.others.mean)
    recalls = (result.recall_at_1, result.recall_at_3, result.recall_at_5)
    assert [recall.mean for recall in recalls if recall] == [0.5, 1.0, 1.0]
    assert result.risk_coverage is not None
    # The surer window, 0.5 for sitting, is right; the other, 0.4 for waving, is not.
    assert result.risk_coverage.risk[0] == 0.0
    assert result.risk_coverage.risk[-1] == 0.5


def test_reports_of_earlier_versions_are_still_read() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "results" / "zero-shot"
    if not folder.is_dir():
        pytest.skip("no committed report")
    report = read_report(folder)
    assert report.protocol.name == "ours"
    assert all(data.signal_repeats == 1 for data in report.data)


def test_who_finds_the_label_of_an_activity_is_right_in_every_grouping() -> None:
    vocabulary = Vocabulary.standard()
    vectors = np.zeros((len(vocabulary.texts), 1), np.float32)
    for dataset, names in vocabulary.official.items():
        for grouping in ("standard", "published"):
            task = open_set(dataset, list(names), vocabulary, vocabulary.texts, vectors, grouping)  # type: ignore[arg-type]
            for name, text in names.items():
                assert task.class_of_text[vocabulary.texts.index(text)] == task.class_of_label[name]


def test_every_kind_of_label_has_its_place_in_reports() -> None:
    assert {label.kind for label in Vocabulary.standard().labels} == set(_KINDS)


def test_a_group_is_as_probable_as_its_texts_together_and_ranks_by_its_best(encoder: Any) -> None:
    vocabulary = Vocabulary.standard()
    texts = ("walking", "running", "jogging", "sitting")
    task = open_set("x", ["jogging", "sitting"], vocabulary, texts, np.eye(4, dtype=np.float32))
    chances = np.array([[0.4, 0.3, 0.25, 0.05], [0.1, 0.05, 0.05, 0.8]])
    truth = np.array([task.class_of_label["jogging"], task.class_of_label["sitting"]])
    result = score([chances], truth, np.array([0, 1]), ["a", "b"], task, QUICK)
    assert result.accuracy.mean == 0.5, "the best single text wins, as published"
    assert result.mean_reciprocal_rank.mean == pytest.approx((1 / 2 + 1) / 2)
    walking, running, sitting = 0.4, 0.55, 0.05
    first = walking**2 + (1 - running) ** 2 + sitting**2
    second = 0.1**2 + 0.1**2 + 0.2**2
    assert result.brier.mean == pytest.approx((first + second) / 2)


def test_a_set_that_was_trained_on_is_never_called_zero_shot(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any
) -> None:
    seen = evaluate([make_checkpoint(WORDS, trained_on=("tiny",))], source, QUICK, encoder)
    assert seen.data[0].seen_in_training is True
    assert any("not zero-shot" in remark for remark in seen.remarks())
    mixed = [make_checkpoint(WORDS), make_checkpoint(WORDS, seed=1, trained_on=("tiny",))]
    assert evaluate(mixed, source, QUICK, encoder).data[0].seen_in_training is True
    unknown = evaluate([make_checkpoint(WORDS, trained_on=None)], source, QUICK, encoder)
    assert unknown.data[0].seen_in_training is None


def test_declared_activities_compete_even_when_never_recorded(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any
) -> None:
    more = replace(source, declared=(*source.declared, "never_recorded"))
    (task,) = evaluate([make_checkpoint((*WORDS[:3], "never recorded"))], more, QUICK, encoder).data[0].tasks
    assert task.candidates == 5
    assert task.macro_f1.mean == pytest.approx(3 / 5)


def test_a_window_without_signal_is_left_out_and_counted(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any
) -> None:
    silent = make_session(0, "walking", 6.0, subject="b")
    silent.samples[:] = np.nan
    sessions = [make_session(0, "walking", 12.0, subject="a"), make_session(1, "sitting", 6.0, subject="b"), silent]
    source = EvaluationSet.of("holes", sessions)
    (data,) = evaluate([make_checkpoint(("walking", "sitting"))], source, QUICK, encoder).data
    assert (data.units, data.units_without_signal, data.sessions) == (3, 1, 2)
    assert data.tasks[0].accuracy.mean == 1.0
    with pytest.raises(BadSamples, match="usable signal"):
        evaluate([make_checkpoint(("walking", "sitting"))], EvaluationSet.of("x", [silent, replace_label(silent)]),
                 QUICK, encoder)  # fmt: skip


def replace_label(recording: Recording) -> Recording:
    return replace(recording, intervals=(replace(recording.intervals[0], label="sitting"),))


def test_recordings_get_one_prediction_each(
    make_session: Callable[..., Recording], make_checkpoint: Any, encoder: Any
) -> None:
    sessions = [make_session(i, ("walking", "sitting")[i], 10.0, subject=None) for i in (0, 1, 0, 1)]
    source = EvaluationSet.of("clips", sessions)
    (data,) = evaluate([make_checkpoint(("walking", "sitting"))], source, ZeroShotProtocol(unit="recording", draws=100),
                       encoder).data  # fmt: skip
    assert (data.units, data.sessions, data.interval_over) == (4, 4, "recordings")
    assert data.tasks[0].accuracy.mean == 1.0


def test_confidence_follows_the_temperature(source: EvaluationSet, make_checkpoint: Any, encoder: Any) -> None:
    def calibration(temperature: float) -> float:
        checkpoint = make_checkpoint(WORDS, temperature=temperature)
        return float(evaluate([checkpoint], source, QUICK, encoder).data[0].tasks[0].calibration_error.mean)

    assert calibration(0.1) < 0.01, "sure and right"
    assert calibration(1000.0) == pytest.approx(0.75, abs=0.01), "says 1 in 4, and is always right"


def test_what_makes_no_sense_is_refused(source: EvaluationSet, make_checkpoint: Any, encoder: Any) -> None:
    checkpoint = make_checkpoint(WORDS)
    with pytest.raises(UsageError, match="at least one"):
        evaluate([], source, QUICK, encoder)
    with pytest.raises(UsageError, match="same weights"):
        evaluate([checkpoint, make_checkpoint(WORDS)], source, QUICK, encoder)
    with pytest.raises(UsageError, match="twice"):
        evaluate_zero_shot([checkpoint], [source, source], QUICK, encoder=encoder)
    with pytest.raises(UsageError, match="different text encoders"):
        evaluate([checkpoint, make_checkpoint(WORDS, seed=1, text_encoder="other@1")], source, QUICK, encoder)
    with pytest.raises(UnknownName, match="knows no label"):
        evaluate([checkpoint], source, QUICK.model_copy(update={"open_set": True}), encoder)


def test_activities_that_come_to_the_same_text_are_refused(encoder: Any) -> None:
    with pytest.raises(BadLabels, match="nothing could tell them apart"):
        closed_set("x", ["StairsUp", "stairs_up", "sitting"], "words", Vocabulary.standard(), encoder)
    with pytest.raises(BadLabels, match="nothing to choose"):
        closed_set("x", ["sitting"], "words", Vocabulary.standard(), encoder)


def test_raw_names_use_no_knowledge_of_the_vocabulary(encoder: Any) -> None:
    vocabulary = Vocabulary.standard()
    declared = ["walking", "front_knees_lying", "stairs_up"]
    plain = closed_set("mobifall", declared, "words", vocabulary, encoder)
    assert sorted(plain.texts) == ["front knees lying", "stairs up", "walking"]
    rich = closed_set("mobifall", declared, "vocabulary", vocabulary, encoder)
    assert sorted(rich.texts) == ["falling forward onto the knees", "walking", "walking upstairs"]
    for name in declared:
        here, there = plain.class_of_label[name], rich.class_of_label[name]
        assert not np.allclose(plain.vectors[here], rich.vectors[there])


def test_activities_are_listed_by_what_the_body_does() -> None:
    vocabulary = Vocabulary.standard()
    names = ["front_knees_lying", "unheard_of", "jogging", "standing", "sit_chair", "walking"]
    assert ordered("mobifall", names, vocabulary) == [
        "standing", "sit_chair", "walking", "jogging", "front_knees_lying", "unheard_of",
    ]  # fmt: skip


def test_every_declared_activity_of_the_test_sets_has_a_group(recordings_dir: Path) -> None:
    import yaml

    vocabulary = Vocabulary.standard()
    for name in ("motionsense", "mobifall"):
        declared = list(yaml.safe_load((recordings_dir / "sessions" / f"{name}.yaml").read_text())["activities"])
        task = open_set(name, declared, vocabulary, vocabulary.texts, np.zeros((len(vocabulary.texts), 1), np.float32))
        assert set(task.class_of_label) == set(declared)
        assert set(task.class_of_label.values()) <= set(task.class_of_text.tolist()), "every group can be predicted"


def test_the_same_evaluation_gives_the_same_report(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any, tmp_path: Path
) -> None:
    reports = [evaluate([make_checkpoint(WORDS, noise=0.2)], source, QUICK, encoder) for _ in range(2)]
    assert reports[0] == reports[1]
    paths = write_report(reports[0], tmp_path / "a")
    assert read_report(tmp_path / "a") == read_report(paths[0]) == reports[0]
    assert {path.name for path in paths} == {
        "results.json", "report.md", "tiny-closed-words-confusion.png", "tiny-closed-words-reliability.png",
        "tiny-closed-words-risk-coverage.png",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "a").iterdir()} == {path.name for path in paths}, "no draft is left"
    write_report(reports[1], tmp_path / "b")
    for path in paths:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_page_says_what_a_reader_needs(
    source: EvaluationSet, make_checkpoint: Any, encoder: Any, tmp_path: Path
) -> None:
    seeds = [make_checkpoint(WORDS, noise=0.5, seed=seed) for seed in range(3)]
    report = evaluate(seeds, source, QUICK, encoder)
    write_report(report, tmp_path)
    page = (tmp_path / "report.md").read_text()
    for needed in (
        "kinelex evaluate zero-shot", "3 training seeds", "95 % interval over subjects", "| tiny |",
        "front_knees_lying", "16 sessions below half a window", "Tiny", seeds[2].fingerprint[:16], source.sha256[:16],
        "(tiny-closed-words-confusion.png)",
    ):  # fmt: skip
        assert needed in page, needed


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', '{"version": "x"}'])
def test_a_broken_report_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(CorruptArtifact, match=r"results\.json"):
        read_report(tmp_path)


def test_a_report_from_the_future_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"version": 99}')
    with pytest.raises(UnsupportedFormat):
        read_report(tmp_path)
