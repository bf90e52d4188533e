"""Our synapses as a Lava process: integer codes with an integer gain per neuron, dense or convolutional."""
# mypy: allow-subclassing-any, allow-untyped-decorators
# ruff: noqa: E402

from __future__ import annotations

from typing import Any

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

Codes = NDArray[np.int64]


class TernarySynapse(AbstractProcess):
    """gain * (codes applied to the spikes of this step), delivered in the next step, as Lava's Dense and Conv do.

    codes: (out, in), or (out, in/groups, kh, kw) with `geometry` (ir.ConvGeometry as a dictionary); channels first,
    C order, cross-correlation. gain: int64 (neurons of the target,).
    """

    def __init__(self, *, sources: int, codes: Codes, gain: Codes, geometry: dict[str, Any] | None) -> None:
        super().__init__(codes=codes, gain=gain, geometry=geometry)
        self.s_in = InPort(shape=(sources,))
        self.a_out = OutPort(shape=gain.shape)


@implements(proc=TernarySynapse, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyTernarySynapse(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.gain = proc_params["gain"]
        self.geometry = proc_params["geometry"]
        codes = proc_params["codes"].astype(np.int64)
        self.codes = np.ascontiguousarray(codes.T) if self.geometry is None else codes
        self.arriving = np.zeros_like(self.gain)

    def run_spk(self) -> None:
        self.a_out.send(self.arriving)
        spikes = self.s_in.recv()
        sums = self.dense(spikes) if self.geometry is None else self.convolve(spikes)
        self.arriving = sums * self.gain

    def dense(self, spikes: NDArray[np.int32]) -> Codes:
        """Sums (out,): the rows of the sources that fired, each times its value."""
        fired = np.flatnonzero(spikes)
        result: Codes = (self.codes[fired] * spikes[fired, None]).sum(axis=0)
        return result

    def convolve(self, spikes: NDArray[np.int32]) -> Codes:
        """Sums (out * height * width,): one product per kernel tap over all positions.

        In float64, which is exact here: every partial sum is an integer below 2^53.
        """
        g = self.geometry
        groups, (sy, sx), (dy, dx) = g["groups"], g["stride"], g["dilation"]
        top, bottom, left, right = g["padding"]
        out, oh, ow = g["out_shape"]
        image = np.pad(spikes.reshape(g["in_shape"]).astype(np.float64), ((0, 0), (top, bottom), (left, right)))
        image = image.reshape(groups, -1, *image.shape[1:])
        kernel = self.codes.reshape(groups, out // groups, *self.codes.shape[1:]).astype(np.float64)
        sums = np.zeros((groups, out // groups, oh * ow))
        for y in range(kernel.shape[3]):
            for x in range(kernel.shape[4]):
                tap = image[:, :, y * dy : y * dy + sy * (oh - 1) + 1 : sy, x * dx : x * dx + sx * (ow - 1) + 1 : sx]
                sums += kernel[:, :, :, y, x] @ tap.reshape(groups, -1, oh * ow)
        return sums.reshape(-1).astype(np.int64)
