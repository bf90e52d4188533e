"""Lava processes that carry spikes: a source that plays samples, a choice of neurons, and a delay."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.run import Window

require_lava()
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class SpikeSource(AbstractProcess):
    """Plays `rows` (samples, steps, neurons): row k of sample b in step k of the sample's window, zeros elsewhere.

    steps_done: shared counter that is set to the number of Lava steps begun.
    """

    def __init__(self, *, rows: Any, window: Window, steps_done: Any) -> None:
        super().__init__(rows=rows, window=window, steps_done=steps_done)
        self.s_out = OutPort(shape=(rows.shape[2],))


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeSource(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows, self.window = proc_params["rows"], proc_params["window"]
        self.steps_done = proc_params["steps_done"]
        self.silence = np.zeros(self.rows.shape[2], np.int32)

    def run_spk(self) -> None:
        self.steps_done[0] = self.time_step
        place = self.window.place(self.time_step)
        self.s_out.send(self.silence if place is None else self.rows[place].astype(np.int32))


class SpikeSelect(AbstractProcess):
    """Passes on what neurons `chosen` (their numbers, in ascending order) sent, in the same step."""

    def __init__(self, *, neurons: int, chosen: Any) -> None:
        super().__init__(chosen=chosen)
        self.s_in = InPort(shape=(neurons,))
        self.s_out = OutPort(shape=(len(chosen),))


@implements(proc=SpikeSelect, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeSelect(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.s_out.send(self.s_in.recv()[self.proc_params["chosen"]])


class SpikeDelay(AbstractProcess):
    """Passes spikes on `delay` >= 1 steps later."""

    def __init__(self, *, neurons: int, delay: int) -> None:
        super().__init__(neurons=neurons, delay=delay)
        self.s_in = InPort(shape=(neurons,))
        self.s_out = OutPort(shape=(neurons,))


@implements(proc=SpikeDelay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeDelay(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.waiting = np.zeros((proc_params["delay"], proc_params["neurons"]), np.int32)

    def run_spk(self) -> None:
        slot = self.time_step % len(self.waiting)
        self.s_out.send(self.waiting[slot])
        self.waiting[slot] = self.s_in.recv()
