"""Names of columns and of body placements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import UnknownChannel, UnknownPlacement
from kinelex.signal.channel import AXES, PLACEMENTS, SENSORS, UNKNOWN, Channel, parse_placement

placements = st.tuples(st.sampled_from(["", "left ", "right "]), st.sampled_from(PLACEMENTS)).map(
    lambda pair: UNKNOWN if pair[1] == UNKNOWN else "".join(pair)
)
channels = st.builds(Channel, st.sampled_from(SENSORS), st.sampled_from(AXES), placements)


@given(channels)
def test_a_channel_is_read_back_from_its_name(channel: Channel) -> None:
    assert Channel.parse(channel.name) == channel


@given(channels, placements)
def test_the_placement_in_a_name_wins(channel: Channel, placement: str) -> None:
    expected = placement if channel.placement == UNKNOWN else channel.placement
    assert Channel.parse(channel.name, placement).placement == expected


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("Accelerometer Y", Channel("acc", "y")),
        ("accX", Channel("acc", "x")),
        ("gx", Channel("gyro", "x")),
        ("Gyroscope.z", Channel("gyro", "z")),
        ("left_wrist_magnetometer_y", Channel("mag", "y", "left wrist")),
        ("watch acc z", Channel("acc", "z", "wrist")),
        ("chest-acceleration-x", Channel("acc", "x", "chest")),
    ],
)
def test_usual_column_names_are_understood(name: str, channel: Channel) -> None:
    assert Channel.parse(name) == channel


@pytest.mark.parametrize("name", ["", "time", "acc", "x", "acc_w", "temp_x", "acc_x_y_q"])
def test_other_columns_are_errors_that_say_how_to_name_them(name: str) -> None:
    with pytest.raises(UnknownChannel, match="name it like acc_x"):
        Channel.parse(name)


@pytest.mark.parametrize(
    ("text", "placement"),
    [
        ("Right_Trouser-Pocket", "right pocket"),
        ("wrist left", "left wrist"),
        ("upper left arm", "left upper arm"),
        ("  CHEST ", "chest"),
        (None, UNKNOWN),
        ("", UNKNOWN),
        ("belt", "waist"),
        ("left_calf", "left shin"),
    ],
)
def test_usual_placements_are_understood(text: str | None, placement: str) -> None:
    assert parse_placement(text) == placement


def test_an_unknown_placement_is_an_error_that_offers_near_ones() -> None:
    with pytest.raises(UnknownPlacement, match="'left wirst' is no known placement: use one such as wrist"):
        parse_placement("left wirst")


@pytest.mark.parametrize("text", ["left", "left unknown", "tail"])
def test_a_side_of_nothing_is_no_placement(text: str) -> None:
    with pytest.raises(UnknownPlacement, match=f"'{text}' is no known placement"):
        parse_placement(text)


def test_a_sensor_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownChannel, match="sensors are acc, gyro, mag"):
        Channel("baro", "x")  # type: ignore[arg-type]
