"""The unit of neurons whose weights are all zero: any scale describes such weights, so that the layer's counts."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Neuron, Projection, Reset
from tern2lava.compiler.ir.linear import target_shape
from tern2lava.compiler.ir.shapes import Bools, Reals

# A layer without any weight: its largest threshold in units of the layer, so that what is rounded to whole units moves
# by a thousandth of it at most.
FINEST = 1024.0


def empty_channels(projection: Projection) -> Bools:
    """Which output channels of a projection have no weight but zeros, booleans (out,)."""
    codes = projection.weight.reshape(projection.weight.shape[0], -1)
    return np.asarray(~codes.any(axis=1))


def filled(values: Reals, projection: Projection) -> Reals:
    """A projection's `values`, () or (out,), with a typical one of its other channels in place of those of its empty
    channels; 1 where all are empty. The typical one is the lower median, which is a value that occurs."""
    empty = empty_channels(projection)
    if empty.all():
        return np.ones(values.shape)
    if values.ndim == 0 or not empty.any():
        return values
    others = np.sort(values[~empty])
    return np.where(empty, others[(others.size - 1) // 2], values)


def unit_scale(first: Projection, projections: tuple[Projection, ...], neuron: Neuron) -> Reals:
    """The scale of `first`, () or (out,), in whose units `neuron` is measured.

    An empty channel of it has that of the next projection with weights there, else a typical one of the layer's other
    channels. Where no projection has any weight the unit follows from the neuron's numbers (unit_of_numbers).
    """
    empty = empty_channels(first)
    if empty.all():
        return unit_of_numbers(neuron)
    scale = filled(first.scale, first)
    if scale.ndim == 0 or not empty.any():
        return scale
    scale = np.array(scale)
    for other in projections:
        if other is not first and target_shape(other) == target_shape(first):
            found = empty & ~empty_channels(other)
            scale[found] = np.broadcast_to(other.scale, scale.shape)[found]
            empty &= ~found
    return scale


def unit_of_numbers(neuron: Neuron) -> Reals:
    """A power of two (): the largest that divides all numbers of `neuron`, or that of which FINEST stay below its
    largest threshold where that is larger."""
    names = ["level", "threshold_low", "bias", "bias_u", "v_init", "gain_a"]
    if neuron.reset is Reset.SUBTRACT:
        names.append("reset_amount")
    found = [np.abs(value).ravel() for name in names if (value := getattr(neuron, name)) is not None]
    numbers = np.concatenate(found).astype(np.float64)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        return np.ones(())
    largest = float(np.max(neuron.level)) or float(numbers.max())
    finest = 2.0 ** np.floor(np.log2(largest / FINEST))
    return np.asarray(max(float(power_of_two(numbers).min()), float(finest)))


def power_of_two(scale: Reals) -> Reals:
    """The largest power of two that divides each scale (floating point: an odd number times a power of two)."""
    mantissa, exponent = np.frexp(scale)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    return np.asarray(np.ldexp((whole & -whole).astype(np.float64), exponent - 53))
