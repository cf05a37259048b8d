"""The shape of an aligned model, as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Frame = Literal["measured", "principal"]
Normalization = Literal["physical", "zscore"]
TokenizerName = Literal["features", "cnn", "spectral_temporal", "strided"]
LabelSide = Literal["sentence", "mean", "attention"]

_PRESETS = Path(__file__).with_name("presets.yaml")


class ModelConfig(BaseModel):
    """Every choice that decides which tensors a model has and what they mean.

    A configuration may name a ``preset`` to start from (`presets`); other fields then replace those of the preset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid_hz: float = Field(25.0, gt=0, description="Rate of the model's own time grid; recordings are resampled to it.")
    window_s: float = Field(6.0, gt=0, description="Seconds of signal that the model was trained to see at once.")
    patch_s: float = Field(2.0, gt=0, description="Seconds of signal in one token.")
    hop_s: float | None = Field(
        1.0, gt=0, description="Seconds from one token's start to the next; none: patches follow one another."
    )
    patch_points: int | None = Field(
        None, gt=3, description="Samples to which every patch is resized; none: those that the grid has in patch_s."
    )
    normalization: Normalization = Field(
        "physical", description="physical: fixed SI scales, so that amplitude counts; zscore: per patch and channel."
    )
    tokenizer: TokenizerName = Field(
        "features",
        description="features: level, spread, waveform and spectrum; cnn: convolutions, averaged over the patch;"
        " spectral_temporal: the same beside a spectrum; strided: convolutions that keep the order of what happens.",
    )
    conv_widths: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] = Field(
        (64, 128), description="Widths of the two convolutions of the cnn and spectral_temporal tokenizers."
    )
    position: Literal["seconds", "index"] = Field(
        "seconds", description="Whether a patch is placed by its time or by its number."
    )
    width: int = Field(128, gt=0, description="Width of the tokens.")
    layers: int = Field(2, gt=0, description="Dual-branch blocks.")
    heads: int = Field(4, gt=0, description="Attention heads.")
    expansion: int = Field(2, gt=0, description="Feed-forward width as a multiple of the token width.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout inside the blocks.")
    norm: Literal["pre", "post"] = Field("pre", description="Layer norm before or after each part of a block.")
    cross_channel: bool = Field(True, description="Let the channels of a patch look at each other in every block.")
    channel_text: bool = Field(True, description="Add the meaning of each channel's description to its tokens.")
    channel_fusion: bool = Field(
        False, description="After the blocks, let each token take in the words of its channel's description, gated."
    )
    placement_text: bool = Field(
        False, description="Also add where the sensor is worn, from the placement's description."
    )
    frame: Frame = Field(
        "measured",
        description="measured: the device's own axes; principal: each window's axes of greatest change, which do not"
        " depend on how the device was turned.",
    )
    derived_channels: bool = Field(
        True, description="Add norms and gravity-aligned parts as channels, which survive an unknown orientation."
    )
    head: Literal["queries", "alignment"] = Field(
        "queries",
        description="queries: learned queries pool all tokens of a window at once; alignment: channels are fused per"
        " patch, patches attend to each other, and queries pool them.",
    )
    queries: int = Field(4, gt=0, description="Learned queries of each pooling in the head.")
    query_self_attention: bool = Field(True, description="Let the queries of the alignment head look at each other.")
    head_layers: int = Field(2, ge=0, description="Layers of attention along time in the alignment head.")
    output: Literal["window", "patch"] = Field(
        "window", description="One vector per window, or one per patch; a window is then the mean of its patches."
    )
    label_side: LabelSide = Field(
        "sentence",
        description="sentence: labels are sentence vectors of the frozen text encoder; mean: the mean of its token"
        " vectors and what is learned to add; attention: learned queries over its token vectors.",
    )
    label_trainable: bool = Field(True, description="Whether a label side other than sentence vectors learns.")
    label_queries: int = Field(4, gt=0, description="Learned queries of the attention over label tokens.")
    label_heads: int = Field(4, gt=0, description="Attention heads over label tokens.")
    prototypes: int = Field(1, gt=0, description="Vectors per label, of which the best one counts.")
    text_dim: int = Field(384, gt=0, description="Width of the text space.")

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "preset" not in content:
            return content
        name = content["preset"]
        if name not in presets():
            raise ValueError(f"there is no preset '{name}': choose among {', '.join(presets())}")
        return {**presets()[name], **{key: value for key, value in content.items() if key != "preset"}}

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.text_dim % self.label_heads and self.label_side == "attention":
            raise ValueError(f"text_dim {self.text_dim} is not a multiple of label_heads {self.label_heads}")
        if not self.step_s <= self.patch_s <= self.window_s:
            raise ValueError("hop_s <= patch_s <= window_s must hold")
        if self.prototypes > 1 and self.label_side != "attention":
            raise ValueError("prototypes need label_side attention")
        return self

    @property
    def step_s(self) -> float:
        """Seconds from one patch to the next."""
        return self.patch_s if self.hop_s is None else self.hop_s

    @property
    def window_steps(self) -> int:
        """Grid steps in a window."""
        return round(self.window_s * self.grid_hz)

    @property
    def patch_steps(self) -> int:
        """Grid steps in a patch."""
        return round(self.patch_s * self.grid_hz)

    @property
    def hop_steps(self) -> int:
        """Grid steps from one patch to the next."""
        return max(1, round(self.step_s * self.grid_hz))

    @property
    def points(self) -> int:
        """Samples of a patch as the tokenizer sees it."""
        return self.patch_points or self.patch_steps


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Fields of the named shapes, by name; what a preset does not name has its default."""
    content: dict[str, dict[str, Any]] = yaml.safe_load(_PRESETS.read_text(encoding="utf-8"))
    return content
