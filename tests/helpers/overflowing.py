"""Populations that overflow in every way that a mechanism makes possible, each reading one input."""

from __future__ import annotations

from typing import Any

import numpy as np

from nets import variant
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, frozen

M = 1 << 23
TOP = M - 1
STEPS, SAMPLES = 30, 3
GAIN = 1 << 16
# A row of codes for each neuron. Times GAIN, 100 is 6.55 million and 127 is 8.32 million; -128 is -M, 64 twice is M.
CODES = np.array(
    [
        [100, 0, 0, 0, 0, 0], [-100, 0, 0, 0, 0, 0], [127, 127, 0, 0, 0, 0], [-128, -128, 0, 0, 0, 0],
        [127, 127, 127, 127, 127, 0], [-128, -128, -128, -128, -128, 0], [60, -90, 100, -110, 30, 1],
        [1, 2, 64, -64, -1, 3], [-128, 0, 0, 0, 0, 0], [64, 64, 0, 0, 0, 0],
    ],
    np.int8,
)  # fmt: skip
NEURONS, INPUTS = CODES.shape
SOFT = {"reset": Reset.SUBTRACT}
NEAREST = {"decays": Decays.NEAREST}
ROUNDING = variant("tiny", neuron__rounding="nearest")
# Parameters of the populations, and what must happen in each of them (see Neuron.step).
CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "forgets": ({"decay_u": 4096, "threshold": 8_388_544}, {"u wraps up", "u wraps down", "u stays beyond", "v top"}),
    "leaks": ({"decay_u": 1500, "decay_v": 300, "bias": 640, "threshold": 64_000}, {"u wraps up", "u stays beyond"}),
    "sinks": ({"decay_u": 4000, "decay_v": 0, "threshold": 6_400_000}, {"v bottom", "u wraps down"}),
    "stays": (
        {"reset": Reset.NONE, "decay_u": 3000, "threshold": 192}, {"v top", "v bottom", "u wraps up", "u wraps down"},
    ),
    "soft": (
        SOFT | {"reset_amount": 5_000_000, "threshold": -8_000_000, "decay_u": 2048, "bias_u": -77},
        {"v top", "v bottom", "reset bottom", "u wraps down"},
    ),
    "keeps": (SOFT | {"reset_amount": 3_000_000, "threshold": 8_000_000, "decay_u": 0}, {"u wraps up", "v top"}),
    "signed": (
        SOFT | {"reset_amount": 8_388_000, "threshold": 4_000_000, "threshold_low": 0, "decay_u": 4090},
        {"v top", "v bottom", "fires down"},
    ),
    "pushed": (
        # A spike of -1 adds more than the whole range.
        SOFT | {"reset_amount": 16_000_000, "threshold": 8_388_000, "threshold_low": -100, "decay_u": 4096},
        {"reset top", "fires down"},
    ),
    "held": ({"refractory": 2, "threshold": 1_000_000, "decay_u": 3500}, {"u wraps up", "u wraps down", "v bottom"}),
    "rearmed": (
        SOFT | {"rearm": True, "reset_amount": 4_000_000, "threshold": 1_000_000, "decay_u": 4096},
        {"v top", "v bottom"},
    ),
    "adaptive": (
        SOFT | {"reset_amount": 3_000_000, "threshold": 1_000, "gain_a": 7_000_000, "decay_a": 40, "decay_u": 4000},
        {"adaptation top", "v bottom", "v top", "u wraps down"},
    ),
    "rounded": (
        SOFT | NEAREST | {"reset_amount": 4_000_000, "threshold": 2_000_000, "decay_u": 1501, "decay_v": 77},
        {"u wraps up", "u wraps down", "u stays beyond", "v top", "v bottom"},
    ),
    "rounded and adaptive": (
        SOFT | NEAREST
        | {"reset_amount": 3_000_000, "threshold": 1_000, "gain_a": 7_000_001, "decay_a": 41, "decay_u": 3999},
        {"adaptation top", "v bottom", "v top", "u wraps down"},
    ),
    "lowered": (
        SOFT | {"reset_amount": 3_000_000, "threshold": 1_000, "gain_a": -7_000_000, "decay_a": 40, "decay_u": 4000},
        {"adaptation bottom", "v top"},
    ),
}  # fmt: skip
# Those that Lava's own LIFReset can execute.
STOCK = {"forgets", "leaks", "sinks"}
PLAIN = ("reset", "refractory", "rearm", "decays")


def population(name: str, fields: dict[str, Any]) -> Population:
    plain: dict[str, Any] = {
        "decay_u": 4096,
        "decay_v": 0,
        "bias": 0,
        "threshold": 192,
        "reset": Reset.ZERO,
        "reset_amount": 0,
    }
    values: dict[str, Any] = {
        key: value if key in PLAIN else frozen(value, np.int64)
        for key, value in (plain | {"v_init": 0} | fields).items()
    }
    return Population(name=name, inputs=(f"w {name}",), shape=(NEURONS,), start=1, lsb=frozen(1.0), **values)


def network(cases: dict[str, dict[str, Any]], codes: Array = CODES, gain: int = GAIN) -> Graph:
    """Each case as a population that reads the input."""
    nodes: list[Any] = [Input(name="x", shape=(INPUTS,))]
    for name, fields in cases.items():
        weight = Projection(
            name=f"w {name}", inputs=("x",), weight=frozen(codes), gain=frozen(gain, np.int64), bits=8
        )  # fmt: skip
        nodes += [weight, population(name, fields)]
    nodes.append(Output(name="y", inputs=(list(cases)[-1],)))
    return Graph(level=Level.INTEGER, nodes=tuple(nodes), arithmetic=Arithmetic())


def spikes(steps: int = STEPS) -> dict[str, Array]:
    """Samples in which many inputs fire, and the last one in which all do for a while."""
    rng = np.random.default_rng(5)
    x = (rng.random((SAMPLES, steps, INPUTS)) < 0.6).astype(np.uint8)
    x[-1, : steps // 2] = 1
    return {"x": x}


FIELDS = {name: fields for name, (fields, _) in CASES.items()}

# Sums of 762 times 2^20, 95 M. A decay of d leaves at most (762 2^20 - 2 M) 4096 / d of them, which with another such
# sum is below 2^31 from d = 2410 on.
WIDE = 1 << 20
ALL = np.full((NEURONS, INPUTS), 127, np.int8) * np.where(np.arange(NEURONS) % 2, -1, 1)[:, None].astype(np.int8)
GROWING: dict[str, dict[str, Any]] = {
    "fast": {"decay_u": 2600, "threshold": 6_400_000},
    "slow": {"decay_u": 1, "threshold": 6_400_000},
    "never": {"decay_u": 0, "threshold": 6_400_000},
}
