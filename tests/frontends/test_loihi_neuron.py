"""Loihi's neuron in fields of the graph's neurons."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Compare
from tern2lava.frontends.loihi_neuron import loihi_fields


@pytest.mark.parametrize(
    ("decay_u", "decay_v", "cut"),
    [(4096, 0, False), (0, 4096, False), (1, 0, True), (0, 1, True), (4095, 4096, True), (4096, 4095, True)],
)
def test_every_decay_but_none_and_all_is_cut_towards_zero(decay_u: int, decay_v: int, cut: bool) -> None:
    decays = np.array([4096, decay_u]), np.array([0, decay_v])
    fields = loihi_fields(*decays, np.array([40]), compare=Compare.GT, rest=0)
    assert ("quantum" in fields) is cut
    assert "quantum" not in loihi_fields(*decays, np.array([40]), compare=Compare.GT, rest=0, cuts=False)
