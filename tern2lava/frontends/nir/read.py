"""NIR, the Neuromorphic Intermediate Representation, read into a Graph (docs/nir.md).

Equations: the docstrings of nir/ir (NIR 1.0), stepped by forward Euler, current before voltage before threshold, as
all frameworks that read NIR do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.graph import (
    Add,
    Delay,
    Flatten,
    Graph,
    Identity,
    Level,
    Neuron,
    Output,
    PoolKind,
    Readout,
)
from tern2lava.compiler.ir.shapes import Ints, compact, frozen, size
from tern2lava.compiler.neurons.mechanism import words
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.findings import alone, replaced, unseen
from tern2lava.frontends.assumptions import Assumptions, parse_assumptions
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.delays import delayed, diagonal
from tern2lava.frontends.files.hdf5 import Tree
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.nir.file import ANALOG, NEURONS, REFUSED, NirGraph, parse_nir
from tern2lava.frontends.nir.layers import conv_fields, dense_layer, flattened, size_pair
from tern2lava.frontends.nir.loops import order_nodes
from tern2lava.frontends.nir.neuron import NEVER, neuron_fields, silent_fields
from tern2lava.frontends.nir.rewrite import add_ends, free_name, fuse_resets, fuse_thresholds
from tern2lava.frontends.nir.sizes import check_output, check_population, placed
from tern2lava.frontends.nir.time_step import WHOLE, Timing, find_timing

LONGEST_DELAY = 1 << 20
"""Steps that a Delay may wait at most; targets hold far fewer and say so."""

KEYS = ("reset", "fire", "reset_delay", "readout", "levels")


def read_tree(
    tree: Tree,
    source: str,
    where: object,
    *,
    dt: float | None = None,
    assume: str | Mapping[str, str] | None = None,
    steps: int = 0,
) -> Graph:
    """The Graph (IMPORTED) of the tree of a NIR file.

    dt: the time step in seconds, where the file does not tell it (see time_step.find_timing). assume: what the
    framework that wrote the file lost (see parse_assumptions; keys KEYS and words of mechanisms). steps: time steps of
    a sample. Raises InputError for a damaged or incomplete file, UnsupportedError for what has no exact form.
    """
    given = parse_assumptions(assume, (*KEYS, *words()))
    graph = add_ends(fuse_resets(fuse_thresholds(parse_nir(tree, where))), where)
    assumptions = given.behind(graph.said)
    timing = find_timing(graph, dt, where)
    result = _Assembly(graph, timing, assumptions, source, steps or graph.steps, where).graph()
    given.check_used()
    return result


def seconds_of(tree: Tree, where: object, dt: float | None = None) -> float | None:
    """The time step in seconds that the tree of a NIR file is read with, `dt` being what the user gave; None where it
    needs none."""
    return find_timing(add_ends(fuse_resets(fuse_thresholds(parse_nir(tree, where))), where), dt, where).dt


class _Assembly:
    """One NIR graph on its way into a Graph; nodes are added in order, loops closed at the end."""

    def __init__(
        self, graph: NirGraph, timing: Timing, assumptions: Assumptions, source: str, steps: int, where: object
    ) -> None:
        self.nir = graph
        self.dt = timing.dt
        self.assumptions = assumptions
        self.where = where
        kinds = {node.kind for node in graph.nodes.values()}
        if "Conv1d" in kinds and kinds & {"Conv2d", "SumPool2d", "AvgPool2d"}:
            raise UnsupportedError(str(where), "images of one number of dimensions", "Conv1d and Conv2d", "use one")
        self.builder = GraphBuilder(source, steps, one_dimensional="Conv1d" in kinds)
        self.builder.notes += [*graph.notes, *timing.notes]
        self.wait = {node.name: self.delay_steps(node) for node in graph.nodes.values() if node.kind == "Delay"}
        spans = {name: (int(steps.min()), int(steps.max())) for name, steps in self.wait.items()}
        self.order = order_nodes(graph, spans)
        self.ir: dict[str, str] = {}
        self.open: dict[str, list[str]] = {}

    def graph(self) -> Graph:
        """The finished graph, checked."""
        notes = self.builder.notes
        if not any(node.kind in NEURONS for node in self.nir.nodes.values()):
            raise UnsupportedError(str(self.where), "a network with neurons", "none", "add a neuron layer")
        if self.assumptions.texts:
            notes.append(f"assumed, or said in the file's metadata: {', '.join(self.assumptions.texts)}")
        notes.append(
            "NIR's equations: forward Euler, spikes where v > v_threshold, then v = v_reset, v and i 0 at first; "
            "another reset or comparison that a framework lost on export can be said with --assume"
        )
        for name in self.order.forward:
            with alone(name) as each:
                self.add(self.nir.nodes[name])
            if each.refused:
                self.lose(self.nir.nodes[name])
        for a, b in self.order.late:
            self.close(a, b)
        if any(name not in self.ir for name in self.order.forward):
            raise unseen("the passes and the mapping")
        graph = Graph(
            level=Level.IMPORTED,
            nodes=tuple(self.builder.nodes),
            source=self.builder.source,
            steps=self.builder.steps,
            notes=tuple(notes),
        )
        check(graph)
        return graph

    def lose(self, node: Hdf5Node) -> None:
        """Go on without a node that was refused: of neurons behind one, what they say themselves is still looked at."""
        self.builder.lose(node.name)
        self.open[node.name] = []
        if node.kind in NEURONS:
            with alone():
                neuron_fields(node, self.dt, self.assumptions)

    def place(self, node: Hdf5Node) -> str:
        return f"{self.where}: {node.name} ({node.kind})"

    def delay_steps(self, node: Hdf5Node) -> Ints:
        """Steps of a Delay node, one number or one for each value; UnsupportedError where they are not whole."""
        seconds = node.array("delay")
        assert self.dt is not None
        steps = seconds / self.dt
        whole = np.rint(steps)
        wrong = np.abs(steps - whole) > WHOLE
        if np.any(wrong) or np.any(whole < 0) or np.any(whole > LONGEST_DELAY):
            raise UnsupportedError(
                node.name,
                f"delays of 0 to {LONGEST_DELAY:,} whole time steps",
                f"{float(steps.min()):g} to {float(steps.max()):g} steps of {self.dt:g} s",
                "give the --dt that it was trained with; rounding its delays would change the network",
            )
        return whole.astype(np.int64)

    def delay(self, node: Hdf5Node, source: str) -> None:
        """Add a Delay node, each of its values waiting as long as it says."""
        steps = placed(node, "delay", self.wait[node.name], self.builder.shape[source])
        delayed(self.builder, node.name, source, self.place(node), steps)

    def read(self, a: str, b: str) -> str:
        """The IR node that carries what `a` sends to `b`: a Delay of one step where the edge waits."""
        if a not in self.ir:
            raise unseen(b)
        carrier = self.ir[a]
        if (a, b) not in self.order.waiting:
            return carrier
        name = free_name(f"{a}.wait", self.builder.shape)
        self.builder.add(Delay(name=name, inputs=(carrier,), steps=1), self.where)
        self.builder.notes.append(f"{a} -> {b} closes a loop: spikes arrive one step later")
        return name

    def close(self, a: str, b: str) -> None:
        """Let `b` read the late edge from `a` as well."""
        if not self.open[b]:
            return
        at = next(i for i, node in enumerate(self.builder.nodes) if node.name == self.open[b][0])
        node = self.builder.nodes[at]
        self.builder.nodes[at] = replace(node, inputs=(*node.inputs, self.read(a, b)))

    def add(self, node: Hdf5Node) -> None:
        """Add one node behind those that feed it."""
        if node.kind == REFUSED:
            raise unseen(node.name)
        late = [a for a, b in self.order.late if b == node.name]
        sources = [self.read(a, node.name) for a in self.nir.sources(node.name) if a not in late]
        if node.kind == "Input":
            self.check_unfed(node, sources)
            shape = tuple(node.whole("shape"))
            if min(shape) < 1:
                raise InputError(f"{node.name}.shape", f"requires positive sizes; found {shape}; write the file again")
            self.builder.input(node.name, shape, self.assumptions.levels(node.name), self.place(node))
            self.ir[node.name] = node.name
            return
        if node.kind in NEURONS:
            self.neuron(node, sources)
            self.open[node.name] = [node.name]
        else:
            if len(sources) + len(late) > 1:
                name = free_name(f"{node.name}.sum", self.builder.shape)
                self.builder.add(Add(name=name, inputs=tuple(sources)), self.place(node))
                self.open[node.name] = [name]
                sources = [name]
            self.layer(node, sources[0])
        self.ir[node.name] = node.name

    def check_unfed(self, node: Hdf5Node, sources: list[str]) -> None:
        if sources:
            raise UnsupportedError(node.name, "an Input that nothing feeds", sources[0], "remove the edge")

    def layer(self, node: Hdf5Node, source: str) -> None:
        """Add a node without neurons, or an Output."""
        builder, where, shape = self.builder, self.place(node), self.builder.shape[source]
        match node.kind:
            case "Affine" | "Linear":
                builder.add(dense_layer(node, source, shape), where)
            case "Scale":
                diagonal(builder, node.name, source, where, placed(node, "scale", node.array("scale"), shape))
            case "Conv1d" | "Conv2d":
                builder.conv(node.name, source, where, **conv_fields(node))
            case "SumPool2d" | "AvgPool2d":
                kind = PoolKind.AVG if node.kind == "AvgPool2d" else PoolKind.SUM
                kernel = size_pair(node, "kernel_size", 1)
                builder.pool(
                    node.name, source, where, kind=kind, kernel=kernel, stride=size_pair(node, "stride", None, kernel),
                    padding=size_pair(node, "padding", 0),
                )  # fmt: skip
            case "Flatten":
                self.flatten(node, source)
            case "Delay":
                self.delay(node, source)
            case "Output":
                self.output(node, source)
            case _:
                builder.add(Identity(name=node.name, inputs=(source,)), where)

    def flatten(self, node: Hdf5Node, source: str) -> None:
        """Add a Flatten of all dimensions, or of some, which is an identity of another shape.

        NIR counts dimensions without the batch; a file whose start_dim 1 was meant with a batch is known by a dense
        layer behind that takes everything.
        """
        start, end = node.one("start_dim", 1), node.one("end_dim", -1)
        shape = self.builder.shape[source]
        rank = 2 if self.builder.one_dimensional and len(shape) == 3 else len(shape)
        full = rank == 1 or (start == 0 and end in (-1, rank - 1))
        behind = [self.nir.nodes[name] for name in self.nir.targets(node.name)]
        takes = [n.array("weight").shape[-1:] for n in behind if n.kind in ("Affine", "Linear")]
        if not full and start == 1 and end in (-1, rank) and takes and all(took == (size(shape),) for took in takes):
            self.builder.notes.append(f"{node.name}: start_dim 1 is read as counted with a batch dimension")
            full = True
        if full:
            self.builder.add(Flatten(name=node.name, inputs=(source,)), self.place(node))
            return
        seen = (shape[0], shape[2]) if rank < len(shape) else shape
        merged = flattened(node, seen)
        if merged == seen:
            self.builder.add(Identity(name=node.name, inputs=(source,)), self.place(node))
            return
        places = np.arange(size(shape))
        self.builder.sparse(node.name, source, self.place(node), merged, places, places, np.ones(()))

    def neuron(self, node: Hdf5Node, sources: list[str]) -> None:
        """Add a population; its shape is that of what feeds it."""
        if node.kind in ANALOG and "v_threshold" not in node.fields:
            for name in self.nir.targets(node.name):
                if self.nir.nodes[name].kind not in ("Output", "Identity", "Flatten"):
                    raise UnsupportedError(
                        node.name,
                        "potentials to be read at outputs only, since synapses carry spikes",
                        f"{node.kind} feeding {name}",
                        "use a LIF, CubaLIF or IF there, or make it an output",
                    )
        place = self.place(node)
        shape = self.builder.shape[sources[0]]
        check_population(node, shape)
        fields: dict[str, Any] = {}
        with alone() as each:
            fields = neuron_fields(node, self.dt, self.assumptions)
        if each.refused:
            replaced(node.name)
            fields = {"threshold": frozen(1.0)}
        for key, value in fields.items():
            if isinstance(value, np.ndarray):
                value = compact(np.asarray(placed(node, key, value, shape)), shape)
            fields[key] = value
        self.builder.neuron(node.name, tuple(sources), place, **fields)

    def output(self, node: Hdf5Node, source: str) -> None:
        """Add an Output, with an integrator before it where a linear layer is read."""
        builder, where = self.builder, self.place(node)
        check_output(node, builder.shape[source])
        population = source
        by_name = {each.name: each for each in builder.nodes}
        while isinstance(by_name[population], Flatten | Identity):
            population = by_name[population].inputs[0]
        found = by_name[population]
        if isinstance(found, Neuron):
            analog = float(np.max(found.threshold)) >= NEVER
        elif any(isinstance(each, Neuron) for each in builder.nodes):
            population = free_name(f"{node.name}.sum", builder.shape)
            builder.neuron(population, (source,), where, **silent_fields({"alpha_v": frozen(1.0)}))
            builder.notes.append(
                f"{node.name}: {source} is linear and has no neurons; {population} sums it over the steps"
            )
            analog = True
        else:
            raise UnsupportedError(node.name, "outputs that read neurons", source, "put a neuron layer before it")
        said = self.assumptions.get(node.name, "readout")
        readout = Readout(said) if said else Readout.MEMBRANE_LAST if analog else Readout.SPIKE_COUNT
        if analog and readout is Readout.SPIKE_COUNT:
            raise UnsupportedError(
                node.name, "a neuron without threshold to be read by its potential", "readout spike_count",
                "assume readout membrane_last, membrane_sum or membrane_max",
            )  # fmt: skip
        if said is None and analog:
            builder.notes.append(f"{node.name}: potentials are read at the last step (else: --assume readout=...)")
        builder.add(Output(name=node.name, inputs=(population,), readout=readout), where)
