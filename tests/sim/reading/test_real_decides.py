"""Which run is the float model where float64 and the numbers that are meant part."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from network import network
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Graph, Neuron
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.sim.reading.real_decides import FloatRun, run_float_model
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.threshold_margin import run_band

CODES = np.random.default_rng(0).choice([-1, 0, 0, 1, 1], (24, 40))
X = (np.random.default_rng(1).random((8, 12, 40)) < 0.3).astype(np.uint8)


def layer(weight: Array, threshold: float, compare: Compare = Compare.GT, decay: float = 0.5) -> Graph:
    return network(weight, steps=12, alpha_v=frozen(decay), threshold=frozen(threshold), compare=compare)


def float_model(graph: Graph, real: Graph | None = None) -> FloatRun:
    lowered = lower(graph, Arithmetic())
    _, folded = run_band(real or lowered.real, lowered.program, {"x": X})
    return run_float_model(graph, real or lowered.real, folded, {"x": X})


def exact(scale: Fraction, threshold: Fraction, compare: Compare) -> Array:
    """Spikes in fractions, of the numbers that are meant."""
    sums = np.einsum("oi,sti->sto", CODES, X.astype(int)).astype(object) * scale
    v, fired = np.full(sums[:, 0].shape, Fraction(0), object), np.zeros(sums.shape, np.uint8)
    for t in range(12):
        v = v / 2 + sums[:, t]
        meets = (v > threshold if compare is Compare.GT else v >= threshold).astype(bool)
        fired[:, t] = meets
        v = np.where(meets, np.array(Fraction(0)), v)
    return fired


@pytest.mark.parametrize("compare", list(Compare))
@pytest.mark.parametrize(("scale", "threshold"), [(Fraction(1, 3), Fraction(1)), (Fraction(1, 10), Fraction(3, 10))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_numbers_that_are_meant_decide_at_a_tie(
    compare: Compare, scale: Fraction, threshold: Fraction, dtype: type[Any]
) -> None:
    graph = layer(CODES * float(dtype(float(scale))), float(dtype(float(threshold))), compare)
    own, plain = exact(scale, threshold, compare), run_float(graph, {"x": X}).spikes["n"]
    found = float_model(graph)
    assert np.array_equal(found.trace.spikes["n"], own)
    assert found.ties == np.count_nonzero(plain != own)
    assert (found.graph is graph) == (found.ties == 0)


def test_in_one_of_two_precisions_at_least_a_tie_is_rounded_otherwise() -> None:
    ties = [
        float_model(layer(CODES * float(dtype(1 / 3)), 1.0, compare)).ties
        for dtype in (np.float32, np.float64) for compare in Compare
    ]  # fmt: skip
    assert max(ties) > 100


def test_round_numbers_have_one_float_model() -> None:
    graph = layer(CODES * 0.5, 1.0)
    found = float_model(graph)
    assert (found.graph is graph, found.ties) == (True, 0)


@pytest.mark.parametrize("change", [{"threshold": frozen(3.01)}, {"alpha_v": frozen(0.51)}, {"compare": Compare.GE}])
def test_a_real_graph_that_is_another_network_is_no_float_model(change: dict[str, Array] | dict[str, Compare]) -> None:
    graph = layer(CODES * 0.5, 1.5)
    real = lower(graph, Arithmetic()).real
    other = real.with_nodes(replace(n, **change) if isinstance(n, Neuron) else n for n in real.nodes)
    found = float_model(graph, other)
    assert found.graph is graph
    assert np.array_equal(found.trace.spikes["n"], run_float(graph, {"x": X}).spikes["n"])
