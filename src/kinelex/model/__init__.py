"""The aligned model: windows of motion into the space of sentences, and its checkpoints.

Patch tokens per channel, attention along time and across channels, what a channel means, query pooling.
"""

from kinelex.model.aligned import AlignedModel
from kinelex.model.checkpoint import Checkpoint, LabelTable, load_checkpoint, save_checkpoint
from kinelex.model.config import ModelConfig
from kinelex.model.text_space import TextSpace

__all__ = [
    "AlignedModel",
    "Checkpoint",
    "LabelTable",
    "ModelConfig",
    "TextSpace",
    "load_checkpoint",
    "save_checkpoint",
]
