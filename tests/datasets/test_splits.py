"""Splits: nobody is on two sides, nobody is left out, and the same seed splits the same way everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.datasets import (
    Example,
    Split,
    StoredDataset,
    check,
    few_shot,
    import_dataset,
    leave_one_subject_out,
    load_split,
    published_split,
    save_split,
    saved_splits,
    split_subjects,
    subject_split,
)
from kinelex.datasets.splits import leak
from kinelex.errors import CorruptArtifact, UnknownName, UnsupportedFormat, UsageError

people = st.sets(st.text(min_size=1, max_size=8), min_size=3, max_size=60)
seeds = st.integers(-(2**40), 2**40)


@given(people, seeds, st.randoms())
def test_everybody_is_on_exactly_one_side_whatever_the_order(subjects: set[str], seed: int, shuffle) -> None:
    split = split_subjects(subjects, seed)
    assert sorted(split.subjects) == sorted(subjects)
    assert len(set(split.train) | set(split.validation) | set(split.test)) == len(subjects)
    assert split.train and split.validation and split.test
    other_order = sorted(subjects)
    shuffle.shuffle(other_order)
    assert split_subjects(other_order, seed) == split


@given(st.integers(3, 200), seeds)
def test_sides_have_their_shares(count: int, seed: int) -> None:
    split = split_subjects([f"s{i}" for i in range(count)], seed)
    assert abs(len(split.validation) - 0.15 * count) <= 1
    assert abs(len(split.test) - 0.15 * count) <= 1
    assert abs(len(split.train) - 0.7 * count) <= 2


def test_a_seed_means_the_same_split_for_ever() -> None:
    split = split_subjects([f"user{i:02}" for i in range(1, 11)], seed=0)
    assert split.test == ("user05", "user09")
    assert split.validation == ("user08",)
    assert split != split_subjects([f"user{i:02}" for i in range(1, 11)], seed=1)


def test_a_side_without_a_share_is_empty() -> None:
    split = split_subjects("abcd", 0, (0.5, 0.0, 0.5))
    assert (len(split.train), split.validation, len(split.test)) == (2, (), 2)


@pytest.mark.parametrize("shares", [(0.7, 0.2), (0.5, 0.5, 0.5), (1.5, -0.5, 0.0), (float("nan"), 0.5, 0.5)])
def test_shares_must_be_shares(shares) -> None:
    with pytest.raises(UsageError, match="add up to 1"):
        split_subjects("abc", 0, shares)


def test_too_few_or_repeated_subjects_are_refused() -> None:
    with pytest.raises(UsageError, match="2 subjects"):
        split_subjects("ab", 0)
    with pytest.raises(UsageError, match="a more than once"):
        split_subjects("aabc", 0)
    with pytest.raises(UsageError, match="b more than once"):
        Split(train=("a", "b"), validation=(), test=("b",))


def test_leaving_one_out_tests_everybody_once(stored: StoredDataset) -> None:
    splits = list(leave_one_subject_out(stored))
    assert [split.test for split in splits] == [(subject,) for subject in stored.subjects]
    for split in splits:
        assert sorted(split.subjects) == list(stored.subjects)
        assert load_split(stored, save_split(stored, split).stem) == split
    assert len({split.name for split in splits}) == 4


def test_a_saved_split_is_loaded_with_its_sessions_apart(stored: StoredDataset) -> None:
    split = subject_split(stored, seed=3)
    path = save_split(stored, split)
    assert path == stored.folder / "splits" / "subject-seed3.json"
    loaded = load_split(stored, "subject-seed3")
    assert loaded == split
    sides = [{r.name for r in stored.sessions(side)} for side in (loaded.train, loaded.validation, loaded.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(stored.index)


def test_a_split_survives_importing_again(stored: StoredDataset, source, root: Path) -> None:
    save_split(stored, subject_split(stored, seed=3))
    again = import_dataset(source(), root)
    assert load_split(again, "subject-seed3") == subject_split(stored, seed=3)


def test_a_split_of_other_data_is_refused(stored: StoredDataset, source, make_table, root: Path) -> None:
    save_split(stored, subject_split(stored, seed=3))
    changed = import_dataset(source(make_table(rows=310)), root)
    with pytest.raises(CorruptArtifact, match="another state"):
        load_split(changed, "subject-seed3")
    with pytest.raises(UsageError, match=r"lacks person0.*no subject stranger"):
        save_split(stored, Split(train=("stranger", "person1", "person2"), validation=(), test=("person3",)))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c: {**c, "test": c["test"] + c["train"][:1]}, CorruptArtifact),
        (lambda c: {**c, "train": c["train"][1:]}, CorruptArtifact),
        (lambda c: {**c, "train": 7}, CorruptArtifact),
        (lambda c: {k: v for k, v in c.items() if k != "test"}, CorruptArtifact),
        (lambda c: {**c, "kind": "dataset"}, CorruptArtifact),
        (lambda c: {**c, "fingerprint": "0"}, CorruptArtifact),
        (lambda c: [c], CorruptArtifact),
        (lambda c: {**c, "version": 99}, UnsupportedFormat),
        (lambda c: {**c, "seed": 1}, CorruptArtifact),
        (lambda c: {k: v for k, v in c.items() if k != "sha256"}, CorruptArtifact),
    ],
)
def test_a_split_file_that_was_edited_is_refused(stored: StoredDataset, change, error) -> None:
    path = save_split(stored, subject_split(stored, seed=0))
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(error, match="subject-seed0"):
        load_split(stored, path.stem)


def test_a_split_that_is_missing_or_cut_off_is_refused(stored: StoredDataset) -> None:
    with pytest.raises(CorruptArtifact, match="no split"):
        load_split(stored, "subject-seed0")
    path = save_split(stored, subject_split(stored, seed=0))
    path.write_text(path.read_text()[:-20])
    with pytest.raises(CorruptArtifact, match="make it again"):
        load_split(stored, path.stem)


# A few windows of each activity.


@pytest.mark.parametrize("shots", [1, 3])
def test_few_shot_learns_from_so_many_windows_of_every_activity(stored: StoredDataset, shots: int) -> None:
    split = few_shot(stored, shots, seed=0, window_s=2.0)
    people = subject_split(stored, seed=0)
    assert (split.train, split.validation, split.test) == (people.train, people.validation, people.test)
    by_name = {session.name: session for session in stored.index}
    activities = [by_name[example.session].activity for example in split.examples]
    assert {activity: activities.count(activity) for activity in activities} == dict.fromkeys(stored.labels, shots)
    assert {by_name[example.session].subject for example in split.examples} <= set(split.train)
    assert leak(stored, split) == ""


def test_another_draw_is_of_other_windows_of_the_same_people(stored: StoredDataset) -> None:
    draws = [few_shot(stored, 2, seed=0, draw=draw, window_s=1.0) for draw in range(4)]
    assert len({split.examples for split in draws}) == 4
    assert len({split.test for split in draws}) == 1
    assert draws[1] == few_shot(stored, 2, seed=0, draw=1, window_s=1.0)
    assert len({split.name for split in draws}) == 4


def test_few_shot_gives_all_there_is_when_there_is_less(stored: StoredDataset) -> None:
    split = few_shot(stored, 10_000, seed=0, window_s=2.0)
    trained = [session for session in stored.index if session.subject in split.train]
    assert len(split.examples) == sum(int(session.duration_s / 2 + 1e-6) for session in trained)


def test_a_session_shorter_than_a_window_is_one_window(stored: StoredDataset) -> None:
    split = few_shot(stored, 1, seed=0, window_s=3600.0)
    assert {(e.start_s, e.end_s) for e in split.examples} == {(0.0, 6.0)}


@pytest.mark.parametrize(("shots", "draw", "window_s"), [(0, 0, 6.0), (1, -1, 6.0), (1, 0, 0.0)])
def test_few_shot_needs_shots(stored: StoredDataset, shots: int, draw: int, window_s: float) -> None:
    with pytest.raises(UsageError, match="at least one window"):
        few_shot(stored, shots, seed=0, draw=draw, window_s=window_s)


def test_few_shot_is_kept_and_read_again(stored: StoredDataset) -> None:
    split = few_shot(stored, 2, seed=3, draw=1)
    save_split(stored, split)
    assert split.name == "few-shot-2-seed3-draw1"
    assert load_split(stored, split.name) == split


# Leaks.


def test_a_window_of_somebody_tested_is_a_leak(stored: StoredDataset) -> None:
    split = few_shot(stored, 1, seed=0)
    tested = next(session for session in stored.index if session.subject in split.test)
    leaking = replace(split, examples=(*split.examples, Example(tested.name, 0.0, 2.0)))
    assert "nobody who is trained on" in leak(stored, leaking)
    with pytest.raises(UsageError, match="nobody who is trained on"):
        save_split(stored, leaking)


def test_overlapping_windows_are_a_leak(stored: StoredDataset) -> None:
    split = few_shot(stored, 1, seed=0, window_s=3.0)
    name = split.examples[0].session
    both = replace(split, examples=(Example(name, 0.0, 3.0), Example(name, 2.9, 5.9)))
    assert "overlap" in leak(stored, both)
    beyond = replace(split, examples=(Example(name, 4.0, 7.0),))
    assert "beyond" in leak(stored, beyond)


def test_one_recording_of_two_people_is_a_leak(stored: StoredDataset) -> None:
    split = subject_split(stored, seed=0)
    tested = next(i for i, session in enumerate(stored.index) if session.subject in split.test)
    trained = next(session for session in stored.index if session.subject in split.train)
    index = list(stored.index)
    index[tested] = replace(index[tested], recording=trained.recording)
    assert "on two sides" in leak(replace(stored, index=tuple(index)), split)


def test_verifying_a_set_verifies_its_splits(stored: StoredDataset) -> None:
    save_split(stored, subject_split(stored, seed=0))
    path = save_split(stored, subject_split(stored, seed=1))
    assert saved_splits(stored) == ("subject-seed0", "subject-seed1")
    assert check(stored).splits == 2
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "test": content["train"], "train": content["test"]}))
    with pytest.raises(CorruptArtifact, match="subject-seed1"):
        check(stored)


# People whom sets share, and splits that owners published.


def named(stored: StoredDataset, name: str, people: str, subjects: dict[str, str]) -> StoredDataset:
    """The same set under another name, its subjects renamed."""
    index = tuple(replace(session, subject=subjects[session.subject]) for session in stored.index)
    return replace(stored, about=replace(stored.about, name=name, people=people), index=index)


def test_somebody_in_two_sets_is_on_the_same_side_of_both(stored: StoredDataset) -> None:
    small = named(stored, "mobifall", "mobiact", {f"person{i}": f"sub{i}" for i in range(4)})
    large = named(stored, "mobiact", "mobiact", {f"person{i}": f"sub{i}" for i in range(4)})
    more = [replace(session, subject=f"sub{i}") for i in range(4, 60) for session in stored.index[:1]]
    large = replace(large, index=large.index + tuple(more))
    compared = 0
    for seed in range(30):
        try:
            few, many = subject_split(small, seed), subject_split(large, seed)
        except UsageError:
            continue  # four people hardly fill three sides
        for side in ("train", "validation", "test"):
            assert set(getattr(few, side)) <= set(getattr(many, side))
        compared += 1
    assert compared >= 3


def test_a_seed_that_leaves_a_side_empty_says_so(stored: StoredDataset) -> None:
    one = named(stored, "mobifall", "mobiact", {f"person{i}": "sub1" for i in range(4)})
    with pytest.raises(UsageError, match="another seed"):
        subject_split(one, 0)


def test_the_published_split_is_the_owners(stored: StoredDataset) -> None:
    renamed = named(stored, "hapt", "uci-smartphone", {f"person{i}": f"user{i + 1:02}" for i in range(4)})
    with pytest.raises(UsageError, match="user30"):
        published_split(renamed)  # only four of its thirty people are here
    rest = [replace(renamed.index[0], name=f"s{i}", recording=f"s{i}", subject=f"user{i:02}") for i in range(5, 31)]
    split = published_split(replace(renamed, index=renamed.index + tuple(rest)))
    assert (len(split.train), len(split.test), split.protocol) == (21, 9, "published")
    with pytest.raises(UnknownName, match="no published split"):
        published_split(stored)
