"""What benchmarks/mapping.py measures: each row in a process of its own."""

from __future__ import annotations

import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from mapping_baselines import one_a_core, sequential
from networks import NEURONS, SYNAPSES, network

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.mapper.partition import Partition
from tern2lava.compiler.mapper.placement.exact import LARGEST, prove
from tern2lava.compiler.mapper.placement.problem import Problem
from tern2lava.compiler.mapper.placement.slots import place, problem
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.mapper.routing.traffic import traffic
from tern2lava.compiler.options import MapOptions, Objective
from tern2lava.errors import CapacityError, Tern2LavaError
from tern2lava.hw_profiles import Profile, load_profile

ALGORITHMS = ("linear", "random", "hilbert", "spectral", "quadratic", "mtkahypar", "search", "auto")
PROOF_SECONDS = 5.0
GROWTH_TARGET = "hala-point"
_SHOWN = ("cores", "bound", "hops", "row_major", "seconds", "gib", "error")
_stop = math.inf
Row = dict[str, Any]


def in_child(work: Callable[..., Row], *arguments: Any, limit: float = 600.0) -> Row:
    """What `work` returns in a process of its own, or its `error`."""
    left = _stop - time.monotonic()
    if left < 0:
        return {"error": "not measured: --stop-after was over"}
    late = f"not done after {limit:.0f} s" if limit < left else "not measured: --stop-after was over"
    limit = min(limit, left)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, work, arguments))
    child.start()
    theirs.close()
    try:
        found: Row = ours.recv() if ours.poll(limit) else {"error": late}
    except EOFError:
        found = {"error": "the process died"}
    child.kill()
    child.join()
    print(*arguments, {k: v for k, v in found.items() if k in _SHOWN}, file=sys.stderr, flush=True)
    return found


def _child(pipe: Any, work: Callable[..., Row], arguments: tuple[Any, ...]) -> None:
    try:
        pipe.send(work(*arguments))
    except (Tern2LavaError, MemoryError, ValueError) as error:
        pipe.send({"error": str(error) or type(error).__name__})


def stop_after(seconds: float) -> None:
    """Start no row after this number of seconds from now, and end those that run."""
    global _stop
    _stop = time.monotonic() + seconds


def _held() -> float:
    """Most GiB that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _task(graph: Graph, profile: Profile, found: Partition) -> Problem:
    wired = connections(graph, found)
    return problem(profile, found.cores, wired.source, wired.target, traffic(graph, found, wired).spikes)


def _mapped(name: str, target: str, objective: Objective) -> tuple[Mapped, Row]:
    """Our mapping, and what it takes."""
    graph, profile = network(name, target), load_profile(target)
    begin = time.process_time()
    mapped = map_program(graph, profile, MapOptions(objective=objective))
    seconds = time.process_time() - begin
    several = {part.population for part in mapped.partition.parts if not part.box.is_full}
    memory, bounds = mapped.memory(), mapped.partition.bounds
    return mapped, {
        "cores": mapped.partition.cores, "bound": mapped.cores_lower_bound,
        "chips": len({use.chip for use in mapped.core_use()}), "hops": mapped.placement.cost,
        "link": mapped.quality.link, "seconds": seconds, "gib": _held(), "large": bool(several),
        "scarce": max(bounds, key=lambda name: bounds[name]),
        "stored": sum(row.ternary for row in memory), "fp32": sum(row.fp32 for row in memory),
    }  # fmt: skip


def _filled(mapped: Mapped) -> Row:
    """Sequential filling of the same network: its cores, and hops placed row by row and at random."""
    row: Row = {"filled": None, "row_major": None, "anywhere": None}
    try:
        before = sequential(mapped.graph, mapped.profile)
    except (ValueError, CapacityError):
        return row
    row["filled"] = before.cores
    if before.cores <= mapped.profile.system.cores:
        filled = _task(mapped.graph, mapped.profile, before)
        row |= {"row_major": place(filled, "linear").cost, "anywhere": place(filled, "random").cost}
    return row


def row_of(name: str, target: str) -> Row:
    """Our mapping, what others make of the network, each placement algorithm on our partition, and for few cores what
    CP-SAT proves."""
    mapped, row = _mapped(name, target, "cores")
    row["alone"] = one_a_core(mapped.graph, mapped.profile)
    work = _task(mapped.graph, mapped.profile, mapped.partition)
    for algorithm in ALGORITHMS:
        begin = time.process_time()
        try:
            row[algorithm] = place(work, algorithm).cost
        except Tern2LavaError:
            row[algorithm] = None
        row[f"{algorithm} s"] = time.process_time() - begin
    if 1 < work.cores <= LARGEST:
        proof = prove(work, seconds=PROOF_SECONDS)
        row |= {"best": min(work.cost(proof.slot), row["auto"]), "proof": proof.bound, "optimal": proof.optimal}
    return row | _filled(mapped)


def traffic_row(name: str, target: str) -> Row:
    """Our mapping for the least traffic, and sequential filling."""
    mapped, row = _mapped(name, target, "traffic")
    return row | _filled(mapped)


def growth_row(size: str, kind: str) -> Row:
    """What mapping a network of that size takes."""
    graph, profile = (SYNAPSES if kind == "synapses" else NEURONS)[size](), load_profile(GROWTH_TARGET)
    begin = time.process_time()
    mapped = map_program(graph, profile)
    return {
        "source": graph.source, "cores": mapped.partition.cores, "bound": mapped.cores_lower_bound,
        "seconds": time.process_time() - begin, "gib": _held(), "chips": len({c.chip for c in mapped.core_use()}),
    }  # fmt: skip
