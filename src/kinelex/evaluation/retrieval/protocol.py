"""The rules of an evaluation with retrieval, as data that is saved with every result."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from kinelex.evaluation.label_budget import Budget
from kinelex.retrieval.evidence import EvidenceConfig
from kinelex.retrieval.gate_training import GateRecipe

System = Literal["base", "vote", "fixed", "gated"]
SYSTEMS: tuple[System, ...] = ("base", "vote", "fixed", "gated")
"""The backbone's own answer; the share of its neighbors; both with one weight (MoRA[B]); with a gate (MoRA[F])."""

Head = Literal["logistic", "published"]
Windows = Literal["ours", "published"]

PUBLISHED_WINDOW_S = 10.0
"""Published figures are of windows of this length, whatever the data set."""

NOTHING_TRAINED = "none"
"""The budget in which all windows of the training side are remembered, and nothing is trained but the gate."""

ALL = "all"
"""The budget of the whole training side."""


class RetrievalProtocol(BaseModel):
    """What is learned from, what is remembered, and how the four systems answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budgets: tuple[str, ...] = Field(
        (NOTHING_TRAINED, "1", "2", "3", "5", "10", ALL),
        min_length=1,
        description="Labeled windows: so many per class, or all of the training side, for a head on frozen vectors and"
        " for the memory; none: all are remembered and no head is trained.",
    )
    head: Head = Field(
        "logistic",
        description="logistic: regression on standardized vectors; published: LayerNorm and a linear layer, 50 epochs"
        " of AdamW at 1e-4, over which the published gains are.",
    )
    windows: Windows = Field(
        "ours",
        description="ours: what was measured, at its rate; published: 10 s of acceleration at 20 Hz, where what is"
        " shorter is repeated.",
    )
    window_s: float = Field(6.0, gt=0, description="Seconds of signal in a window; 10 with published windows.")
    folds: int = Field(5, ge=2, description="Of people; with fewer people than that, each is one.")
    draws: tuple[int, ...] = Field(
        (0, 1, 2, 3, 4), min_length=1, description="Each draws other labeled windows, and trains other gates."
    )
    k: int = Field(5, ge=1, description="Neighbors of a window; fewer where no class has so many examples.")
    evidence: EvidenceConfig = Field(
        default_factory=EvidenceConfig, description="How the labels of the neighbors become a distribution."
    )
    weight: float = Field(0.5, ge=0, le=1, description="Of retrieval, where one is the same for all windows.")
    gate: GateRecipe = Field(
        default_factory=GateRecipe, description="How gates are trained; their seed is replaced by that of the draw."
    )
    calibrated: bool = Field(
        True, description="Whether the base's probabilities get a temperature, from the labeled windows, before mixing."
    )
    inner_folds: int = Field(
        5, ge=2, description="Of the labeled windows' people: a gate learns from answers to people who are left out."
    )
    most_windows: int | None = Field(
        None, ge=10, description="Of a larger data set every second, third ... window is taken."
    )
    bootstrap: int = Field(2000, ge=100, description="Bootstrap draws of subjects.")
    level: float = Field(0.95, gt=0.5, lt=1, description="Probability that the intervals over subjects are to cover.")
    seed: int = Field(0, ge=0, description="Of the folds and of the bootstrap draws.")

    @field_validator("budgets")
    @classmethod
    def _budgets(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for text in values:
            if text not in (NOTHING_TRAINED, ALL):
                Budget.parse(text)
        return values

    @field_validator("budgets", "draws")
    @classmethod
    def _once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) != len(values):
            raise ValueError(f"{', '.join(map(str, values))}: each may be named once")
        return values

    @model_validator(mode="before")
    @classmethod
    def _published_length(cls, given: Any) -> Any:
        """Published windows have one length, which need not be said."""
        if isinstance(given, dict) and given.get("windows") == "published":
            return {"window_s": PUBLISHED_WINDOW_S, **given}
        return given

    @field_validator("window_s")
    @classmethod
    def _one_length(cls, window_s: float, info: ValidationInfo) -> float:
        if info.data.get("windows") == "published" and window_s != PUBLISHED_WINDOW_S:
            raise ValueError(f"published windows are {PUBLISHED_WINDOW_S:g} s long, not {window_s:g} s: leave it out")
        return window_s

    def budget(self, text: str) -> Budget:
        """A budget of windows."""
        return Budget(share=1.0) if text in (NOTHING_TRAINED, ALL) else Budget.parse(text)
