"""Sizes that a NIR file declares, held against those of the layers in front, before equal values are made one."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Shape, size
from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5_node import Hdf5Node

_NO_PARAMETERS = ("shape", "input_shape", "input_type")


def declared_shape(node: Hdf5Node) -> Shape:
    """The shape of a neuron node's arrays, () where all of them are single numbers. Raises InputError where they
    differ."""
    found = {
        key: value.shape
        for key, value in node.fields.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and key not in _NO_PARAMETERS
    }
    try:
        shape = np.broadcast_shapes(*found.values())
    except ValueError:
        shapes = ", ".join(f"{key} {shape}" for key, shape in found.items())
        raise InputError(node.name, f"requires fields of one shape; found {shapes}; repair the network") from None
    return () if size(shape) == 1 else shape


def placed(node: Hdf5Node, key: str, value: Array, shape: Shape) -> Array:
    """`value`, one number or one for each value of `shape`, as () or such that it broadcasts to `shape`.

    NIR's arrays have the shape of their population. Taken is also what frameworks write: a single number, a batch axis
    of 1 in front, all values in one row, and axes of 1 along which a number is shared. Raises InputError for others.
    """
    if value.size == 1:
        return value.reshape(())
    kept = value
    while kept.ndim > 1 and kept.ndim > len(shape) and kept.shape[0] == 1:
        kept = kept[0]
    if kept.shape == shape or (kept.size == size(shape) and kept.ndim == 1):
        return kept.reshape(shape)
    lines = _without_height(shape)
    if kept.size == size(shape) and lines == kept.shape:
        return kept.reshape(shape)
    for seen in (shape, lines):
        if kept.ndim == len(seen) and all(n in (1, m) for n, m in zip(kept.shape, seen, strict=True)):
            return np.broadcast_to(kept, seen).reshape(shape)
    raise sizes_differ(f"{node.name}.{key}", value.shape, shape)


def check_population(node: Hdf5Node, shape: Shape) -> None:
    """Raise InputError where a neuron node's arrays are not those of a population of `shape`, its input's."""
    found = declared_shape(node)
    if found:
        placed(node, node.kind, np.broadcast_to(0.0, found), shape)


def check_output(node: Hdf5Node, shape: Shape) -> None:
    """Raise InputError where an Output declares another size than `shape`, that of what it reads."""
    if "shape" not in node.fields:
        return
    found = tuple(n for n in node.whole("shape"))
    if size(found) != size(shape):
        raise InputError(
            f"{node.name}.shape",
            f"requires the {size(shape):,} values of {shape} that it reads; found {size(found):,} in {found}; repair "
            "the one that is wrong (nir itself infers wrong sizes behind kernels that are not square)",
        )


def sizes_differ(where: str, found: Shape, shape: Shape) -> InputError:
    """The error of arrays that are not those of what feeds them, both sizes named."""
    return InputError(
        where,
        f"requires the shape of its input, {shape} ({size(shape):,} values); found {found} ({size(found):,} values); "
        "repair the layer or the one in front of it",
    )


def _without_height(shape: Shape) -> Shape:
    """(channels, length) of (channels, 1, length), as one-dimensional layers are held."""
    return (shape[0], shape[2]) if len(shape) == 3 and shape[1] == 1 else shape
