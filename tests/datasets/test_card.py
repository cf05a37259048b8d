"""The card: every field is checked, and a message names the file and the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kinelex.datasets import Card
from kinelex.errors import BadRecipe, UnknownPlacement, UnreadableFile
from kinelex.signal.channel import Channel


@pytest.fixture
def content(source) -> dict[str, Any]:
    return yaml.safe_load(source().with_suffix(".yaml").read_text())


def test_a_card_survives_being_written_and_read(content: dict[str, Any]) -> None:
    card = Card.parse(content, where="here")
    assert Card.parse(card.model_dump(mode="json"), where="there") == card


def test_a_card_cannot_be_changed(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        Card.parse(content, where="here").name = "other"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../elsewhere"),
        ("name", "Upper Case"),
        ("subjects", 0),
        ("subjects", "many"),
        ("rate_hz", 4.9),
        ("rate_hz", 1000),
        ("gravity", "perhaps"),
        ("hours", 0),
        ("units", {"acc": "furlongs", "gyro": "deg/s"}),
        ("units", {"acc": "g"}),
        ("units", {"acc": "g", "gyro": "deg/s", "barometer": "Pa"}),
        ("columns", []),
        ("columns", ["acc_x", "acc_x"]),
        ("columns", ["elbow_acc_x"]),
        ("columns", ["temperature"]),
        ("activities", {}),
        ("activities", {"walking": 0}),
        ("activities", {" ": 3}),
        ("color", "green"),
    ],
)
def test_a_wrong_field_is_named(content: dict[str, Any], tmp_path: Path, field: str, value: Any) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({**content, field: value}))
    with pytest.raises(BadRecipe) as caught:
        Card.load(path)
    assert str(path) in str(caught.value)
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "field", ["name", "subjects", "placement", "units", "gravity", "rate_hz", "hours", "columns", "activities"]
)
def test_a_missing_field_is_named(content: dict[str, Any], field: str) -> None:
    del content[field]
    with pytest.raises(BadRecipe, match=f"'here'.*{field}"):
        Card.parse(content, where="here")


@pytest.mark.parametrize("text", ["- a\n- list\n", "name: [unclosed", "!!python/object/apply:os.system ['true']", ""])
def test_what_is_no_card_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(BadRecipe, match=r"card\.yaml"):
        Card.load(path)


def test_a_missing_or_binary_card_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        Card.load(tmp_path / "card.yaml")
    (tmp_path / "card.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UnreadableFile, match="text"):
        Card.load(tmp_path / "card.yaml")


@pytest.mark.parametrize(
    ("words", "placement"),
    [
        ("front trouser pocket (iPhone 6s)", "pocket"),
        ("trouser pocket, free orientation (Galaxy S3; clips at 2 g)", "pocket"),
        ("waist pouch (smartphone)", "waist"),
        ("front right hip (MotionNode)", "right hip"),
        ("left wrist", "left wrist"),
    ],
)
def test_the_placement_is_read_from_the_cards_words(content: dict[str, Any], words: str, placement: str) -> None:
    card = Card.parse({**content, "placement": words}, where="here")
    assert card.default_placement == placement
    assert card.channel("acc_x") == Channel("acc", "x", placement)


def test_words_for_no_placement_name_the_data_set(content: dict[str, Any]) -> None:
    card = Card.parse({**content, "placement": "on the cat"}, where="here")
    with pytest.raises(UnknownPlacement, match=r"made_up.*placement.*on the cat"):
        card.channel("acc_x")


@pytest.mark.parametrize(
    ("column", "placement"),
    [("phone_acc_y", "pocket"), ("watch_acc_y", "wrist"), ("right_arm_acc_y", "right arm"), ("acc_y", "left ankle")],
)
def test_a_column_that_names_its_placement_wins(content: dict[str, Any], column: str, placement: str) -> None:
    channel = Card.parse(content, where="here").channel(column, "left_ankle")
    assert channel == Channel("acc", "y", placement)
