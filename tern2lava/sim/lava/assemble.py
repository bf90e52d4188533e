"""Makes the Lava processes of parts (parts.py), and connects those of a core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tern2lava.sim.lava.run import Window

# The name of a process's class and its arguments but for windows.
Parts = tuple[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class CoreGroup:
    """Neurons of a core: their process, when it runs, and for each axon range that leads to them, by number, the
    processes one behind the other."""

    neuron: Parts
    window: Window
    wires: Sequence[tuple[int, Sequence[Parts]]]


def fill_core(core: Any, groups: Sequence[CoreGroup]) -> tuple[list[Any], list[Any]]:
    """The processes that a NeuroCore consists of, connected with its ports, and those of them that are neurons, by
    group."""
    made: list[Any] = []
    neurons: list[Any] = []
    for number, group in enumerate(groups):
        neuron = make_neuron(*group.neuron, group.window)
        neuron.name = f"{core.name} neurons {number}"
        for axons, parts in group.wires:
            synapses = [make_synapse(*part) for part in parts]
            connect(core.ports_of(axons), synapses, neuron)
            made += synapses
        neuron.s_out.connect(getattr(core, f"spikes_{number}"))
        neurons.append(neuron)
    return made + neurons, neurons


def make_neuron(kind: str, values: dict[str, Any], window: Window) -> Any:
    """The process of a population, which runs in `window`."""
    if kind == "LIFReset":
        from lava.proc.lif.process import LIFReset

        return LIFReset(**values, reset_interval=window.period, reset_offset=window.start + 1)
    if kind == "TernaryLIF":
        from lava.proc.lif.process import TernaryLIF

        return TernaryLIF(**values)
    from tern2lava.sim.lava.procs.neuron import TernaryNeuron

    return TernaryNeuron(**values, window=window)


def make_synapse(kind: str, values: dict[str, Any]) -> Any:
    """The process of a connection, or of what lies in front of one."""
    if kind in ("Dense", "DelayDense"):
        from lava.proc.dense.process import DelayDense, Dense
        from lava.utils.weightutils import SignMode

        return {"Dense": Dense, "DelayDense": DelayDense}[kind](**values, sign_mode=SignMode.MIXED)
    if kind == "Sparse":
        from lava.proc.sparse.process import Sparse
        from lava.utils.weightutils import SignMode

        return Sparse(**values, sign_mode=SignMode.MIXED)
    if kind == "Conv":
        # With it comes scipy's signal processing, half a second of imports.
        from lava.proc.conv.process import Conv

        return Conv(**values)
    from tern2lava.sim.lava.procs.spikes import SpikeDelay, SpikeSelect
    from tern2lava.sim.lava.procs.synapse import TernarySynapse

    own = {"SpikeSelect": SpikeSelect, "SpikeDelay": SpikeDelay, "TernarySynapse": TernarySynapse}
    return own[kind](**values)


def connect(ports: Sequence[Any], synapses: Sequence[Any], target: Any) -> None:
    """Connect ports whose spikes (neurons,) add up with `target` through processes one behind the other."""
    *before, synapse = synapses
    for process in before:
        for port in ports:
            port.connect(process.s_in)
        ports = [process.s_out]
    if type(synapse).__name__ != "Conv":
        for port in ports:
            port.connect(synapse.s_in)
        synapse.a_out.connect(target.a_in)
        return
    # Lava's images are (width, height, channels), ours (channels, height, width).
    for port in ports:
        port.reshape(synapse.s_in.shape[::-1]).transpose([2, 1, 0]).connect(synapse.s_in)
    synapse.a_out.transpose([2, 1, 0]).flatten().connect(target.a_in)
