"""Where the published code does other than its paper says: each quirk a switch, all off by default."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kinelex.retrieval.features import SensorChoice

Normalization = Literal["standard", "layernorm"]
AlignmentTarget = Literal["entropy", "sigmoid"]
ClassWeights = Literal["positive", "free"]


class Compat(BaseModel):
    """What is done as the public code of MoRA does it; every default is the reading that we take to be meant.

    Several of the switches explain published figures, none of them makes recognition better. How many neighbors there
    are when the memory has fewer than k is not among them: that is the index's to say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    double_softmax: bool = Field(
        False,
        description="With a fixed weight, take the softmax of the retrieved probabilities once more: their largest"
        " possible lead is then small, and retrieval hardly counts.",
    )
    mixed_logits: bool = Field(
        False,
        description="With a gate, mix the model's logits with retrieved probabilities, and take the softmax then.",
    )
    alignment: AlignmentTarget = Field(
        "entropy",
        description="What the weight is drawn to. entropy: the entropy of the model's answer as a share of the largest"
        " possible; sigmoid: the sigmoid of that entropy in nats, less one.",
    )
    class_weights: ClassWeights = Field(
        "positive",
        description="Weights of the classes in the sparsity loss. positive: above zero, one on average; free: any"
        " number, which only ever falls.",
    )
    normalization: Normalization = Field(
        "standard",
        description="standard: each feature by its mean and deviation over the training windows; layernorm: all"
        " features of a window by theirs, whatever their units.",
    )
    sensor: SensorChoice = Field("mean", description="What is made of several sensors, see physical_features.")
    one_epoch: bool = Field(
        False, description="Train a gate for one epoch, on all windows, instead of stopping by a held-out slice."
    )

    @classmethod
    def mora_code(cls) -> Compat:
        """Every switch as in the public code."""
        return cls(
            double_softmax=True,
            mixed_logits=True,
            alignment="sigmoid",
            class_weights="free",
            normalization="layernorm",
            sensor="first",
            one_epoch=True,
        )


def _by_name(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value != MORA_CODE:
        raise ValueError(f"no compat '{value}': it is '{MORA_CODE}', or the switches one by one")
    return Compat.mora_code()


MORA_CODE = "mora-code"
"""The name of all switches together, in a recipe."""

NamedCompat = Annotated[Compat, BeforeValidator(_by_name)]
"""A field of a recipe that takes the switches, or their name."""
