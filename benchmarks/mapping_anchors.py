"""Measures groups of neurons against what was planted and against Mt-KaHyPar.

    uv run --extra mapping python benchmarks/mapping_anchors.py     # under a minute
    uv run python benchmarks/mapping_anchors.py --quick --check     # small networks

Axons of all groups of tern2lava.compiler.mapper.regroup, beside those of neurons in their own order, of what was
planted, and of Mt-KaHyPar's partition (KM1, its default preset) into as many groups of at most as many neurons, where
it is installed. Random networks are drawn from a seed. CPU seconds are one process's. Whole mappings of such networks:
benchmarks/sparse_mapping.py.

--check ends with exit code 1 and names the bars that were missed: planted structure comes back; axons at most 1.05 x
Mt-KaHyPar's.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.compiler.mapper.regroup.groups import regroup
from tern2lava.compiler.mapper.regroup.task import Capacity
from tern2lava.extras import installed

OVER_MTKAHYPAR = 1.05


def axons(reads: csr_matrix, group: Ints) -> int:
    """Sources read by each group, added up."""
    pairs = reads.tocoo()
    return int(np.unique(group[pairs.row].astype(np.int64) * reads.shape[1] + pairs.col).size)


def shuffled(reads: csr_matrix, seed: int = 1) -> csr_matrix:
    order = np.random.default_rng(seed).permutation(reads.shape[0])
    return csr_matrix(reads[order][:, order])


def drawn(neurons: int, share: float) -> csr_matrix:
    return csr_matrix((np.random.default_rng(0).random((neurons, neurons)) < share).astype(np.int8))


def networks(quick: bool) -> dict[str, tuple[csr_matrix, int, int | None]]:
    """By name: the recurrent weights that are not zero, neurons a group, axons of what was planted."""
    at = np.arange(600)
    near: Array = (abs(at[:, None] - at) <= 5).astype(np.int8)
    blocks = csr_matrix(np.kron(np.eye(20, dtype=np.int8), np.ones((100, 100), np.int8)))
    small = csr_matrix(np.kron(np.eye(16, dtype=np.int8), np.ones((6, 6), np.int8)))
    band = csr_matrix(near)
    along = axons(band, at // 50)
    rows: dict[str, tuple[csr_matrix, int, int | None]] = {
        "16 blocks of 6, shuffled": (shuffled(small), 6, 96),
        "20 blocks of 100": (blocks, 128, 2_000),
        "20 blocks of 100, shuffled": (shuffled(blocks), 128, 2_000),
        "band of 600, reach 5": (band, 50, along),
        "band of 600, reach 5, shuffled": (shuffled(band), 50, along),
    }
    if quick:
        return {**rows, "random, 500 neurons, 2 %": (drawn(500, 0.02), 64, None)}
    return {
        **rows,
        "reservoir, 2,000 neurons, 1 %": (drawn(2_000, 0.01), 128, None),
        "recurrent, 5,000 neurons, 90 % zeros": (drawn(5_000, 0.1), 256, None),
    }


def mtkahypar_axons(reads: csr_matrix, groups: int, most: int) -> int | None:
    """Axons of its partition; None without the package, or where a group has more neurons."""
    if not installed("mtkahypar"):
        return None
    import mtkahypar

    library = mtkahypar.initialize(1, print_warnings=False)
    mtkahypar.set_seed(0)
    context = library.context_from_preset(mtkahypar.PresetType.DEFAULT)
    neurons = int(reads.shape[0])
    slack = most * groups / neurons - 1
    context.set_partitioning_parameters(groups, max(slack, 1e-9), mtkahypar.Objective.KM1)
    context.logging = False
    readers = csr_matrix(reads.T)
    edges = [
        readers.indices[a:b].tolist() for a, b in zip(readers.indptr, readers.indptr[1:], strict=False) if b - a > 1
    ]
    graph = library.create_hypergraph(context, neurons, len(edges), edges, [1] * neurons, [1] * len(edges))
    found = graph.partition(context)
    group = np.array([found.block_id(v) for v in range(neurons)], np.int64)
    return axons(reads, group) if np.bincount(group).max() <= most else None


def group_table(quick: bool) -> list[str]:
    """Prints the table; the bars that were missed."""
    missed = []
    print("| network | groups | axons | in their order | planted | Mt-KaHyPar | CPU seconds |\n|" + "---|" * 7)
    for name, (reads, most, planted) in networks(quick).items():
        begin = time.process_time()
        group = regroup(reads, Capacity(neurons=most), spikes=np.ones(reads.shape[1]), own=np.arange(reads.shape[0]))
        seconds = time.process_time() - begin
        needed, count = axons(reads, group), int(group.max()) + 1
        in_order = axons(reads, np.arange(reads.shape[0]) // most)
        other = None if planted is not None else mtkahypar_axons(reads, count, most)
        shown = [f"{value:,}" if value is not None else "" for value in (planted, other)]
        print(f"| {name} | {count} | {needed:,} | {in_order:,} | {shown[0]} | {shown[1]} | {seconds:.1f} |", flush=True)
        if planted is not None and needed > planted:
            missed.append(f"{name}: {needed:,} axons, planted {planted:,}")
        if other is not None and needed > OVER_MTKAHYPAR * other:
            missed.append(f"{name}: {needed / other:.3f} x Mt-KaHyPar's axons")
    return missed


def main() -> int:
    """Measure, print the tables, and check the bars where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small networks, under a minute")
    parser.add_argument("--check", action="store_true", help="exit code 1, naming what fell short")
    options = parser.parse_args()
    missed = group_table(options.quick)
    if options.check and missed:
        print("missed: " + "; ".join(missed), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
