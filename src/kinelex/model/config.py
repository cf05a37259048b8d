"""The shape of an aligned model, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Frame = Literal["measured", "principal"]
Normalization = Literal["physical", "zscore"]


class ModelConfig(BaseModel):
    """Every choice that decides which tensors a model has and what they mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid_hz: float = Field(25.0, gt=0, description="Rate of the model's own time grid; recordings are resampled to it.")
    window_s: float = Field(6.0, gt=0, description="Seconds of signal that the model was trained to see at once.")
    patch_s: float = Field(2.0, gt=0, description="Seconds of signal in one token.")
    hop_s: float = Field(1.0, gt=0, description="Seconds from one token's start to the next.")
    normalization: Normalization = Field(
        "physical", description="physical: fixed SI scales, so that amplitude counts; zscore: per patch and channel."
    )
    width: int = Field(128, gt=0, description="Width of the tokens.")
    layers: int = Field(2, gt=0, description="Dual-branch blocks.")
    heads: int = Field(4, gt=0, description="Attention heads.")
    expansion: int = Field(2, gt=0, description="Feed-forward width as a multiple of the token width.")
    queries: int = Field(4, gt=0, description="Learned queries that pool the tokens of a window.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout inside the blocks.")
    channel_text: bool = Field(True, description="Add the meaning of each channel's description to its tokens.")
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
    text_dim: int = Field(384, gt=0, description="Width of the text space.")

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if not self.hop_s <= self.patch_s <= self.window_s:
            raise ValueError("hop_s <= patch_s <= window_s must hold")
        return self

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
        return max(1, round(self.hop_s * self.grid_hz))
