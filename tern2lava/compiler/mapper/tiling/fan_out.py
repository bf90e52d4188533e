"""Who is fed by whom while populations are being cut: output axons of a box towards the parts known so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Bools, Ints, Shape, size
from tern2lava.compiler.mapper.cost.core_cost import Block
from tern2lava.compiler.mapper.cost.output_axons import Edges, overlap, shares_lists, single_of, single_overlap
from tern2lava.hw_profiles import Profile

# Combinations of ranges along the axes that are counted in one table.
_DENSE = 1 << 24


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Blocks that see a population in one shape: source boxes, entries for an edge, and single rows and columns."""

    lo: Ints
    hi: Ints
    price: Ints
    single: Ints


@dataclass(frozen=True, eq=False)
class _Listed:
    """Blocks that list the neurons they see: pairs of a neuron, ascending, and the block that sees it; prices: the
    entries of all neurons below each, summed up (neurons of the population + 1,)."""

    neuron: Ints
    block: Ints
    prices: Ints

    @staticmethod
    def of(items: Sequence[tuple[Box, int, Edges]], shared_cost: int) -> _Listed:
        flat = [seen.flat() for seen, _, _ in items]
        neuron = np.concatenate(flat)
        block = np.repeat(np.arange(len(items)), [each.size for each in flat])
        each = [price - (shared_cost - 1) * single_of(seen, single) for seen, price, single in items]
        order = np.argsort(neuron, kind="stable")
        summed = np.bincount(neuron, weights=np.concatenate(each), minlength=size(items[0][0].shape))
        prices = np.concatenate([[0], np.cumsum(np.rint(summed).astype(np.int64))])
        return _Listed(neuron[order], block[order], prices)

    def edges(self, box: Box) -> int:
        """Entries that the neurons of a box take, one or more for each axon."""
        flat = box.flat()
        return int((self.prices[flat + 1] - self.prices[flat]).sum())

    def blocks(self, box: Box) -> int:
        """Blocks that see a neuron of the box."""
        flat = box.flat()
        first, last = np.searchsorted(self.neuron, flat), np.searchsorted(self.neuron, flat, side="right")
        many = last - first
        at = np.repeat(first - np.cumsum(many) + many, many) + np.arange(many.sum())
        return int(np.unique(self.block[at]).size)


class Feeds:
    """For each source population, the blocks that read it."""

    def __init__(self, graph: Graph, profile: Profile, all_edges_leave_chip: bool) -> None:
        self.graph = graph
        self.profile = profile
        self.edges = profile.routing.out_axon_model.value == "edges"
        self.extra = profile.routing.offchip_cost.value if all_edges_leave_chip else 0
        self._blocks: dict[str, dict[str, list[tuple[Box, int, Edges]]]] = {}
        self._stacked: dict[str, dict[Shape, _Blocks]] = {}
        self._listed: dict[str, _Listed | None] = {}

    def price(self, projection: Projection) -> int:
        """Output axons of one neuron towards one block of a projection with shared lists (in the `edges` model)."""
        return (self.profile.routing.shared_cost.value if shares_lists(self.profile, projection) else 1) + self.extra

    def upstream_price(self, projection: Projection) -> int:
        """Output axons on source cores for each input axon of a projection; inputs come from no core."""
        from_host = isinstance(self.graph[projection.inputs[0]], Input)
        return self.price(projection) if self.edges and not from_host else 0

    def set_targets(self, population: Population, blocks: list[tuple[Block, ...]]) -> None:
        """Replaces what is known about the parts of `population`."""
        for targets in self._blocks.values():
            targets.pop(population.name, None)
        for block in (b for part in blocks for b in part):
            projection = self.graph.projection(block.projection)
            entry = self._blocks.setdefault(projection.inputs[0], {}).setdefault(population.name, [])
            entry.append((block.source, self.price(projection), block.single))
        self._stacked, self._listed = {}, {}

    def out_axons(self, population: Population, box: Box) -> int:
        """Output axons that the neurons in `box` need towards all targets known so far."""
        return int(self.out_axons_of(population, [box])[0])

    def out_axons_of(self, population: Population, boxes: Sequence[Box]) -> Ints:
        """The same for each of several boxes, int64."""
        total = self._listed_out_axons(population.name, boxes)
        if any(box.kept for box in boxes):
            return total + np.array([self._towards_ranges(population.name, box) for box in boxes], np.int64)
        lo, hi = np.array([box.lo for box in boxes], np.int64), np.array([box.hi for box in boxes], np.int64)
        cost = self.profile.routing.shared_cost.value
        for shape, blocks in self._stack(population.name).items():
            if any(shape != box.shape for box in boxes):
                corners = list(zip(blocks.lo.tolist(), blocks.hi.tolist(), strict=True))
                for index, box in enumerate(boxes):
                    common = np.array([box.common(Box(shape, tuple(a), tuple(b))) for a, b in corners])
                    total[index] += (common * blocks.price).sum() if self.edges else (common > 0).sum()
                continue
            if not self.edges:
                total += _summed(lo, hi, blocks, np.ones_like(blocks.price), _meets)
                continue
            total += _summed(lo, hi, blocks, blocks.price, _length)
            if len(shape) == 3 and blocks.single.any():
                total -= (cost - 1) * _summed(lo, hi, blocks, np.ones_like(blocks.price), _alone)
        return total

    def _listed_out_axons(self, name: str, boxes: Sequence[Box]) -> Ints:
        """Output axons of each of several boxes towards blocks that list the neurons they see."""
        if name not in self._listed:
            items = [item for known in self._blocks.get(name, {}).values() for item in known if item[0].kept]
            self._listed[name] = _Listed.of(items, self.profile.routing.shared_cost.value) if items else None
        listed = self._listed[name]
        if listed is None:
            return np.zeros(len(boxes), np.int64)
        return np.array([listed.edges(box) if self.edges else listed.blocks(box) for box in boxes], np.int64)

    def _towards_ranges(self, name: str, box: Box) -> int:
        """Output axons of a box that lists its neurons, towards blocks that list none."""
        total = 0
        cost = self.profile.routing.shared_cost.value
        for known in self._blocks.get(name, {}).values():
            for seen, price, single in known:
                if seen.kept:
                    continue
                common = box.common(seen)
                total += price * common if self.edges else common > 0
                if self.edges and common and any(single):
                    alone = np.isin(seen.flat()[single_of(seen, single)], box.flat(), assume_unique=True)
                    total -= (cost - 1) * int(alone.sum())
        return total

    def _stack(self, name: str) -> dict[Shape, _Blocks]:
        if name not in self._stacked:
            by_shape: dict[Shape, list[tuple[Box, int, Edges]]] = {}
            for known in self._blocks.get(name, {}).values():
                for item in known:
                    if not item[0].kept:
                        by_shape.setdefault(item[0].shape, []).append(item)
            self._stacked[name] = {
                shape: _Blocks(
                    np.array([b.lo for b, _, _ in items]), np.array([b.hi for b, _, _ in items]),
                    np.array([price for _, price, _ in items]), np.array([single for *_, single in items]),
                )
                for shape, items in by_shape.items()
            }  # fmt: skip
        return self._stacked[name]


def _length(low: Ints, high: Ints, seen: Ints) -> Ints:
    return overlap(low, high, seen[:, 0], seen[:, 1])


def _meets(low: Ints, high: Ints, seen: Ints) -> Bools:
    result: Bools = overlap(low, high, seen[:, 0], seen[:, 1]) > 0
    return result


def _alone(low: Ints, high: Ints, seen: Ints) -> Ints:
    """Along y and x the single positions; along channels (no single ones are marked) all."""
    if (seen[:, 2] < 0).all():
        return _length(low, high, seen)
    return single_overlap(low, high, seen[:, 0], seen[:, 1], seen[:, 2], seen[:, 3])


def _summed(lo: Ints, hi: Ints, blocks: _Blocks, price: Ints, along: Callable[[Array, Array, Array], Array]) -> Ints:
    """For each box [lo, hi) the sum over blocks of price times the product over axes of `along`, int64.

    Boxes and blocks lie in grids, so that few different ranges occur along an axis: ranges are compared axis by axis,
    and the blocks counted by the ranges they consist of. Where they do not, boxes are taken one by one.
    """
    rank = lo.shape[1]
    seen: list[Array] = []
    which: list[Array] = []
    for axis in range(rank):
        ends = blocks.single[:, 2 * axis - 2 : 2 * axis] if axis else np.full((len(price), 2), -1)
        table = np.concatenate([blocks.lo[:, axis, None], blocks.hi[:, axis, None], ends], axis=1)
        different, place = np.unique(table, axis=0, return_inverse=True)
        seen.append(different)
        which.append(place.reshape(-1))
    boxes = [np.unique(np.stack([lo[:, a], hi[:, a]], axis=1), axis=0, return_inverse=True) for a in range(rank)]
    sizes = [len(different) for different in seen]
    if np.prod(sizes, dtype=float) > _DENSE or np.prod([len(found) for found, _ in boxes], dtype=float) > _DENSE:
        return np.concatenate(
            [_one(lo[i : i + 1], hi[i : i + 1], blocks, seen, which, price, along) for i in range(len(lo))]
        )
    total = np.zeros(sizes)
    np.add.at(total, tuple(which), price)
    for axis in range(rank):
        found = boxes[axis][0]
        table = along(found[:, :1], found[:, 1:], seen[axis])
        total = np.moveaxis(np.tensordot(table.astype(np.float64), total, axes=(1, axis)), 0, axis)
    result: Ints = np.rint(total[tuple(place.reshape(-1) for _, place in boxes)]).astype(np.int64)
    return result


def _one(
    lo: Array, hi: Array, blocks: _Blocks, seen: list[Array], which: list[Array], price: Array,
    along: Callable[[Array, Array, Array], Array],
) -> Array:  # fmt: skip
    product = price.astype(np.int64)
    for axis, place in enumerate(which):
        product = product * along(lo[:, axis, None], hi[:, axis, None], seen[axis])[0][place]
    result: Array = product.sum(keepdims=True)
    return result
