"""Training of the aligned model: recipes, the corpus, batches that mix data sets, objectives, runs that resume."""

from kinelex.training.alignment.run import train
from kinelex.training.corpus import Corpus, Track, open_corpus
from kinelex.training.loop import Progress
from kinelex.training.pretraining.recipe import PretrainRecipe
from kinelex.training.pretraining.run import pretrain
from kinelex.training.recipe import Recipe

__all__ = ["Corpus", "PretrainRecipe", "Progress", "Recipe", "Track", "open_corpus", "pretrain", "train"]
