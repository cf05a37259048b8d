"""A card that is written says of a table what a person would, and asks only for what the table cannot show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.datasets import Card, import_dataset
from kinelex.datasets.card_writing import Measured, make_card, measure_table, open_table, questions, write_card
from kinelex.datasets.importing import compare
from kinelex.errors import (
    BadRecipe,
    BadSamples,
    UnknownChannel,
    UnknownPlacement,
    UnknownRate,
    UnreadableFile,
    UsageError,
    WrongUnit,
)
from tests.datasets.conftest import card_of

G = 9.80665
ACC, GYRO = ["acc_x", "acc_y", "acc_z"], ["gyro_x", "gyro_y", "gyro_z"]


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Measured]:
    """Writes a table and measures it."""

    def measure(table: pd.DataFrame, name: str = "made_up.parquet") -> Measured:
        path = tmp_path / name
        if path.suffix == ".csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path, index=False, row_group_size=1000)
        with open_table(path) as opened:
            return measure_table(opened, path)

    return measure


def asked(found: Measured) -> list[str]:
    return [question.field for question in questions(found)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_card_is_what_a_person_would_write(
    table: pd.DataFrame, measured, tmp_path: Path, root: Path, suffix: str
) -> None:
    found = measured(table, f"made_up{suffix}")
    assert asked(found) == ["title", "placement", "role", "licence", "cite"], "units and gravity show themselves"
    answers = {"title": "Made-up motion", "placement": "front trouser pocket (phone)", "role": "test"}
    card = make_card(found, answers | {"licence": "none needed", "cite": "nobody"})
    true = Card.parse(card_of(table, complete=None), where="here")
    assert card == true
    path = write_card(card, tmp_path / "made_up.yaml")
    assert Card.load(path) == card
    assert "# Samples per second.\nrate_hz: 50\n" in path.read_text()
    dataset = import_dataset(tmp_path / f"made_up{suffix}", root)
    assert dataset.notes == ()
    assert dataset.placements == ("pocket",)


@pytest.mark.parametrize(("unit", "factor"), [("m/s^2", G), ("g", 1.0), ("mg", 1000.0)])
@pytest.mark.parametrize(("turning", "turn"), [("rad/s", np.pi / 180), ("deg/s", 1.0)])
def test_units_are_read_off_the_values(
    table: pd.DataFrame, measured, unit: str, factor: float, turning: str, turn: float
) -> None:
    table[ACC] *= factor
    table[GYRO] *= turn
    found = measured(table)
    assert {sensor: (guess.unit, guess.decided) for sensor, guess in found.units.items()} == {
        "acc": (unit, True),
        "gyro": (turning, True),
    }
    assert (found.gravity, found.gravity_decided) == (True, True)


@pytest.mark.parametrize(("unit", "factor"), [("m/s^2", G), ("g", 1.0)])
def test_without_gravity_the_unit_is_asked_with_a_guess(
    table: pd.DataFrame, measured, unit: str, factor: float
) -> None:
    table[ACC] = (table[ACC] - [0.1, 0.97, 0.2]) * factor
    found = measured(table)
    assert (found.gravity, found.gravity_decided) == (False, True)
    assert (found.units["acc"].unit, found.units["acc"].decided) == (unit, False)
    (question,) = (q for q in questions(found) if q.field == "units.acc")
    assert question.default == unit
    assert make_card(found, {"placement": "hip", "units.acc": "mg"}).units["acc"] == "mg"


def test_a_magnetometer_is_guessed_by_the_earth(table: pd.DataFrame, measured) -> None:
    for axis, value in zip("xyz", (30.0, 20.0, -35.0), strict=True):
        table[f"mag_{axis}"] = np.float32(value * 10)
    found = measured(table)
    assert (found.units["mag"].unit, found.units["mag"].decided) == ("mgauss", False)


def test_columns_that_say_where_need_no_answer(table: pd.DataFrame, measured) -> None:
    names = {name: f"left_wrist_{name}" for name in ACC} | {name: f"phone_{name}" for name in GYRO}
    found = measured(table.rename(columns=names))
    assert "placement" not in asked(found)
    assert make_card(found, {}).placement == "left wrist, pocket"


def test_a_placement_column_says_where(table: pd.DataFrame, measured, tmp_path: Path) -> None:
    table["placement"] = np.where(table["subject"] == "person1", "Left-Wrist", "ankle")
    found = measured(table)
    assert "placement" not in asked(found)
    card = make_card(found, {})
    assert card.placement == "left wrist, ankle"
    with open_table(tmp_path / "made_up.parquet") as opened:
        assert compare(opened, card) == []


@pytest.mark.parametrize(
    ("name", "default"), [("My Watch, 2024.csv", "my_watch_2024"), ("hapt.csv", None), ("raw.csv", None)]
)
def test_a_name_is_asked_where_the_files_will_not_do(make_table, measured, name: str, default: str | None) -> None:
    found = measured(make_table(subjects=1), name)
    question = questions(found)[0]
    assert (question.field, question.default) == ("name", default)
    if default is None:
        with pytest.raises(UsageError, match="--name"):
            make_card(found, {"placement": "hip"})


def test_other_columns_are_named_and_left_out(table: pd.DataFrame, measured) -> None:
    table["heart_rate"] = 60.0
    table["remark"] = "fine"
    found = measured(table, "made_up.csv")
    assert found.ignored == ("heart_rate", "remark")
    assert found.columns == (*ACC, *GYRO)


def test_jitter_and_odd_rates_are_measured(make_table, measured) -> None:
    table = make_table(subjects=2)
    rng = np.random.default_rng(0)
    table["t"] = table["t"].astype(float) * 50 / 51.2 + rng.uniform(0, 0.002, len(table))
    assert measured(table).rate_hz == pytest.approx(51.2, rel=2e-3)


def test_answers_are_checked(make_table, measured) -> None:
    found = measured(make_table(subjects=1))
    with pytest.raises(UsageError, match=r"Where was it worn.*--placement"):
        make_card(found, {})
    with pytest.raises(UnknownPlacement, match="tail"):
        make_card(found, {"placement": "tail"})
    with pytest.raises(BadRecipe, match="furlong"):
        make_card(found, {"placement": "hip", "units.acc": "furlong"})
    with pytest.raises(BadRecipe, match="perhaps"):
        make_card(found, {"placement": "hip", "gravity": "perhaps"})


def test_a_unit_that_cannot_be_is_refused_by_the_comparison(make_table, measured, tmp_path: Path) -> None:
    found = measured(make_table(subjects=2))
    wrong = make_card(found, {"placement": "hip", "units.acc": "m/s^2"})
    with open_table(tmp_path / "made_up.parquet") as opened, pytest.raises(WrongUnit, match="looks like g"):
        compare(opened, wrong)


def test_a_card_that_is_there_stays(make_table, measured, tmp_path: Path) -> None:
    card = make_card(measured(make_table(subjects=1)), {"placement": "hip"})
    other = tmp_path / "made_up.yml"
    other.write_text("mine")
    for target in (other, tmp_path / "made_up.yaml"):
        with pytest.raises(UsageError, match="--force"):
            write_card(card, target)
    assert other.read_text() == "mine"
    write_card(card, other, force=True)
    assert Card.load(other) == card


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t: t.drop(columns="subject"), BadSamples, "no column subject"),
        (lambda t: t[["session", "subject", "activity", "t"]], UnknownChannel, "acc_x"),
        (lambda t: t.rename(columns={"acc_x": "elbow_thing_acc_x"}), UnknownPlacement, "elbow"),
        (lambda t: t.assign(t=t["t"] * 1000), UnknownRate, "milliseconds"),
        (lambda t: t.sample(frac=1, random_state=0), BadSamples, "more than one place"),
        (lambda t: t.assign(acc_x="fast"), BadSamples, "something other than numbers"),
        (lambda t: t.iloc[:0], BadSamples, "no rows"),
        (
            lambda t: t.assign(t=t["t"] * np.where(t["subject"] == "person0", 2, 1)),
            BadSamples,
            r"'standing_0_0' .* has 25 Hz, most others have 50 Hz",
        ),
    ],
)
def test_bad_tables_have_the_errors_of_an_import(
    table: pd.DataFrame, measured, change: Callable[[pd.DataFrame], pd.DataFrame], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        measured(change(table))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no")
    for path in (tmp_path / "a.parquet", tmp_path / "b.csv", tmp_path / "c.xlsx"):
        with pytest.raises(UnreadableFile), open_table(path):
            pass
