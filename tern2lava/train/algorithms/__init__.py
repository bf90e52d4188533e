"""The algorithms of training, registered in the order in which docs/training.md lists them (see algorithm.py)."""

from tern2lava.train.algorithms.algorithm import ALGORITHMS
from tern2lava.train.algorithms.direct import DIRECT
from tern2lava.train.algorithms.full import FULL
from tern2lava.train.algorithms.indirect import INDIRECT
from tern2lava.train.algorithms.post import POST

for _algorithm in (FULL, POST, DIRECT, INDIRECT):
    ALGORITHMS.add(_algorithm)

__all__ = ["ALGORITHMS"]
