"""Labelled data sets for training: the registry of those that have a name, npz files, splits and corruptions."""

from tern2lava.train.data.dataset import Dataset, hold_out, limit, random_words
from tern2lava.train.data.digits import digits
from tern2lava.train.data.sets import load_dataset

__all__ = ["Dataset", "digits", "hold_out", "limit", "load_dataset", "random_words"]
