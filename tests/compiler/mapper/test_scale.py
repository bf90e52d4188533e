"""A network in other units is the same network: weights, biases, thresholds and reset values times a power of two, of
each layer another, compile to the same integers, core images and certificates.

Another factor that floating point cannot divide out rounds the numbers themselves: in float64 by so little that the
integers stay, in float32 not, and it moves a threshold that was written a last bit beside a short number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from sample_nets import SAMPLES, Sample, codes, drawn
from scaled_nets import scaled
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Arithmetic, Graph
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile, profile_names

PLAIN = (1.0,) * 4
SMALL, LARGE, MIXED = (2.0**-30,) * 4, (2.0**30,) * 4, (2.0**-30, 2.0**30, 2.0**-7, 2.0**12)
# What the source's unit is, which is to be another.
UNITS = {"lsb", "origin"}

OTHERS = """
input: {shape: [10]}
steps: 12
readout: spike_count
layers:
- dense: {weight: a, bias: p}
- neuron: {kind: synaptic, alpha: 0.8, beta: 0.9, threshold: 1.0, reset: zero, reset_delay: true, fire: gt}
- dense: {weight: b, bias: q}
- neuron: {kind: lif, tau: 4.0, decay_input: true, v_rest: 0.125, v_init: 0.125, threshold: 0.75, reset: value,
           reset_value: 0.125, reset_delay: true, fire: ge}
- dense: {weight: c, bias: r}
- neuron: {kind: leaky, beta: 0.75, threshold: next, reset: subtract, reset_delay: true, fire: gt}
- dense: {weight: d, bias: s}
- neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}
"""


def others() -> dict[str, Any]:
    """Kinds and weights that SAMPLES have not: two scales in a layer, channels and a layer without weights, a threshold
    of float32 that is a last bit above 1, weights of 1/3 as float32 has them."""
    a = np.where(codes("scale a", 8, 10) > 0, 0.5, -0.3) * (drawn("scale z", 8, 10) > 0.4)
    b = codes("scale b", 9, 8)
    b[4] = 0
    return {
        "a": a, "p": drawn("scale p", 8) / 9,
        "b": (b / 3).astype(np.float32), "q": drawn("scale q", 9) - 0.25,
        "c": codes("scale c", 6, 9) / 3, "r": drawn("scale r", 6) / 7,
        "next": np.nextafter(np.ones(6, np.float32), np.float32(2)),
        "d": np.zeros((3, 6)), "s": np.array([0.3, 0.25, 2.0]),
    }  # fmt: skip


def _nets() -> dict[str, Sample]:
    found = {name: sample for name, sample in SAMPLES.items() if sample.lavadl is None}
    plain = found["residual"]
    # A branch of spikes alone has no weights to scale.
    text = plain.text.replace("- {name: both", "- {name: skip, from: first, conv2d: {weight: one}}\n- {name: both")
    found["residual"] = replace(
        plain, text=text.replace("[through, first]", "[through, skip]"),
        arrays=lambda: plain.arrays() | {"one": np.eye(4).reshape(4, 4, 1, 1)},
    )  # fmt: skip
    return {**found, "others": Sample(text=OTHERS, arrays=others)}


NETS = _nets()


@cache
def graph(name: str, factors: Sequence[float], dtype: str = "float32") -> Graph:
    with TemporaryDirectory() as folder:
        return scaled(NETS[name], factors, dtype).load(Path(folder))


@cache
def lowered(name: str, factors: Sequence[float], target: str, dtype: str = "float32") -> Lowered | tuple[str, str]:
    """The lowered network, or class and rule of its refusal."""
    profile = load_profile(target)
    arithmetic = Arithmetic(**profile.arithmetic_values())
    try:
        return lower(graph(name, factors, dtype), arithmetic, NETS[name].options, profile)
    except Tern2LavaError as error:
        return type(error).__name__, str(getattr(error, "rule", error))


def differences(one: Lowered, other: Lowered, closeness: float = 0.0) -> list[str]:
    """What differs between two programs and their certificates, units of the source left out."""
    found = []
    for node, twin in zip(one.program.nodes, other.program.nodes, strict=True):
        for key, value in vars(node).items():
            mate = getattr(twin, key)
            equal = np.array_equal(value, mate) if isinstance(value, np.ndarray) else repr(value) == repr(mate)
            if key not in UNITS and not equal:
                found.append(f"{node.name}.{key}")
    for mine, theirs in zip(one.certificates, other.certificates, strict=True):
        told, said = mine.to_dict(), theirs.to_dict()
        for key, value in told.items():
            if isinstance(value, float) and isinstance(said[key], float):
                equal = math.isclose(value, float(str(said[key])), rel_tol=closeness, abs_tol=closeness)
            else:
                equal = value == said[key] or (key == "reason" and closeness > 0)
            if not equal:
                found.append(f"certificate of {mine.population}: {key}")
    texts = [[note for note in run.program.notes if "relative error" in note] for run in (one, other)]
    return found if texts[0] == texts[1] else [*found, "relative errors of weights"]


@pytest.mark.parametrize("name", NETS)
def test_layers_in_units_of_their_own_compile_to_the_same_integers_and_certificates_on_every_target(name: str) -> None:
    compiled = 0
    for target in sorted(set(profile_names()) - {"kapoho-point", "hala-point"}):  # loihi2, on other boards
        one, other = lowered(name, PLAIN, target), lowered(name, MIXED, target)
        if isinstance(one, tuple) or isinstance(other, tuple):
            assert one == other, target
            continue
        assert differences(one, other) == [], target
        compiled += 1
    assert compiled > 3


@pytest.mark.parametrize("factors", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("name", NETS)
def test_all_layers_in_another_unit_compile_to_the_same_integers_and_certificates(
    name: str, factors: Sequence[float]
) -> None:
    one, other = lowered(name, PLAIN, "generic-ternary"), lowered(name, factors, "generic-ternary")
    assert isinstance(one, Lowered)
    assert isinstance(other, Lowered)
    assert differences(one, other) == []


@pytest.mark.parametrize("target", ["loihi2", "generic-ternary", "paicore2"])
@pytest.mark.parametrize("name", ["convolution", "others", "chips"])
def test_core_images_are_the_same(name: str, target: str) -> None:
    sample, profile = NETS[name], load_profile(target)
    found = []
    for factors in (PLAIN, MIXED):
        try:
            images = build(graph(name, factors), profile, sample.options, sample.mapping(profile)).mapped.images
            found.append(list(images))
        except Tern2LavaError as error:
            found.append([type(error).__name__.encode()])
    assert found[0] == found[1]


@pytest.mark.parametrize("exponent", [-600, 600])
def test_units_that_float32_does_not_have_change_nothing_either(exponent: int) -> None:
    for name in ("adaptive", "others", "wide codes"):
        one = lowered(name, PLAIN, "generic-ternary", "float64")
        other = lowered(name, (2.0**exponent,) * 4, "generic-ternary", "float64")
        assert isinstance(one, Lowered)
        assert isinstance(other, Lowered)
        assert differences(one, other) == [], name


@pytest.mark.parametrize("name", ["convolution", "recurrent", "kinds", "grouped"])
def test_factors_that_floating_point_rounds_leave_the_integers_of_float64_networks(name: str) -> None:
    factors = (0.3, 7.7, 1e-5, 3.0)
    for target in ("generic-ternary", "loihi2"):
        one, other = lowered(name, PLAIN, target, "float64"), lowered(name, factors, target, "float64")
        assert isinstance(one, Lowered)
        assert isinstance(other, Lowered)
        assert differences(one, other, 1e-9) == [], target
