"""Which populations a stock LIF may execute as they are, and how targets let the others round."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import neurons, variant
from tern2lava.compiler.ir.graph import Decays, Neuron, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.target.stock_neuron import decays_allowed, why_no_stock_lif
from tern2lava.hw_profiles import load_profile, profile_names

PLAIN = neurons("n", ("w",), (3,))
NOT_STOCK: list[tuple[dict[str, Any], str]] = [
    ({"refractory": 1}, "of kind refractory"),
    ({"threshold_low": frozen(-5, np.int64)}, "of kind signed"),
    ({"reset": Reset.SUBTRACT}, "reset mode subtract"),
    ({"v_init": frozen([0, 0, 1], np.int64)}, "do not begin at 0"),
    ({"bias_u": frozen(1, np.int64)}, "current has a bias"),
    ({"decay_u": frozen([1, 1, 2], np.int64)}, "decay_u differs"),
    ({"threshold": frozen([1, 1, 2], np.int64)}, "threshold differs"),
]
BOTH = (Decays.TRUNCATE, Decays.NEAREST)


@pytest.mark.parametrize(("changed", "reason"), NOT_STOCK)
def test_what_no_stock_lif_has_may_round_where_programs_may(changed: dict[str, Any], reason: str) -> None:
    node = replace(PLAIN, **changed)
    assert reason in why_no_stock_lif(node)
    assert decays_allowed(variant("tiny", neuron__rounding="programs"), node) == BOTH
    assert decays_allowed(variant("tiny", neuron__rounding="truncate"), node) == (Decays.TRUNCATE,)


def test_a_plain_population_rounds_only_where_all_may() -> None:
    assert not why_no_stock_lif(PLAIN)
    assert decays_allowed(variant("tiny", neuron__rounding="programs"), PLAIN) == (Decays.TRUNCATE,)
    assert decays_allowed(variant("tiny", neuron__rounding="nearest"), PLAIN) == BOTH
    assert decays_allowed(None, replace(PLAIN, refractory=1)) == (Decays.TRUNCATE,)


def test_real_neurons_are_told_apart_as_their_populations_are() -> None:
    neuron = Neuron(name="n", shape=(3,))
    assert not why_no_stock_lif(neuron)
    assert "alpha_v differs" in why_no_stock_lif(replace(neuron, alpha_v=frozen([0.5, 0.5, 0.6])))
    assert "of kind adaptive" in why_no_stock_lif(replace(neuron, gain_a=frozen(1.0)))


def test_the_shipped_targets_round_as_their_profiles_say() -> None:
    assert {name: load_profile(name).neuron.rounding.value for name in profile_names()} == {
        "generic-ternary": "nearest", "hala-point": "programs", "kapoho-point": "programs", "loihi1": "truncate",
        "loihi2": "programs", "paicore2": "truncate", "tiny": "truncate", "truenorth": "truncate",
    }  # fmt: skip
