"""Who is fed by whom while populations are being cut: output axons of a box towards the parts known so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.axons import NO_EDGES, Edges, overlap, shares_lists, single_overlap
from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import Block
from tern2lava.compiler.ir import Array, Graph, Input, Population, Projection, Shape
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Blocks that see a population in one shape: source boxes, entries for an edge, and single rows and columns."""

    lo: Array
    hi: Array
    price: Array
    single: Array


class Feeds:
    """For each source population, the blocks that read it."""

    def __init__(self, graph: Graph, profile: Profile, all_edges_leave_chip: bool) -> None:
        self.graph = graph
        self.profile = profile
        self.edges = profile.routing.out_axon_model.value == "edges"
        self.extra = profile.routing.offchip_cost.value if all_edges_leave_chip else 0
        self._blocks: dict[str, dict[str, list[tuple[Box, int, Edges]]]] = {}
        self._stacked: dict[str, dict[Shape, _Blocks]] = {}

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
            projection = self.graph[block.projection]
            assert isinstance(projection, Projection)
            entry = self._blocks.setdefault(projection.inputs[0], {}).setdefault(population.name, [])
            entry.append((block.source, self.price(projection), block.single))
        self._stacked = {}

    def out_axons(self, population: Population, box: Box) -> int:
        """Output axons that the neurons in `box` need towards all targets known so far."""
        total = 0
        for shape, blocks in self._stack(population.name).items():
            if shape == box.shape:
                lo, hi = np.array(box.lo)[None], np.array(box.hi)[None]
                common = overlap(lo, hi, blocks.lo, blocks.hi)
                edges = common.prod(axis=1)
                alone = np.zeros_like(edges)
                if len(shape) == 3 and blocks.single.any():
                    first, last = blocks.single[:, 0::2], blocks.single[:, 1::2]
                    rows = single_overlap(lo[:, 1:], hi[:, 1:], blocks.lo[:, 1:], blocks.hi[:, 1:], first, last)
                    alone = common[:, 0] * rows.prod(axis=1)
            else:
                corners = zip(blocks.lo.tolist(), blocks.hi.tolist(), strict=True)
                edges = np.array([box.common(Box(shape, tuple(a), tuple(b))) for a, b in corners])
                alone = np.zeros_like(edges)
            cost = self.profile.routing.shared_cost.value
            total += int((edges * blocks.price - (cost - 1) * alone).sum()) if self.edges else int((edges > 0).sum())
        return total

    def _stack(self, name: str) -> dict[Shape, _Blocks]:
        if name not in self._stacked:
            by_shape: dict[Shape, list[tuple[Box, int, Edges]]] = {}
            for known in self._blocks.get(name, {}).values():
                for item in known:
                    by_shape.setdefault(item[0].shape, []).append(item)
            self._stacked[name] = {
                shape: _Blocks(
                    np.array([b.lo for b, _, _ in items]), np.array([b.hi for b, _, _ in items]),
                    np.array([price for _, price, _ in items]), np.array([single for *_, single in items]),
                )
                for shape, items in by_shape.items()
            }  # fmt: skip
        return self._stacked[name]


__all__ = ["NO_EDGES", "Feeds"]
