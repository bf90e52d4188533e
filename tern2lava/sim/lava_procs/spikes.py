"""Lava processes that carry spikes: a source that plays samples, a spike delay, a recorder of stock neurons."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.sim.lava_compat import require_lava

require_lava()
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class SpikeSource(AbstractProcess):
    """Plays `rows` (samples, steps, neurons): row k of sample b in Lava step b * period + k + 1, zeros elsewhere.

    steps_done: shared counter that is set to the number of Lava steps begun.
    """

    def __init__(self, *, rows: Any, period: int, steps_done: Any) -> None:
        super().__init__(rows=rows, period=period, steps_done=steps_done)
        self.s_out = OutPort(shape=(rows.shape[2],))


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySpikeSource(PyLoihiProcessModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = proc_params["rows"]
        self.period = proc_params["period"]
        self.steps_done = proc_params["steps_done"]
        self.silence = np.zeros(self.rows.shape[2], np.int32)

    def run_spk(self) -> None:
        sample, k = divmod(self.time_step - 1, self.period)
        playing = sample < self.rows.shape[0] and k < self.rows.shape[1]
        self.steps_done[0] = self.time_step
        self.s_out.send(self.rows[sample, k].astype(np.int32) if playing else self.silence)


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


class StateRecorder(AbstractProcess):
    """Writes the spikes and states of a neuron process into shared arrays (samples, steps, neurons).

    Lava step b * period + start + k + 1 goes to [b, k]; other steps are not recorded. u and v are read after the
    spiking phase, by reference, so that they are the neuron process's own values.
    """

    def __init__(self, *, neurons: int, period: int, start: int, spikes: Any, u: Any, v: Any) -> None:
        super().__init__(period=period, start=start, spikes=spikes, states=(u, v))
        self.s_in = InPort(shape=(neurons,))
        self.u = RefPort(shape=(neurons,))
        self.v = RefPort(shape=(neurons,))


@implements(proc=StateRecorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyStateRecorder(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    u: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    v: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.spikes = proc_params["spikes"]
        self.u_rows, self.v_rows = proc_params["states"]
        self.period, self.start_step = proc_params["period"], proc_params["start"]

    def place(self) -> tuple[int, int] | None:
        """Sample and step that this Lava step is in the population's window, None outside."""
        sample, k = divmod(self.time_step - self.start_step - 1, self.period)
        inside = 0 <= sample < self.spikes.shape[0] and k < self.spikes.shape[1]
        return (sample, k) if inside else None

    def run_spk(self) -> None:
        spikes = self.s_in.recv()
        place = self.place()
        if place is not None:
            self.spikes[place] = spikes

    def post_guard(self) -> bool:
        return self.place() is not None

    def run_post_mgmt(self) -> None:
        place = self.place()
        assert place is not None
        self.u_rows[place] = self.u.read()
        self.v_rows[place] = self.v.read()
