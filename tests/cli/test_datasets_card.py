"""``kinelex datasets card``: options answer for scripts, a person is asked, and nothing is overwritten."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kinelex.cli import main
from kinelex.datasets import Card
from tests.datasets.conftest import made_up_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my moves.csv"
    made_up_table(subjects=2).to_csv(path, index=False)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["datasets", "card", *map(str, words)])
    return code, *capsys.readouterr()


def test_options_answer(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--placement", "left wrist", "--title", "Moves", "--licence", "ours", "--cite", "us", "--role", "test")
    code, out, err = run(capsys, table, *options, "--units", "acc=g", "--name", "moves", "--gravity")
    assert (code, err) == (0, "")
    card = Card.load(table.with_suffix(".yaml"))
    assert (card.name, card.title, card.placement) == ("moves", "Moves", "left wrist")
    assert (card.licence, card.cite, card.role) == ("ours", "us", "test")
    assert card.units == {"acc": "g", "gyro": "deg/s"}
    assert "by the values" in out and "as you say" in out
    assert out.endswith(f"next: kinelex datasets import '{table}'\n")
    assert main(["datasets", "import", str(table), "--root", str(table.parent / "data")]) == 0
    assert "moves: imported, 2 subjects, 3 activities" in capsys.readouterr().out


def test_what_has_no_default_must_be_said_where_nobody_can_be_asked(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, table)
    assert code == 2
    assert "--placement" in err and err.count("\n") == 1
    assert not table.with_suffix(".yaml").exists()
    assert run(capsys, table, "--placement", "waist")[0] == 0
    assert Card.load(table.with_suffix(".yaml")).name == "my_moves"


def test_a_card_is_not_overwritten(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = table.with_suffix(".yaml")
    card.write_text("mine")
    code, _, err = run(capsys, table, "--placement", "waist")
    assert (code, card.read_text()) == (2, "mine")
    assert "--force" in err
    assert run(capsys, table, "--placement", "waist", "--force")[0] == 0
    assert Card.load(card).placement == "waist"


def test_a_wrong_unit_is_refused_and_nothing_is_written(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, table, "--placement", "waist", "--unit", "acc=m/s^2")
    assert code == 3
    assert "looks like g" in err
    assert not table.with_suffix(".yaml").exists()


def test_a_card_elsewhere_says_where_it_belongs(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, table, "--placement", "waist", "--out", tmp_path / "cards" / "a.yaml")
    assert code == 0
    assert f"move it to {table.with_suffix('.yaml')}" in out


def test_a_person_is_asked_again_until_an_answer_will_do(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "Short name": ["No Good Name", "good_name"], "Full name": ["Moves"], "Where was it worn": ["", "tail", "hip"],
        "What it is for": [""], "Under which": [""], "What to cite": [""],
    }  # fmt: skip
    asked: list[str] = []

    def ask(prompt: object = "", **_: object) -> str:
        start = next(start for start in answers if str(prompt).startswith(start))
        asked.append(start)
        return answers[start].pop(0)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.console.Console.input", lambda self, prompt="", **_: ask(prompt))
    code, _, err = run(capsys, table)
    assert code == 0, err
    card = Card.load(table.with_suffix(".yaml"))
    assert (card.name, card.title, card.placement, card.role) == ("good_name", "Moves", "hip", "training")
    assert asked.count("Where was it worn") == 3
    assert "tail" in err
    assert all(not left for left in answers.values())


def test_who_leaves_while_being_asked_is_told_the_option(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*_: object, **__: object) -> str:
        raise EOFError

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.console.Console.input", leave)
    code, _, err = run(capsys, table, "--name", "moves", "--title", "Moves")
    assert code == 2
    assert "--placement" in err
