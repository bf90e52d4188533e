"""The quantisers of training, registered in the order in which docs/training.md lists them (see quantiser.py)."""

from tern2lava.train.quantisers.absmean import ABSMEAN
from tern2lava.train.quantisers.learned import LEARNED
from tern2lava.train.quantisers.lsq import LSQ
from tern2lava.train.quantisers.quantiser import QUANTISERS
from tern2lava.train.quantisers.ttq import TTQ
from tern2lava.train.quantisers.twn import TWN

for _quantiser in (TWN, ABSMEAN, TTQ, LSQ, LEARNED):
    QUANTISERS.add(_quantiser)

__all__ = ["QUANTISERS"]
