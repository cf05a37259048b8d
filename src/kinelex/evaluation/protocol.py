"""The rules of a zero-shot evaluation, as data that is saved with every result."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kinelex.recognition.prior import Scope

Texts = Literal["words", "vocabulary"]
Grouping = Literal["standard", "published"]

_AS_PUBLISHED: dict[str, Any] = {
    "window_s": 6.0, "unit": "window", "texts": ("words",), "open_set": True, "groups": "published",
}  # fmt: skip


class ZeroShotProtocol(BaseModel):
    """What is predicted, from which candidates, and how the intervals are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["ours", "published"] = Field(
        "ours",
        description="ours: clean windows and our candidates, as the fields below say; published: windows, candidates,"
        " groups and macro-F1 of published figures, flaws included, to be held against them.",
    )
    window_s: float = Field(6.0, gt=0, description="Seconds of signal in a window.")
    unit: Literal["window", "recording"] = Field(
        "window",
        description="window: non-overlapping windows inside sessions, one prediction each; recording: one prediction"
        " per session, the mean probability of windows that cover it.",
    )
    texts: tuple[Texts, ...] = Field(
        ("words",),
        min_length=1,
        description="Closed set, candidates from the data set's declared activities: words: the official names as words"
        " in general templates; vocabulary: their labels in the vocabulary with synonyms.",
    )
    open_set: bool = Field(
        False, description="Also choose among every label of the standard vocabulary, scored by label groups."
    )
    groups: Grouping = Field(
        "standard",
        description="Label groups of the open set: standard: the vocabulary's; published: those that published figures"
        " were scored with, flaws included.",
    )
    transductive: Scope | None = Field(
        None,
        description="Repeat every task with class frequencies estimated from the unlabeled windows of each recording,"
        " of each subject, or of the whole set: more knowledge than zero-shot has, and a task of its own.",
    )
    calibration_bins: int = Field(15, ge=2, description="Equal-width bins of the expected calibration error.")
    draws: int = Field(2000, ge=100, description="Bootstrap draws of subjects.")
    level: float = Field(0.95, gt=0.5, lt=1, description="Probability that the intervals over subjects are to cover.")
    seed: int = Field(0, ge=0, description="Of the bootstrap draws, and of published windows without a known seed.")

    @classmethod
    def published(cls, **changes: Any) -> ZeroShotProtocol:
        """The protocol of published figures; `changes` are fields that it leaves free, such as ``draws``."""
        return cls(name="published", **_AS_PUBLISHED, **changes)

    @model_validator(mode="after")
    def _published_is_published(self) -> ZeroShotProtocol:
        changed = [name for name, value in _AS_PUBLISHED.items() if getattr(self, name) != value]
        if self.name == "published" and changed:
            raise ValueError(f"the published protocol sets {', '.join(changed)} itself: leave it out")
        return self
