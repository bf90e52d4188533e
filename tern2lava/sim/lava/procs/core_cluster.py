"""Neighbouring cores in one Lava process: the models of their parts run one after the other, with the ports of all."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

import sys
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tern2lava.sim.lava.compat import require_lava

require_lava()
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from tern2lava.errors import BackendError
from tern2lava.sim.lava.sequential import NotSentError, Unit, advance, build_units

Values = NDArray[Any]


class Gate(AbstractProcess):
    """Gives the parts of a cluster what came from outside: an axon range's values (axons,) in this step."""

    def __init__(self, *, axons: int) -> None:
        super().__init__()
        self.s_out = OutPort(shape=(axons,))


@implements(proc=Gate, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGate(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    given: Values | None = None

    def run_spk(self) -> None:
        if self.given is None:
            raise NotSentError
        self.s_out.send(self.given)


class Tap(AbstractProcess):
    """Takes from the parts of a cluster what goes outside: a group's spikes (neurons,) in this step."""

    def __init__(self, *, neurons: int) -> None:
        super().__init__()
        self.s_in = InPort(shape=(neurons,))


@implements(proc=Tap, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyTap(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    taken: Values | None = None

    def run_spk(self) -> None:
        self.taken = self.s_in.recv()


class CoreCluster(AbstractProcess):
    """Cores that share a process of the operating system; a subclass for each set of ports (`cluster_of`).

    executable: the compiled Lava network of their parts; gates, taps: by the name of a port, the Gate of each InPort
    and the Tap of each OutPort.
    """

    AXONS: ClassVar[dict[str, int]] = {}
    NEURONS: ClassVar[dict[str, int]] = {}

    def __init__(self, *, executable: Any, gates: dict[str, Any], taps: dict[str, Any]) -> None:
        super().__init__(executable=executable, gates=gates, taps=taps)
        for name, count in self.AXONS.items():
            setattr(self, name, InPort(shape=(count,)))
        for name, count in self.NEURONS.items():
            setattr(self, name, OutPort(shape=(count,)))


class PyCoreCluster(PyLoihiProcessModel):
    """Runs the models of Lava's and our processes unmodified, each once all that it receives has been sent: first what
    needs nothing from outside, which is all neurons, since every connection takes a step."""

    IN_PORTS: tuple[str, ...] = ()
    OUT_PORTS: tuple[str, ...] = ()

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        units = build_units(proc_params["executable"])
        self.units = list(units.values())
        self.gates = {name: units[gate].model for name, gate in proc_params["gates"].items()}
        self.taps = {name: units[tap].model for name, tap in proc_params["taps"].items()}
        self.first: list[tuple[Unit, bool]] = []
        self.rest: list[tuple[Unit, bool]] = []

    def run_spk(self) -> None:
        for unit in self.units:
            unit.begin_step()
        for model in (*self.gates.values(), *self.taps.values()):
            model.given = model.taken = None
        waiting: list[Unit] = []
        if self.time_step == 1:
            self.first, waiting = advance(self.units)
        else:
            _again(self.first)
        for name in self.OUT_PORTS:
            spikes = self.taps[name].taken
            if spikes is None:
                raise BackendError(f"{name} of a cluster of cores waits for what comes from outside in the same step")
            getattr(self, name).send(spikes)
        for name in self.IN_PORTS:
            self.gates[name].given = getattr(self, name).recv()
        if self.time_step == 1:
            self.rest, waiting = advance(waiting)
            if waiting:
                raise BackendError(f"{', '.join(unit.name for unit in waiting)} of a cluster of cores wait for ever")
        else:
            _again(self.rest)


def _again(order: list[tuple[Unit, bool]]) -> None:
    """Run units as in the first step."""
    for unit, ends in order:
        if unit.attempt() is not ends:
            raise BackendError(f"{unit.name} receives in another order than in its first step")


def cluster_of(axons: dict[str, int], neurons: dict[str, int]) -> type[CoreCluster]:
    """A class of CoreCluster with InPorts and OutPorts of these names and sizes, and its model.

    Lava wants a model's ports as attributes of its class, and finds the model in the module of the process's class.
    """
    module = sys.modules[__name__]
    number = sum(name.startswith("CoreCluster") for name in vars(module))
    kind = type(f"CoreCluster{number}", (CoreCluster,), {"AXONS": axons, "NEURONS": neurons, "__module__": __name__})
    ports: dict[str, Any] = {name: LavaPyType(PyInPort.VEC_DENSE, np.int64) for name in axons}
    ports |= {name: LavaPyType(PyOutPort.VEC_DENSE, np.int64) for name in neurons}
    values = {**ports, "IN_PORTS": tuple(axons), "OUT_PORTS": tuple(neurons), "__module__": __name__}
    model = type(f"PyCoreCluster{number}", (PyCoreCluster,), values)
    model = tag("fixed_pt")(requires(CPU)(implements(proc=kind, protocol=LoihiProtocol)(model)))
    setattr(module, kind.__name__, kind)
    setattr(module, model.__name__, model)
    return kind
