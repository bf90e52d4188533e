"""A neuro-core as a Lava process, its routes as connections, and what reads the spikes that leave the chip."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.sim.lava.compat import require_lava

require_lava()
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.ports.ports import AbstractPort, AbstractVirtualPort, InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

Values = NDArray[Any]


class NeuroCore(AbstractProcess):
    """A core: port axons_K_R takes what route R brings to its axon range K in a step, port spikes_K gives what its
    neuron group K emits in that step.

    An axon range has a port for each route and not one for all: Lava 0.10 does not tell the virtual ports apart that
    meet in a port of a process that has sub-processes (AbstractPort.get_incoming_virtual_ports).
    axons: for each range, its number of axons and of routes; neurons: of each group. fill(process): makes the Lava
    processes that the core consists of, connects them with each other and with the core's ports, and returns them.
    """

    def __init__(self, *, axons: list[tuple[int, int]], neurons: list[int], fill: Callable[[Any], list[Any]]) -> None:
        super().__init__(fill=fill)
        for number, (count, routes) in enumerate(axons):
            for route in range(routes):
                setattr(self, f"axons_{number}_{route}", InPort(shape=(count,)))
        for number, count in enumerate(neurons):
            setattr(self, f"spikes_{number}", OutPort(shape=(count,)))

    def ports_of(self, axons: int) -> list[InPort]:
        """The ports of an axon range, one for each route."""
        return [port for port in self.in_ports.members if port.name.startswith(f"axons_{axons}_")]


@implements(proc=NeuroCore, protocol=LoihiProtocol)
@tag("fixed_pt")
class SubNeuroCore(AbstractSubProcessModel):
    def __init__(self, proc: Any) -> None:
        # Lava takes for sub-processes what it finds as attributes.
        for number, process in enumerate(proc.proc_params["fill"](proc)):
            setattr(self, f"part_{number}", process)


def arrive(spikes: Values, *, sent: Values, axon: Values, axons: int) -> Values:
    """What spikes (neurons,) of a group bring to an axon range: those of neurons `sent` add up in axons `axon`."""
    arriving = np.zeros(axons, spikes.dtype)
    np.add.at(arriving, axon, spikes[sent])
    return arriving


class RoutePort(AbstractVirtualPort):
    """A route between an OutPort of a core and an InPort of one: `arrive` on the way."""

    def __init__(self, source: OutPort, target: InPort, sent: Values, axon: Values) -> None:
        super().__init__(target.shape)
        self.sent, self.axon = sent, axon
        source._connect_forward([self], AbstractPort, [None], assert_same_shape=False)
        self.connect(target)

    def get_transform_func_fwd(self) -> Any:
        return partial(arrive, sent=self.sent, axon=self.axon, axons=self.shape[0])

    def get_transform_func_bwd(self) -> Any:
        raise NotImplementedError("a route carries spikes one way")


class Readout(AbstractProcess):
    """Reads the spikes (neurons,) of a group whose routes lead to no core. record(time_step, spikes) is told of them
    in every step."""

    def __init__(self, *, neurons: int, record: Callable[[int, Values], None]) -> None:
        super().__init__(record=record)
        self.s_in = InPort(shape=(neurons,))


@implements(proc=Readout, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyReadout(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.proc_params["record"](self.time_step, self.s_in.recv())
