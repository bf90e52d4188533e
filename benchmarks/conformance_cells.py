"""The cells of the conformance table, and the random network of a cell and a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

INPUT, HIDDEN, LAST = 12, 96, 64
IMAGE = (2, 8, 8)

Array = NDArray[Any]
Make = Callable[[int, np.random.Generator], nn.Module]
"""A neuron layer: (neurons or channels, generator) -> module."""


@dataclass(frozen=True)
class Cell:
    """One row of the table. `make` makes a neuron layer; `native`: the layer is recurrent by itself."""

    framework: str
    neuron: str
    reset: str
    connection: str
    make: Make
    native: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.framework, self.neuron, self.reset, self.connection)


def keep_dtype(v: torch.Tensor) -> torch.Tensor:
    """snnTorch's spike in the dtype of v; its own surrogates give float32, which float64 layers refuse."""
    return (v > 0).to(v.dtype)


CONNECTIONS = ("dense", "conv", "conv, pooled", "recurrent", "residual", "delays")
_RESETS = (("subtract", True), ("subtract", False), ("zero", True), ("zero", False), ("none", True))


def dyadic(rng: np.random.Generator, even: float, low: float, high: float) -> float:
    """`even` for networks of powers of two (the generator says so), else a number between low and high."""
    return even if rng.bit_generator.seed_seq.entropy % 2 == 0 else float(rng.uniform(low, high))  # type: ignore


def snntorch_cells() -> Iterator[Cell]:
    import snntorch as snn

    def options(rng: np.random.Generator, reset: str, delay: bool, synaptic: bool) -> dict[str, Any]:
        made: dict[str, Any] = {
            "beta": dyadic(rng, 0.5, 0.3, 0.99), "threshold": dyadic(rng, 1.0, 0.6, 1.2), "init_hidden": True,
            "reset_mechanism": reset, "reset_delay": delay, "spike_grad": keep_dtype,
        }  # fmt: skip
        return made | ({"alpha": dyadic(rng, 0.5, 0.2, 0.8)} if synaptic else {})

    for reset, delay in _RESETS:
        said = reset if reset == "none" else f"{reset}, {'delayed' if delay else 'at once'}"
        for connection in CONNECTIONS:
            yield Cell("snnTorch", "Leaky", said, connection,
                       lambda n, rng, r=reset, d=delay: snn.Leaky(**options(rng, r, d, False)))  # type: ignore[misc]  # fmt: skip
            yield Cell("snnTorch", "Synaptic", said, connection,
                       lambda n, rng, r=reset, d=delay: snn.Synaptic(**options(rng, r, d, True)))  # type: ignore[misc]  # fmt: skip
        for kind in (snn.RLeaky, snn.RSynaptic):
            synaptic = kind is snn.RSynaptic
            if synaptic and not delay:
                continue  # snnTorch 1.0 cannot run it
            feeds: dict[str, Callable[[int], dict[str, Any]]] = {
                "recurrent": lambda n: {"linear_features": n},
                "recurrent, one to one": lambda n: {"all_to_all": False, "V": torch.full((n,), -0.5)},
                "recurrent, conv": lambda n: {"conv2d_channels": n, "kernel_size": 3},
            }
            for name, feed in feeds.items():
                yield Cell("snnTorch", kind.__name__, said, name,
                           lambda n, rng, k=kind, r=reset, d=delay, f=feed, s=synaptic:  # type: ignore[misc]
                           k(**options(rng, r, d, s), **f(n)), native=True)  # fmt: skip


def spikingjelly_cells() -> Iterator[Cell]:
    from spikingjelly.activation_based import neuron

    kinds: dict[str, Callable[[np.random.Generator, dict[str, Any]], nn.Module]] = {
        "IFNode": lambda rng, c: neuron.IFNode(**c),
        "LIFNode, decay_input": lambda rng, c: neuron.LIFNode(tau=dyadic(rng, 2.0, 1.5, 4.0), decay_input=True, **c),
        "LIFNode": lambda rng, c: neuron.LIFNode(tau=dyadic(rng, 2.0, 1.5, 4.0), decay_input=False, **c),
        "ParametricLIFNode": lambda rng, c: neuron.ParametricLIFNode(
            init_tau=dyadic(rng, 2.0, 1.5, 4.0), decay_input=False, **c
        ),
        "CUBALIFNode": lambda rng, c: neuron.CUBALIFNode(
            c_decay=dyadic(rng, 0.5, 0.2, 0.7), v_decay=dyadic(rng, 0.75, 0.4, 0.9), **c
        ),
        "TernaryIFNode": lambda rng, c: neuron.TernaryIFNode(**c),
        "TernaryLIFNode": lambda rng, c: neuron.TernaryLIFNode(tau=dyadic(rng, 2.0, 1.5, 4.0), **c),
    }  # fmt: skip
    for kind, make in kinds.items():
        for said, reset in (("to 0", 0.0), ("subtract", None), ("to -0.125", -0.125)):
            for connection in CONNECTIONS:
                # An input divided by tau reaches a lower threshold.
                low = 0.25 if kind in ("LIFNode, decay_input", "TernaryLIFNode") else 1.0
                yield Cell("SpikingJelly", kind, said, connection, lambda n, rng, m=make, r=reset, v=low: m(  # type: ignore[misc]
                    rng, {"v_threshold": dyadic(rng, v, 0.6 * v, 1.1 * v), "v_reset": r}))  # fmt: skip


def norse_cells() -> Iterator[Cell]:
    import norse.torch as norse
    from norse.torch.functional.iaf import IAFParameters
    from norse.torch.functional.lif import LIFParameters
    from norse.torch.functional.lif_box import LIFBoxParameters
    from norse.torch.functional.lif_refrac import LIFRefracParameters
    from norse.torch.functional.reset import reset_subtract, reset_value
    from norse.torch.module.iaf import IAFCell

    def lif(rng: np.random.Generator, reset: float) -> Any:
        return LIFParameters(
            tau_syn_inv=torch.tensor(dyadic(rng, 500.0, 200.0, 900.0)), v_reset=torch.tensor(reset),
            tau_mem_inv=torch.tensor(dyadic(rng, 250.0, 100.0, 600.0)), v_th=torch.tensor(dyadic(rng, 0.5, 0.3, 0.6)),
        )  # fmt: skip

    def box(rng: np.random.Generator, reset: float, method: Any) -> nn.Module:
        p = LIFBoxParameters(
            tau_mem_inv=torch.tensor(dyadic(rng, 500.0, 200.0, 900.0)), v_th=torch.tensor(dyadic(rng, 0.5, 0.3, 0.6)),
            v_reset=torch.tensor(reset), reset_method=method,
        )  # fmt: skip
        cell: nn.Module = norse.LIFBoxCell(p)
        return cell

    kinds: list[tuple[str, str, Make]] = [
        ("LIFBoxCell", "subtract", lambda n, rng: box(rng, 0.0, reset_subtract)),
    ]
    for said, r in (("to 0", 0.0), ("to -0.25", -0.25)):
        kinds += [
            ("LIFBoxCell", said, lambda n, rng, r=r: box(rng, r, reset_value)),  # type: ignore[misc]
            ("LIFCell", said, lambda n, rng, r=r: norse.LIFCell(lif(rng, r))),  # type: ignore[misc]
            ("LIFRefracCell", said, lambda n, rng, r=r: norse.LIFRefracCell(  # type: ignore[misc]
                LIFRefracParameters(lif=lif(rng, r), rho_reset=torch.tensor(2.0)))),
            ("IAFCell", said, lambda n, rng, r=r: IAFCell(IAFParameters(  # type: ignore[misc]
                v_th=torch.tensor(dyadic(rng, 1.0, 0.6, 1.2)), v_reset=torch.tensor(r)))),
        ]  # fmt: skip
        yield Cell("Norse", "LIFRecurrentCell", said, "recurrent",
                   lambda n, rng, r=r: norse.LIFRecurrentCell(n, n, lif(rng, r)), native=True)  # type: ignore[misc]  # fmt: skip
    for neuron, said, make in kinds:
        for connection in CONNECTIONS:
            yield Cell("Norse", neuron, said, connection, make)


def cells() -> list[Cell]:
    """Every cell of the table, in its order."""
    order = {name: index for index, name in enumerate(CONNECTIONS)}
    found = [*snntorch_cells(), *spikingjelly_cells(), *norse_cells()]
    return sorted(found, key=lambda c: (c.framework != "snnTorch", c.framework, c.neuron, c.reset,
                                        order.get(c.connection, 9), c.connection))  # fmt: skip


class Looped(nn.Module):
    """Two layers in a loop over time: the second reads also its own spikes of the step before (recurrent), what the
    first gives out (residual), or gave out two steps before through other weights (delays). Works with the calling
    conventions of all three frameworks."""

    def __init__(self, cell: Cell, rng: np.random.Generator) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(INPUT, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.neuron1, self.neuron2 = cell.make(HIDDEN, rng), cell.make(HIDDEN, rng)
        self.connection = cell.connection
        if cell.connection != "residual":
            self.back = nn.Linear(HIDDEN, HIDDEN, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states: list[Any] = [None, None]

        def fire(layer: nn.Module, index: int, current: torch.Tensor) -> torch.Tensor:
            if type(layer).__module__.startswith("norse"):
                spikes, states[index] = layer(current, states[index])
                return spikes  # type: ignore[no-any-return]
            return layer(current)  # type: ignore[no-any-return]

        second, found = torch.zeros(x.shape[1], HIDDEN, dtype=x.dtype), []
        late = [second, second]
        for t in range(x.shape[0]):
            first = fire(self.neuron1, 0, self.fc1(x[t]))
            late.append(first)
            if self.connection == "residual":
                also = first
            else:
                also = self.back(late[t] if self.connection == "delays" else second)
            second = fire(self.neuron2, 1, self.fc2(first) + also)
            found.append(second)
        return torch.stack(found)


def network(cell: Cell, seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    """(a random network of a cell, the shape of its input): ternary weights of one scale per layer, small biases."""
    shape: tuple[int, ...] = IMAGE
    rng = np.random.default_rng(seed)
    container: Any = nn.Sequential
    if cell.framework == "Norse":
        import norse.torch as norse

        container = norse.SequentialState
    image = "conv" in cell.connection
    if image:
        layers = [nn.Conv2d(2, 4, 3, padding=1), cell.make(4, rng)]
        if cell.connection == "conv, pooled":
            # The maximum of signed spikes has no form of its own.
            often = seed % 4 < 2 or "Ternary" in cell.neuron
            layers += [nn.AvgPool2d(2) if often else nn.MaxPool2d(2)]
        layers += [nn.Conv2d(4, 4, 3, padding=int(len(layers) > 2)), cell.make(4, rng)]
        model = container(*layers)
    elif cell.native or cell.connection == "dense":
        first, last = (HIDDEN, HIDDEN) if cell.native else (HIDDEN, LAST)
        model = container(nn.Linear(INPUT, first), cell.make(first, rng), nn.Linear(first, last), cell.make(last, rng))
        shape = (INPUT,)
    else:
        model, shape = Looped(cell, rng), (INPUT,)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(_values(name, tuple(parameter.shape), rng)).to(parameter.dtype))
    return model.eval(), shape


def _values(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Ternary weights whose sums stand near a threshold of 1, biases below a quarter; V and w keep their sizes."""
    if name.endswith("bias"):
        return np.asarray(np.round(rng.uniform(-0.1, 0.2, shape) * 16) / 16)
    if len(shape) < 2:
        return np.full(shape, -0.5) if name.endswith("V") else np.zeros(shape)
    fan = int(np.prod(shape[1:]))
    scale = dyadic(rng, 0.5, 0.35, 0.7) * (0.5 if "recurrent" in name or "back" in name else 1.0)
    scale = scale / 4 if fan > 40 else scale / 2 if fan >= 20 else scale
    return rng.choice([-1, 0, 0, 1, 1], shape) * scale
