"""L1 and L3: an INTEGER graph as Lava processes, one per population and projection.

L1 runs them in Lava's CPU simulator (an operating system process each, a barrier in every step), L3 the same processes
one after the other (lava_sequential): Lava's unmodified process models without its runtime, several times faster.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.lava.child import LavaChild, Progress, run_in_child
from tern2lava.sim.lava.process_choice import neurons_of, plan_stock
from tern2lava.sim.lava.run import DEFAULT_TIMEOUT, LavaRun, samples_and_steps
from tern2lava.sim.lava.shared_arrays import Layout, SharedArrays
from tern2lava.sim.reference.integer import spike_type


def run_stock(
    graph: Graph, inputs: Mapping[str, Spikes], *, sequential: bool = False, timeout: float = DEFAULT_TIMEOUT,
    progress: Progress | None = None, child: LavaChild | None = None,
) -> LavaRun:  # fmt: skip
    """The trace of INTEGER `graph` on `inputs` (per Input, values (batch, steps, *shape)), executed by Lava.

    Stock lava.proc processes wherever they are exact, ours elsewhere (`processes_used` says which). All samples run
    one after the other in one Lava run (see lava_plan). sequential: without Lava's runtime. progress(done, total)
    counts Lava steps. child: where it runs (None: in a child of its own).
    Raises InputError where there is nothing to run, MissingPackageError where Lava is absent, BackendError where
    the run dies or exceeds `timeout` seconds.
    """
    batch, steps = samples_and_steps(inputs)
    plan = plan_stock(graph, batch, steps)
    counts = neurons_of(graph)
    layout: Layout = {}
    for node in graph.of_kind(Input):
        layout[f"input/{node.name}"] = ((batch, steps, counts[node.name]), _dtype_of(node))
    populations = graph.of_kind(Population)
    for population in populations:
        name = population.name
        layout[f"spikes/{name}"] = ((batch, steps, counts[name]), np.dtype(spike_type(population)).name)
        layout[f"u/{name}"] = layout[f"v/{name}"] = ((batch, steps, counts[name]), "int64")
    shared = SharedArrays(layout)
    for node in graph.of_kind(Input):
        shared[f"input/{node.name}"][:] = inputs[node.name].reshape(batch, steps, -1)
    entry = "tern2lava.sim.lava.network:run_sequentially" if sequential else "tern2lava.sim.lava.network:run"
    run_in_child(entry, plan, shared, steps=plan.lava_steps, timeout=timeout, progress=progress, child=child)
    trace = Trace(
        spikes={name: shared[f"spikes/{name}"] for name in plan.neurons},
        v={name: shared[f"v/{name}"] for name in plan.neurons},
        u={name: shared[f"u/{name}"] for name in plan.neurons},
    )
    return LavaRun(trace=trace, processes_used=plan.uses, lava_steps=plan.lava_steps)


def _dtype_of(node: Input) -> str:
    """The smallest dtype that holds the levels of an Input."""
    low, high = node.levels
    return str(np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high)))
