"""Latent weights: full-precision weights beside the quantiser that a checkpoint stores for them.

A module whose weight is parametrised (torch.nn.utils.parametrize) saves PREFIX.parametrizations.weight.original and the
quantiser's own tensors PREFIX.parametrizations.weight.0.*. The quantiser of tern2lava.train with method "learned"
stores log_alpha and log_delta, one number or one per output channel:
    w = exp(log_alpha) t,  t = sign(original) where |original| > exp(log_delta), else 0       (train/ternarize.py)
Others store no threshold (it is computed from the latent weight, by a rule that the file does not name), so that a file
cannot say their codes.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count
from tern2lava.errors import InputError

ORIGINAL = "parametrizations.weight.original"
LEARNED = ("parametrizations.weight.0.log_alpha", "parametrizations.weight.0.log_delta")
SAVE = "save the state_dict that tern2lava.train.ternarize.finalize(model) gives, or that of the plain model"
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""float32 exponentials of two libraries differ by a few units in the last place."""


def ternary_weight(where: object, original: Array, log_alpha: Array, log_delta: Array) -> Array:
    """The weight that the learned quantiser makes of `original` (out, ...), in the float32 arithmetic of training.

    Raises InputError for quantiser tensors of other shapes, and where a latent weight lies so near to delta that
    rounding decides its code.
    """
    rows = original.reshape(original.shape[0], -1).astype(np.float32)
    groups = rows.reshape(1, -1) if log_alpha.size == 1 else rows
    if log_alpha.size not in (1, rows.shape[0]) or log_delta.size != log_alpha.size:
        raise InputError(
            where,
            f"requires one log_alpha and log_delta, or one per channel of {rows.shape[0]:,}; found "
            f"{log_alpha.size:,} and {log_delta.size:,}; save the layer again",
        )
    alpha, delta = (np.exp(value.reshape(-1, 1).astype(np.float32)) for value in (log_alpha, log_delta))
    near = np.abs(np.abs(groups) - delta) <= _ROUNDING * delta
    if near.any():
        raise InputError(
            where,
            f"requires codes that rounding does not decide; found {count(int(near.sum()), 'latent weight')} "
            f"at the quantiser's threshold; {SAVE}",
        )
    codes = (groups > delta).astype(np.float32) - (groups < -delta).astype(np.float32)
    weight: Array = (codes * alpha).reshape(original.shape)
    return weight.astype(np.float64)
