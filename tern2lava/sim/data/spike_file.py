"""Spike files: npz with the values that enter a network, and labels where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Array, Ints, Spikes, size
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError, one_line
from tern2lava.files.npz import RATIO, Npz, open_npz
from tern2lava.files.opening import MIB, FileError
from tern2lava.memory_need import require_memory
from tern2lava.sim.data.given import whole_array
from tern2lava.sim.data.ragged import cut, is_ragged, padded
from tern2lava.sim.data.stored_values import StoredValues
from tern2lava.sim.data.wrapped import what_is_wrong

JOINED = 256 * MIB
"""Bytes that samples of different lengths, which are read whole, may unpack to, unless 200 times what they take in the
file is more."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SpikeData(Shown):
    """inputs: for every Input its values (batch, steps, *shape); labels (batch,) int64 or None; pad_to: steps that are
    run, zeros in those that the inputs lack.

    Values of a large file are read slice by slice."""

    inputs: Mapping[str, Spikes | StoredValues]
    labels: Ints | None = None
    pad_to: int = 0

    def _shown(self) -> str:
        labels = "" if self.labels is None else ", with labels"
        shapes = ", ".join(f"{name} {'x'.join(map(str, values.shape[2:]))}" for name, values in self.inputs.items())
        return f"{count(self.samples, 'sample')}, {count(self.steps, 'step')}, {shapes}{labels}"

    @property
    def samples(self) -> int:
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def steps(self) -> int:
        return max(self.pad_to, int(next(iter(self.inputs.values())).shape[1]))

    def first(self, count: int) -> SpikeData:
        """The first `count` samples (all where there are fewer)."""
        return self.slice(0, count)

    def slice(self, begin: int, end: int) -> SpikeData:
        """Samples begin to end (exclusive)."""
        return SpikeData(inputs=self.values(begin, end), labels=None if self.labels is None else self.labels[begin:end])

    def values(self, begin: int = 0, end: int | None = None) -> dict[str, Spikes]:
        """The inputs' values of samples begin to end (None: all), padded. Raises InputError for what a file holds
        wrongly."""
        try:
            return {name: self._padded(values[begin:end]) for name, values in self.inputs.items()}
        except EOFError as error:
            where = next((v.path for v in self.inputs.values() if isinstance(v, StoredValues)), "data")
            raise InputError(
                where, f"requires a readable npz file; found {error}; save it again with np.savez"
            ) from None

    def _padded(self, values: Spikes) -> Spikes:
        missing = self.pad_to - values.shape[1]
        return np.pad(values, [(0, 0), (0, missing)] + [(0, 0)] * (values.ndim - 2)) if missing > 0 else values


def load_spikes(path: Path, graph: Graph, *, steps: int = 0, pad: bool = False, effort: Effort = NORMAL) -> SpikeData:
    """The data of an npz file for the inputs of `graph`.

    Arrays: `spikes` (batch, steps, *input shape), or one array per Input under its name; `labels` (batch,) optional.
    Samples of different lengths: all their steps one after another, (sum of steps, *input shape), and `lengths`
    (batch,), the steps of each; `pad` and `steps` as for make_spikes. Raises InputError for a file that is no npz, has
    no such array or one twice, or holds other shapes or values.
    """
    wanted = {"spikes", "labels", "lengths", *(node.name for node in graph.of_kind(Input))}
    with open_npz(path) as npz:
        given = [name for name in npz if name in wanted]
        values = [name for name in given if name not in ("labels", "lengths")]
        if not values:
            names = ", ".join(one_line(name[:80]) for name in list(npz)[:8]) or "none"
            raise InputError(
                path, f"requires an array 'spikes'; found {names}; save it with np.savez(..., spikes=array)"
            )
        most = max(npz[name].shape[0] if npz[name].shape else 0 for name in values)
        arrays: dict[str, Array | Member] = {}
        for name in given:
            if name in values:
                arrays[name] = read_array(npz, name, path, effort, whole="lengths" in given)
            elif len(npz[name].shape) == 1 and npz[name].shape[0] <= most:
                arrays[name] = npz.read(name, npz[name].size)
            else:
                # More of them than there are samples, or no row: what they are is enough to say so.
                arrays[name] = _left_there(npz, name, path, effort)
    return make_spikes(arrays, graph, path, steps=steps, pad=pad)


def read_array(npz: Npz, name: str, path: Path, effort: Effort, *, whole: bool) -> Array | Member:
    """One array of an npz file; of a large one only what it is, unless the `whole` is needed or it lies in Fortran's
    order, in which no sample lies together. Raises FileError, InputError where memory does not hold it."""
    header = npz[name]
    if header.size <= effort.file_bytes:
        return npz.read(name, effort.file_bytes)
    turned = header.fortran and len(header.shape) > 1
    if not whole and not turned:
        return _left_there(npz, name, path, effort)
    hint = (
        "save it in C's order, with np.ascontiguousarray, of which samples are read one by one"
        if turned and not whole
        else "save it uncompressed, with np.savez, or in files of fewer samples"
    )
    require_memory(npz.where(name), "hold it twice, as it is and as it is run", 2 * header.size, hint)
    try:
        return npz.read(name, max(JOINED, RATIO * npz.packed(name)))
    except FileError as error:
        raise error.instead(hint) from None


def _left_there(npz: Npz, name: str, path: Path, effort: Effort) -> Member:
    return Member(path=path, name=name, shape=npz[name].shape, dtype=npz[name].dtype, part=effort.read_bytes)


@dataclass(frozen=True, kw_only=True)
class Member:
    """An array of a file that is left there. part: bytes of it that are read at a time."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: Any
    part: int

    @property
    def ndim(self) -> int:
        return len(self.shape)


def make_spikes(
    arrays: Mapping[str, Any], graph: Graph, where: object = "data", *, steps: int = 0, pad: bool = False
) -> SpikeData:
    """SpikeData from named arrays (see load_spikes), checked against the inputs of `graph`.

    Samples of different lengths may be a list of arrays (steps_i, *input shape) as well; with `pad` steps of zeros
    follow the shorter ones, up to `steps` or the longest sample. Raises InputError.
    """
    nodes = graph.of_kind(Input)
    named = [node.name for node in nodes if node.name in arrays]
    if "spikes" in arrays and named and "spikes" not in named:
        raise InputError(
            where, f"requires 'spikes' or '{named[0]}', the input's name; found both; leave one of them out"
        )
    inputs: dict[str, Spikes | StoredValues] = {}
    for node in nodes:
        key = "spikes" if len(nodes) == 1 and node.name not in arrays else node.name
        if key not in arrays:
            raise InputError(
                where,
                f"requires an array '{key}'; found {', '.join(arrays) or 'none'}; name the arrays after the inputs",
            )
        given = _as_array(arrays[key], arrays.get("lengths"), node, steps, pad, f"{where}: {key}")
        inputs[node.name] = _checked(given, node, f"{where}: {key}")
    if len({values.shape[:2] for values in inputs.values()}) > 1:
        raise InputError(where, "requires inputs of the same samples and steps; found others; give all of them alike")
    samples = next(iter(inputs.values())).shape[0]
    labels = arrays.get("labels")
    if isinstance(labels, Member):
        raise _wrong_labels(where, samples, f"shape {labels.shape}")
    if labels is not None:
        labels = whole_array(labels, f"{where}: labels")
        if labels.shape != (samples,) or labels.dtype.kind not in "iu":
            raise _wrong_labels(where, samples, f"shape {labels.shape} of {labels.dtype}")
    return SpikeData(inputs=inputs, labels=None if labels is None else labels.astype(np.int64))


def _wrong_labels(where: object, samples: int, what: str) -> InputError:
    return InputError(
        f"{where}: labels", f"requires {count(samples, 'integer')}, one for each sample; found {what}; give each "
        "sample its class"
    )  # fmt: skip


def _as_array(values: Any, lengths: Any, node: Input, steps: int, pad: bool, where: str) -> Array | Member:
    """The values of one Input as one array: samples given one by one or one after another are padded."""
    if isinstance(values, Member):
        return values
    if is_ragged(values):
        return padded(values, steps, pad, where)
    found: Array = whole_array(values, where)
    if isinstance(lengths, Member):
        raise InputError(
            f"{where}: lengths", f"requires the steps of each sample, a row of whole numbers; found shape "
            f"{lengths.shape}; give one for each",
        )  # fmt: skip
    joined = found.ndim >= 2 and (found.shape[1:] == node.shape or found.shape[1:] == (size(node.shape),))
    if lengths is None or not joined:
        return found
    return padded(cut(found, whole_array(lengths, f"{where}: lengths"), where), steps, pad, where)


def _checked(values: Array | Member, node: Input, where: str) -> Spikes | StoredValues:
    """The values of one Input in its shape; those of a large file are checked as they are read."""
    if values.dtype.kind not in "biuf":
        raise InputError(where, f"requires numbers; found {values.dtype}; give 0 and 1, or whole numbers in its levels")
    if values.ndim < 3 or values.shape[0] == 0 or values.shape[1] == 0:
        full = ", ".join(map(str, node.shape))
        raise InputError(
            where, f"requires shape (samples, steps, {full}), one sample and one step at least; found {values.shape}; "
            "give every step of every sample"
        )  # fmt: skip
    width = int(np.prod(values.shape[2:]))
    flat = values.ndim == 3 and width == size(node.shape)
    # One-dimensional layers hold (channels, length) as (channels, 1, length).
    one_dimensional = node.shape == (*values.shape[2:3], 1, *values.shape[3:])
    if values.shape[2:] != node.shape and not flat and not one_dimensional:
        raise InputError(
            where, f"requires steps of shape {node.shape} ({count(size(node.shape), 'value')}), as the network's "
            f"input '{node.name}' has; found {values.shape[2:]} ({count(width, 'value')}); reshape the samples"
        )  # fmt: skip
    if isinstance(values, Member):
        check = partial(_whole, node, where)
        return StoredValues(values.path, values.name, values.shape, values.dtype, node.shape, check, values.part)
    return _whole(node, where, values, placed=True)


def _whole(node: Input, where: str, values: Array, placed: bool = False) -> Spikes:
    """The values as the Input's whole numbers, (samples, steps, *shape). placed: they begin with the data's first
    sample, so that a wrong one has a place. Raises InputError where they are others."""
    low, high = node.levels
    outside = bool(values.size) and not (values.min() >= low and values.max() <= high)
    if outside or (values.dtype.kind == "f" and not np.array_equal(values, np.rint(values))):
        wrong = what_is_wrong(node, values, placed)
        raise InputError(where, f"requires whole numbers from {low} to {high}; {wrong}")
    kind: type[np.integer[Any]] = np.uint8 if (low, high) == (0, 1) else np.int32
    return values.astype(kind, copy=False).reshape(*values.shape[:2], *node.shape)
