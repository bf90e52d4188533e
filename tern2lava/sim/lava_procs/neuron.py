"""Our neuron as a Lava process: every reset mode, thresholds and decays per neuron, silent outside its window."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.sim.lava_compat import require_lava
from tern2lava.sim.lava_run import Window

require_lava()
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

States = NDArray[np.int64]


class TernaryNeuron(AbstractProcess):
    """A population as ir.Population defines it, one sample after the other.

    parameters: decay_u, decay_v, bias_u, bias, threshold, reset_amount, v_init as int64 arrays (neurons,).
    reset: "zero", "subtract" or "none". shift: a_in counts 2^shift of the membrane's units (6 as in Lava's LIF).
    Each sample begins from u = 0 and v = v_init at the first step of its window; outside the windows the process is
    silent and its states stay.
    """

    def __init__(
        self, *, neurons: int, parameters: dict[str, States], reset: str, shift: int, decay_bits: int,
        state_bits: int, window: Window,
    ) -> None:  # fmt: skip
        super().__init__(
            parameters=parameters, reset=reset, shift=shift, decay_bits=decay_bits, state_bits=state_bits,
            window=window,
        )  # fmt: skip
        self.a_in = InPort(shape=(neurons,))
        self.s_out = OutPort(shape=(neurons,))
        self.u = Var(shape=(neurons,), init=0)
        self.v = Var(shape=(neurons,), init=parameters["v_init"])


def scale_towards_zero(x: States, factor: States, bits: int) -> States:
    """x * factor / 2^bits truncated towards zero, factor >= 0."""
    product = x * factor
    result: States = (product + ((product >> 63) & ((1 << bits) - 1))) >> bits
    return result


@implements(proc=TernaryNeuron, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyTernaryNeuron(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    u: States = LavaPyType(np.ndarray, np.int64)
    v: States = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        parameters = proc_params["parameters"]
        self.decay_bits = proc_params["decay_bits"]
        self.keep_u = (1 << self.decay_bits) - parameters["decay_u"]
        self.keep_v = (1 << self.decay_bits) - parameters["decay_v"]
        self.bias_u, self.bias = parameters["bias_u"], parameters["bias"]
        self.threshold = parameters["threshold"]
        self.reset_amount, self.v_init = parameters["reset_amount"], parameters["v_init"]
        self.reset, self.shift = proc_params["reset"], proc_params["shift"]
        self.half = 1 << (proc_params["state_bits"] - 1)
        self.window = proc_params["window"]
        self.silence = np.zeros(self.v_init.shape, np.int32)

    def run_spk(self) -> None:
        a = self.a_in.recv()
        place = self.window.place(self.time_step)
        if place is None:
            self.s_out.send(self.silence)
            return
        if place[1] == 0:
            self.u = np.zeros_like(self.v_init)
            self.v = self.v_init.copy()
        self.s_out.send(self.advance(a).astype(np.int32))

    def advance(self, a: States) -> NDArray[np.bool_]:
        """Which neurons fire in one step with synaptic input `a`; moves u and v on."""
        u = scale_towards_zero(self.u, self.keep_u, self.decay_bits) + (a << self.shift) + self.bias_u
        too_high, too_low = u > self.half, u <= -self.half
        u[too_high] -= 2 * self.half
        u[too_low] += 2 * self.half
        v = scale_towards_zero(self.v, self.keep_v, self.decay_bits) + u + self.bias
        v = np.minimum(np.maximum(v, 1 - self.half), self.half - 1)
        fired: NDArray[np.bool_] = v > self.threshold
        if self.reset == "zero":
            v[fired] = 0
        elif self.reset == "subtract":
            v[fired] -= self.reset_amount[fired]
            v = np.minimum(np.maximum(v, 1 - self.half), self.half - 1)
        self.u, self.v = u, v
        return fired
