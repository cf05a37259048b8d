"""Options that several commands share."""

from __future__ import annotations

import pytest

from kinelex.cli.options import parse_columns, parse_labels, parse_units
from kinelex.errors import BadLabels, UsageError


def test_units() -> None:
    assert parse_units("acc=g, Gyro=deg/s") == {"acc": "g", "gyro": "deg/s"}
    assert parse_units("acc=m/s²") == {"acc": "m/s²"}


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "NAME=VALUE"), ("g", "NAME=VALUE"), ("acc=", "NAME=VALUE"), ("nose=g", "no sensor"),
     ("acc=g,acc=mg", "twice"), ("acc=stones", "no unit of acc"), ("gyro=g", "no unit of gyro")],
)  # fmt: skip
def test_units_that_are_none(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_units(text)


def test_columns_may_hold_spaces_commas_and_equal_signs() -> None:
    assert parse_columns('Clock=time, "Acc, x=acc_x", a=b=acc_y') == {
        "Clock": "time",
        "Acc, x": "acc_x",
        "a=b": "acc_y",
    }
    for text, says in (("a", "NAME=VALUE"), ("a=acc_x,a=acc_y", "twice"), ('"a', "quotes"), ("", "NAME=VALUE")):
        with pytest.raises(UsageError, match=says):
            parse_columns(text)


def test_labels() -> None:
    assert parse_labels('walking,  brushing   teeth , "sitting, reading"') == (
        "walking", "brushing teeth", "sitting, reading",
    )  # fmt: skip
    assert parse_labels(["a", " b "]) == ("a", "b")


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "no activity"), (" , ", "no activity"), ("walking,,sitting", "blank"), ("walking,", "blank"),
     ("walking, Walking", "twice"), ([], "no activity")],
)  # fmt: skip
def test_labels_that_are_none(text: str | list[str], says: str) -> None:
    with pytest.raises(BadLabels, match=says):
        parse_labels(text)
