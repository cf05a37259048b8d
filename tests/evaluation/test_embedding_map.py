"""A map shows windows beside the words of their labels, is the same each time, and can be read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadSamples, MissingDependency
from kinelex.evaluation import embedding_map
from kinelex.evaluation.embedding_map import Landscape, survey
from kinelex.evaluation.embedding_map_picture import captions, draw_map, shades, spread_out
from kinelex.language import Vocabulary, label_vectors
from kinelex.signal.recording import Recording
from tests.training.conftest import small_corpus

LABELS = {"walking": 1.0, "sitting": 2.0, "walking upstairs": 3.0}


class Knowing:
    """Stands for a checkpoint: reads from the strength of the swing which activity it is, and answers near its text."""

    def __init__(self, encoder: Any, seen: Sequence[bool] = (True,)) -> None:
        self.vectors = label_vectors(list(LABELS), encoder, vocabulary=Vocabulary.standard(), synonyms=True)
        self.text_space = SimpleNamespace(project=lambda raw: raw, center=self.vectors[0])
        self.seen = seen

    def label_encoder(self, encoder: Any) -> Any:
        return encoder

    def embed_many(self, requests: Sequence[tuple[Recording, np.ndarray]], window_s: float) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        found = []
        for recording, starts in requests:
            strength = recording.samples[:, 3].std() * 2**0.5
            vector = self.vectors[np.argmin([abs(strength - of) for of in LABELS.values()])]
            rows = vector + 0.02 * rng.standard_normal((len(starts), len(vector)))
            rows[[not self.seen[i % len(self.seen)] for i in range(len(starts))]] = np.nan
            found.append(rows.astype(np.float32))
        return found


@pytest.fixture
def corpus() -> Any:
    whole = small_corpus()
    return replace(whole, tracks=tuple(track for track in whole.tracks if track.dataset == "hapt"))


def test_windows_lie_with_their_own_label(corpus: Any, encoder: Any) -> None:
    found = survey(Knowing(encoder), corpus, encoder, per_set=60)
    assert set(found.texts) == set(LABELS)
    assert len(found.windows) == 60
    distance = np.linalg.norm(found.windows[:, None] - found.labels[None], axis=-1)
    assert (distance.argmin(axis=1) == found.label_of_window).mean() > 0.95
    assert np.bincount(found.label_of_window).tolist() == [20, 20, 20], "each activity gives as many"
    assert [found.groups[found.texts.index(text)] for text in ("walking", "sitting")] == ["walking", "sitting"]


def test_it_says_how_it_was_made_and_is_the_same_each_time(corpus: Any, encoder: Any) -> None:
    first, again = (survey(Knowing(encoder), corpus, encoder, per_set=30, seed=5) for _ in range(2))
    assert first.windows.tolist() == again.windows.tolist()
    assert "30 training windows" in first.note and "perplexity" in first.note and "seed 5" in first.note


def test_windows_without_signal_are_no_points(corpus: Any, encoder: Any) -> None:
    found = survey(Knowing(encoder, seen=(True, False)), corpus, encoder, per_set=60)
    assert 0 < len(found.windows) < 60
    assert np.isfinite(found.windows).all()
    with pytest.raises(BadSamples, match="0 training windows have usable signal"):
        survey(Knowing(encoder, seen=(False,)), corpus, encoder, per_set=60)


def test_without_scikit_learn_it_says_what_to_install(
    corpus: Any, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(MissingDependency, match=r"kinelex\[train\]"):
        survey(Knowing(encoder), corpus, encoder, per_set=9)


def test_windows_are_drawn_inside_their_tracks_and_by_the_seed(corpus: Any) -> None:
    drawn, other = (embedding_map._drawn(corpus.tracks, corpus.grid_hz, 100, seed) for seed in (0, 1))
    assert np.concatenate(list(drawn.values())).tolist() != np.concatenate(list(other.values())).tolist()
    assert sum(map(len, drawn.values())) == 100
    for track, starts in drawn.items():
        assert (starts >= 0).all() and (starts + 6 <= track.steps / corpus.grid_hz).all()


def landscape(count: int = 6) -> Landscape:
    rng = np.random.default_rng(0)
    texts = tuple(f"activity {i}" for i in range(count))
    return Landscape(
        windows=rng.standard_normal((40, 2)),
        labels=rng.standard_normal((count, 2)),
        label_of_window=rng.integers(count, size=40),
        texts=texts,
        groups=texts,
        kinds=("locomotion", "fall", "own")[: min(3, count)] * (count // 3 or 1),
        note="how",
    )


def test_every_label_is_written_on_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))[1])
    draw_map(landscape(), tmp_path / "map.png", title="small, seed 0")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
    (axes,) = drawn[0].axes
    assert {text.get_text() for text in axes.texts} == set(landscape().texts)
    assert [text.get_text() for text in drawn[0].texts] == ["small, seed 0", "how"]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == [
        "locomotion (2 groups)", "fall (2 groups)", "own (2 groups)"
    ]  # fmt: skip


def test_groups_of_a_kind_share_a_hue_and_no_two_groups_a_color() -> None:
    import colorsys

    groups = [f"{kind} {i}" for kind in ("posture", "fall", "gesture", "sport") for i in range(9)]
    kinds = [group.split()[0] for group in groups]
    colors = shades(groups, kinds)
    assert len(set(colors.values())) == len(groups)
    hue = {group: colorsys.rgb_to_hls(*color)[0] for group, color in colors.items()}

    def apart(first: str, second: str) -> float:
        return abs((hue[first] - hue[second] + 0.5) % 1 - 0.5)

    same = max(
        apart(a, b) for a, i in zip(groups, kinds, strict=True) for b, j in zip(groups, kinds, strict=True) if i == j
    )
    other = min(
        apart(a, b) for a, i in zip(groups, kinds, strict=True) for b, j in zip(groups, kinds, strict=True) if i != j
    )
    assert same < other


def test_labels_of_one_group_on_one_spot_share_a_caption() -> None:
    texts = ["falling", "fainting", "tripping", "stumbling", "walking", "strolling"]
    groups = ["falling"] * 4 + ["walking"] * 2
    places = np.zeros((6, 2))
    places[5] = 300.0
    found = dict(captions(texts, groups, places))
    assert found == {"falling\nand 3 of its group": (0, 1, 2, 3), "walking": (4,), "strolling": (5,)}


@given(st.integers(1, 30), st.integers(0, 10**6))
def test_written_words_lie_inside_the_frame_and_apart_while_there_is_room(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = (900.0, 600.0)
    anchors = rng.uniform((60, 20), (840, 580), (count, 2))
    sizes = np.column_stack([rng.uniform(15, 90, count), np.full(count, 9.0)])
    centers = spread_out(anchors, sizes, frame)
    assert (centers - sizes / 2 >= -1e-9).all() and (centers + sizes / 2 <= np.array(frame) + 1e-9).all()
    apart = np.abs(centers[:, None] - centers[None]) - (sizes[:, None] + sizes[None]) / 2
    touching = (apart < -1e-9).all(axis=-1)
    assert touching.sum() == count, "only each with itself"
