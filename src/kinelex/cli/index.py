"""``kinelex index``: what a model is to remember, kept in a folder; ``kinelex predict --memory`` answers with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kinelex.cli.options import Reading
from kinelex.errors import UsageError

if TYPE_CHECKING:
    from kinelex.recognition import Recognizer
    from kinelex.retrieval.memory import Memory

app = App(name="index", help="Keep examples that a model remembers: build, add, look at, search and check them.")

Folder = Annotated[Path, Parameter(name="MEMORY")]
_AS_IT_SAYS = Reading()
_AT_ONCE = 2000  # windows between two writes of `build`


@app.command
def build(
    memory: Folder,
    *,
    data: Annotated[list[str], Parameter(negative=())],
    model: str = "small",
    subjects: Annotated[list[str] | None, Parameter(negative=())] = None,
    per_label: int | None = None,
    seed: int = 0,
    window_s: float = 6.0,
    root: Path | None = None,
) -> None:
    """Remember the labeled windows of imported data sets, side by side in their sessions.

    The same call again goes on where it was interrupted, and remembers nothing twice.

    kinelex index build memories/hapt --data hapt

    Args:
        memory: A folder that is made, or a memory of the same model to add to.
        data: Name of an imported data set; several times for more.
        model: The name of a shipped model, the folder of a checkpoint, or a hub id, owner/model.
        subjects: Only what these people did, as the data set names them.
        per_label: At most so many windows of each label of each set, drawn at random.
        seed: Of that drawing.
        window_s: Seconds in a window.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from kinelex.datasets import StoredDataset, data_root
    from kinelex.recognition import load
    from kinelex.recognition.remembering import labeled_requests, not_remembered, remember_requests

    home = data_root() if root is None else root
    stored = [StoredDataset.open(home, name) for name in data]
    requests = [
        request
        for dataset in stored
        for request in labeled_requests(dataset, window_s, subjects=subjects, per_label=per_label, seed=seed)
    ]
    if not requests:
        raise UsageError(f"no window to remember: {', '.join(data)} has none of {', '.join(subjects or ['anybody'])}")
    recognizer = load(model, memory=memory, gate=False)
    asked = sum(len(request.starts_s) for request in requests)
    requests = not_remembered(_of(recognizer), requests, window_s)
    total = sum(len(request.starts_s) for request in requests)
    columns = (TextColumn("remembering"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        kept = remember_requests(
            recognizer, requests, window_s, at_once=_AT_ONCE, progress=lambda done: bar.update(task, completed=done)
        )
    _say(
        f"{kept} windows remembered, {asked - total} were there already, {total - kept} without enough signal left out"
    )
    _show(_of(recognizer))


@app.command
def add(
    memory: Folder,
    file: Annotated[Path, Parameter(name="FILE")],
    *,
    label: str,
    start_s: float = 0.0,
    end_s: float | None = None,
    model: str = "small",
    reading: Reading = _AS_IT_SAYS,
    window_s: float = 6.0,
) -> None:
    """Remember a recording, or a part of it, as an example of a label.

    kinelex index add memories/mine watering.csv --label "watering plants" --placement "left wrist"

    Args:
        memory: A folder that is made, or a memory of the same model to add to.
        file: A CSV or Parquet file, or a Sensor Logger export.
        label: What is done in it, in any words.
        start_s: From when.
        end_s: Until when; to the end when left out.
        model: The name of a shipped model, the folder of a checkpoint, or a hub id, owner/model.
        window_s: Seconds in a window.
    """
    from kinelex.recognition import load

    recording = reading.read(file)
    recognizer = load(model, memory=memory, gate=False)
    ids = recognizer.remember(recording, label, start_s=start_s, end_s=end_s, window_s=window_s)
    numbers = f"example {ids[0]}" if len(ids) == 1 else f"examples {ids[0]} - {ids[-1]}"
    _say(f"remembered '{label}' from {recording.name}: {numbers}")


@app.command
def forget(
    memory: Folder,
    *,
    label: str | None = None,
    ids: Annotated[list[int] | None, Parameter(name="--id", negative=())] = None,
) -> None:
    """Forget examples; compact takes them off the disk as well.

    Args:
        memory: The folder of the memory.
        label: All of this label.
        ids: The example of this number; several times for more.
    """
    if (label is None) == (ids is None):
        raise UsageError("name what to forget: --label NAME, or --id NUMBER")
    opened = _open(memory)
    chosen = opened.ids_of(label) if label is not None else ids or []
    opened.forget(chosen)
    _say(f"forgot {len(chosen)} of {len(chosen) + len(opened)} examples")


@app.command
def relabel(
    memory: Folder,
    *,
    to: str,
    label: str | None = None,
    ids: Annotated[list[int] | None, Parameter(name="--id", negative=())] = None,
) -> None:
    """Give examples another label.

    Args:
        memory: The folder of the memory.
        to: The new label.
        label: All that have this label.
        ids: The example of this number; several times for more.
    """
    if (label is None) == (ids is None):
        raise UsageError("name what to relabel: --label NAME, or --id NUMBER")
    opened = _open(memory)
    chosen = opened.ids_of(label) if label is not None else ids or []
    opened.relabel(chosen, to)
    _say(f"{len(chosen)} examples are '{to}' now")


@app.command
def compact(memory: Folder) -> None:
    """Take forgotten examples off the disk, and keep the others in as few files as can be.

    Args:
        memory: The folder of the memory.
    """
    opened = _open(memory)
    opened.compact()
    _say(f"{len(opened)} examples in {sum(f.stat().st_size for f in memory.glob('*.parquet')) / 1e6:.1f} MB")


@app.command
def engine(
    memory: Folder,
    name: Annotated[Literal["exact", "faiss-flat", "faiss-ivf", "faiss-hnsw", "milvus"], Parameter(name="ENGINE")],
    *,
    uri: str = "",
    collection: str = "kinelex",
) -> None:
    """Choose how a memory is searched from now on, and build that.

    Exact search misses nothing and needs nothing else: stay with it below some ten thousand examples. A graph
    (faiss-hnsw) or cells (faiss-ivf) are kept in the folder, so that they are built once.

    kinelex index engine memories/mine faiss-hnsw

    Args:
        memory: The folder of the memory.
        name: What searches.
        uri: Of milvus: the address of a server, or a path ending in .db for the one within this process.
        collection: Of milvus: the name of the table of vectors, one for each memory.
    """
    from kinelex.retrieval.indexes import FaissConfig, IndexConfig, MilvusConfig

    if (name == "milvus") != bool(uri):
        raise UsageError("milvus, and only milvus, takes --uri: the address of a server, or a path ending in .db")
    if uri and "://" not in uri:
        uri = str(Path(uri).absolute())  # from wherever the memory is opened, it is the same file
    of, _, kind = name.partition("-")
    config = IndexConfig.model_validate({
        "engine": of, "faiss": FaissConfig.model_validate({"kind": kind} if kind else {}),
        "milvus": MilvusConfig(uri=uri, collection=collection),
    })  # fmt: skip
    opened = _open(memory)
    opened.choose_index(config)
    _say(f"{len(opened)} examples are searched by {name}")


@app.command
def info(memory: Folder, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Say what is remembered: how many examples of which labels, of how many people, by which model.

    Args:
        memory: The folder of the memory.
        as_json: Print JSON in place of a table.
    """
    from kinelex.retrieval.index_files import chosen as chosen_index

    opened = _open(memory)
    if as_json:
        encoder = opened.store.encoder
        print(json.dumps({
            "folder": str(memory), "examples": len(opened),
            "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint, "width": encoder.width},
            "engine": chosen_index(memory).engine, "labels": _counts(opened),
        }, ensure_ascii=False, indent=1))  # fmt: skip
    else:
        _show(opened)


@app.command
def verify(memory: Folder) -> None:
    """Check every bit of a memory against what was written.

    Args:
        memory: The folder of the memory.
    """
    opened = _open(memory)
    opened.store.verify()
    _say(f"{len(opened)} examples, every file as it was written")


@app.command
def search(
    memory: Folder,
    file: Annotated[Path, Parameter(name="FILE")],
    *,
    k: int = 5,
    model: str = "small",
    reading: Reading = _AS_IT_SAYS,
    window_s: float = 6.0,
    hop_s: float | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Find what in a memory each window of a recording is most like.

    Args:
        memory: The folder of the memory.
        file: A CSV or Parquet file, or a Sensor Logger export.
        k: So many examples for each window.
        model: The model that filled the memory.
        window_s: Seconds in a window.
        hop_s: Seconds from one window to the next; half a window when left out.
        as_json: Print JSON in place of a table.
    """
    from kinelex.recognition import load
    from kinelex.recognition.asked import window_starts
    from kinelex.recognition.recall import Neighbor
    from kinelex.recognition.timeline import clock
    from kinelex.retrieval.memory import Memory

    if k < 1:
        raise UsageError("--k takes at least 1")
    recording = reading.read(file)
    recognizer = load(model)
    opened = Memory.open(memory, recognizer.encoder, create=False)
    starts_s = window_starts(recording, window_s, hop_s)
    found = opened.search(recognizer.checkpoint.embed(recording, starts_s, window_s), k)
    nearest = [
        [Neighbor(example, float(near)) for example, near in zip(opened.examples(ids[ids >= 0]), row, strict=False)]
        for ids, row in zip(found.ids, found.similarity, strict=True)
    ]
    if as_json:
        windows = [
            {"start_s": round(float(start), 3), "neighbors": [one.to_record() for one in of]}
            for start, of in zip(starts_s, nearest, strict=True)
        ]
        print(json.dumps({"file": str(file), "windows": windows}, ensure_ascii=False, indent=1))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("from", justify="right")
    table.add_column("nearest examples")
    for start, of in zip(starts_s, nearest, strict=True):
        said = "; ".join(str(one) for one in of) or "no signal"
        table.add_row(clock(float(start), recording.duration_s), Text(said, style="" if of else "dim"))
    Console(highlight=False).print(table)


def _open(folder: Path) -> Memory:
    """A memory by itself, without the model that filled it."""
    from kinelex.retrieval.indexes import open_index
    from kinelex.retrieval.memory import Memory
    from kinelex.retrieval.store import ExampleStore

    store = ExampleStore.open(folder)
    return Memory(store, open_index(store.encoder.width))


def _of(recognizer: Recognizer) -> Memory:
    assert recognizer.memory is not None
    return recognizer.memory


def _counts(memory: Memory) -> dict[str, dict[str, Any]]:
    """Per label: examples, recordings and people."""
    store = memory.store
    counts = {}
    for label in memory.labels:
        mine = store.labels == label
        people = {name for name in store.subjects[mine].tolist() if name}
        sources = {name for name in store.recordings[mine].tolist() if name}
        counts[label] = {"examples": int(mine.sum()), "recordings": len(sources), "people": len(people)}
    return counts


def _show(memory: Memory) -> None:
    encoder = memory.store.encoder
    console = Console(highlight=False)
    what = f"{len(memory)} examples, by '{encoder.name}' ({encoder.fingerprint[:12]})"
    console.print(Text.assemble((memory.folder.name, "bold"), (f"  {what}", "dim")))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label")
    for title in ("examples", "recordings", "people"):
        table.add_column(title, justify="right")
    for label, count in _counts(memory).items():
        table.add_row(Text(label), *(str(number) for number in count.values()))
    console.print(table)


def _say(what: str) -> None:
    Console(highlight=False).print(what, markup=False, soft_wrap=True)
