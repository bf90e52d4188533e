"""The contenders of benchmarks/simulation.py: every way of running one of its networks, spikes in, spikes out."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from simulation_machine import CORES, seconds_of
from simulation_nets import Array, Net

from tern2lava.compiler.ir.graph import Graph, Projection
from tern2lava.compiler.ir.shapes import size
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.reference import integer

CHILDREN = contextlib.ExitStack()
# Output spikes (batch, steps, outputs) of input spikes (batch, steps, *shape).
Runner = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way of running a network. needs: packages without which it is left out; batches: None runs all; settles: its
    first run on a batch size is not timed; leaky: it is given the network with leaky membranes; exact: its spikes must
    equal the integer reference's (frameworks round a leaking membrane in their own way: only their time counts)."""

    name: str
    make: Callable[[Net], Runner]
    needs: tuple[str, ...] = ()
    batches: tuple[int, ...] | None = None
    settles: bool = False
    leaky: bool = False
    exact: bool = True


def missing(contender: Contender) -> str:
    """The first package that a contender needs and that is not installed, else ""."""
    return next((name for name in contender.needs if importlib.util.find_spec(name) is None), "")


def engine(threads: int) -> Callable[[Net], Runner]:
    def make(net: Net) -> Runner:
        ready = prepare(net.graph)
        return lambda x: run_engine(ready, {"x": x}, states=False, threads=threads).trace.spikes[net.output]

    return make


def numpy_reference(net: Net) -> Runner:
    return lambda x: integer.run(net.graph, {"x": x}, states=False).spikes[net.output]


def lava_l1(net: Net) -> Runner:
    from tern2lava.sim.lava.processes import run_stock

    child = lava_child()
    return lambda x: run_stock(net.graph, {"x": x}, child=child).trace.spikes[net.output]


def lava_lm(net: Net) -> Runner:
    from tern2lava.compiler.mapped import map_program
    from tern2lava.hw_profiles import load_profile
    from tern2lava.sim.lava.mapped.run import run_mapped

    child = lava_child()
    program = map_program(net.graph, load_profile("generic-ternary"))
    return lambda x: run_mapped(program.images, program.host_image, {"x": x}, child=child).trace.spikes[net.output]


def lava_l3(net: Net) -> Runner:
    from tern2lava.sim.lava.processes import run_stock

    child = lava_child()
    return lambda x: run_stock(net.graph, {"x": x}, sequential=True, child=child).trace.spikes[net.output]


def lava_l2(net: Net) -> Runner:
    from tern2lava.compiler.mapped import map_program
    from tern2lava.hw_profiles import load_profile
    from tern2lava.sim.lava.cores import run_cores

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
    from tern2lava.sim.lava.shared_arrays import Layout, SharedArrays

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
    from tern2lava.sim.lava.child import LavaChild

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
        snntorch.Leaky(beta=1 - net.leak, threshold=t + 0.5, reset_mechanism="zero", reset_delay=False)
        for t in net.thresholds
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
            modules.append(
                neuron.LIFNode(tau=1 / net.leak, decay_input=False, v_threshold=threshold + 0.5, v_reset=0.0)
                if net.leak
                else neuron.IFNode(v_threshold=threshold + 0.5, v_reset=0.0)
            )
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


FRAMEWORKS: tuple[tuple[str, Callable[[Net], Runner], str], ...] = (
    ("snnTorch", snntorch_cpu, "snntorch"),
    ("SpikingJelly, multi-step", spikingjelly_cpu("m"), "spikingjelly"),
    ("SpikingJelly, single-step", spikingjelly_cpu("s"), "spikingjelly"),
)
LEAKY = ", leaky neurons"
OURS = "engine, 2 threads"
CONTENDERS = (
    Contender(name="stock Lava, as documented, per sample", make=lava_plain, needs=("lava",), batches=(1,)),
    Contender(name="stock Lava, one run for all samples (L1)", make=lava_l1, needs=("lava",), batches=(8,)),
    Contender(name="a Lava process for each core (LM)", make=lava_lm, needs=("lava",), batches=(8,)),
    Contender(name="Lava's process models in sequence (L3)", make=lava_l3, needs=("lava",), batches=(32,)),
    Contender(name="core images in our Lava process (L2)", make=lava_l2, needs=("lava",), batches=(1, 256)),
    Contender(name="numpy (integer reference)", make=numpy_reference),
    *(Contender(name=name, make=make, needs=(package,), settles=True) for name, make, package in FRAMEWORKS),
    Contender(name="engine, 1 thread", make=engine(1)),
    Contender(name=OURS, make=engine(CORES)),
    *(
        Contender(name=name + LEAKY, make=make, needs=(package,), settles=True, leaky=True, exact=False)
        for name, make, package in FRAMEWORKS
    ),
    Contender(name=OURS + LEAKY, make=engine(CORES), leaky=True),
)


def run_plain_lava(payload: tuple[Graph, int, tuple[int, ...]], shared: Any) -> None:
    """Run every sample of shared["x"] in its own Lava run, output spikes to shared["y"]."""
    from tern2lava.sim.lava.compat import require_lava

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
