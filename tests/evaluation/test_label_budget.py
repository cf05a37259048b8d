"""A budget is spent evenly and to its end, and nothing that is tested was ever learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import UsageError
from kinelex.evaluation.label_budget import Budget, by_subject, published, quotas, subject_folds


def made_up(people: int, units: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    subjects = np.concatenate([np.arange(people), rng.integers(0, people, units - people)])
    return rng.choice(classes, units, p=rng.dirichlet(np.ones(classes))), subjects, [f"p{i}" for i in range(people)]


@pytest.mark.parametrize(("text", "budget"), [("1%", Budget(share=0.01)), (" 2.5% ", Budget(share=0.025)),
                                              ("5", Budget(per_class=5))])  # fmt: skip
def test_a_budget_is_read_from_words(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["0%", "101%", "0", "-3", "2.5", "many", "", "%", "nan%"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="5 for so many"):
        Budget.parse(text)


@given(
    people=st.integers(2, 12),
    units=st.integers(40, 120),
    classes=st.integers(2, 6),
    seed=st.integers(0, 99),
    budget=st.sampled_from([Budget(share=0.01), Budget(share=0.1), Budget(share=1.0), Budget(per_class=3)]),
)
def test_nobody_is_on_two_sides_and_everybody_is_tested_once(
    people: int, units: int, classes: int, seed: int, budget: Budget
) -> None:
    numbers, subjects, names = made_up(people, units, classes, seed)
    splits = by_subject(numbers, subjects, names, budget, folds=5, seed=0, draw=seed)
    assert len(splits) == min(5, people)
    assert np.array_equal(np.sort(np.concatenate([split.test for split in splits])), np.arange(units))
    for split in splits:
        assert not set(subjects[split.labeled]) & set(subjects[split.test])
        assert len(set(split.labeled)) == len(split.labeled)
        assert not len(split.validation), "nothing beyond the budget is looked at"
        side = np.setdiff1d(np.arange(units), split.test)
        there, taken = (np.bincount(numbers[part], minlength=classes) for part in (side, split.labeled))
        assert (taken[there > 0] > 0).all(), "every class that exists there has one"
        if budget.share is not None:
            assert taken.sum() == max(round(budget.share * len(side)), (there > 0).sum())
            free = taken < there
            assert not free.any() or taken.max() - taken[free].min() <= 1, "evenly, as far as there are any"
        else:
            assert (taken == np.minimum(there, 3)).all()


def test_a_larger_budget_holds_the_smaller_one_and_another_draw_is_another() -> None:
    numbers, subjects, names = made_up(7, 300, 4, 0)

    def labeled(text: str, draw: int) -> list[set[int]]:
        splits = by_subject(numbers, subjects, names, Budget.parse(text), folds=5, seed=0, draw=draw)
        return [set(split.labeled.tolist()) for split in splits]

    for small, large, other in zip(labeled("5%", 0), labeled("10%", 0), labeled("5%", 1), strict=True):
        assert small < large
        assert small != other
    assert labeled("5%", 0) == labeled("5%", 0)


def test_folds_depend_on_names_and_seed_alone() -> None:
    names = [f"person {i}" for i in range(11)]
    fold = subject_folds(names, 5, 0)
    assert sorted(np.bincount(fold)) == [2, 2, 2, 2, 3]
    assert np.array_equal(subject_folds(names[::-1], 5, 0)[::-1], fold)
    assert not np.array_equal(subject_folds(names, 5, 1), fold)
    assert sorted(subject_folds(names[:3], 5, 0)) == [0, 1, 2], "with few people each is a fold"
    with pytest.raises(UsageError, match="different people"):
        subject_folds(names[:1], 5, 0)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(0, 100))
def test_quotas_never_exceed_what_there_is_and_grow_with_the_total(available: list[int], total: int) -> None:
    there = np.array(available)
    quota = quotas(there, total)
    assert (quota <= there).all()
    assert quota.sum() == max(min(total, there.sum()), (there > 0).sum())
    assert (quotas(there, total + 1) >= quota).all()


def test_the_published_draw_is_the_published_formula() -> None:
    numbers = np.repeat(np.arange(4), [500, 300, 190, 10])
    split = published(numbers, Budget.parse("10%"))
    order = np.random.RandomState(3431).permutation(1000)
    assert set(split.test) == set(order[900:])
    assert set(split.validation) == set(order[800:900])
    assert set(split.labeled) <= set(order[:800])
    there = np.bincount(numbers[order[:800]])
    assert np.array_equal(np.bincount(numbers[split.labeled]), np.minimum(there, 80 // 4))
    least = published(numbers, Budget.parse("0.1%"))
    assert np.array_equal(np.bincount(numbers[least.labeled]), [1, 1, 1, 1])
