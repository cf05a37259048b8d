"""``kinelex index`` and ``kinelex predict --memory``: examples kept in a folder, and answers that name them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinelex.cli import main

WALK = ["--rate-hz", "50", "--placement", "left wrist"]


def written(path: Path, strength: float, seconds: float = 12.0, seed: int = 0) -> Path:
    """A table of something repeated twice a second."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * 50)) / 50
    swing = strength * np.sin(2 * np.pi * 2 * times[:, None] + np.array([0, 1, 2]))
    samples = swing + rng.normal(0, 0.05, swing.shape) + np.array([0, 0, 9.81])
    path.write_text("acc_x,acc_y,acc_z\n" + "\n".join(",".join(f"{v:.4f}" for v in row) for row in samples))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, strength in (("stir", 3.0), ("stir-again", 3.2), ("rest", 0.0)):
        written(folder / f"{name}.csv", strength, seed=len(name))
    return folder


@pytest.fixture
def memory(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "memory"
    assert main(["index", "add", str(folder), str(files / "stir.csv"), "--label", "stirring soup", *WALK]) == 0
    assert "remembered 'stirring soup' from stir.csv: examples 0 - 2" in capsys.readouterr().out.replace("\n", " ")
    return folder


def output(capsys: pytest.CaptureFixture[str], *call: str | Path) -> str:
    assert main([str(word) for word in call]) == 0
    return capsys.readouterr().out


def test_what_was_added_is_recognized_and_named_as_the_reason(
    files: Path, memory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("predict", files / "stir-again.csv", *WALK, "--memory", memory)
    found = json.loads(output(capsys, *call, "--json"))["recordings"][0]
    assert found["overall"]["activity"] == "stirring soup", "remembered labels are asked for without being named"
    assert found["segments"][0]["neighbors"][0]["recording"] == "stir.csv"
    said = output(capsys, *call)
    assert "like stirring soup (example" in said
    rest = json.loads(output(capsys, "predict", files / "rest.csv", *WALK, "--memory", memory, "--json"))
    assert rest["recordings"][0]["overall"]["activity"] != "stirring soup"


def test_search_finds_the_nearest_examples(files: Path, memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("index", "search", memory, files / "stir.csv", *WALK, "--k", "2")
    windows = json.loads(output(capsys, *call, "--json"))["windows"]
    assert [window["neighbors"][0]["id"] for window in windows] == [0, 1, 2], "each window is most like itself"
    assert all(window["neighbors"][0]["similarity"] > 0.999 for window in windows)
    assert "stirring soup (example 1 from 'stir.csv', 3.0 - 9.0 s): 1.00" in output(capsys, *call).replace("\n", " ")


def test_examples_are_relabeled_forgotten_and_taken_off_the_disk(
    memory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "2 examples are 'whisking' now" in output(
        capsys, "index", "relabel", memory, "--id", "0", "--id", "1", "--to", "whisking"
    )
    assert "forgot 1 of 3 examples" in output(capsys, "index", "forget", memory, "--label", "stirring soup")
    assert "2 examples in" in output(capsys, "index", "compact", memory)
    assert "2 examples, every file as it was written" in output(capsys, "index", "verify", memory)
    info = json.loads(output(capsys, "index", "info", memory, "--json"))
    assert info["labels"] == {"whisking": {"examples": 2, "recordings": 1, "people": 0}}
    assert "whisking" in output(capsys, "index", "info", memory)


def test_a_memory_is_searched_by_what_was_chosen_for_it(
    files: Path, memory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("faiss")
    pytest.importorskip("milvus_lite")
    call = ("index", "search", memory, files / "stir-again.csv", *WALK, "--k", "3", "--json")
    exact = output(capsys, *call)
    for chosen in (["faiss-hnsw"], ["milvus", "--uri", str(memory.parent / "milvus.db")], ["exact"]):
        assert f"3 examples are searched by {chosen[0]}" in output(capsys, "index", "engine", memory, *chosen)
        assert json.loads(output(capsys, "index", "info", memory, "--json"))["engine"] == chosen[0].split("-")[0]
        assert output(capsys, *call) == exact
    assert main(["index", "engine", str(memory), "milvus"]) == 2
    assert "takes --uri" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        (["index", "forget", "MEMORY"], 2, "name what to forget"),
        (["index", "forget", "MEMORY", "--label", "rowing"], 2, "nothing is remembered of 'rowing': there is"),
        (["index", "relabel", "MEMORY", "--to", "x"], 2, "name what to relabel"),
        (["index", "relabel", "MEMORY", "--to", " ", "--id", "0"], 2, "no label"),
        (["index", "forget", "MEMORY", "--id", "7"], 2, "no example 7"),
        (["index", "search", "MEMORY", "FILE", "--k", "0", *WALK], 2, "at least 1"),
        (["index", "info", "NOWHERE"], 2, "NOWHERE"),
        (["predict", "FILE", "--memory", "NOWHERE", *WALK], 2, "NOWHERE"),
        (["index", "add", "MEMORY", "FILE", "--label", "x", "--units", "acc=lb", *WALK], 2, "acc"),
        (["index", "add", "MEMORY", "FILE", "--label", "x", "--start-s", "100", *WALK], 3, "between 100"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_lost(
    files: Path, memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], call: list[str], code: int, says: str
) -> None:
    places = {"MEMORY": str(memory), "FILE": str(files / "stir.csv"), "NOWHERE": str(tmp_path / "NOWHERE")}
    assert main([places.get(word, word) for word in call]) == code
    assert says in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "NOWHERE").exists()
    assert json.loads(output(capsys, "index", "info", memory, "--json"))["examples"] == 3


def test_one_flipped_bit_is_found(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment = next(memory.glob("examples-*.parquet"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    assert main(["index", "verify", str(memory)]) == 3
    assert segment.name in capsys.readouterr().err.replace("\n", "")


def test_a_data_set_becomes_a_memory_of_so_many_windows_of_each_label(
    recordings_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kinelex.datasets import import_dataset

    import_dataset(recordings_dir / "sessions" / "motionsense.parquet", tmp_path)
    call = ("index", "build", tmp_path / "memory", "--data", "motionsense", "--root", tmp_path, "--per-label", "4")
    assert "24 windows remembered" in output(capsys, *call, "--subjects", "sub_1", "--subjects", "sub_2")
    info = json.loads(output(capsys, "index", "info", tmp_path / "memory", "--json"))
    assert {label: count["examples"] for label, count in info["labels"].items()} == dict.fromkeys(
        ("standing", "sitting", "walking", "walking upstairs", "walking downstairs", "jogging"), 4
    )
    assert max(count["people"] for count in info["labels"].values()) <= 2
    again = output(capsys, *call, "--subjects", "sub_1", "--subjects", "sub_2")
    assert "0 windows remembered, 24 were there already" in again.replace("\n", " ")
    assert json.loads(output(capsys, "index", "info", tmp_path / "memory", "--json"))["examples"] == 24
    assert main([str(word) for word in (*call, "--subjects", "nobody")]) == 2
    assert "has no subject 'nobody'" in capsys.readouterr().err
