"""Backbones by their names."""

from __future__ import annotations

import json
from pathlib import Path

from kinelex.artifact import MANIFEST
from kinelex.backbones import mantis, moment
from kinelex.backbones.aligned import AlignedBackbone
from kinelex.backbones.limu_bert_backbone import load_limu_bert
from kinelex.backbones.protocol import Backbone
from kinelex.backbones.storing import KIND, read_backbone
from kinelex.errors import UnknownName, UsageError
from kinelex.model.checkpoint import load_checkpoint

BACKBONES = {
    "limu-bert": "transformer on 6 s of a phone's signal; weights: a published .pt file, and a head to classify",
    "limu-bert-x": "the same on 2 s, of 1.4 million hours of couriers' phones; weights: the published .pt file",
    "mantis": "general time series, package mantis-tsfm; weights: from the hub, or a folder",
    "mantis-plus": "the same, trained longer",
    "mantis-v2": "its second version",
    "moment-small": "general time series, package momentfm; weights: from the hub, or a folder",
    "moment-base": "the same, larger",
    "moment-large": "the same, largest",
    "statistics": "plain statistics of each channel; weights: a folder that save_backbone wrote",
    "ts2vec": "convolutions trained without labels; weights: a folder that save_backbone wrote",
}
"""What `load_backbone` knows, beside the checkpoints of Kinelex itself."""

_WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"


def load_backbone(
    name: str | Path,
    weights: str | Path | None = None,
    *,
    head: str | Path | None = None,
    rate_hz: float | None = None,
) -> Backbone:
    """Load an encoder by its name, or from a folder that Kinelex wrote.

    Args:
        name: one of `BACKBONES`; a shipped model such as ``"small"``; or the folder of a checkpoint or of a backbone
            that was trained here.
        weights: where the encoder's weights are, for those that do not come from elsewhere.
        head: of LIMU-BERT, the file of a classifier behind it.
        rate_hz: of LIMU-BERT and LIMU-BERT-X, what they were trained at, if it is not what they are said to be.

    Raises:
        UnknownName: no such backbone; the message lists them.
        UsageError: weights that are needed and missing, or given where nothing takes them.
        MissingDependency, DownloadFailed, UnreadableFile, UnsupportedFormat, CorruptArtifact: as the loader of each
            says.
    """
    known = str(name)
    shipped = (_WEIGHTS_FOLDER / known / MANIFEST).is_file() and "/" not in known
    if known not in BACKBONES and not shipped and not Path(name).is_dir():
        raise UnknownName(
            f"no backbone '{name}': there are {', '.join(BACKBONES)}; or pass the name of a shipped model, or a folder"
        )
    _check_options(known, weights, head, rate_hz)
    if known in mantis.HUB_IDS:
        return mantis.load_mantis(known, weights)
    if known in moment.HUB_IDS:
        return moment.load_moment(known, weights)
    if known.startswith("limu-bert") and known in BACKBONES and weights is not None:
        return load_limu_bert(weights, rate_hz=rate_hz, head=head)
    if known in BACKBONES and weights is not None:
        return read_backbone(weights)
    if _kind(Path(name)) == KIND:
        return read_backbone(name)
    return AlignedBackbone(load_checkpoint(name))


def _check_options(name: str, weights: str | Path | None, head: str | Path | None, rate_hz: float | None) -> None:
    if name not in BACKBONES and weights is not None:
        raise UsageError(f"'{name}' brings its weights along: leave out weights")
    if not name.startswith("limu-bert") and (head is not None or rate_hz is not None):
        raise UsageError(f"head and rate_hz belong to LIMU-BERT: leave them out for '{name}'")
    if name in BACKBONES and weights is None and name not in {**mantis.HUB_IDS, **moment.HUB_IDS}:
        raise UsageError(f"backbone '{name}' ({BACKBONES[name].split(';')[0]}) needs {_where(name)}: pass weights=PATH")


def _where(name: str) -> str:
    return {
        "limu-bert": "a file such as saved/pretrain_base_hhar_20_120/*.pt of github.com/dapowan/LIMU-BERT-Public",
        "limu-bert-x": "the file weights/limu_bert_x.pt of github.com/WANDS-HKUST/LIMU-BERT_Experience",
    }.get(name, "a folder that save_backbone wrote after training")


def _kind(folder: Path) -> str:
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # whoever reads it says what is wrong
