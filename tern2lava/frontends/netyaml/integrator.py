"""`kind: integrator` of a net.yaml: neurons without a threshold, which never spike and are read by their potential."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import InputError
from tern2lava.frontends.netyaml.keys import NeuronKeys
from tern2lava.frontends.neuron_equations import Fields, check_tau, integrator

KEYS = ("kind", "tensors", "alpha", "beta", "tau", "decay_input", "v_rest", "v_init")
SPIKING = ("threshold", "graded_spikes_factor", "reset_mechanism_val")
"""What snnTorch stores of its neurons' spikes, and an integrator has no use for."""


class Reader(Protocol):
    """What reads the parameters of a neuron entry (netyaml/neuron.py)."""

    keys: NeuronKeys

    def parameter(self, key: str, default: float | None = None) -> Reals: ...
    def decay(self, key: str, snntorch: bool) -> Reals: ...
    def lif(self, tau: Reals) -> Fields: ...
    def stored(self, key: str) -> Reals | None: ...
    def where(self, key: str) -> str: ...
    def error(self, key: str, why: str) -> InputError: ...


def integrator_fields(reader: Reader, snntorch: bool) -> dict[str, Any]:
    """Fields of the ir.Neuron: v' = beta v + u' with beta (1 without it), or the leak of tau; u' = alpha u + x with
    alpha, else x.

    Raises InputError for both leaks, and for a snnTorch neuron whose checkpoint says that it resets.
    """
    keys = reader.keys
    if keys.tau is not None and keys.beta is not None:
        raise reader.error("tau", "requires tau or beta; found both; leave one out")
    for key in SPIKING if snntorch else ():
        value = reader.stored(key)
        if key == "reset_mechanism_val" and value is not None and (value != 2).any():
            raise reader.error(
                "kind",
                "requires a neuron that is never reset as an integrator; found a reset in the checkpoint's "
                f"{keys.tensors}.{key}; say kind: leaky",
            )
    if keys.tau is not None:
        decays = reader.lif(check_tau(reader.where("tau"), reader.parameter("tau")))
    elif keys.beta is not None or reader.stored("beta") is not None:
        decays = {"alpha_v": reader.decay("beta", snntorch)}
    else:
        decays = {"alpha_v": np.ones(())}
    if keys.alpha is not None or reader.stored("alpha") is not None:
        decays["alpha_u"] = reader.decay("alpha", snntorch)
    return integrator({**decays, "v_init": reader.parameter("v_init", 0.0)})
