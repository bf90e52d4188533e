from dataclasses import replace

import numpy as np
import pytest

from tern2lava.errors import InputError
from tern2lava.train.config import DataKeys, TrainingKeys
from tern2lava.train.data import digits, hold_out, limit
from tern2lava.train.data.dataset import stratified_split
from tern2lava.train.experiment import chosen


def test_hold_out_takes_test_samples_from_the_training_part_alone() -> None:
    data = digits()
    held = hold_out(data, 0.2)
    assert len(held.train_y) + len(held.test_y) == len(data.train_y)
    both = np.concatenate([held.train_x, held.test_x]).reshape(len(data.train_y), -1)
    assert np.array_equal(np.sort(both.sum(1)), np.sort(data.train_x.reshape(len(data.train_y), -1).sum(1)))
    assert limit(data, 7, 3).train_x.shape[0] == 7


def test_a_number_of_samples_is_held_out_exactly_and_in_the_shares_of_the_classes() -> None:
    labels = np.array([0] * 50 + [1] * 31 + [2] * 19)
    for number in (1, 7, 10, 99):
        train, test = stratified_split(labels, number, 0)
        assert len(test) == number
        assert sorted([*train, *test]) == list(range(100))
        assert np.abs(np.bincount(labels[test], minlength=3) - number * np.array([0.5, 0.31, 0.19])).max() < 1


def test_the_digest_of_a_data_set_is_that_of_its_samples_labels_and_shapes() -> None:
    data = digits()
    assert data.digest == digits().digest
    assert data.digest == replace(data, name="other").digest
    changed = data.test_x.copy()
    changed[0, 0, 0, 0] ^= 1
    for other in (
        replace(data, test_x=changed), replace(data, test_y=data.test_y[::-1]), limit(data, None, 538),
        replace(data, train_x=data.train_x.reshape(-1, 64)), replace(data, time=True),
    ):  # fmt: skip
        assert other.digest != data.digest


@pytest.mark.parametrize("held", [0, -1, 2.5, 1258, float("nan")])
def test_what_leaves_no_samples_or_is_no_number_of_them_is_refused(held: float) -> None:
    with pytest.raises(InputError, match="hold_out: requires a fraction below 1, or a whole number of samples below"):
        hold_out(digits(), held)


@pytest.mark.parametrize(("held", "out"), [(0.0001, 0), (0.9999, 1258)])
def test_a_fraction_that_leaves_one_side_empty_is_refused(held: float, out: int) -> None:
    with pytest.raises(InputError, match=rf"there: .* found {held:g}, which holds out {out} of 1,258 samples"):
        hold_out(digits(), held, where="there")


def test_the_samples_held_out_are_the_same_however_many_are_trained_on() -> None:
    few, many = (
        chosen(DataKeys(name="digits", hold_out=100, train=train), TrainingKeys(), None) for train in (20, 500)
    )
    assert np.array_equal(few.test_x, many.test_x)
    assert (len(few.test_y), len(few.train_y), len(many.train_y)) == (100, 20, 500)
    assert np.array_equal(few.test_x, hold_out(digits(), 100).test_x)
