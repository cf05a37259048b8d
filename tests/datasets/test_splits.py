"""Splits: nobody is on two sides, nobody is left out, and the same seed splits the same way everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.datasets import (
    Split,
    StoredDataset,
    import_dataset,
    leave_one_subject_out,
    load_split,
    save_split,
    split_subjects,
    subject_split,
)
from kinelex.errors import CorruptArtifact, UnsupportedFormat, UsageError

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
        (lambda c: {**c, "version": 2}, UnsupportedFormat),
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
