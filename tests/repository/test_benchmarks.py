"""What benchmarks write beside their figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import left_out_runs


def test_the_command_is_the_call_without_what_is_the_default_anyway() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=None)
    parser.add_argument("--most-windows", type=int, default=9)
    parser.add_argument("--variant", action="append")
    typed = ["--runs", "runs/leave_out", "--variant", "default", "--variant", "rate 1e-4", "--most-windows", "9"]
    found = left_out_runs.command_of("/some/where/few_shot.py", parser, parser.parse_args(typed))
    assert found == "python benchmarks/few_shot.py --runs runs/leave_out --variant default --variant 'rate 1e-4'"
    every = parser.parse_args(["--runs", "r", "--root", "data", "--most-windows", "3"])
    assert left_out_runs.command_of("x.py", parser, every) == (
        "python benchmarks/x.py --runs r --root data --most-windows 3"
    )


def test_every_set_that_a_run_left_out_comes_with_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, recipe in {"b": {"left_out": ["wisdm"]}, "a": {"left_out": ["hapt", "umafall"]}, "c": {}}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps({"recipe": recipe}))
    monkeypatch.setattr(left_out_runs, "load_checkpoint", lambda folder: folder)
    assert list(left_out_runs.left_out_by(tmp_path)) == [
        ("a", tmp_path / "a" / "checkpoint", "hapt"),
        ("a", tmp_path / "a" / "checkpoint", "umafall"),
        ("b", tmp_path / "b" / "checkpoint", "wisdm"),
    ]
