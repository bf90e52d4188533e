"""Which populations Lava's stock LIF can execute, by what they are alone, and which rounding a target leaves them."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Decays, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Bools, Ints
from tern2lava.compiler.neurons.mechanism import kind_names
from tern2lava.hw_profiles.profile import Profile


def why_no_stock_lif(node: Neuron | Population) -> str:
    """The first reason why no stock LIF of Lava executes neurons like these; empty where none is found.

    Of the neurons alone: mechanisms, reset, first potentials, a bias of the current, parameters that differ between
    neurons. Integers that a stock LIF has no field for, and wiring, are another matter (sim/lava/process_choice.py).
    """
    kinds = kind_names(node)
    if kinds:
        return f"neurons of kind {', '.join(kinds)} (LIF is plain)"
    if node.reset is not Reset.ZERO:
        return f"reset mode {node.reset.value} (LIF resets to zero)"
    if node.v_init.any():
        return "membranes do not begin at 0"
    if node.bias_u.any():
        return "the current has a bias (LIF adds its bias to the membrane)"
    for name in (
        ("decay_u", "decay_v", "threshold") if isinstance(node, Population) else ("alpha_u", "alpha_v", "threshold")
    ):
        values = getattr(node, name)
        if (values != values.flat[0]).any():
            return f"{name} differs between neurons (LIF has one per population)"
    return ""


def decays_allowed(profile: Profile | None, node: Neuron | Population) -> tuple[Decays, ...]:
    """How the decays of neurons like these may be made whole on the target (neuron.rounding), TRUNCATE first; without a
    profile as every target can."""
    rounding = "truncate" if profile is None else profile.neuron.rounding.value
    if rounding == "nearest" or (rounding == "programs" and why_no_stock_lif(node)):
        return (Decays.TRUNCATE, Decays.NEAREST)
    return (Decays.TRUNCATE,)


def decays_partly(decay: Ints, arithmetic: Arithmetic) -> Bools:
    """Where a decay is neither 0 nor 2^D, so that it rounds."""
    return np.asarray((decay > 0) & (decay < 1 << arithmetic.decay_bits))
