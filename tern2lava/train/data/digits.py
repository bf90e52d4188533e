"""scikit-learn's bundled digits."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import InputError
from tern2lava.train.data.dataset import Dataset, stratified_split


def digits(*, test_fraction: float = 0.3, seed: int = 0) -> Dataset:
    """scikit-learn's bundled 8x8 digits: 1,797 samples (1, 8, 8), values 0 to 16, ten classes.

    They are the test part of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = frozen(bunch.images[:, None], np.uint8)
    y = frozen(bunch.target, np.int64)
    if not 0.0 < test_fraction < 1.0:
        raise InputError(
            "test_fraction", f"requires a share between 0 and 1; found {test_fraction}; give for example 0.3"
        )
    train, test = stratified_split(y, test_fraction, seed)
    return Dataset(
        name="digits", train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test], top=16, classes=10
    )
