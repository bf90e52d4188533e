"""The conformance table, docs/conformance.md: every neuron of each framework, every reset and connection.

    python benchmarks/conformance.py            the whole table (about twenty minutes on one core)
    python benchmarks/conformance.py --quick    one network a cell without Lava, printed, nothing written
    python benchmarks/conformance.py --check    the table recomputed, without Lava, and held against the file
    python benchmarks/conformance.py --only TEXT    the rows that contain TEXT, written into the file
    python benchmarks/conformance.py --float32  the columns of float32 alone computed and written into the rows
    python benchmarks/conformance.py --target NAME   the columns of one target alone, likewise

A cell is NETS random networks by seed, of ternary weights times a scale. Even seeds take powers of two for weights,
thresholds and inputs' weights, so that potentials meet thresholds exactly and > and >= differ; odd seeds take real
numbers. Five runs, the last two for each of TARGETS, of which loihi2 is the default: the framework's own in float64 (F)
and in float32 (S), the float reference on the graph that the front end read (R), the integer program (I), and that
program in Lava's CPU simulator (L). The table counts neuron-timesteps where F and R differ, S and R (ties that float32
rounding explains, and misreadings: sim/reading/run.py), I and R (the rounding of decays and scales to the target's
integers, which certificates bound), L and I. Lava's process models run one after the other without its runtime
(run_stock's `sequential`), or in it with --runtime.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from conformance_cells import Cell, Looped, network
from conformance_cells import cells as live_cells
from conformance_files import FileCell, Run, exported_cells, lavadl_cells, nir_cells
from numpy.typing import NDArray
from torch import nn

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Neuron, Population
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.frontends.modules.read import load_module
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.run import read
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import NeuronState, run_float
from tern2lava.sim.verify.threshold_margin import Tracker

TABLE = Path(__file__).resolve().parent.parent / "docs" / "conformance.md"
ZOO = Path(__file__).resolve().parent / "results" / "model_zoo.md"
NETS, BATCH, LAVA_BATCH, STEPS = 10, 2, 1, 40
QUICK_STEPS = 20
FEWEST = 10_000
TARGETS = ("tiny", "loihi2", "generic-ternary")
# Of a row that is cut at its bars; what Lava counts stands behind what is rounded.
ROUNDED_COLUMNS = [10 + 2 * at for at in range(len(TARGETS))]
LAVA_COLUMNS = [1 + column for column in ROUNDED_COLUMNS]

Array = NDArray[Any]


def own_run(
    model: nn.Module, x: torch.Tensor, names: list[str], dtype: torch.dtype = torch.float64
) -> dict[str, Array]:
    """Spikes (batch, steps, neurons) of the named layers, the framework running in `dtype` on x (batch, steps, ...)."""
    found: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    handles = []
    for name, part in model.named_modules():
        if name in found:
            handles.append(part.register_forward_hook(
                lambda m, a, out, name=name: found[name].append(out[0] if isinstance(out, tuple) else out)
            ))  # fmt: skip
        if hasattr(part, "reset_mem"):
            part.reset_mem()
        elif type(part).__module__.startswith("spikingjelly") and hasattr(part, "reset"):
            part.reset()
    model = model.to(dtype)
    with torch.no_grad():
        if isinstance(model, Looped):
            model(x.transpose(0, 1).to(dtype))
        else:
            state = None
            for t in range(x.shape[1]):
                if "norse" in type(model).__module__:
                    _, state = model(x[:, t].to(dtype), state)
                else:
                    model(x[:, t].to(dtype))
    for handle in handles:
        handle.remove()
    return {name: torch.stack(spikes, 1).flatten(2).numpy() for name, spikes in found.items()}


def cells() -> list[Cell | FileCell]:
    """Every cell of the table, in its order."""
    return [*live_cells(), *nir_cells(), *exported_cells(own_run), *lavadl_cells()]


def prepare(cell: Cell | FileCell, seed: int) -> tuple[Graph, tuple[int, ...], Run]:
    """(graph as the front end reads it, shape of its input, the source's own run) of a cell's network."""
    if isinstance(cell, FileCell):
        return cell.read(seed)
    model, shape = network(cell, seed)
    graph = load_module(model, shape, STEPS)
    names = [node.name for node in graph.of_kind(Neuron)]
    return graph, shape, lambda x: own_run(model, torch.from_numpy(x), names)


def prepare_float32(cell: Cell | FileCell, seed: int) -> tuple[Graph, tuple[int, ...], Run] | None:
    """As `prepare`, everything in float32; None where the source has no such run."""
    if isinstance(cell, FileCell):
        return None if cell.read_float32 is None else cell.read_float32(seed)
    model, shape = network(cell, seed)
    graph = load_module(model.float(), shape, STEPS)
    names = [node.name for node in graph.of_kind(Neuron)]
    return graph, shape, lambda x: own_run(model, torch.from_numpy(x), names, torch.float32)


def draw(seed: int, shape: tuple[int, ...], steps: int) -> Array:
    """The input of a cell's network, (BATCH, steps, *shape)."""
    rng = np.random.default_rng([seed, 1])
    return (rng.random((BATCH, steps, *shape)) < 0.35).astype(np.uint8)


def in_float32(cell: Cell | FileCell, nets: int, steps: int = STEPS) -> list[Reading]:
    """The float model held against each network's own run in float32; empty where the source has none."""
    found = []
    for seed in range(nets):
        prepared = prepare_float32(cell, seed)
        if prepared is None:
            return []
        graph, shape, run = prepared
        x = draw(seed, shape, steps)
        spikes = {name: values.astype(np.int8) for name, values in run(x).items()}
        framework = cell.framework.removeprefix("NIR from ").lower()
        oracle = Oracle(spikes=spikes, v={}, dtype="float32", framework=framework)
        found.append(read(replace(graph, steps=steps), {graph.of_kind(Input)[0].name: x}, oracle))
    return found


@dataclass
class OnTarget:
    """The counts of a cell on one target: neuron-timesteps where I and R differ, first differences beyond the certified
    bound, spikes of L, spikes and potentials where L and I differ (None: not run)."""

    rounded: int = 0
    unexplained: int = 0
    lava_spikes: int = 0
    lava_differ: int | None = None


@dataclass
class Row:
    """The counts of a cell: networks, spikes of F, the neuron-timesteps where F and R differ; those of each target; of
    the run in float32 ties and misreadings (None: there is none)."""

    nets: int = 0
    spikes: int = 0
    differ: int = 0
    on: dict[str, OnTarget] = field(default_factory=dict)
    ties: int | None = None
    misread: int | None = None

    def add_float32(self, readings: list[Reading]) -> None:
        """Take over the counts of float32 runs."""
        if readings:
            self.ties = sum(one.ties for one in readings)
            self.misread = sum(one.misreadings for one in readings)


InLava = Callable[[Graph, dict[str, Array]], Trace]
Prepared = tuple[Graph, tuple[int, ...], Run]


def measure(
    cell: Cell | FileCell,
    nets: int,
    lava: InLava | None = None,
    steps: int = STEPS,
    targets: tuple[str, ...] = TARGETS,
    float32: bool = True,
) -> Row:
    """The row of a cell over networks of seeds 0 to nets - 1; `lava` runs a program in Lava. float32: the network's own
    runs in float32 are counted too."""
    row, prepared = Row(), [prepare(cell, seed) for seed in range(nets)]
    for seed, (graph, shape, run) in enumerate(prepared):
        x = draw(seed, shape, steps)
        own = run(x)
        trace = run_float(graph, {graph.of_kind(Input)[0].name: x}, states=False)
        row.nets += 1
        for name in (node.name for node in graph.of_kind(Neuron)):
            row.spikes += int(np.abs(own[name]).sum())
            row.differ += int(np.count_nonzero(own[name] != trace.spikes[name]))
    if float32:
        row.add_float32(in_float32(cell, nets, steps))
    row.on = {target: on_target(prepared, target, lava, steps) for target in targets}
    return row


def on_target(prepared: list[Prepared], target: str, lava: InLava | None, steps: int = STEPS) -> OnTarget:
    """The counts of a cell's networks, compiled to the integers of a target."""
    arithmetic = Arithmetic(**load_profile(target).arithmetic_values())
    found, programs, shared = OnTarget(), [], np.zeros(0)
    for seed, (graph, shape, _) in enumerate(prepared):
        x = draw(seed, shape, steps)
        inputs = {graph.of_kind(Input)[0].name: x}
        trace = run_float(graph, inputs, states=False)
        lowered = lower(graph, arithmetic, Options(steps=STEPS, allow_rounding=1.0))
        integers = integer.run(lowered.program, inputs, states=False)
        found.unexplained += unexplained(lowered, inputs, integers)
        for name in (node.name for node in graph.of_kind(Neuron)):
            found.rounded += int(np.count_nonzero(integers.spikes[name] != trace.spikes[name]))
        programs.append(lowered.program)
        shared = shared if shared.size else x
    if lava is not None:
        merged, inputs = side_by_side(programs, shared[:LAVA_BATCH])
        expected = integer.run(merged, inputs)
        if sum(int(np.abs(spikes.astype(np.int64)).sum()) for spikes in expected.spikes.values()) < FEWEST:
            merged, inputs = side_by_side(programs, shared)
            expected = integer.run(merged, inputs)
        in_lava = lava(merged, inputs)
        found.lava_differ = 0
        for name, spikes in expected.spikes.items():
            found.lava_spikes += int(np.abs(spikes.astype(np.int64)).sum())
            found.lava_differ += int(np.count_nonzero(spikes != in_lava.spikes[name]))
            found.lava_differ += int(np.count_nonzero(expected.v[name] != in_lava.v[name]))
    return found


class Marking(Tracker):
    """A Tracker that keeps where, (batch, neurons) per step, its running bound lets the integers spike otherwise."""

    def __init__(self, real: Graph, program: Graph, population: Population, steps: int) -> None:
        super().__init__(real, program, population, steps)
        self.marks: list[Array] = []

    def step(self, state: NeuronState, met: Array) -> Array:
        self.marks.append(np.zeros(met.shape, bool))
        return super().step(state, met)

    def _near(self, met: Array, error: Array, shift: Array) -> Array:
        near = super()._near(met, error, shift)
        self.marks[-1] |= near
        return near


def unexplained(lowered: Lowered, inputs: dict[str, Array], integers: Trace) -> int:
    """Neuron-timesteps where integers first spike otherwise than real numbers though their error bound excludes it.

    Only the first population that differs in the first such step of a sample is asked: what follows has other inputs.
    """
    populations = lowered.program.of_kind(Population)
    steps = next(iter(inputs.values())).shape[1]
    trackers = {p.name: Marking(lowered.real, lowered.program, p, steps) for p in populations}

    def observe(name: str, state: NeuronState, met: Array) -> None:
        trackers[name].step(state, met)

    floats = run_float(lowered.real, inputs, states=False, observe=observe)
    differ = {p.name: floats.spikes[p.name] != integers.spikes[p.name] for p in populations}
    count = 0
    for sample in range(next(iter(differ.values())).shape[0]):
        first = {name: int(d[sample].any(axis=1).argmax()) for name, d in differ.items() if d[sample].any()}
        if first:
            name = min(first, key=lambda name: first[name])  # of several in one step, the first in the program
            step = first[name]
            count += int(np.count_nonzero(differ[name][sample, step] & ~trackers[name].marks[step][sample]))
    return count


def side_by_side(programs: list[Graph], x: Array) -> tuple[Graph, dict[str, Array]]:
    """One INTEGER graph of several that read the same input, and that input: one run in Lava for all."""
    nodes: list[Any] = [*programs[0].of_kind(Input)]
    for number, program in enumerate(programs):
        for node in program.nodes:
            if isinstance(node, Input):
                continue
            inputs = tuple(name if name == nodes[0].name else f"n{number}.{name}" for name in node.inputs)
            nodes.append(replace(node, name=f"n{number}.{node.name}", inputs=inputs))
    return replace(programs[0].with_nodes(nodes), level=Level.INTEGER), {nodes[0].name: x}


def render(lines: dict[str, str]) -> str:
    """The text of docs/conformance.md with these rows, in the order of cells()."""
    packages = ("snntorch", "spikingjelly", "norse", "torch", "lava-nc", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    order = ["|".join(line(cell.key, Row()).split("|")[:5]) for cell in cells()]
    rows = [lines[name] for name in order if name in lines]
    cut = [[part.replace(",", "").strip() for part in text.split("|")] for text in rows]
    spikes, differ = (sum(int(parts[n]) for parts in cut) for n in (6, 7))
    cells_in_lava = [parts[column] for parts in cut for column in LAVA_COLUMNS if "/" in parts[column]]
    in_lava, lava_differ = (sum(int(text.split("/")[n]) for text in cells_in_lava) for n in (0, 1))
    singles = [parts for parts in cut if parts[8].isdigit()]
    ties, misread = (sum(int(parts[n]) for parts in singles) for n in (8, 9))
    head = f"""\
# Conformance: does a network spike as in its framework, and in Lava as compiled?

Written by `python benchmarks/conformance.py` with {versions}; `--check` recomputes it.

Each row is {NETS} random networks (seeds 0 to {NETS - 1}) of two neuron layers and ternary weights, {BATCH} samples of
{STEPS} steps. *Spikes* are those of the framework's own run in float64; *differ* counts neuron-timesteps where the
graph read by the front end spikes otherwise in real numbers. *Ties* and *misread* are of the framework's own run in
float32, which is what people ship: spikes that its rounding explains, for the potential lies within the stated bound of
the threshold, and spikes that it does not (docs/oracle.md); every population reads the recorded spikes of the others.
*Rounded* counts those where the integers of a target spike otherwise than real numbers: of `tiny`, whose decays have 12
bits; of `loihi2`, the default target, whose thresholds are multiples of 64 besides; of `generic-ternary`, whose decays
have 24 bits. Networks that a target would refuse because a number moves by more than 5 % are lowered all the same. The
first such difference of every sample lies within the running error bound of its certificate
(sim/verify/threshold_margin.py); others follow it, for spikes feed spikes. *Lava* counts the spikes of the same
networks on one sample ({BATCH} where one gives fewer than {FEWEST:,}) in Lava's process models and, after the slash,
the spikes and membrane potentials that are others than in the integer reference, for each of the targets.

In all {len(rows):,} rows: {spikes:,} spikes, {differ:,} differ; in Lava {in_lava:,} spikes, {lava_differ:,} differ.
In float32 {len(singles):,} rows: {ties:,} ties, {misread:,} misread.

Recurrent, residual and delayed networks of neurons without a recurrence of their own are modules with a loop over time,
read by tracing; pooled ones take averages and maxima of spikes in turn (of signed spikes averages alone). RSynaptic of
snnTorch 1.0 cannot run with a reset at once. Sequential networks of SpikingJelly are run step by step; its multi-step
mode is compared in tests/frontends/modules/test_spikingjelly.py.

NIR has no runner of its own. Rows *NIR* hold the reader against forward Euler on nir's objects, written down from the
docstrings of nir 1.0.8; *subtract, >=* is what `--assume reset=subtract,fire=ge` says. Rows *NIR from* a framework are
networks that its own export wrote, against the framework's own run, with the assumptions of docs/nir.md. lava-dl cannot
be installed any more: its rows are held against SpikingJelly's bit-accurate copy of slayer's neurons
(spikingjelly.activation_based.lava_exchange) on layers computed by torch; *zero, >=* is `--assume fire=ge`. Their
integers are kept, so nothing is rounded, but for *zero, >=* on `loihi2`: >= 64 t is > 64 t - 1, no multiple of 64.

"""
    columns = ["framework", "neuron", "reset", "connection", "nets", "spikes", "differ", "ties", "misread"]
    columns += [name for target in TARGETS for name in (f"rounded, {target}", "Lava")]
    head += f"| {' | '.join(columns)} |\n|{'---|' * 4}{'---:|' * (len(columns) - 4)}\n"
    return head + "".join(f"{text}\n" for text in rows) + "\n" + shipped()


def shipped() -> str:
    """The table of networks as frameworks ship and teach them (benchmarks/model_zoo.py), as a section."""
    return "#" + ZOO.read_text(encoding="utf-8")


def line(key: tuple[str, str, str, str], row: Row) -> str:
    """One row of the table."""
    targets = " | ".join(target_columns(row.on.get(target, OnTarget())) for target in TARGETS)
    counts = f"{row.nets} | {row.spikes:,} | {row.differ:,} | {in_columns(row)} | {targets}"
    return f"| {' | '.join(key)} | {counts} |\n"


def target_columns(found: OnTarget) -> str:
    """The two columns of a target."""
    lava = "not run" if found.lava_differ is None else f"{found.lava_spikes:,} / {found.lava_differ:,}"
    return f"{found.rounded:,} | {lava}"


def in_columns(row: Row) -> str:
    """The two columns of float32."""
    return "- | -" if row.ties is None else f"{row.ties:,} | {row.misread:,}"


def written() -> dict[str, str]:
    """The lines of the committed table by their cell."""
    if not TABLE.exists():
        return {}
    lines = [
        text for text in TABLE.read_text().splitlines() if text.count("|") == LAVA_COLUMNS[-1] + 1 and "---" not in text
    ]
    return {"|".join(text.split("|")[:5]): text for text in lines[1:]}


def fill_float32(cell: Cell | FileCell, nets: int, write: bool) -> int:
    """1 where a cell has misreadings in float32, else 0; its ties and misreadings, printed and written into its row."""
    row = Row()
    row.add_float32(readings := in_float32(cell, nets))
    name = "|".join(line(cell.key, row).split("|")[:5])
    print(f"{name}| {in_columns(row)} |", flush=True)
    for one in readings:
        if one.misreadings:
            print(f"  {one}", flush=True)
    lines = written()
    if write and name in lines:
        parts = lines[name].split("|")
        parts[8:10] = f" {in_columns(row)} ".split("|")
        TABLE.write_text(render({**lines, name: "|".join(parts)}))
    return int(bool(row.misread))


def fill_target(cell: Cell | FileCell, target: str, lava: InLava) -> int:
    """1 where a cell leaves the certified bound on a target, else 0; the target's columns are written into its row."""
    found = on_target([prepare(cell, seed) for seed in range(NETS)], target, lava)
    name = "|".join(line(cell.key, Row()).split("|")[:5])
    print(f"{name}| {target_columns(found)} | {found.unexplained:,} beyond the certified bound", flush=True)
    lines = written()
    if name in lines and not found.unexplained:
        parts = lines[name].split("|")
        at = ROUNDED_COLUMNS[TARGETS.index(target)]
        parts[at : at + 2] = f" {target_columns(found)} ".split("|")
        TABLE.write_text(render({**lines, name: "|".join(parts)}))
    return int(bool(found.unexplained))


def same_counts(one: str, other: str) -> bool:
    """Whether two rows have the same counts, those of Lava left out."""
    keep = [*range(10), *ROUNDED_COLUMNS]
    first, second = one.split("|"), other.split("|")
    return len(first) == len(second) and [first[k] for k in keep] == [second[k] for k in keep]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one network a cell without Lava, nothing written")
    parser.add_argument("--check", action="store_true", help="recompute without Lava and compare with the file")
    parser.add_argument("--only", default="", help="only the rows that contain this text")
    parser.add_argument("--float32", action="store_true", help="only the columns of float32, written into the rows")
    parser.add_argument("--target", choices=TARGETS, help="only the columns of this target, written into the rows")
    parser.add_argument("--runtime", action="store_true", help="Lava with its runtime, several times slower")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    lines, wrong = written(), 0
    with LavaChild() as child:

        def lava(graph: Graph, inputs: dict[str, Array]) -> Trace:
            return run_stock(graph, inputs, sequential=not arguments.runtime, timeout=600, child=child).trace

        for cell in cells():
            if arguments.only not in " | ".join(cell.key):
                continue
            if arguments.float32:
                wrong += fill_float32(cell, 1 if arguments.quick else NETS, write=not arguments.quick)
                continue
            if arguments.target:
                wrong += fill_target(cell, arguments.target, lava)
                continue
            without = arguments.check or arguments.quick
            nets, steps = (1, QUICK_STEPS) if arguments.quick else (NETS, STEPS)
            row = measure(cell, nets, None if without else lava, steps)
            text = line(cell.key, row).rstrip()
            print(text, flush=True)
            if row.misread:
                wrong += 1
                print(f"  {row.misread:,} misreadings in float32", flush=True)
            if unbounded := sum(found.unexplained for found in row.on.values()):
                wrong += 1
                print(f"  {unbounded:,} first differences beyond the certified bound", flush=True)
                continue
            name = "|".join(text.split("|")[:5])
            if arguments.check and not same_counts(text, lines.get(name, "")):
                wrong += 1
                print(f"  differs from {TABLE.name}", flush=True)
            elif not without:
                # Other runs of --only may have added rows.
                TABLE.write_text(render({**written(), name: text}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
