"""Which part sends its spikes to which axons: the routes of a partition before its cores have places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Ints, Shape, size
from tern2lava.compiler.ir.slices import sources
from tern2lava.compiler.mapper.cost.output_axons import Edges, overlap, single_of, single_overlap
from tern2lava.compiler.mapper.packing.first_fit import Part
from tern2lava.compiler.mapper.partition import Partition

HOST = -1
# Pairs of readers and parts that are looked at together, or little more.
_PAIRS = 1 << 22


@dataclass(frozen=True, eq=False)
class Connections:
    """Equal-length arrays, sorted by source core and group, then target core and axon range.

    source: core index in the partition, or HOST; group: index of the part on that core (of the input, on the host);
    target: core index; axons: index of the axon range on the target core; neurons: how many of the part's neurons are
    sent; single: how many of them to synapse lists of their own (single_edges); box: index into `boxes` of what
    the axons see; part: index into Partition.parts of the source (-1: the host).
    """

    source: Ints
    group: Ints
    target: Ints
    axons: Ints
    neurons: Ints
    single: Ints
    box: Ints
    part: Ints
    boxes: tuple[Box, ...]


def connections(graph: Graph, partition: Partition) -> Connections:
    """Every pair of a part (or input) and a block that reads neurons of it."""
    parts: dict[str, list[tuple[int, int, int, Box]]] = {}
    for index, node in enumerate(n for n in sources(graph) if isinstance(n, Input)):
        parts[node.name] = [(HOST, index, -1, Box.full(node.shape))]
    groups = _group_numbers(partition.parts)
    for index, part in enumerate(partition.parts):
        parts.setdefault(part.population, []).append((part.core, groups[index], index, part.box))
    readers: dict[tuple[str, Shape], list[tuple[int, int, int]]] = {}
    boxes: list[Box] = []
    singles: list[Edges] = []
    core, range_of_core = -1, 0
    for part in partition.parts:
        if part.core != core:
            core, range_of_core = part.core, 0
        for block in part.blocks:
            projection = graph.projection(block.projection)
            key = (projection.inputs[0], block.source.shape)
            readers.setdefault(key, []).append((core, range_of_core, len(boxes)))
            boxes.append(block.source)
            singles.append(block.single)
            range_of_core += 1
    tables = [_meet(parts[name], shape, rows, boxes, singles) for (name, shape), rows in readers.items()]
    table = np.concatenate(tables) if tables else np.zeros((0, 8), np.int64)
    order = np.lexsort((table[:, 3], table[:, 2], table[:, 1], table[:, 0]))
    source, group, target, axons, neurons, single, box, part_index = table[order].T
    return Connections(source, group, target, axons, neurons, single, box, part_index, tuple(boxes))


def _group_numbers(parts: tuple[Part, ...]) -> list[int]:
    """Index of each part among those of its core; parts are sorted by core."""
    result: list[int] = []
    for index, part in enumerate(parts):
        same = index > 0 and parts[index - 1].core == part.core
        result.append(result[-1] + 1 if same else 0)
    return result


def _meet(
    parts: list[tuple[int, int, int, Box]], shape: Shape, rows: list[tuple[int, int, int]], boxes: list[Box],
    singles: list[Edges],
) -> Ints:  # fmt: skip
    """Rows (source, group, target, axons, neurons, single, box, part) of all pairs with a neuron in common."""
    who = np.array([(core, group, index) for core, group, index, _ in parts], np.int64)
    reads = np.array(rows, np.int64)
    found = []
    if any(box.kept for *_, box in parts) or any(boxes[row[2]].kept for row in rows):
        return _meet_listed(parts, who, reads, boxes, singles)
    if all(box.shape == shape for *_, box in parts):
        lo, hi = np.array([box.lo for *_, box in parts]), np.array([box.hi for *_, box in parts])
        seen_lo = np.array([boxes[row[2]].lo for row in rows])
        seen_hi = np.array([boxes[row[2]].hi for row in rows])
        alone = np.array([singles[row[2]] for row in rows])
        for at, part in _pairs(lo, hi, seen_lo, seen_hi):
            common = np.ones(at.size, np.int64)
            for axis in range(len(shape)):
                common *= overlap(lo[part, axis], hi[part, axis], seen_lo[at, axis], seen_hi[at, axis])
            single = np.zeros(at.size, np.int64)
            if len(shape) == 3 and alone.any():
                single = overlap(lo[part, 0], hi[part, 0], seen_lo[at, 0], seen_hi[at, 0])
                for axis, ends in ((1, alone[at, :2]), (2, alone[at, 2:])):
                    mine, seen = (lo[part, axis], hi[part, axis]), (seen_lo[at, axis], seen_hi[at, axis])
                    single = single * single_overlap(*mine, *seen, ends[:, 0], ends[:, 1])
            found.append(_rows(who[part], reads[at], common, single))
    elif all(boxes[row[2]].is_full for row in rows):
        volume = np.array([box.volume for *_, box in parts], np.int64)
        for read in reads:
            found.append(_rows(who, np.repeat(read[None], len(who), axis=0), volume, np.zeros_like(volume)))
    else:
        counts: dict[tuple[int, Box], int] = {}
        for read in reads:
            seen = boxes[read[2]]
            for index, (*_, box) in enumerate(parts):
                key = (index, seen)
                if key not in counts:
                    counts[key] = box.common(seen)
                if counts[key]:
                    found.append(_rows(who[index : index + 1], read[None], np.array([counts[key]]), np.zeros(1, int)))
    return np.concatenate(found) if found else np.zeros((0, 8), np.int64)


def _meet_listed(
    parts: list[tuple[int, int, int, Box]], who: Ints, reads: Ints, boxes: list[Box], singles: list[Edges]
) -> Ints:
    """The same where neurons are listed: looked up one by one in the part that holds each."""
    holder = np.zeros(size(parts[0][3].shape), np.int64)
    for index, (*_, box) in enumerate(parts):
        holder[box.flat()] = index
    found = []
    for read in reads:
        seen = boxes[read[2]]
        held = holder[seen.flat()]
        common = np.bincount(held, minlength=len(parts))
        single = np.bincount(held[single_of(seen, singles[read[2]])], minlength=len(parts))
        meet = np.flatnonzero(common)
        found.append(_rows(who[meet], np.repeat(read[None], meet.size, axis=0), common[meet], single[meet]))
    return np.concatenate(found) if found else np.zeros((0, 8), np.int64)


def _pairs(lo: Ints, hi: Ints, seen_lo: Ints, seen_hi: Ints) -> Iterator[tuple[Ints, Ints]]:
    """(readers, parts): indices of all pairs of a box that is seen and a part's box with a neuron in common, some
    readers at a time.

    Ranges are compared axis by axis, where few different ones occur; what remains for each reader are the combinations
    of ranges that meet its own and that some part has.
    """
    axes = [_Meeting.of(lo[:, axis], hi[:, axis], seen_lo[:, axis], seen_hi[:, axis]) for axis in range(lo.shape[1])]
    # Combinations of the ranges of parts on the first axes, numbered, the last of which are the parts' boxes.
    known, codes = np.zeros(len(lo), np.int64), []
    for axis in axes:
        code, known = np.unique(known * axis.different + axis.mine, return_inverse=True)
        codes.append(code)
    # No two parts have one box.
    part = np.argsort(known)
    candidates = np.ones(len(seen_lo))
    for axis in axes:
        candidates *= axis.counts[axis.seen]
    ends = np.flatnonzero(np.diff(np.cumsum(candidates) // _PAIRS, prepend=0)) if candidates.size else np.zeros(0, int)
    for begin, end in pairwise(np.unique([0, *ends.tolist(), len(seen_lo)]).tolist()):
        reader, at = np.arange(begin, end), np.zeros(end - begin, np.int64)
        for axis, code in zip(axes, codes, strict=True):
            here = axis.seen[reader]
            many = axis.counts[here]
            again = np.repeat(np.arange(here.size), many)
            offset = np.arange(again.size) - np.repeat(np.cumsum(many) - many, many)
            wanted = at[again] * axis.different + axis.listed[axis.first[here][again] + offset]
            place = np.minimum(np.searchsorted(code, wanted), code.size - 1)
            found = code[place] == wanted
            reader, at = reader[again][found], place[found]
        yield reader, part[at]


@dataclass(frozen=True, eq=False)
class _Meeting:
    """Along one axis: which of the `different` ranges of parts each part has (mine), which of those of readers each
    reader has (seen); for each range of readers, listed[first : first + counts] are the ranges of parts that it
    meets."""

    mine: Ints
    seen: Ints
    different: int
    listed: Ints
    first: Ints
    counts: Ints

    @staticmethod
    def of(lo: Ints, hi: Ints, seen_lo: Ints, seen_hi: Ints) -> _Meeting:
        mine, my_place = np.unique(np.stack([lo, hi], axis=1), axis=0, return_inverse=True)
        seen, place = np.unique(np.stack([seen_lo, seen_hi], axis=1), axis=0, return_inverse=True)
        meets = overlap(mine[None, :, 0], mine[None, :, 1], seen[:, :1], seen[:, 1:]) > 0
        counts = meets.sum(axis=1)
        return _Meeting(
            my_place.reshape(-1), place.reshape(-1), len(mine), np.nonzero(meets)[1], np.cumsum(counts) - counts, counts
        )


def _rows(who: Ints, reads: Ints, common: Ints, single: Ints) -> Ints:
    return np.stack([who[:, 0], who[:, 1], reads[:, 0], reads[:, 1], common, single, reads[:, 2], who[:, 2]], axis=1)
