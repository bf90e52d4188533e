"""Synapse memory of a box estimated without looking at its weights, to leave out grids that cannot fit."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.block_header import TYPICAL_BYTES
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Population, Projection
from tern2lava.compiler.ir.slices import cut, incoming, source_window, tap_patterns
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.tiling.grids import Grid
from tern2lava.errors import CapacityError

_ENTRY_BITS = 20
_SAMPLE = 16


class MemoryEstimate:
    """Bits of the largest box of a grid, by the cost of one sample of each projection."""

    def __init__(self, model: CostModel) -> None:
        self.model = model
        self.lists = model.profile.synapse.memory_model.value == "nxtf"
        self._factor: dict[str, float] = {}
        self._taps: dict[object, tuple[int, ...]] = {}

    def bits(self, population: Population, grid: Grid) -> float:
        """Estimated bits of the box of a grid that takes most: of the one in the middle, and the longest."""
        wires = incoming(self.model.graph, population)
        boxes = dict.fromkeys((grid.middle(), grid.longest()))
        return max(sum(self._block(p, box) * self._calibration(population, p) for p in wires) for box in boxes)

    def _block(self, projection: Projection, box: Box) -> float:
        """Bits of one block at 2 bits a ternary code, zeros included, headers counted."""
        g = projection.geometry
        width = box.extent[0]
        code, sources = projection.bits, int(projection.weight.shape[1])
        if g is None:
            if self.lists:
                return sources * _list_bits(box.volume, code)
            return 8.0 * TYPICAL_BYTES + box.volume * sources * code
        if not self.lists:
            kernel = int(projection.weight[0, 0].size)
            unrolled = self.model.profile.synapse.sharing.value == "none"
            places = box.extent[1] * box.extent[2] if unrolled else 1
            index = max(1, (box.volume - 1).bit_length()) if unrolled else 0
            return 8.0 * TYPICAL_BYTES + width * sources * kernel * places * (code + index)
        per_group = g.out_shape[0] // g.groups
        wide = min(width, per_group)
        channels = sources * max(1, width // per_group)
        rows, columns = (self._classes(projection, axis, box.lo[1 + axis], box.hi[1 + axis]) for axis in (0, 1))
        return sum(channels * _list_bits(a * b * wide, code) for a in rows for b in columns)

    def _classes(self, projection: Projection, axis: int, low: int, high: int) -> tuple[int, ...]:
        """Taps of each different way in which the kernel falls on what outputs [low, high) see."""
        key = (projection.name, axis, low, high)
        if key not in self._taps:
            g = projection.geometry
            assert g is not None
            kernel = int(projection.weight.shape[2 + axis])
            start, stop = source_window(g, kernel, axis, low, high)
            patterns = np.unique(tap_patterns(g, kernel, axis, start, stop, low, high), axis=0)
            self._taps[key] = tuple(int(n) for n in (patterns >= 0).sum(axis=1))
        return self._taps[key]

    def _calibration(self, population: Population, projection: Projection) -> float:
        """What a sample really takes over what is estimated for it."""
        if projection.name not in self._factor:
            box = self._sample(projection)
            piece = cut(projection, box)
            factor = 1.0
            if piece is not None:
                try:
                    found = self.model.block(population, projection, piece, box).synapse_bits
                    factor = found / max(self._block(projection, box), 1.0)
                except CapacityError:
                    pass
            self._factor[projection.name] = factor
        return self._factor[projection.name]

    def _sample(self, projection: Projection) -> Box:
        """A few rows, or the middle of a few channels."""
        g = projection.geometry
        if g is None:
            rows = int(projection.weight.shape[0])
            return Box((rows,), (0,), (min(rows, _SAMPLE),))
        per_group = g.out_shape[0] // g.groups
        channels = min(per_group, _SAMPLE)
        lo = [max(0, n // 2 - 2) for n in g.out_shape[1:]]
        hi = [min(n, low + 4) for n, low in zip(g.out_shape[1:], lo, strict=True)]
        return Box(g.out_shape, (0, *lo), (channels, *hi))


def _list_bits(synapses: int, code: int) -> float:
    """Bits of a synapse list in dense entries of 60, in whole words."""
    bits = synapses * code + _ENTRY_BITS * -(-synapses // 60)
    return 64.0 * -(-bits // 64)
