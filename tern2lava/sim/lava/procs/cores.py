"""Core images in Lava's runtime: runners that each execute all of them, and the dealer that hands out samples."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

import numpy as np

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

# As many as there are ports to_K below.
MAX_WORKERS = 4


class CoreImageBatchRunner(AbstractProcess):
    """Runs all core images of a program on a batch of samples, over all their steps, with the fast engine's kernels.

    It is one Lava process for all cores, not one per core. In every Lava step `dealt` brings the first and the last
    (exclusive) sample of the batch. Spikes travel between cores inside it, along the routes of the images.

    program: sim.cores.program.CoreProgram. rows: shared input, (samples, steps, neurons of all inputs side by side);
    inputs: which of them each group of the host emits. results: by place of a group, its shared arrays (samples, steps,
    neurons of the population) of spikes, u and v (None: not recorded) and its neurons' indices in them. driven: by
    place of a group, the shared array of what others receive in the place of its spikes, and the same indices.
    """

    def __init__(
        self, *, program: Any, rows: Any, inputs: dict[int, slice], results: dict[Any, Any], driven: dict[Any, Any]
    ) -> None:
        super().__init__(program=program, rows=rows, inputs=inputs, results=results, driven=driven)
        self.dealt = InPort(shape=(2,))


@implements(proc=CoreImageBatchRunner, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyCoreImageBatchRunner(PyLoihiProcessModel):
    dealt: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)

    def run_spk(self) -> None:
        begin, end = self.dealt.recv().tolist()
        if begin == end:
            return
        parameters = self.proc_params
        rows = parameters["rows"][begin:end]
        given = {group: rows[:, :, span] for group, span in parameters["inputs"].items()}
        spikes, u, v, place = range(4)
        results = parameters["results"]
        states = any(to[u] is not None for to in results.values())
        driven = {place: values[begin:end][:, :, span] for place, (values, span) in parameters["driven"].items()}
        for result in parameters["program"].run(given, states=states, driven=driven):
            to = results[result.place]
            for kind, values in ((spikes, result.spikes), (u, result.u), (v, result.v)):
                if values is not None:
                    to[kind][begin:end, :, to[place]] = values


class Dealer(AbstractProcess):
    """Deals samples out: in every Lava step `chunk` of them to each of `workers` CoreImageBatchRunner, until none is
    left.

    steps_done: shared counter that is set to the number of Lava steps begun.
    """

    def __init__(self, *, samples: int, chunk: int, workers: int, steps_done: Any) -> None:
        super().__init__(samples=samples, chunk=chunk, workers=workers, steps_done=steps_done)
        for number in range(MAX_WORKERS):
            setattr(self, f"to_{number}", OutPort(shape=(2,)))


@implements(proc=Dealer, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDealer(PyLoihiProcessModel):
    to_0: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    to_1: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    to_2: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    to_3: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def run_spk(self) -> None:
        samples, chunk, workers = (self.proc_params[key] for key in ("samples", "chunk", "workers"))
        self.proc_params["steps_done"][0] = self.time_step
        for number, port in enumerate((self.to_0, self.to_1, self.to_2, self.to_3)[:workers]):
            begin = min(samples, ((self.time_step - 1) * workers + number) * chunk)
            port.send(np.array([begin, min(samples, begin + chunk)]))
