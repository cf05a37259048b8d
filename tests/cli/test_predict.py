"""``kinelex predict``: what is printed, what is written, and how it ends when something is wrong."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinelex.cli import main
from kinelex.recognition import shipped_models

LABELS = ("--labels", "walking, sitting, brushing teeth")
HEADER = "time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"

needs_model = pytest.mark.skipif("small" not in shipped_models(), reason="this checkout has no shipped model yet")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of swinging and half of rest at 50 Hz, with eight seconds missing in the middle."""
    times = np.arange(0, 60, 0.02)
    swing = np.where(times < 30, 3.0, 0.02) * np.sin(2 * np.pi * 1.8 * times)
    columns = [times, swing, 0.5 * swing, 9.81 + swing, 0.5 * swing, 0.2 * swing, 0.1 * swing]
    table = np.stack(columns, axis=1)[(times < 26) | (times >= 34)]
    path = tmp_path_factory.mktemp("files") / "walk.csv"
    np.savetxt(path, table, delimiter=",", header=HEADER, comments="", fmt="%.4f")
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.csv"
    path.write_text(f"{HEADER}\n0.00,1,2,oops,4,5,6\n0.02,1,2,3,4,5,6\n")
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@needs_model
def test_it_prints_segments_and_writes_nothing_unasked(walk: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(walk), *LABELS]) == 0
    printed = capsys.readouterr().out
    assert "walk.csv" in printed and "no signal" in printed and "%" in printed
    assert not files_in(tmp_path)


@needs_model
def test_it_writes_csv_and_picture_where_told(walk: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "new" / "timeline.csv", tmp_path / "new" / "timeline.png"
    assert main(["predict", str(walk), *LABELS, "--out", str(out), "--plot", str(plot)]) == 0
    assert files_in(tmp_path / "new") == ["timeline.csv", "timeline.png"]
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["start_s", "end_s", "activity", "probability", "unsure", "quality"]
    assert {row["activity"] for row in rows} <= {"walking", "sitting", "brushing teeth", ""}
    assert [(float(row["start_s"]), float(row["end_s"])) for row in rows if row["quality"] == "no signal"] == [(26, 34)]


@needs_model
def test_json_is_all_there_is_on_stdout(walk: Path, broken: Path, capsys) -> None:
    assert main(["predict", str(walk), str(broken), *LABELS, "--json"]) == 3
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert [recording["file"] for recording in said["recordings"]] == [str(walk)]
    assert said["recordings"][0]["labels"] == ["walking", "sitting", "brushing teeth"]
    assert said["recordings"][0]["segments"][0]["start_s"] == 0.0
    assert said["errors"][0]["file"] == str(broken) and "broken.csv" in captured.err


@needs_model
def test_a_bad_file_does_not_stop_the_others(walk: Path, broken: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "results"
    assert main(["predict", str(broken), str(tmp_path / "none.csv"), str(walk), *LABELS, "--out", str(out)]) == 3
    captured = capsys.readouterr()
    assert files_in(out) == ["walk.timeline.csv"]
    assert "2 of 3 files" in captured.err and "broken.csv" in captured.err and "none.csv" in captured.err
    assert "walk.csv" in captured.out


@needs_model
def test_one_bad_file_ends_with_its_own_error_and_leaves_nothing(broken: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "results.csv"
    assert main(["predict", str(broken), *LABELS, "--out", str(out), "--plot", str(tmp_path / "p.png")]) == 3
    assert capsys.readouterr().err.startswith("error: ")
    assert files_in(tmp_path) == ["broken.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to recognize"),
        (["{walk}", "--labels", ""], "--labels"),
        (["{walk}", "--labels", "walking, , sitting"], "blank"),
        (["{walk}", "--labels", "walking, Walking"], "Walking"),
        (["{walk}", "--labels", "walking"], "alone"),
        (["{walk}", "--units", "acc=parsec"], "parsec"),
        (["{walk}", "--columns", "nonsense"], "--columns"),
        (["{walk}", "--hop-s", "9"], "cannot be"),
        (["{walk}", "--window-s", "0"], "cannot be"),
        (["{walk}", "--plot", "picture.docx"], "picture.docx"),
        (["{walk}", "{walk}", "--out", "one.csv"], "folder"),
        (["{walk}", "{walk}", "--out", "results"], "walk.timeline.csv"),
        (["{walk}", "--model", "smal"], "no model 'smal'"),
        (["{walk}", "--nonsense"], ""),
        (["{walk}", "--rate-hz", "fast"], ""),
    ],
)
def test_a_wrong_call_ends_with_2_and_writes_nothing(
    walk: Path, tmp_path: Path, monkeypatch, capsys, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", *(word.format(walk=walk) for word in words)]) == 2
    assert said in capsys.readouterr().err
    assert not files_in(tmp_path)


@needs_model
def test_a_damaged_model_ends_with_3(walk: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(shipped_models()["small"], tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert main(["predict", str(walk), *LABELS, "--model", str(tmp_path / "model")]) == 3
    assert "model.safetensors" in capsys.readouterr().err


@needs_model
def test_many_segments_are_summed_up(tmp_path: Path, capsys) -> None:
    times = np.arange(0, 900, 0.1)
    swing = np.where((times // 9) % 2 < 1, 4.0, 0.01) * np.sin(2 * np.pi * 1.8 * times)
    path = tmp_path / "long.csv"
    table = np.stack([times, swing, 0.5 * swing, 9.81 + swing], axis=1)
    np.savetxt(path, table, delimiter=",", header="time,acc_x,acc_y,acc_z", comments="", fmt="%.3f")
    assert main(["predict", str(path), "--labels", "walking, standing", "--placement", "wrist"]) == 0
    printed = capsys.readouterr().out
    assert "share" in printed and "--out FILE.csv" in printed
    assert len(printed.splitlines()) < 12


@needs_model
def test_the_real_command_needs_neither_text_encoder_nor_plots(walk: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    code = (
        "import sys\nfrom kinelex.cli import main\n"
        f"assert main(['predict', {str(walk)!r}, '--labels', 'walking, sitting', '--out', {str(out)!r}]) == 0\n"
        "heavy = {'transformers', 'sentence_transformers', 'tokenizers', 'pandas', 'matplotlib', 'aeon'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert files_in(tmp_path) == ["x.csv"]
