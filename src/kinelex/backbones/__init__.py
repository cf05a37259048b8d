"""Other people's encoders behind one protocol: what each wants to be fed is data, and any recording becomes that.

Figures on a set that is among a backbone's ``trained_on`` say nothing.
"""

from kinelex.backbones.adaptation import Clips, adapt, adapt_many
from kinelex.backbones.aligned import AlignedBackbone
from kinelex.backbones.augmented import Retrieval
from kinelex.backbones.clip_encoder import ClipClassifier, ClipEncoder
from kinelex.backbones.contract import InputContract
from kinelex.backbones.function import CallableBackbone, CallableClassifier
from kinelex.backbones.limu_bert_backbone import LimuBertBackbone, LimuBertClassifier, load_limu_bert
from kinelex.backbones.loading import BACKBONES, load_backbone
from kinelex.backbones.mantis import MantisBackbone, load_mantis
from kinelex.backbones.moment import MomentBackbone, load_moment
from kinelex.backbones.protocol import Backbone, ClassifyingBackbone
from kinelex.backbones.statistics import STATISTICS_CONTRACT, StatisticsBackbone, fit_statistics
from kinelex.backbones.storing import read_backbone, save_backbone
from kinelex.backbones.ts2vec import TS2VEC_CONTRACT, TS2VecConfig
from kinelex.backbones.ts2vec_backbone import TS2VecBackbone, fit_ts2vec

__all__ = [
    "BACKBONES",
    "STATISTICS_CONTRACT",
    "TS2VEC_CONTRACT",
    "AlignedBackbone",
    "Backbone",
    "CallableBackbone",
    "CallableClassifier",
    "ClassifyingBackbone",
    "ClipClassifier",
    "ClipEncoder",
    "Clips",
    "InputContract",
    "LimuBertBackbone",
    "LimuBertClassifier",
    "MantisBackbone",
    "MomentBackbone",
    "Retrieval",
    "StatisticsBackbone",
    "TS2VecBackbone",
    "TS2VecConfig",
    "adapt",
    "adapt_many",
    "fit_statistics",
    "fit_ts2vec",
    "load_backbone",
    "load_limu_bert",
    "load_mantis",
    "load_moment",
    "read_backbone",
    "save_backbone",
]
