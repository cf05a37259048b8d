"""Training of the aligned model: recipes, the corpus, batches that mix data sets, objectives, runs that resume."""

from kinelex.training.align import Progress, train
from kinelex.training.corpus import Corpus, Track, open_corpus
from kinelex.training.recipe import Recipe

__all__ = ["Corpus", "Progress", "Recipe", "Track", "open_corpus", "train"]
