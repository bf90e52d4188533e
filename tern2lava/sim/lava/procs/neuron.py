"""Our neuron as a Lava process: every kind and reset mode, parameters per neuron, silent outside its window."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.run import Window

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

    parameters: decay_u, decay_v, bias_u, bias, threshold, reset_amount, decay_a, v_init as int64 arrays (neurons,),
    and where the population has them threshold_low (signed spikes) and gain_a (adaptive threshold).
    reset: "zero", "subtract" or "none". relay: it sends v itself, whatever the threshold. decays: "truncate" towards
    zero, or to the "nearest" whole number.
    shift: a_in counts 2^shift of the membrane's units (6 as in Lava's LIF).
    Each sample begins from u = 0 and v = v_init at the first step of its window; outside the windows the process is
    silent and its states stay.
    """

    def __init__(
        self, *, neurons: int, parameters: dict[str, States], reset: str, refractory: int, rearm: bool, shift: int,
        decay_bits: int, state_bits: int, window: Window, relay: bool = False,
        decays: str = "truncate",
    ) -> None:  # fmt: skip
        super().__init__(
            parameters=parameters, reset=reset, refractory=refractory, rearm=rearm, shift=shift,
            decay_bits=decay_bits, state_bits=state_bits, window=window, relay=relay,
            decays=decays,
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


def scale_to_nearest(x: States, factor: States, bits: int) -> States:
    """x * factor / 2^bits as the nearest whole number, halves away from zero, factor >= 0.

    Half a unit more, then down to a whole number; a negative product is a last bit lower first, so that its halves go
    down and not up.
    """
    product = x * factor
    result: States = (product + (1 << (bits - 1)) - (product < 0)) >> bits
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
        self.scale = {"truncate": scale_towards_zero, "nearest": scale_to_nearest}[proc_params["decays"]]
        self.keep_u = (1 << self.decay_bits) - parameters["decay_u"]
        self.keep_v = (1 << self.decay_bits) - parameters["decay_v"]
        self.bias_u, self.bias = parameters["bias_u"], parameters["bias"]
        self.threshold, self.threshold_low = parameters["threshold"], parameters.get("threshold_low")
        self.gain_a = parameters.get("gain_a")
        self.keep_a = (1 << self.decay_bits) - parameters["decay_a"]
        self.reset_amount, self.v_init = parameters["reset_amount"], parameters["v_init"]
        self.reset, self.shift = proc_params["reset"], proc_params["shift"]
        self.refractory, self.rearm = proc_params["refractory"], proc_params["rearm"]
        self.relay = proc_params["relay"]
        self.half = 1 << (proc_params["state_bits"] - 1)
        self.window = proc_params["window"]
        self.silence = np.zeros(self.v_init.shape, np.int32)
        self.begin()

    def begin(self) -> None:
        """Set the states to those before a sample; b is the adaptation, wait the remaining refractory steps."""
        self.u, self.v = np.zeros_like(self.v_init), self.v_init.copy()
        self.b, self.wait, self.last = (np.zeros_like(self.v_init) for _ in range(3))

    def run_spk(self) -> None:
        a = self.a_in.recv()
        place = self.window.place(self.time_step)
        if place is None:
            self.s_out.send(self.silence)
            return
        if place[1] == 0:
            self.begin()
        self.s_out.send(self.advance(a).astype(np.int32))

    def saturate(self, x: States) -> States:
        """x within [-M + 1, M - 1], M = 2^(state_bits - 1)."""
        inside: States = np.minimum(np.maximum(x, 1 - self.half), self.half - 1)
        return inside

    def advance(self, a: States) -> States:
        """The spikes of one step with synaptic input `a`; moves the states on."""
        u = self.scale(self.u, self.keep_u, self.decay_bits) + (a << self.shift) + self.bias_u
        too_high, too_low = u > self.half, u <= -self.half
        u[too_high] -= 2 * self.half
        u[too_low] += 2 * self.half
        v = self.scale(self.v, self.keep_v, self.decay_bits) + u + self.bias
        threshold = self.threshold
        if self.gain_a is not None:
            self.b = self.scale(self.b, self.keep_a, self.decay_bits)
            self.b = self.saturate(self.b + self.gain_a * self.last)
            v -= self.last * self.reset_amount + self.last * self.b
            threshold = threshold + self.b
        v = self.saturate(v)
        if self.relay:
            self.u, self.v = u, v
            return v
        waiting = self.wait > 0
        v[waiting] = self.v[waiting]
        measured = v.copy()
        if self.rearm:
            above = self.v > self.threshold
            measured[above] -= self.reset_amount[above]
        fired: States = (measured > threshold).astype(np.int64)
        if self.threshold_low is not None:
            fired[measured < self.threshold_low] -= 1
        fired[waiting] = 0
        self.wait[waiting] -= 1
        self.wait[fired != 0] = self.refractory
        if self.gain_a is None and self.reset == "zero":
            v[fired != 0] = 0
        elif self.gain_a is None and self.reset == "subtract":
            v = self.saturate(v - fired * self.reset_amount)
        self.u, self.v, self.last = u, v, fired
        return fired
