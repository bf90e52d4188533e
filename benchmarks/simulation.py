"""Speed of the simulators side by side in one run: samples and synaptic operations a second, and the machine's bounds.

    uv run python benchmarks/simulation.py                  # some minutes; writes benchmarks/results/simulation.md
    uv run python benchmarks/simulation.py --quick          # under a minute, prints only
    uv run python benchmarks/simulation.py --quick --check  # exit code 1, naming every bar that falls short

Both networks have random ternary weights and neurons without leak that reset to zero, so that float32 frameworks can
compute them exactly: every contender's output spikes must equal the integer reference's. A synaptic operation is one
synapse in one step, zeros and silent sources included (what a dense framework computes).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from tern2lava.compiler.ir import (
    Arithmetic,
    ConvGeometry,
    Graph,
    Input,
    Level,
    Output,
    Population,
    Projection,
    Reset,
    frozen,
    size,
)
from tern2lava.compiler.slices import synapse_count
from tern2lava.sim import integer
from tern2lava.sim.engine.bits import popcount
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.spikes import SpikeData

RESULTS = Path(__file__).resolve().parent / "results" / "simulation.md"
CORES = 2
Array = Any
CHILDREN = contextlib.ExitStack()
# Output spikes (batch, steps, outputs) of input spikes (batch, steps, *shape).
Runner = Callable[[Array], Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class Net:
    """A network of the benchmark. thresholds: one per layer, in units of a weight; a spike needs more."""

    name: str
    graph: Graph
    steps: int
    thresholds: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.graph.of_kind(Input)[0].shape)

    @property
    def operations(self) -> int:
        """Synaptic operations of one sample."""
        return sum(synapse_count(p) for p in self.graph.of_kind(Projection)) * self.steps

    @property
    def output(self) -> str:
        return str(self.graph.of_kind(Output)[0].inputs[0])

    def spikes(self, batch: int, rate: float = 0.1) -> Array:
        """Random input spikes (batch, steps, *shape) uint8, the same for every contender."""
        return (np.random.default_rng(1).random((batch, self.steps, *self.shape)) < rate).astype(np.uint8)

    def leaky(self) -> Net:
        """The same network with membranes that keep 15/16 in a step."""
        nodes = [
            replace(n, decay_v=frozen(256, np.int64)) if isinstance(n, Population) else n for n in self.graph.nodes
        ]
        return replace(self, graph=self.graph.with_nodes(nodes))


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way of running a network. needs: packages without which it is left out; batches: None runs all; settles: its
    first run on a batch size is not timed."""

    name: str
    make: Callable[[Net], Runner]
    needs: tuple[str, ...] = ()
    batches: tuple[int, ...] | None = None
    settles: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    net: str
    contender: str
    batch: int
    seconds: float
    operations: int

    @property
    def rate(self) -> float:
        return self.batch / self.seconds


# --- networks


def _population(name: str, source: str, shape: tuple[int, ...], start: int, threshold: int) -> Population:
    zero = frozen(0, np.int64)
    return Population(
        name=name, inputs=(source,), shape=shape, start=start, decay_u=frozen(4096, np.int64), decay_v=zero, bias=zero,
        threshold=frozen(64 * threshold, np.int64), reset=Reset.ZERO, reset_amount=zero, v_init=zero, lsb=frozen(1.0),
    )  # fmt: skip


def network(name: str, layers: list[tuple[str, int, int]], shape: tuple[int, ...], steps: int) -> Net:
    """A network of ("dense" or "conv3", outputs, threshold) layers with random ternary weights."""
    rng = np.random.default_rng(0)
    nodes: list[Any] = [Input(name="x", shape=shape)]
    source = "x"
    for index, (kind, out, threshold) in enumerate(layers, 1):
        geometry = None
        count: tuple[int, ...] = (size(shape),)
        target: tuple[int, ...] = (out,)
        if kind == "conv3":
            count, target = (shape[0], 3, 3), (out, shape[1] - 2, shape[2] - 2)
            geometry = ConvGeometry(
                in_shape=(shape[0], shape[1], shape[2]), out_shape=(target[0], target[1], target[2]), stride=(1, 1),
                padding=(0, 0, 0, 0), dilation=(1, 1), groups=1,
            )  # fmt: skip
        codes = frozen(rng.integers(-1, 2, (out, *count)).astype(np.int8))
        nodes.append(
            Projection(
                name=f"w{index}", inputs=(source,), weight=codes, gain=frozen(64, np.int64), geometry=geometry
            )
        )
        source, shape = f"n{index}", target
        nodes.append(_population(source, f"w{index}", shape, index, threshold))
    nodes.append(Output(name="out", inputs=(source,)))
    graph = Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=tuple(nodes), source=name)
    return Net(name=name, graph=graph, steps=steps, thresholds=tuple(threshold for _, _, threshold in layers))


def mlp() -> Net:
    return network("MLP 784-512-10 x 100", [("dense", 512, 20), ("dense", 10, 12)], (784,), 100)


def convolution() -> Net:
    layers = [("conv3", 16, 2), ("conv3", 32, 12), ("dense", 10, 60)]
    return network("conv 28x28 16c3-32c3-fc10 x 32", layers, (1, 28, 28), 32)


# --- contenders


def engine(threads: int) -> Callable[[Net], Runner]:
    def make(net: Net) -> Runner:
        ready = prepare(net.graph)
        return lambda x: run_engine(ready, {"x": x}, states=False, threads=threads).trace.spikes[net.output]

    return make


def engine_leaky(net: Net) -> Runner:
    return engine(CORES)(net.leaky())


def numpy_reference(net: Net) -> Runner:
    return lambda x: integer.run(net.graph, {"x": x}, states=False).spikes[net.output]


def lava_l1(net: Net) -> Runner:
    from tern2lava.sim.lava_stock import run_stock

    child = lava_child()
    return lambda x: run_stock(net.graph, {"x": x}, child=child).trace.spikes[net.output]


def lava_l3(net: Net) -> Runner:
    from tern2lava.sim.lava_stock import run_stock

    child = lava_child()
    return lambda x: run_stock(net.graph, {"x": x}, sequential=True, child=child).trace.spikes[net.output]


def lava_l2(net: Net) -> Runner:
    from tern2lava.compiler.mapped import map_program
    from tern2lava.hw_profiles import load_profile
    from tern2lava.sim.lava_cores import run_cores

    child = lava_child()
    # A target whose cores take the fan-in of the convolutional network's last layer.
    program = map_program(net.graph, load_profile("generic-ternary"))

    def run(x: Array) -> Array:
        found = run_cores(program.images, program.host_image, {"x": x}, states=False, child=child)
        return found.trace.spikes[net.output]

    return run


def lava_plain(net: Net) -> Runner:
    """Lava as its documentation shows it: RingBuffer, Conv or Dense, LIF, RingBuffer; built and stopped per sample, in
    a child that has Lava imported."""
    from tern2lava.sim.lava_shared import Layout, SharedArrays

    child = lava_child()
    outputs = size(net.graph[net.output].shape)  # type: ignore[union-attr]

    def run(x: Array) -> Array:
        layout: Layout = {"x": (x.shape, "uint8"), "y": ((len(x), net.steps, outputs), "uint8")}
        shared = SharedArrays(layout)
        shared["x"][:] = x
        # Classes of this file would be pickled as those of __main__, which the child does not have.
        payload = (net.graph, net.steps, net.thresholds)
        child.run(f"{Path(__file__).stem}:run_plain_lava", payload, shared, steps=1, timeout=600)
        return shared["y"].copy()

    return run


def lava_child() -> Any:
    """A child process with Lava in it, kept until the end."""
    from tern2lava.sim.lava_child import LavaChild

    return CHILDREN.enter_context(LavaChild())


def _torch_layer(projection: Projection, linear: Any, convolution: Any) -> Any:
    import torch

    if projection.geometry is None:
        layer = linear(projection.weight.shape[1], projection.weight.shape[0], bias=False)
    else:
        layer = convolution(projection.geometry.in_shape[0], projection.geometry.out_shape[0], 3, bias=False)
    layer.weight.data = torch.tensor(projection.weight.astype(np.float32))
    return layer


def with_best_threads(run: Runner) -> Runner:
    """`run` with the number of torch threads, 1 or CORES, that its first run on a batch size shows to be faster."""
    import torch

    best: dict[int, int] = {}

    def chosen(x: Array) -> Array:
        if len(x) not in best:
            spent = {}
            for threads in (1, CORES):
                torch.set_num_threads(threads)
                spent[threads] = seconds_of(lambda: run(x), 0.0)
            best[len(x)] = min(spent, key=lambda threads: spent[threads])
        torch.set_num_threads(best[len(x)])
        return run(x)

    return chosen


def snntorch_cpu(net: Net) -> Runner:
    import snntorch
    import torch

    layers = [_torch_layer(p, torch.nn.Linear, torch.nn.Conv2d) for p in net.graph.of_kind(Projection)]
    # v > threshold for whole v is v > threshold + 1/2.
    neurons = [
        snntorch.Leaky(beta=1.0, threshold=t + 0.5, reset_mechanism="zero", reset_delay=False) for t in net.thresholds
    ]

    def run(x: Array) -> Array:
        with torch.no_grad():
            data = torch.from_numpy(x).float()
            membranes = [neuron.init_leaky() for neuron in neurons]
            recorded = []
            for t in range(data.shape[1]):
                spikes = data[:, t]
                for index, (layer, neuron) in enumerate(zip(layers, neurons, strict=True)):
                    if isinstance(layer, torch.nn.Linear):
                        spikes = spikes.flatten(1)
                    spikes, membranes[index] = neuron(layer(spikes), membranes[index])
                recorded.append(spikes)
            return torch.stack(recorded, 1).numpy()

    return with_best_threads(run)


def spikingjelly_cpu(mode: str) -> Callable[[Net], Runner]:
    """SpikingJelly's modules in multi-step mode ("m": a layer's whole train at once) or step by step ("s")."""

    def make(net: Net) -> Runner:
        import torch
        from spikingjelly.activation_based import functional, layer, neuron

        modules: list[Any] = []
        for projection, threshold in zip(net.graph.of_kind(Projection), net.thresholds, strict=True):
            if projection.geometry is None:
                modules.append(layer.Flatten())
            modules.append(_torch_layer(projection, layer.Linear, layer.Conv2d))
            modules.append(neuron.IFNode(v_threshold=threshold + 0.5, v_reset=0.0))
        model = torch.nn.Sequential(*modules).eval()
        functional.set_step_mode(model, mode)

        def run(x: Array) -> Array:
            with torch.no_grad():
                functional.reset_net(model)
                data = torch.from_numpy(x).float().transpose(0, 1).contiguous()
                found = model(data) if mode == "m" else torch.stack([model(row) for row in data])
                return found.transpose(0, 1).numpy()

        return with_best_threads(run)

    return make


CONTENDERS = (
    Contender(name="stock Lava, as documented, per sample", make=lava_plain, needs=("lava",), batches=(1,)),
    Contender(name="stock Lava, one run for all samples (L1)", make=lava_l1, needs=("lava",), batches=(8,)),
    Contender(name="Lava's process models in sequence (L3)", make=lava_l3, needs=("lava",), batches=(8,)),
    Contender(name="core images in our Lava process (L2)", make=lava_l2, needs=("lava",), batches=(1, 256)),
    Contender(name="numpy (integer reference)", make=numpy_reference),
    Contender(name="snnTorch", make=snntorch_cpu, needs=("snntorch",), settles=True),
    Contender(name="SpikingJelly, multi-step", make=spikingjelly_cpu("m"), needs=("spikingjelly",), settles=True),
    Contender(name="SpikingJelly, single-step", make=spikingjelly_cpu("s"), needs=("spikingjelly",), settles=True),
    Contender(name="engine, 1 thread", make=engine(1)),
    Contender(name="engine, 2 threads", make=engine(2)),
)
LEAKY = Contender(name="engine, 2 threads, leaky neurons", make=engine_leaky)


def run_plain_lava(payload: tuple[Graph, int, tuple[int, ...]], shared: Any) -> None:
    """Run every sample of shared["x"] in its own Lava run, output spikes to shared["y"]."""
    from tern2lava.sim.lava_compat import require_lava

    require_lava()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.conv.process import Conv
    from lava.proc.dense.process import Dense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.lif.process import LIF

    graph, steps, thresholds = payload
    layers: tuple[Projection, ...] = graph.of_kind(Projection)
    for sample, spikes in enumerate(shared["x"]):
        total = steps + len(layers) + 1
        # Images and kernels with the channel last; x and y may be exchanged in both.
        rows = spikes.transpose(0, 2, 3, 1) if spikes.ndim == 4 else spikes
        data = np.zeros((*rows.shape[1:], total), np.int32)
        data[..., :steps] = np.moveaxis(rows, 0, -1)
        port = Source(data=data).s_out
        for projection, threshold in zip(layers, thresholds, strict=True):
            if projection.geometry is None:
                weight = projection.weight
                if len(port.shape) == 3:
                    width, height, channels = port.shape
                    weight = weight.reshape(len(weight), channels, width, height).transpose(0, 2, 3, 1)
                    weight = weight.reshape(len(weight), -1)
                    port_out = port.flatten()
                else:
                    port_out = port
                # Lava cuts the last of 8 weight bits: everything is doubled.
                synapses: Any = Dense(weights=2 * weight.astype(np.int32))
                shape: tuple[int, ...] = (len(weight),)
                port_out.connect(synapses.s_in)
            else:
                # Lava's kernels are (out, x, y, in), its convolution is a true one.
                kernel = 2 * projection.weight[:, :, ::-1, ::-1].transpose(0, 2, 3, 1).astype(np.int32)
                synapses = Conv(weight=np.ascontiguousarray(kernel), input_shape=port.shape)
                shape = synapses.a_out.shape
                port.connect(synapses.s_in)
            neurons = LIF(shape=shape, du=4095, dv=0, vth=2 * threshold, bias_mant=0)
            synapses.a_out.connect(neurons.a_in)
            port = neurons.s_out
        sink = Sink(shape=port.shape, buffer=total)
        port.connect(sink.a_in)
        sink.run(condition=RunSteps(total), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        recorded = sink.data.get()
        sink.stop()
        lag = len(layers)
        shared["y"][sample] = recorded[:, lag : lag + steps].T


# --- measurements


def seconds_of(action: Callable[[], Any], budget: float, most: int = 30) -> float:
    """The least wall time of a few runs within `budget` seconds; of one run alone where it takes longer."""
    begin = time.perf_counter()
    best = np.inf
    for _ in range(most):
        before = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - before)
        if time.perf_counter() - begin > budget:
            break
    return float(best)


def missing(contender: Contender) -> str:
    """The first package that a contender needs and that is not installed, else ""."""
    return next((name for name in contender.needs if importlib.util.find_spec(name) is None), "")


def compare_contenders(nets: list[Net], batches: tuple[int, ...], budget: float) -> list[Row]:
    """Every contender on every network and batch; ends the program where one's output spikes differ."""
    rows = []
    for net in nets:
        x = net.spikes(max(max(contender.batches or batches) for contender in CONTENDERS))
        for contender in (*CONTENDERS, LEAKY):
            lacking = missing(contender)
            if lacking:
                print(f"{contender.name}: left out, {lacking} is not installed")
                continue
            graph = net.leaky().graph if contender is LEAKY else net.graph
            expected = integer.run(graph, {"x": x[:8]}, states=False).spikes[net.output]
            run = contender.make(net)
            run(x[:1])
            for batch in contender.batches or batches:
                part = np.ascontiguousarray(x[:batch])
                if contender.settles:
                    run(part)
                found: list[Array] = []

                def action(run: Runner = run, part: Array = part, found: list[Array] = found) -> None:
                    found[:] = [run(part)]

                spent = seconds_of(action, budget)
                if not np.array_equal(found[0][:8], expected[:batch]):
                    sys.exit(f"{contender.name} on {net.name}: output spikes differ from the integer reference")
                row = Row(
                    net=net.name, contender=contender.name, batch=batch, seconds=spent,
                    operations=net.operations * batch,
                )  # fmt: skip
                rows.append(row)
                print(f"  {net.name:30} {contender.name:40} batch {batch:4}: {row.rate:10,.1f} samples/s", flush=True)
    return rows


@njit(nogil=True)  # type: ignore[untyped-decorator]
def _popcounts(words: Array, masks: Array, sums: Array, repeats: int) -> None:
    m0, m1, m2, m3 = masks[0], masks[1], masks[2], masks[3]
    m4, m5, m6, m7 = masks[4], masks[5], masks[6], masks[7]
    for _ in range(repeats):
        for i in range(words.size):
            w = words[i]
            sums[i] += np.int64(
                popcount(w & m0) + popcount(w & m1) + popcount(w & m2) + popcount(w & m3)
                + popcount(w & m4) + popcount(w & m5) + popcount(w & m6) + popcount(w & m7)
            )  # fmt: skip
        # The masks depend on what was counted: no pass can be left out.
        m0 ^= np.uint64(sums[0])
        m1 ^= m0
        m2 ^= m1
        m3 ^= m2
        m4 ^= m3
        m5 ^= m4
        m6 ^= m5
        m7 ^= m6


def popcount_rate(budget: float) -> float:
    """AND + popcount + add of 64-bit words a second on one core, operands in registers and the first-level cache."""
    rng = np.random.default_rng(0)
    words, masks = rng.integers(0, 2**63, 512).astype(np.uint64), rng.integers(0, 2**63, 8).astype(np.uint64)
    sums = np.zeros(512, np.int64)
    repeats = 4000
    _popcounts(words, masks, sums, 1)
    return 512 * 8 * repeats / seconds_of(lambda: _popcounts(words, masks, sums, repeats), budget, 200)


def bandwidth(budget: float) -> float:
    """Bytes read a second from main memory by one core."""
    array = np.ones(1 << 25, np.int64)
    return array.nbytes / seconds_of(lambda: array.sum(), budget)


def dense_fraction(budget: float, side: int = 1024) -> tuple[float, float]:
    """(words a second, share of inputs that spike) of the engine on one dense layer, one core, everything included."""
    net = network("dense", [("dense", side, 0)], (side,), 64)
    x = net.spikes(8, rate=0.5)
    run = engine(1)(net)
    run(x)
    words = 2 * side * (side // 64) * net.steps * len(x)
    return words / seconds_of(lambda: run(x), budget, 100), float(x.mean())


def growth(budget: float) -> list[tuple[str, str, float, float]]:
    """(what grows, its value, seconds, nanoseconds per synaptic operation) of the engine with one thread."""
    cases: list[tuple[str, str, Net, int]] = []
    for width in (128, 512, 2048, 8192):
        net = network("", [("dense", width, 12), ("dense", 10, 12)], (256,), 25)
        cases.append(("neurons (256-n-10, 25 steps, batch 8)", f"{width:,}", net, 8))
    for width in (256, 1024, 4096):
        square = network("", [("dense", width, 20)], (width,), 25)
        cases.append(("synapses (n x n, 25 steps, batch 8)", f"{width**2:,}", square, 8))
    for steps in (10, 100, 1000):
        cases.append(("steps (784-512-10, batch 8)", f"{steps:,}", replace(mlp(), steps=steps), 8))
    for batch in (1, 16, 256, 1024):
        cases.append(("batch (784-512-10, 25 steps)", f"{batch:,}", replace(mlp(), steps=25), batch))
    found = []
    for what, value, net, batch in cases:
        run, x = engine(1)(net), net.spikes(batch)
        run(x[:1])
        spent = seconds_of(lambda run=run, x=x: run(x), budget)
        found.append((what, value, spent, spent / (net.operations * batch) * 1e9))
    return found


def verification(samples: int) -> list[tuple[str, float]]:
    """(network, seconds) of tern2lava.verify on `samples` test samples of each demonstration network: the engine on
    all, reference and core images on 10; compiled kernels loaded before."""
    import json
    from importlib import resources

    from tern2lava import api
    from tern2lava.bundle import read_bundle
    from tern2lava.demo.run import NETS, test_spikes

    data = resources.files("tern2lava.demo")
    metrics = json.loads((data / "metrics.json").read_text(encoding="utf-8"))
    found = []
    for name in NETS:
        with tempfile.TemporaryDirectory() as folder:
            api.compile(str(data / f"{name}.pt"), "loihi2", net=str(data / f"{name}.yaml"), out=Path(folder) / name)
            bundle = read_bundle(Path(folder) / name)
            arrays = test_spikes(metrics[name])
            once = len(arrays["labels"])
            many = {key: np.concatenate([value] * -(-samples // once))[:samples] for key, value in arrays.items()}
            node = bundle.executable.program.of_kind(Input)[0]
            spikes = SpikeData(inputs={node.name: many["spikes"]}, labels=many["labels"])
            api.verify(bundle, spikes.first(20), samples=10, backend="reference")
            before = time.perf_counter()
            report = api.verify(bundle, spikes, samples=10, backend="reference")
            found.append((name, time.perf_counter() - before))
            proof = report.verification
            if proof is None or not proof.equal or proof.engine_samples != samples:
                sys.exit(f"{name}: verification failed: {proof}")
    return found


def start_up() -> float:
    """Least seconds of `tern2lava --help` in seven runs."""
    command = [sys.executable, "-m", "tern2lava", "--help"]
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True), 60.0, 7)


# --- report


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table, first column left, the others right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return [line(header), rule, *(line(row) for row in rows)]


@dataclass(frozen=True, kw_only=True)
class Bar:
    name: str
    found: float
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.found <= self.wanted if self.at_most else self.found >= self.wanted


def framework_bars(rows: list[Row], nets: list[Net], batches: tuple[int, ...]) -> list[Bar]:
    """The engine (the slower of its networks, with leak and without) against the fastest framework run."""
    bars = []
    for net, at_one in zip(nets, (50.0, 10.0), strict=True):
        for batch, wanted in ((batches[0], at_one), (batches[-1], 4.0)):
            here = [row for row in rows if row.net == net.name and row.batch == batch]
            frameworks = [r for r in here if r.contender.startswith(("snnTorch", "SpikingJelly"))]
            ours = [r for r in here if r.contender in ("engine, 2 threads", LEAKY.name)]
            if frameworks:
                fastest = max(frameworks, key=lambda r: r.rate)
                ratio = min(r.rate for r in ours) / fastest.rate
                name = f"{net.name}, batch {batch}: engine / {fastest.contender}"
                bars.append(Bar(name=name, found=ratio, wanted=wanted))
    return bars


def lava_bars(rows: list[Row], nets: list[Net]) -> list[Bar]:
    """Lava's other ways, on their largest batch, against Lava as documented, both in children that run already."""
    bars = []
    for net, fused in zip(nets, (300.0, 75.0), strict=True):
        here = [row for row in rows if row.net == net.name]
        stock = [row for row in here if row.contender.endswith("per sample")]
        for mark, wanted in (("(L2)", fused), ("(L3)", 5.0)):
            ours = [row for row in here if row.contender.endswith(mark)]
            if stock and ours:
                found = ours[-1].rate / stock[0].rate
                name = f"{net.name}, batch {ours[-1].batch}: {ours[-1].contender} / {stock[0].contender}"
                bars.append(Bar(name=name, found=found, wanted=wanted))
    return bars


def report(quick: bool) -> tuple[list[str], list[Bar]]:
    """Lines of the Markdown report, and the bars."""
    nets, batches, budget = [mlp(), convolution()], ((1, 8) if quick else (1, 256)), (0.4 if quick else 3.0)
    rows = compare_contenders(nets, batches, budget)
    rate, read = popcount_rate(budget), bandwidth(budget)
    words, activity = dense_fraction(budget)
    samples = 2_000 if quick else 10_000
    verified = verification(samples)
    help_seconds = start_up()
    bars = framework_bars(rows, nets, batches) + lava_bars(rows, nets)
    bars.append(Bar(name="dense layer: share of the machine's AND + popcount rate", found=words / rate, wanted=0.5))
    for name, spent in verified:
        scaled = spent * 10_000 / samples
        bars.append(Bar(name=f"seconds to verify 10,000 samples, demo {name}", found=scaled, wanted=10.0, at_most=True))
    bars.append(Bar(name="seconds of tern2lava --help", found=help_seconds, wanted=0.3, at_most=True))
    lines = [
        "# Speed of simulation",
        "",
        f"`uv run python benchmarks/simulation.py{' --quick' if quick else ''}` on {CORES} cores of "
        f"{platform.machine()} {platform.system()}, load average {os.getloadavg()[0]:.1f} at the end; least wall time "
        "of several runs, everything that a contender does per run included.",
        "",
        "## Growth (engine, 1 thread)",
        "",
        *table(
            ["what grows", "value", "ms", "ns per synaptic operation"],
            [[what, value, f"{s * 1e3:,.2f}", f"{each:.5f}"] for what, value, s, each in growth(budget / 5)],
        ),
        "",
        "## The machine's bounds (1 core)",
        "",
        *table(
            ["what", "value"],
            [
                ["read from main memory", f"{read / 1e9:.1f} GB/s"],
                ["AND + popcount + add, 64-bit words", f"{rate / 1e9:.1f} G/s"],
                [f"engine, dense 1024 x 1024, {activity:.0%} active", f"{words / 1e9:.1f} G/s"],
                ["... as synapses (two words hold 64)", f"{words * 32 / 1e9:,.0f} G/s"],
            ],
        ),
        "",
        "## Side by side",
        "",
        *table(
            ["network and contender", "batch", "ms", "samples/s", "G synaptic operations/s"],
            [
                [f"{r.net}: {r.contender}", str(r.batch), f"{r.seconds * 1e3:,.2f}", f"{r.rate:,.1f}",
                 f"{r.operations / r.seconds / 1e9:,.2f}"]
                for r in rows
            ],
        ),
        "",
        "## Bars",
        "",
        *table(
            ["bar", "found", "wanted", ""],
            [
                [b.name, f"{b.found:,.2f}", f"{'<=' if b.at_most else '>='} {b.wanted:g}", "met" if b.met else "SHORT"]
                for b in bars
            ],
        ),
    ]  # fmt: skip
    return lines, bars


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="report (default: results/simulation.md; quick: none)")
    parser.add_argument("--quick", action="store_true", help="short measurements, batch 8 in place of 256")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is missed")
    arguments = parser.parse_args()
    with CHILDREN:
        lines, bars = report(arguments.quick)
    out = arguments.out or (None if arguments.quick else RESULTS)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(["", *lines]))
    short = [bar for bar in bars if not bar.met]
    for bar in short:
        print(f"short of the bar: {bar.name}: {bar.found:,.2f}, wanted {bar.wanted:g}", file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
