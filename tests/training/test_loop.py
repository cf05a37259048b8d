"""The loop that all stages share: every update once, averages, logs and states when they are due, the same again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from kinelex.errors import BadRecipe
from kinelex.training.averaging import AveragedWeights
from kinelex.training.claim import claim
from kinelex.training.loop import Learner, Measure, Progress, Schedule, run_updates
from kinelex.training.metrics import read_metrics


class Momentum:
    """Something that remembers: the weight's last value."""

    def __init__(self) -> None:
        self.last = torch.zeros(())

    def state(self) -> Mapping[str, Tensor]:
        return {"momentum": self.last}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self.last = state.get("momentum", self.last)


class Toy:
    """One weight that is drawn to three, faster the longer ago its start."""

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.model = nn.Linear(1, 1, bias=False)
        self.momentum = Momentum()
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1)
        self.learner = Learner(self.model, optimizer, AveragedWeights(0.9), (self.momentum,))
        self.seen: list[int] = []

    def update(self, step: int) -> dict[str, float]:
        self.seen.append(step)
        loss = (self.model.weight - 3 - 0.1 * self.momentum.last + 0.01 * step).square().sum()
        self.learner.optimizer.zero_grad()
        loss.backward()
        self.learner.optimizer.step()
        self.momentum.last = self.model.weight.detach().clone().sum()
        return {"loss": float(loss.detach()), "weight": float(self.momentum.last)}


def schedule(**changes: float) -> Schedule:
    fields = {"steps": 10, "batch_windows": 4, "average_from": 0.5, "save_every": 3, "log_every": 1} | changes
    return Schedule(**fields)  # type: ignore[arg-type]


def test_each_update_is_done_once_and_told(tmp_path: Path) -> None:
    toy, told = Toy(), list[Progress]()
    run_updates(schedule(), toy.learner, toy.update, tmp_path, "run", progress=told.append)
    assert toy.seen == list(range(10))
    assert [at.step for at in told] == list(range(1, 11))
    assert told[-1].left_s == 0
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == list(range(1, 11))
    run_updates(schedule(), Toy().learner, pytest.fail, tmp_path, "run")  # nothing is left to do


@pytest.mark.parametrize("end", range(1, 10))
def test_wherever_it_was_interrupted_it_ends_in_the_same_bits(end: int, tmp_path: Path) -> None:
    whole = Toy()
    run_updates(schedule(), whole.learner, whole.update, tmp_path / "whole", "run")

    def interrupted(progress: Progress) -> None:
        if progress.step == end:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_updates(schedule(), (first := Toy()).learner, first.update, tmp_path / "part", "run", progress=interrupted)
    second = Toy()
    run_updates(schedule(), second.learner, second.update, tmp_path / "part", "run")
    assert second.seen[0] == end // 3 * 3
    assert second.model.weight.equal(whole.model.weight)
    assert second.learner.average.weights["weight"].equal(whole.learner.average.weights["weight"])
    assert second.momentum.last.equal(whole.momentum.last)
    assert (tmp_path / "part/metrics.jsonl").read_bytes() == (tmp_path / "whole/metrics.jsonl").read_bytes()


def test_states_of_another_run_are_passed_over(tmp_path: Path) -> None:
    toy, other = Toy(), Toy()
    run_updates(schedule(), toy.learner, toy.update, tmp_path, "one")
    run_updates(schedule(), other.learner, other.update, tmp_path, "another")
    assert other.seen == list(range(10))


@pytest.mark.parametrize(("share", "count"), [(0.0, 10), (0.45, 5), (0.5, 5), (0.95, 1)])
def test_weights_are_averaged_from_their_share_on_and_always_in_the_end(share: float, count: int) -> None:
    toy = Toy()
    run_updates(schedule(average_from=share), toy.learner, toy.update, None, "")
    assert toy.learner.average.count == count


def test_what_is_measured_is_logged_when_due_and_training_goes_on(tmp_path: Path) -> None:
    toy = Toy()

    def look() -> dict[str, float]:
        toy.model.eval()
        return {"score": float(toy.learner.average.weights["weight"])}

    run_updates(schedule(), toy.learner, toy.update, tmp_path, "run", measure=Measure(4, look))
    scored = [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl") if "score" in line]
    assert scored == [8, 10], "after the fourth there is no average yet"
    assert toy.model.training


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toy = Toy()
    run_updates(schedule(), toy.learner, toy.update, None, "")
    assert toy.seen == list(range(10))
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="nan after step 3: lower"):
        run_updates(
            schedule(), Toy().learner, lambda step: {"loss": float("nan") if step == 2 else 1.0}, tmp_path, "run"
        )


class Plan(BaseModel):
    steps: int = 10
    shown: str = "blue"


def test_a_folder_is_one_runs(tmp_path: Path) -> None:
    learned = {"recordings": "a", "words": "b"}
    first = claim(tmp_path, Plan(), learned, aside=["shown"])
    assert claim(tmp_path, Plan(shown="red"), learned, aside=["shown"]) == first
    with pytest.raises(BadRecipe, match="another recipe"):
        claim(tmp_path, Plan(steps=11), learned, aside=["shown"])
    with pytest.raises(BadRecipe, match="other words"):
        claim(tmp_path, Plan(), learned | {"words": "c"}, aside=["shown"])


def test_an_input_more_or_less_is_another_run(tmp_path: Path) -> None:
    with_encoder = claim(tmp_path / "one", Plan(), {"words": "b", "pretrained": "p"})
    with pytest.raises(BadRecipe, match="other pretrained"):
        claim(tmp_path / "one", Plan(), {"words": "b"})
    assert claim(tmp_path / "two", Plan(), {"words": "b"}) != with_encoder
    with pytest.raises(BadRecipe, match="other pretrained"):
        claim(tmp_path / "two", Plan(), {"words": "b", "pretrained": "p"})
