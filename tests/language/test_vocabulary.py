"""The standard vocabulary is complete, lawful, and free of the mistakes that others made before."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from kinelex.datasets import catalog_entry, catalog_names
from kinelex.errors import BadRecipe, UnknownName
from kinelex.language import Label, Vocabulary

VOCABULARY = Vocabulary.standard()
CATALOG = {name: catalog_entry(name).activities.values() for name in catalog_names()}
PHRASES = [(label, phrase) for label in VOCABULARY.labels for phrase in label.phrases]


def group(dataset: str, official: str) -> str:
    return VOCABULARY.label_for(dataset, official).group


def related(name: str) -> set[str]:
    return {other for group in VOCABULARY.groups if group.name == name for other in group.related}


# Complete


def test_every_activity_of_every_card_has_a_label(recordings_dir: Path) -> None:
    cards = [yaml.safe_load(path.read_text()) for path in sorted((recordings_dir / "sessions").glob("*.yaml"))]
    assert len(cards) == 12
    for card in cards:
        assert set(VOCABULARY.official[card["name"]]) >= set(card["activities"]), card["name"]


@pytest.mark.parametrize("dataset", CATALOG)
def test_every_activity_of_a_catalogued_data_set_has_a_label(dataset: str) -> None:
    assert set(VOCABULARY.official[dataset]) == set(CATALOG[dataset])


def test_only_data_sets_of_the_catalog_and_the_sample_of_one_have_official_names() -> None:
    assert set(VOCABULARY.official) == {*CATALOG, "hhar_sample"}


@pytest.mark.parametrize("dataset", VOCABULARY.datasets)
def test_no_two_activities_of_a_data_set_mean_the_same_label(dataset: str) -> None:
    meant = list(VOCABULARY.official[dataset].values())
    assert len(set(meant)) == len(meant)


@pytest.mark.parametrize(("dataset", "official"), [(d, name) for d, ns in VOCABULARY.official.items() for name in ns])
def test_an_official_name_leads_to_a_label_of_the_vocabulary(dataset: str, official: str) -> None:
    assert VOCABULARY.label_for(dataset, official) in VOCABULARY.labels


def test_the_vocabulary_is_of_a_size_that_a_person_can_read() -> None:
    # 348 official names of 24 data sets, and what people do at home that no data set has.
    assert 200 <= len(VOCABULARY.labels) <= 240


@pytest.mark.parametrize("text", ["eating", "drinking", "typing", "brushing teeth", "washing hands", "vacuum cleaning",
                                  "driving", "cycling", "walking", "running", "standing", "sitting"])  # fmt: skip
def test_everyday_activities_are_labels(text: str) -> None:
    assert VOCABULARY.find(text).text == text


@pytest.mark.parametrize("text", ["playing badminton", "badminton", "watering plants"])
def test_what_the_demo_calls_free_text_is_free_text(text: str) -> None:
    assert VOCABULARY.find(text) is None
    assert not any(word in phrase for _, phrase in PHRASES for word in ("badminton", "shuttlecock", "watering"))


# Lawful


def test_each_label_stands_in_the_group_that_it_names() -> None:
    groups = {group.name: group for group in VOCABULARY.groups}
    assert all(label.text in groups[label.group].labels for label in VOCABULARY.labels)
    assert all(label.kind == groups[label.group].kind for label in VOCABULARY.labels)
    assert sum(len(group.labels) for group in VOCABULARY.groups) == len(VOCABULARY.labels)


def test_a_group_answers_to_its_own_name() -> None:
    assert all(VOCABULARY.group_of(group.name) == group.name for group in VOCABULARY.groups)


def test_every_phrase_belongs_to_one_label_and_is_found_again() -> None:
    assert all(VOCABULARY.find(phrase) is label for label, phrase in PHRASES)


def test_a_phrase_is_found_however_it_is_written() -> None:
    draw = random.Random(5)
    for label, phrase in PHRASES:
        spelled = "".join(draw.choice((letter.upper(), letter.lower())) for letter in phrase)
        spaced = spelled.replace(" ", "  ").replace("-", " ")
        assert VOCABULARY.find(f" {spaced}\n") is label
        if " " in phrase:
            assert VOCABULARY.find(phrase.replace(" ", "_")) is label


def test_an_unknown_text_is_a_group_of_its_own() -> None:
    assert VOCABULARY.group_of("Feeding_the_cat") == "feeding the cat"


def test_no_phrase_names_a_data_set_a_brand_or_a_sensor() -> None:
    banned = {*VOCABULARY.official, "hhar", "smartphone user", "xsens", "galaxy", "iphone", "samsung", "accelerometer"}
    banned |= {"gyroscope", "sensor", "recording", "subject", "trial"}
    for _, phrase in PHRASES:
        assert not any(re.search(rf"\b{re.escape(word)}", phrase.lower()) for word in banned), phrase


# Names of the sets for zero-shot tests that nobody else uses. What a model makes of them shall come from what their
# words mean, so no phrase that it is trained with may be one of them.
@pytest.mark.parametrize("word", ["badminton", "sit chair", "car step in", "car step out",
                                  "forward lying", "front knees lying", "back sitting chair",
                                  "sideward lying"])  # fmt: skip
def test_words_of_the_sets_for_zero_shot_tests_are_unknown_words(word: str) -> None:
    assert VOCABULARY.find(word) is None
    assert VOCABULARY.group_of(word) == word


def test_synonyms_of_postures_do_not_speak_of_changing_posture() -> None:
    change = re.compile(r"\b(up|down|rising|getting|going|lowering|raising)\b")
    found = [phrase for label, phrase in PHRASES if label.kind == "posture" and change.search(phrase)]
    assert found == ["lying face up"]


def test_synonyms_of_transitions_speak_of_change() -> None:
    postures = {phrase for label, phrase in PHRASES if label.kind == "posture"}
    still = re.compile(r"\b(still|motionless|seated|staying|resting|being)\b")
    for label, phrase in PHRASES:
        if label.kind == "transition":
            assert phrase not in postures
            assert not still.search(phrase), phrase


# The known flaws of other groupings, mended


def test_transitions_are_not_postures() -> None:
    downs = [("hapt", "stand_to_sit"), ("utd_mhad", "stand2sit"), ("mobifall", "sit_chair"),
             ("mobiact", "sit_chair"), ("unimib_shar", "sitting_down")]  # fmt: skip
    for dataset, name in downs:
        assert group(dataset, name) == "sitting down"
        assert VOCABULARY.label_for(dataset, name).kind == "transition"
    ups = [("mobiact", "sit_to_stand"), ("unimib_shar", "standing_up"), ("mmact", "standing_up")]
    assert {group(*one) for one in ups} == {"standing up"}
    assert VOCABULARY.label_for("unimib_shar", "getting_up").text == "standing up from lying"
    assert VOCABULARY.label_for("mobiact", "sitting_on_chair").text == "sitting"
    kinds = {group.kind for group in VOCABULARY.groups if {"sitting", "standing", "lying"} & set(group.labels)}
    assert kinds == {"posture"}


def test_each_way_between_postures_is_its_own_group() -> None:
    ways = ["stand_to_sit", "sit_to_stand", "lie_to_sit", "lie_to_stand"]
    assert len({group("hapt", name) for name in ways}) == 4
    assert group("hapt", "sit_to_lie") == group("hapt", "stand_to_lie") == "lying down"


def test_drinking_is_not_eating_and_typing_is_not_writing() -> None:
    assert VOCABULARY.group_of("drinking") != VOCABULARY.group_of("eating")
    assert VOCABULARY.group_of("typing") != VOCABULARY.group_of("writing")


def test_kicking_catching_dribbling_and_basketball_are_four_things() -> None:
    texts = ["kicking", "catching", "dribbling", "playing basketball"]
    assert len({VOCABULARY.group_of(text) for text in texts}) == 4


def test_the_machines_of_a_gym_and_its_weights_are_groups_of_their_own() -> None:
    names = [name for name in VOCABULARY.official["recgym"] if name not in ("walking", "running", "riding")]
    assert len({group("recgym", name) for name in names}) == len(names) == 8
    assert "climbing on a stair machine" in related("exercising on a stepper")
    machines = ["exercising_on_stepper", "exercising_on_cross_trainer", "rowing"]
    assert len({group("dsads", name) for name in machines}) == 3


def test_both_ways_in_turn_are_neither_way_alone() -> None:
    sit, lie = group("ku_har", "stand_sit"), group("ku_har", "lay_stand")
    assert sit == group("umafall", "sitting_getting_up_on_achair")
    assert {"sitting down", "standing up"} <= related(sit)
    assert {"lying down", "standing up from lying"} <= related(lie)
    assert not {sit, lie} & {"sitting down", "standing up", "lying down", "standing up from lying"}


def test_talking_in_a_posture_is_near_it_and_not_the_same() -> None:
    for name, posture in (("talk_sit", "sitting"), ("talk_stand", "standing")):
        assert group("ku_har", name) != posture
        assert posture in related(group("ku_har", name))


def test_what_is_done_lying_on_the_back_at_work_is_no_rest() -> None:
    assert group("vtt_coniot", "laying_back") != group("uci_har", "laying")
    assert "lying" in related(group("vtt_coniot", "laying_back"))
    assert VOCABULARY.label_for("mhealth", "lying_down").text == "lying", "the posture, whatever its name"


def test_a_bicycle_that_rolls_is_not_pedaled_and_moving_feet_are_no_walk() -> None:
    assert group("harth", "cycling_sit") == group("harth", "cycling_stand") == group("pamap2", "cycling")
    assert group("harth", "cycling_sit_inactive") == group("harth", "cycling_stand_inactive") != "cycling"
    assert group("harth", "shuffling") not in ("walking", "standing")


def test_rolling_spraying_and_leveling_paint_are_three_things() -> None:
    names = ["roll_painting", "spraying_paint", "leveling_paint"]
    assert len({group("vtt_coniot", name) for name in names}) == 3


def test_stairs_of_unknown_direction_are_near_both_ways_and_neither() -> None:
    groups = {group.name: group for group in VOCABULARY.groups}
    stairs, up, down = group("wisdm", "stairs"), group("motionsense", "upstairs"), group("motionsense", "downstairs")
    assert len({stairs, up, down}) == 3
    assert {up, down} <= set(groups[stairs].related)
    assert group("vtt_coniot", "stairs_up_down") == group("vtt_coniot", "climbing_stairs") == stairs
    assert group("sisfall", "walking_upstairs_and_downstairs_quickly") == stairs


def test_names_for_the_same_thing_meet_across_data_sets() -> None:
    up = [("hapt", "walking_upstairs"), ("dsads", "ascending_stairs"), ("hhar_sample", "stairs_up"),
          ("ku_har", "stair_up"), ("mobifall", "stairs_up"), ("umafall", "go_upstairs")]  # fmt: skip
    assert {VOCABULARY.label_for(*one).text for one in up} == {"walking upstairs"}
    running = [("wisdm", "jogging"), ("ku_har", "run"), ("usc_had", "running_forward"), ("utd_mhad", "jog"),
               ("dsads", "running_on_treadmill_8kmh"), ("sisfall", "jogging_quickly")]  # fmt: skip
    assert {group(*one) for one in running} == {"running"}
    walking = [("usc_had", "walking_left"), ("sisfall", "walking_slowly"), ("dsads", "walking_in_parking_lot"),
               ("dsads", "walking_on_treadmill_4kmh_15deg_incline"), ("mobifall", "walking")]  # fmt: skip
    assert {group(*one) for one in walking} == {"walking"}
    lying = [("hapt", "laying"), ("usc_had", "sleeping"), ("dsads", "lying_on_right_side")]
    assert {group(*one) for one in lying} == {"lying"}
    assert group("umafall", "aplausing") == group("utd_mhad", "clap")


def test_standing_in_an_elevator_is_riding_an_elevator() -> None:
    rides = [("dsads", "standing_in_elevator_still"), ("usc_had", "elevator_up"), ("usc_had", "elevator_down")]
    assert {group(*one) for one in rides} == {"riding an elevator"}


def test_falls_count_as_one_group_and_keep_their_own_words() -> None:
    falls = ["front_knees_lying", "back_sitting_chair", "sideward_lying", "forward_lying"]
    labels = [VOCABULARY.label_for("mobifall", name) for name in falls]
    assert {label.group for label in labels} == {"falling"}
    assert [label.text for label in labels] == [
        "falling forward onto the knees",
        "falling backward while sitting down",
        "falling sideways",
        "falling forward onto the hands",
    ]
    names = VOCABULARY.official["unimib_shar"]
    assert {group("unimib_shar", name) for name in names if name.startswith("falling")} == {"falling"}
    assert all(VOCABULARY.label_for("mobiact", name) == VOCABULARY.label_for("mobifall", name) for name in falls)


def test_every_name_with_a_fall_in_it_is_a_fall_and_no_other_is() -> None:
    for dataset, names in VOCABULARY.official.items():
        for name in names:
            says_fall = "fall" in name or (
                dataset in ("mobifall", "mobiact") and (name.endswith("_lying") or name.startswith("back_"))
            )
            assert (VOCABULARY.label_for(dataset, name).kind == "fall") == says_fall, (dataset, name)


def test_gestures_that_differ_are_different_groups() -> None:
    gestures = [name for name in VOCABULARY.official["utd_mhad"] if name not in ("walk", "jog")]
    assert len({group("utd_mhad", name) for name in gestures}) == len(gestures)


# Questions and refusals


def test_an_unknown_data_set_or_activity_is_named_with_what_is_known() -> None:
    with pytest.raises(UnknownName, match=r"data set 'nothing'.*known are .*hapt"):
        VOCABULARY.label_for("nothing", "walking")
    with pytest.raises(UnknownName, match=r"'hapt' has no activity 'flying'.*known are .*laying"):
        VOCABULARY.label_for("hapt", "flying")


def test_the_standard_vocabulary_is_read_once_and_cannot_be_changed() -> None:
    assert Vocabulary.standard() is VOCABULARY
    with pytest.raises(ValidationError):
        VOCABULARY.labels[0].text = "flying"


def label(text: str, *, synonyms: int = 3) -> dict[str, object]:
    return {"text": text, "synonyms": [f"{text} number {number}" for number in range(synonyms)]}


def entry(name: str, *labels: dict[str, object], **more: object) -> dict[str, object]:
    return {"name": name, "labels": list(labels) or [label(name)], **more}


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        ([entry("a", label("a"), label("A"))], "labels or synonyms occur twice: a"),
        ([entry("a"), entry("b", label("b"), label("a number 1"))], "labels or synonyms occur twice: a number 1"),
        ([entry("a"), entry("a", label("b"))], "groups occur twice: a"),
        ([entry("a", label("b"))], "groups are not named after one of their labels: a"),
        ([entry("a", related=["c"])], "related groups do not exist: c"),
        ([entry("a", related=["b"]), entry("b")], "groups are related one way only: a to b"),
        ([entry("a", label("a", synonyms=2))], "synonyms"),
        ([entry("a", label("a", synonyms=9))], "synonyms"),
        ([{"name": "a", "labels": []}], "labels"),
        ([entry("a", color="red")], "color"),
        ([], "groups"),
    ],
)
def test_a_wrong_vocabulary_is_refused(tmp_path: Path, groups: list[object], complaint: str) -> None:
    (tmp_path / "some.yaml").write_text(yaml.safe_dump({"kind": "posture", "groups": groups}))
    with pytest.raises(BadRecipe, match=re.escape(complaint)):
        Vocabulary.read(tmp_path)


@pytest.mark.parametrize(
    ("official", "complaint"),
    [("{set: {walk: flying}}", "official names mean no label: set.walk: flying"), ("[", "cannot be read"),
     ("- walk", "official")],
)  # fmt: skip
def test_wrong_official_names_are_refused(tmp_path: Path, official: str, complaint: str) -> None:
    (tmp_path / "some.yaml").write_text(yaml.safe_dump({"kind": "locomotion", "groups": [entry("walking")]}))
    (tmp_path / "official.yaml").write_text(official)
    with pytest.raises(BadRecipe, match=re.escape(complaint)):
        Vocabulary.read(tmp_path)


def test_a_vocabulary_of_ones_own_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text(yaml.safe_dump({"kind": "locomotion", "groups": [entry("hovering")]}))
    own = Vocabulary.read(tmp_path)
    assert own.find("Hovering") == Label(
        text="hovering",
        group="hovering",
        kind="locomotion",
        synonyms=("hovering number 0", "hovering number 1", "hovering number 2"),
    )
