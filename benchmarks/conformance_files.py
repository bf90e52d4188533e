"""The cells of the conformance table that are read from files: NIR, written by hand and by frameworks, and lava-dl.

NIR has no runner of its own. Its equations are stepped here on nir's own objects by forward Euler, written down from
the docstrings of nir 1.0.8, convolutions and pooling computed by torch. What a framework exports is held against that
framework's own run. lava-dl is no package any more; its neurons run as SpikingJelly's copy of them, which computes
slayer's integers bit by bit (spikingjelly.activation_based.lava_exchange.CubaLIFNode).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import torch
from conformance_cells import HIDDEN, IMAGE, INPUT, LAST, Cell, dyadic, keep_dtype, network
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from tern2lava.compiler.ir.graph import Graph, Neuron
from tern2lava.frontends.files.hdf5 import Tree
from tern2lava.frontends.lavadl import read as lavadl
from tern2lava.frontends.nir import read as nir_reader

DT = 1e-4
Array = NDArray[Any]
Run = Callable[[Array], dict[str, Array]]
"""The source's own spikes (batch, steps, neurons) of each neuron layer, for inputs (batch, steps, *shape)."""


@dataclass(frozen=True)
class FileCell:
    """One row of the table. `read` gives (graph as read, shape of its input, the source's own run) of a seed;
    `read_float32` the same of the source in float32, where it can be so."""

    framework: str
    neuron: str
    reset: str
    connection: str
    read: Callable[[int], tuple[Graph, tuple[int, ...], Run]]
    read_float32: Callable[[int], tuple[Graph, tuple[int, ...], Run]] | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.framework, self.neuron, self.reset, self.connection)


def ternary(rng: np.random.Generator, *shape: int, share: float = 1.0) -> Array:
    """Ternary weights of one scale whose sums stand near a threshold of 1."""
    fan = int(np.prod(shape[1:]))
    scale = dyadic(rng, 0.5, 0.35, 0.7) * share
    return rng.choice([-1, 0, 0, 1, 1], shape) * (scale / 4 if fan > 40 else scale / 2 if fan >= 20 else scale)


def as_tree(value: Any) -> Any:
    """Plain arrays and texts, as reading a file gives them."""
    if isinstance(value, dict):
        return {str(key): as_tree(item) for key, item in value.items() if item is not None and key != "metadata"}
    return value if isinstance(value, str) else np.asarray(value)


# NIR ------------------------------------------------------------------------------------------------------------------


def euler(node: Any, state: list[Array], x: Array, subtract: bool, ge: bool) -> Array:
    """Spikes of one step; `state` holds v and i. nir: tau dv/dt = (v_leak - v) + r i, tau_syn di/dt = -i + w_in x."""
    v, i = state
    if isinstance(node, nir.IF):
        v = v + DT * node.r * x
    else:
        if isinstance(node, nir.CubaLIF):
            i = x = i + DT / node.tau_syn * (-i + node.w_in * x)
        tau = node.tau_mem if isinstance(node, nir.CubaLIF) else node.tau
        v = v + DT / tau * ((node.v_leak - v) + node.r * x)
    spikes = v >= node.v_threshold if ge else v > node.v_threshold
    state[:] = [np.where(spikes, v - node.v_threshold if subtract else node.v_reset, v), i]
    return np.asarray(spikes, float)


def linear(node: Any, x: Array) -> Array:
    """What a node without state makes of x (batch, ...)."""
    if isinstance(node, nir.Affine | nir.Linear):
        return np.asarray(x @ node.weight.T + getattr(node, "bias", 0.0))
    y = torch.from_numpy(x)
    if isinstance(node, nir.Conv2d):
        found = functional.conv2d(
            y, torch.from_numpy(node.weight), torch.from_numpy(node.bias), padding=tuple(node.padding)
        )
        return found.numpy()
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        height, width = (int(n) for n in node.kernel_size)
        found = functional.avg_pool2d(y, (height, width))
        return found.numpy() * (height * width if isinstance(node, nir.SumPool2d) else 1)
    return x.reshape(len(x), -1)


def run_nir(nodes: dict[str, Any], edges: list[tuple[str, str]], x: Array, *, subtract: bool, ge: bool) -> Any:
    """The spikes of every neuron node. Nodes run in their order; one that reads a later node reads its last step."""
    order = [name for name in nodes if not isinstance(nodes[name], nir.Input | nir.Output)]
    values: dict[str, Array] = {}
    states: dict[str, list[Array]] = {}
    past: dict[str, list[Array]] = {}
    found: dict[str, list[Array]] = {}
    for t in range(x.shape[1]):
        values["input"] = x[:, t].astype(float)
        for name in order:
            read = [values[source] for source, target in edges if target == name and source in values]
            total = sum(read[1:], read[0])
            node = nodes[name]
            if isinstance(node, nir.Delay):
                steps = round(float(np.max(node.delay)) / DT)
                past.setdefault(name, [np.zeros_like(total)] * steps).append(total)
                values[name] = past[name].pop(0)
            elif hasattr(node, "v_threshold"):
                state = states.setdefault(name, [np.zeros_like(total), np.zeros_like(total)])
                values[name] = euler(node, state, total, subtract, ge)
                found.setdefault(name, []).append(values[name])
            else:
                values[name] = linear(node, total)
    return {name: np.stack(spikes, 1).reshape(*x.shape[:2], -1) for name, spikes in found.items()}


def nir_neuron(kind: str, shape: tuple[int, ...], reset: float, rng: np.random.Generator) -> Any:
    """One NIR neuron node, each neuron with its own numbers where the seed is odd."""

    def number(even: float, low: float, high: float) -> Array:
        value = dyadic(rng, even, low, high)
        return np.full(shape, value) if value == even else rng.uniform(low, high, shape)

    shared = {"v_threshold": number(1.0, 0.6, 1.2), "v_reset": np.full(shape, reset)}
    if kind == "IF":
        return nir.IF(r=np.full(shape, 1 / DT), **shared)
    tau, leak = number(2.0, 1.3, 8.0), number(0.0, -0.1, 0.1)
    if kind == "LIF":
        return nir.LIF(tau=tau * DT, r=tau, v_leak=leak, **shared)
    syn = number(2.0, 1.3, 4.0)
    return nir.CubaLIF(tau_mem=tau * DT, tau_syn=syn * DT, r=tau, w_in=syn, v_leak=leak, **shared)


def nir_network(kind: str, reset: float, connection: str, seed: int) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """(nodes in their order of one step, edges) of two neuron populations."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, Any] = {}
    extra: list[tuple[str, str]] = []

    def affine(target: int, source: int, share: float = 1.0) -> Any:
        bias = np.round(rng.uniform(-0.1, 0.2, target) * 16) / 16
        return nir.Affine(ternary(rng, target, source, share=share), bias)

    def conv(size: int, channels: int, padding: int) -> Any:
        weight = ternary(rng, 4, channels, 3, 3)
        return nir.Conv2d((size, size), weight, 1, (padding, padding), 1, 1, np.round(rng.uniform(-2, 3, 4)) / 16)

    if "conv" in connection:
        nodes["input"] = nir.Input(np.array(IMAGE))
        nodes["conv1"], nodes["n1"] = conv(8, 2, 1), nir_neuron(kind, (4, 8, 8), reset, rng)
        if "pooled" in connection:
            pool, two = (nir.SumPool2d, nir.AvgPool2d)[seed % 4 < 2], np.array([2, 2])
            nodes["pool"], nodes["flat"] = pool(two, two, np.zeros(2, int)), nir.Flatten(np.array([4, 4, 4]), 0, -1)
            nodes["fc2"], nodes["n2"] = affine(LAST, 64), nir_neuron(kind, (LAST,), reset, rng)
        else:
            nodes["conv2"], nodes["n2"] = conv(8, 4, 1), nir_neuron(kind, (4, 8, 8), reset, rng)
        if "recurrent" in connection:
            nodes["back"] = nir.Conv2d((8, 8), ternary(rng, 4, 4, 3, 3, share=0.5), 1, (1, 1), 1, 1, np.zeros(4))
            extra = [("n2", "back"), ("back", "n2")]
    else:
        nodes["input"] = nir.Input(np.array([INPUT]))
        nodes["fc1"], nodes["n1"] = affine(HIDDEN, INPUT), nir_neuron(kind, (HIDDEN,), reset, rng)
        nodes["fc2"], nodes["n2"] = affine(HIDDEN, HIDDEN), nir_neuron(kind, (HIDDEN,), reset, rng)
        match connection:
            case "recurrent":
                nodes["back"] = nir.Linear(ternary(rng, HIDDEN, HIDDEN, share=0.5))
                extra = [("n2", "back"), ("back", "n2")]
            case "residual":
                extra = [("n1", "n2")]
            case "delays":
                wait = nir.Delay(np.full(HIDDEN, (1 + seed % 3) * DT))
                late = nir.Linear(ternary(rng, HIDDEN, HIDDEN, share=0.5))
                second = nodes.pop("n2")
                nodes |= {"wait": wait, "late": late, "n2": second}
                extra = [("n1", "wait"), ("wait", "late"), ("late", "n2")]
    row = [name for name in nodes if name not in ("back", "wait", "late")]
    nodes["output"] = nir.Output(np.array(nodes["n2"].v_threshold.shape))
    return nodes, [*pairwise([*row, "output"]), *extra]


def nir_cells() -> Iterator[FileCell]:
    connections = ("dense", "conv", "conv, pooled", "recurrent", "recurrent, conv", "residual", "delays")
    resets = (("to 0", 0.0, ""), ("to -0.25", -0.25, ""), ("subtract, >=", 0.0, "reset=subtract,fire=>="))
    for kind in ("IF", "LIF", "CubaLIF"):
        for said, reset, assume in resets:
            for connection in connections:

                def read(seed: int, k: str = kind, r: float = reset, c: str = connection, a: str = assume) -> Any:
                    nodes, edges = nir_network(k, r, c, seed)
                    tree = as_tree(nir.NIRGraph(nodes, edges, type_check=False).to_dict())
                    tree["edges"] = [list(edge) for edge in edges]
                    graph = nir_reader.read_tree({"version": nir.version, "node": tree}, "nir", "nir", dt=DT, assume=a)
                    shape = tuple(int(n) for n in nodes["input"].input_type["input"])
                    return graph, shape, lambda x: run_nir(nodes, edges, x, subtract=bool(a), ge=bool(a))

                yield FileCell("NIR", kind, said, connection, read)


# NIR as frameworks export it ------------------------------------------------------------------------------------------


def exported_cells(own_run: Callable[..., dict[str, Array]]) -> Iterator[FileCell]:
    """Networks of snnTorch, SpikingJelly and Norse through their own export."""

    def cell(framework: str, neuron: str, reset: str, make: Any, assume: str, dt: float | None = None) -> FileCell:
        def read(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Graph, tuple[int, ...], Run]:
            model, shape = network(Cell(framework, neuron, reset, "dense", make), seed)
            # SpikingJelly and Norse export their modules as they are made, in float32.
            model = model.to(dtype) if framework == "snnTorch" else model
            exported = EXPORT[framework](model, torch.zeros(1, *shape))
            tree = as_tree(exported.to_dict())
            tree["edges"] = [list(edge) for edge in exported.edges]
            graph = nir_reader.read_tree({"version": nir.version, "node": tree}, "nir", "nir", dt=dt, assume=assume)
            # SpikingJelly writes _1 for the layer 1, as torch.fx names it.
            names = {node.name.removeprefix("_"): node.name for node in graph.of_kind(Neuron)}

            def run(x: Array) -> dict[str, Array]:
                found = own_run(model, torch.from_numpy(x), list(names), dtype)
                return {names[name]: spikes for name, spikes in found.items()}

            return graph, shape, run

        return FileCell(
            f"NIR from {framework}", neuron, reset, "dense", read, lambda seed: read(seed, torch.float32)
        )  # fmt: skip

    yield from (cell("snnTorch", *rest) for rest in _snntorch())
    yield from (cell("SpikingJelly", *rest, dt=DT) for rest in _spikingjelly())
    yield from (cell("Norse", *rest, dt=1e-6) for rest in _norse())


def _snntorch() -> Iterator[tuple[str, str, Any, str]]:
    import snntorch as snn

    def make(n: int, rng: np.random.Generator, synaptic: bool, **said: Any) -> nn.Module:
        numbers = {"beta": (0.5, 0.3, 0.95), "threshold": (1.0, 0.6, 1.2)}
        numbers |= {"alpha": (0.5, 0.2, 0.8)} if synaptic else {}
        own = {key: torch.full((n,), dyadic(rng, *span), dtype=torch.float64) for key, span in numbers.items()}
        kind = snn.Synaptic if synaptic else snn.Leaky
        neuron: nn.Module = kind(**own, **said, init_hidden=True, spike_grad=keep_dtype)
        return neuron

    for synaptic in (False, True):
        for reset, mechanism, delay, assume in (
            ("zero, at once", "zero", False, ""),
            ("subtract, delayed", "subtract", True, "reset=subtract,reset_delay=true"),
            ("subtract, at once", "subtract", False, "reset=subtract,rearm=true"),
        ):
            yield ("Synaptic" if synaptic else "Leaky", reset, lambda n, rng, s=synaptic, m=mechanism, d=delay: make(
                n, rng, s, reset_mechanism=m, reset_delay=d), assume)  # fmt: skip


def _spikingjelly() -> Iterator[tuple[str, str, Any, str]]:
    from spikingjelly.activation_based import neuron

    kinds: dict[str, Callable[[np.random.Generator, dict[str, Any]], nn.Module]] = {
        "IFNode": lambda rng, c: neuron.IFNode(**c),
        "LIFNode, decay_input": lambda rng, c: neuron.LIFNode(tau=dyadic(rng, 2.0, 1.5, 4.0), **c),
        "LIFNode": lambda rng, c: neuron.LIFNode(tau=dyadic(rng, 2.0, 1.5, 4.0), decay_input=False, **c),
        "ParametricLIFNode": lambda rng, c: neuron.ParametricLIFNode(init_tau=dyadic(rng, 2.0, 1.5, 4.0), **c),
        "CUBALIFNode": lambda rng, c: neuron.CUBALIFNode(
            c_decay=dyadic(rng, 0.5, 0.2, 0.7), v_decay=dyadic(rng, 0.75, 0.4, 0.9), **c
        ),
    }
    for kind, make in kinds.items():
        low = 0.25 if kind in ("LIFNode, decay_input", "ParametricLIFNode") else 1.0
        yield (kind, "to 0", lambda n, rng, m=make, v=low: m(
            rng, {"v_threshold": dyadic(rng, v, 0.6 * v, 1.1 * v), "v_reset": 0.0}), "fire=>=")  # fmt: skip


def _norse() -> Iterator[tuple[str, str, Any, str]]:
    import norse.torch as norse
    from norse.torch.functional.iaf import IAFParameters
    from norse.torch.functional.lif_box import LIFBoxParameters
    from norse.torch.module.iaf import IAFCell

    def box(n: int, rng: np.random.Generator) -> nn.Module:
        inverse, threshold = dyadic(rng, 500.0, 200.0, 900.0), dyadic(rng, 0.5, 0.3, 0.6)
        p = {"tau_mem_inv": inverse, "v_th": threshold, "v_leak": 0.0, "v_reset": 0.0}
        cell: nn.Module = norse.LIFBoxCell(LIFBoxParameters(**{k: torch.full((n,), v) for k, v in p.items()}))
        return cell

    def iaf(n: int, rng: np.random.Generator) -> nn.Module:
        p = IAFParameters(v_th=torch.full((n,), dyadic(rng, 1.0, 0.6, 1.2)), v_reset=torch.tensor(0.0))
        cell: nn.Module = IAFCell(p)
        return cell

    yield ("LIFBoxCell", "to 0", box, "")
    yield ("IAFCell", "to 0", iaf, "")


def _export_snntorch(model: nn.Module, sample: torch.Tensor) -> Any:
    from snntorch.export_nir import export_to_nir

    return export_to_nir(model, sample.to(next(model.parameters()).dtype), ignore_dims=[0])


def _export_spikingjelly(model: nn.Module, sample: torch.Tensor) -> Any:
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    return export_to_nir(model, sample, dt=DT)


def _export_norse(model: nn.Module, sample: torch.Tensor) -> Any:
    import norse.torch as norse

    return norse.to_nir(model, sample)


EXPORT = {"snnTorch": _export_snntorch, "SpikingJelly": _export_spikingjelly, "Norse": _export_norse}


# lava-dl --------------------------------------------------------------------------------------------------------------


def lavadl_network(connection: str, seed: int) -> tuple[list[dict[str, Any]], tuple[int, ...]]:
    """(layers as a .net file holds them, shape of the input): even integers as ternary weights, CUBA neurons."""
    rng = np.random.default_rng(seed)

    def weight(*shape: int, share: int = 1) -> Array:
        return rng.choice([-1, 0, 0, 1, 1], shape) * 2 * int(rng.integers(3, 8)) // share

    def layer(kind: str, shape: tuple[int, ...], **fields: Any) -> dict[str, Any]:
        decays = {"iDecay": int(rng.integers(1200, 4097)), "vDecay": int(rng.integers(100, 1500))}
        neuron = {"type": "CUBA", **decays, "vThMant": int(rng.integers(14, 30)), "refDelay": 1, "gradedSpike": 0}
        return {"type": [kind], "shape": np.array(shape), "neuron": neuron, **fields}

    if "conv" in connection:
        layers: list[dict[str, Any]] = [{"type": ["input"], "shape": np.array(IMAGE)}]
        layers.append(layer("conv", (4, 8, 8), weight=weight(4, 2, 3, 3), padding=np.array([1, 1])))
        if "pooled" in connection:
            kernel = np.full((1, 1, 2, 2), 8)
            layers.append(layer("pool", (4, 4, 4), weight=kernel, stride=np.array([2, 2])))
            layers.append({"type": ["flatten"], "shape": np.array([64])})
            layers.append(layer("dense", (LAST,), weight=weight(LAST, 64, share=2)))
        else:
            layers.append(layer("conv", (4, 6, 6), weight=weight(4, 4, 3, 3, share=2)))
        return layers, IMAGE
    kind = "dense_rec" if connection == "recurrent" else "dense"
    layers = [layer("dense", (HIDDEN,), weight=weight(HIDDEN, INPUT)), layer(kind, (HIDDEN,), weight=weight(
        HIDDEN, HIDDEN, share=2))]  # fmt: skip
    if connection == "recurrent":
        layers[1]["weight_rec"] = weight(HIDDEN, HIDDEN, share=4)
    if connection == "delays":
        layers[1]["delay"] = rng.integers(0, 4, HIDDEN)
    if connection in ("residual", "concat"):
        joint = {"type": ["add" if connection == "residual" else "concat"], "layers": np.array([0])}
        inputs = HIDDEN * (1 + (connection == "concat"))
        layers += [joint, layer("dense", (LAST,), weight=weight(LAST, inputs, share=2))]
    return layers, (INPUT,)


class Slayer:
    """One layer's neurons as SpikingJelly's copy of slayer runs them; `ge` fires at the threshold itself."""

    def __init__(self, neuron: dict[str, Any], ge: bool) -> None:
        from spikingjelly.activation_based.lava_exchange import CubaLIFNode

        # Weights are whole here; the copy computes with 64 times as much, and in 1/4096 of its own unit.
        threshold = neuron["vThMant"] / 64 - (1 / 4096 if ge else 0)
        self.node = CubaLIFNode(neuron["iDecay"] / 4096, neuron["vDecay"] / 4096, v_threshold=threshold)
        self.node.eval()

    def step(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.node(x / 64).double()  # type: ignore[no-any-return]


def run_lavadl(layers: list[dict[str, Any]], x: Array, ge: bool) -> dict[str, Array]:
    """The spikes of every layer with neurons; a layer's delays are its inputs' (a vector as long as they are)."""
    neurons = {i: Slayer(layer["neuron"], ge) for i, layer in enumerate(layers) if "neuron" in layer}
    found: dict[str, list[Array]] = {}
    history: dict[int, list[torch.Tensor]] = {}
    for t in range(x.shape[1]):
        values: list[torch.Tensor] = []
        y = torch.from_numpy(x[:, t].astype(float))
        for i, layer in enumerate(layers):
            kind = layer["type"][0]
            weight = torch.from_numpy(layer["weight"].astype(float)) if "weight" in layer else None
            if kind == "flatten":
                y = y.flatten(1)
            elif kind == "add":
                y = y + values[int(layer["layers"][0])]
            elif kind == "concat":
                y = torch.cat([y, values[int(layer["layers"][0])]], 1)
            elif weight is not None:
                if "delay" in layer:
                    history.setdefault(i, []).append(y)
                    late = [history[i][t - d] if t >= d else torch.zeros_like(y) for d in range(4)]
                    steps = torch.from_numpy(layer["delay"])
                    # As many delays as neurons: each neuron's own synapses wait as long as it says.
                    y = sum(((d == steps) * (late[d] @ weight.T) for d in range(4)), torch.zeros(1))
                elif kind in ("dense", "dense_rec"):
                    y = y @ weight.T
                elif kind == "pool":
                    channels = y.shape[1]
                    y = functional.conv2d(y, weight.repeat(channels, 1, 1, 1), stride=2, groups=channels)
                else:
                    y = functional.conv2d(y, weight, padding=tuple(layer.get("padding", np.zeros(2)).astype(int)))
                if kind == "dense_rec" and t:
                    y = y + torch.from_numpy(found[f"{kind}{i}"][-1]) @ torch.from_numpy(layer["weight_rec"] * 1.0).T
                y = neurons[i].step(y)
                found.setdefault(f"{kind}{i}", []).append(y.flatten(1).numpy())
            values.append(y)
    return {name: np.stack(spikes, 1) for name, spikes in found.items()}


def lavadl_cells() -> Iterator[FileCell]:
    connections = ("dense", "conv", "conv, pooled", "recurrent", "residual", "delays", "concat")
    for said, assume in (("zero, >", ""), ("zero, >=", "fire=>=")):
        for connection in connections:

            def read(seed: int, c: str = connection, a: str = assume) -> tuple[Graph, tuple[int, ...], Run]:
                layers, shape = lavadl_network(c, seed)
                tree: Tree = {"layer": {str(i): _stored(layer) for i, layer in enumerate(layers)}}
                graph = lavadl.read_tree(tree, "lava-dl", "lava-dl", assume=a)
                return graph, shape, lambda x: run_lavadl(layers, x, bool(a))

            yield FileCell("lava-dl", "CUBA", said, connection, read)


def _stored(layer: dict[str, Any]) -> dict[str, Any]:
    return {key: as_tree(value) if not isinstance(value, list) else value for key, value in layer.items()}
