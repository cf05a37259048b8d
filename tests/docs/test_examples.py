"""Every example in the documents runs: Python blocks as they stand, command lines as far as their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError

import kinelex
from kinelex import errors
from kinelex.cli import COMMANDS, command_line, main
from kinelex.cli.demo import write_log
from kinelex.readers import basic_motions
from kinelex.signal.resampling import resample

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[tuple[int, str]]:
    """Line number and content of each block in one of these languages."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start(2)) + 1, m[2]) for m in BLOCK.finditer(text) if m[1] in languages]


def command_lines(page: Path) -> list[tuple[int, list[str]]]:
    """Line number and words of each call of ``kinelex`` in a console block; a prompt marks lines that are typed."""
    found = []
    for line, content in blocks(page, "console", "sh"):
        joined = re.sub(r"\\\n", "  ", content)  # two characters for two, so that lines can be counted
        for match in re.finditer(r"^(?:\$ +)?kinelex (.*)$", joined, re.MULTILINE):
            number = line + content.count("\n", 0, match.start())
            found.append((number, shlex.split(match[1], comments=True)))
    return found


@pytest.fixture(scope="session")
def recordings() -> list[kinelex.Recording]:
    return basic_motions()


@pytest.fixture
def folder(tmp_path: Path, recordings: list[kinelex.Recording], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what a reader has there: the demo's log, and a walk in g with gravity."""
    write_log(tmp_path / "kinelex-demo" / "watch.csv", recordings)
    walks = [r for r in recordings if r.intervals[0].label == "Walking"][:6]
    motion = resample(np.concatenate([r.samples for r in walks]), walks[0].rate_hz, 50.0)
    motion[:, :3] = (motion[:, :3] + [0.0, 0.0, 9.80665]) / 9.80665
    table = np.column_stack([np.arange(len(motion)) / 50, motion])
    header = "time,acc_x (g),acc_y (g),acc_z (g),gyro_x,gyro_y,gyro_z"
    (tmp_path / "monday").mkdir()
    np.savetxt(tmp_path / "monday" / "walk.csv", table, delimiter=",", header=header, comments="", fmt="%.4f")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_examples_of_a_page_run_in_order(page: Path, folder: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for line, content in blocks(page, "python"):
        # Blank lines in front, so that a traceback shows the page's own line.
        exec(compile("\n" * (line - 1) + content, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_command_lines_of_a_page_are_understood(page: Path, folder: Path) -> None:
    for line, words in command_lines(page):
        assert words[0] in COMMANDS, f"{page.name}:{line}: no command '{words[0]}'"
        try:
            command_line(words).parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{page.name}:{line}: kinelex {shlex.join(words)}: {error}")


def test_every_step_of_your_own_data_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = REPOSITORY / "docs" / "your-own-data.md"
    steps = [(line, content) for line, content in blocks(page, "python")] + command_lines(page)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, step in sorted(steps, key=lambda step: step[0]):
        if isinstance(step, str):
            exec(compile("\n" * (line - 1) + step, str(page), "exec"), names)
        else:
            code = main(step)
            assert code == 0, f"{page.name}:{line}: kinelex {shlex.join(step)}: {capsys.readouterr().err}"
    told = capsys.readouterr().out
    assert "workshop_test: imported, 2 subjects, 4 activities" in told
    assert "note:" not in told.partition("workshop: whole")[0], "card and table agree"
    checkpoint = kinelex.load("runs/workshop/checkpoint")
    assert checkpoint.unknown_labels(["waxing skis", "strolling", "filing ski edges"]) == []
    assert (folder / "workshop.png").stat().st_size > 50_000
    assert "waxing skis" in (folder / "results" / "report.md").read_text()


@pytest.mark.parametrize(
    "words", [["predict", "walk.csv", "--placment", "hip"], ["train"], ["datasets", "inport", "x"]]
)
def test_a_wrong_command_line_would_be_found(words: list[str]) -> None:
    with pytest.raises(CycloptsError):
        command_line(words).parse_args(words, exit_on_error=False, print_error=False)


def test_the_blocks_are_found() -> None:
    assert sum(len(blocks(page, "python")) for page in PAGES) >= 15
    assert sum(len(command_lines(page)) for page in PAGES) >= 10


def test_every_public_name_command_and_error_is_in_the_reference() -> None:
    page = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
    for name in {*kinelex.__all__, *errors.__all__} - {"__version__"}:
        assert f"`{name}`" in page, name
    for command in COMMANDS:
        assert f"`kinelex {command}" in page, command
    for name in errors.__all__:
        code = re.search(rf"^\| `{name}` \| (\d) \|", page, re.MULTILINE)
        assert code is not None and int(code[1]) == getattr(errors, name).exit_code, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [t for t in targets if "://" not in t and not (page.parent / t).exists()] == []
