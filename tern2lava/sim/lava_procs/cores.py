"""Neuro-cores as Lava processes: each executes a few cores from their images, spikes travel between them on ports."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.image import decode_core
from tern2lava.sim.core import CoreMachine
from tern2lava.sim.lava_compat import require_lava

require_lava()
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

# As many as there are ports to_K below.
MAX_CLUSTERS = 4
Spikes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Wires:
    """From the neurons of one process to the axons of another, both numbered through their process: equal lengths."""

    neuron: NDArray[np.int64]
    axon: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Samples are executed in chunks of `chunk` at a time, each chunk for `period` Lava steps, of which the inputs and
    the window of each population take `steps`."""

    samples: int
    steps: int
    chunk: int
    period: int

    def at(self, time_step: int) -> tuple[int, slice]:
        """Chip step of a Lava step within its chunk, and the chunk's samples."""
        index, t = divmod(time_step - 1, self.period)
        return t + 1, slice(index * self.chunk, min((index + 1) * self.chunk, self.samples))


class Router:
    """Sends what neurons emitted to the axons of every process, one chip step later."""

    def __init__(self, wires: list[Wires], axons: list[int], ports: list[Any], chunk: int) -> None:
        self.wires, self.ports = wires, ports
        self.messages = [np.zeros((chunk, count), np.int32) for count in axons]

    def send(self, emitted: NDArray[Any]) -> None:
        """Nothing; `emitted` (samples, neurons) is what was emitted in the step before. A spike on two wires to one
        axon counts twice."""
        for wire, message, port in zip(self.wires, self.messages, self.ports, strict=False):
            message[:] = 0
            # Rows of axons first: np.add.at adds on repeated indices.
            np.add.at(message.T, wire.axon, emitted[:, wire.neuron].T)
            port.send(message)


class CoreCluster(AbstractProcess):
    """Executes the cores in `images` (bytes), for a chunk of samples at once; a Lava step is a chip step.

    arriving: spikes for the input axons of these cores, (chunk, axons), summed over all senders. to_K: spikes for those
    of process K. axons: input axons of each process. results: by population, shared arrays (samples, steps, neurons)
    of spikes, u and v, into which the neurons of these cores are written.
    """

    def __init__(
        self, *, images: list[bytes], index: int, axons: list[int], wires: list[Wires], schedule: Schedule,
        results: Any,
    ) -> None:  # fmt: skip
        super().__init__(images=images, axons=axons, wires=wires, schedule=schedule, results=results)
        self.arriving = InPort(shape=(schedule.chunk, axons[index]))
        for number in range(MAX_CLUSTERS):
            setattr(self, f"to_{number}", OutPort(shape=(schedule.chunk, axons[number] if number < len(axons) else 1)))


@implements(proc=CoreCluster, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyCoreCluster(PyLoihiProcessModel):
    arriving: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    to_0: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    to_1: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    to_2: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    to_3: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.images = [decode_core(data) for data in proc_params["images"]]
        self.schedule, self.results = proc_params["schedule"], proc_params["results"]
        self.axons, self.wires = proc_params["axons"], proc_params["wires"]
        self.machines: list[CoreMachine] = []
        self.router: Router | None = None

    def run_spk(self) -> None:
        if self.router is None:
            ports = [self.to_0, self.to_1, self.to_2, self.to_3]
            self.router = Router(self.wires, self.axons, ports, self.schedule.chunk)
        t, samples = self.schedule.at(self.time_step)
        if t == 1:
            # A chunk begins: fresh states, and what the last chunk emitted in its last step is not sent.
            self.machines = [CoreMachine(image, self.schedule.chunk, self.schedule.steps) for image in self.images]
            self.emitted = np.zeros((self.schedule.chunk, sum(m.neurons for m in self.machines)), np.int8)
        self.router.send(self.emitted)
        spikes = self.arriving.recv()
        first = 0
        out = []
        for machine in self.machines:
            out.append(machine.step(t, spikes[:, first : first + machine.axons]))
            first += machine.axons
            self.record(machine, out[-1], t, samples)
        self.emitted = np.concatenate(out, axis=1)

    def record(self, machine: CoreMachine, fired: NDArray[np.int8], t: int, samples: slice) -> None:
        """Nothing; writes spikes and states of the groups that are in their window."""
        count = samples.stop - samples.start
        for index, group in enumerate(machine.image.groups):
            if machine.active(index, t):
                assert group.local is not None
                spikes, u, v = self.results[group.name]
                k, place = t - group.local.start - 1, group.box.flat()
                mine = slice(*machine.neuron_ends[index : index + 2])
                state = machine.groups[index]
                spikes[samples, k, place] = fired[:count, mine]
                u[samples, k, place] = state.u[:count]
                v[samples, k, place] = state.v[:count]


class SpikeHost(AbstractProcess):
    """Emits the inputs, (samples, steps, neurons) of all inputs side by side: row k of a sample in chip step k + 1."""

    def __init__(
        self, *, rows: Any, axons: list[int], wires: list[Wires], schedule: Schedule, steps_done: Any
    ) -> None:  # fmt: skip
        super().__init__(rows=rows, axons=axons, wires=wires, schedule=schedule, steps_done=steps_done)
        for number in range(MAX_CLUSTERS):
            setattr(self, f"to_{number}", OutPort(shape=(schedule.chunk, axons[number] if number < len(axons) else 1)))


@implements(proc=SpikeHost, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeHost(PyLoihiProcessModel):
    to_0: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    to_1: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    to_2: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    to_3: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows, self.schedule = proc_params["rows"], proc_params["schedule"]
        self.axons, self.wires = proc_params["axons"], proc_params["wires"]
        self.steps_done = proc_params["steps_done"]
        self.router: Router | None = None

    def run_spk(self) -> None:
        if self.router is None:
            ports = [self.to_0, self.to_1, self.to_2, self.to_3]
            self.router = Router(self.wires, self.axons, ports, self.schedule.chunk)
        self.steps_done[0] = self.time_step
        t, samples = self.schedule.at(self.time_step)
        emitted = np.zeros((self.schedule.chunk, self.rows.shape[2]), np.int32)
        # In this step arrives what was emitted in the step before.
        if 0 <= t - 2 < self.schedule.steps:
            emitted[: samples.stop - samples.start] = self.rows[samples, t - 2]
        self.router.send(emitted)
