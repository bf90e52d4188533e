"""Every combination of the keys of a neuron does what docs/net-yaml.md says, or is refused in one line.

The equations are written out anew here, from the page. All numbers are dyadic, so that float64 computes them exactly
and potentials meet thresholds.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archive import save_npz
from sample_nets import codes, drawn
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Level
from tern2lava.compiler.passes.pipeline import lower, lower_until
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError
from tern2lava.files.yaml_text import YamlFile
from tern2lava.frontends.files.checkpoint import Checkpoint, read_checkpoint
from tern2lava.frontends.netyaml.keys import LAYERS, InputKeys, NetKeys, NeuronKeys, RecurrentKeys
from tern2lava.frontends.netyaml.neuron import KIND_KEYS
from tern2lava.frontends.netyaml.read import _Net
from tern2lava.sim.reference.integer import run as run_integer
from tern2lava.sim.reference.real import run_float

Array = NDArray[Any]
STEPS, WIDE, NEURONS = 12, 5, 4
THRESHOLD, LOW, REST, RESET = 1.0, -0.5, 0.25, 0.25
RESTING = ("synaptic", "rleaky", "rsynaptic")

KINDS: list[dict[str, Any]] = [
    {"kind": "if"},
    {"kind": "leaky", "beta": 0.5},
    *({"kind": "lif", "tau": 2.0, "decay_input": d, "v_rest": r} for d, r in ((True, REST), (False, REST))),
    {"kind": "lif", "tau": 2.0, "decay_input": True},
    {"kind": "plif", "w": 0.0, "decay_input": True, "v_rest": REST},
    {"kind": "plif", "w": 0.0, "decay_input": False},
    {"kind": "cuba", "alpha": 0.5, "beta": 0.5},
    {"kind": "cuba", "alpha": 0.5, "tau": 2.0, "decay_input": True, "v_rest": REST},
    {"kind": "cuba", "alpha": 0.5, "tau": 2.0, "decay_input": False},
    *({"kind": "alif", "alpha": 0.5, "rho": 0.5, "jump": 0.25, "decay_input": d} for d in (True, False)),
    {"kind": "synaptic", "alpha": 0.5, "beta": 0.5},
    {"kind": "rleaky", "beta": 0.5, "tensors": "cell"},
    {"kind": "rsynaptic", "alpha": 0.5, "beta": 0.5, "tensors": "cell"},
]
"""Every kind with its own keys."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "reset": ("zero", "subtract", "none", "value", None),
    "reset_delay": (True, False, None),
    "rearm": (None, True, False),
    "refractory": (None, 0, 2),
    "threshold_low": (None, LOW),
}
"""Keys whose values are all crossed; None: not written."""
REQUIRED = ("reset", "reset_delay")
DENSE = {"dense": {"weight": "back"}, "delay": 2}
ASIDE: dict[str, tuple[Any, ...]] = {
    "fire": ("gt", "ge"),
    "v_init": (None, 0.25, 1.5),
    "recurrent": (None, {"scale": -0.25}, DENSE),
}
"""Keys of which each combination has one value, drawn: all pairs of values occur all the same."""


def _crossed(*values: Any) -> bool:
    """Whether a combination is tried: where reset or reset_delay is missing, with one further key at most."""
    return (values[0] is not None and values[1] is not None) or sum(value is not None for value in values[2:]) <= 1


@cache
def combinations() -> list[dict[str, Any]]:
    found = []
    crossed = [(own, *values) for own in KINDS for values in itertools.product(*CHOICES.values()) if _crossed(*values)]
    turns = drawn("combinations aside", len(crossed), len(ASIDE))
    for (own, *values), turn in zip(crossed, turns, strict=True):
        aside = (choice[int(part * len(choice))] for choice, part in zip(ASIDE.values(), turn, strict=True))
        written = {**own, **dict(zip((*CHOICES, *ASIDE), (*values, *aside), strict=True))}
        if written["reset"] == "value":
            written["reset_value"] = RESET
        if written["kind"] in ("rleaky", "rsynaptic"):
            written["recurrent"] = None
        found.append({"threshold": THRESHOLD, **{k: v for k, v in written.items() if v is not None}})
    return found


def of_kind(own: int) -> list[dict[str, Any]]:
    """The combinations of KINDS[own], copied."""
    each = len(combinations()) // len(KINDS)
    return [dict(n) for n in combinations()[own * each : (own + 1) * each]]


def arrays() -> dict[str, Array]:
    return {
        "a": 0.5 * codes("combinations a", NEURONS, WIDE, zeros=0.2), "p": np.array([0.25, 0.0, 0.5, -0.25]),
        "back": 0.25 * codes("combinations back", NEURONS, NEURONS), "cell.V": np.full((), -0.25),
    }  # fmt: skip


INPUTS = (drawn("combinations data", 3, STEPS, WIDE) > 0.4).astype(np.int8)


def expected_refusal(n: dict[str, Any]) -> str | None:
    """What docs/net-yaml.md's table of combinations says of a combination that is refused, None of one that is not."""
    alif, resting = n["kind"] == "alif", n["kind"] in RESTING
    reset, delay = n.get("reset"), n.get("reset_delay")
    if alif:
        allowed = {"reset": "subtract", "reset_delay": True, "rearm": False, "refractory": 0}
        for key, only in allowed.items():
            if n.get(key, only) != only:
                return "alif"
        if "reset_value" in n:
            return "reset_value"
        return "combined" if "threshold_low" in n else None
    if reset is None or (delay is None and reset != "none"):
        return "missing"
    if resting and delay and reset in ("zero", "value") and "refractory" in n:
        return "rests by itself"
    if n.get("rearm") and (reset != "subtract" or delay):
        return "rearm"
    rearms = n.get("rearm", resting and reset == "subtract" and not delay)
    if rearms and ("threshold_low" in n or n.get("refractory", 0)):
        return "combined"
    if n.get("refractory", 0) and reset == "subtract" and delay:
        return "combined"
    return None


WORDS = {
    "alif": "requires a kind with a reset of its own; found alif",
    "reset_value": "requires reset: value; found another reset",
    "missing": "requires a value; found none",
    "rests by itself": "rests for one step by itself",
    "rearm": "requires reset: subtract with reset_delay: false",
    "combined": "requires",
}


@dataclass
class Oracle:
    """The neurons of one combination, stepped as the page says."""

    n: dict[str, Any]
    u: Array = field(default_factory=lambda: np.zeros((len(INPUTS), NEURONS)))
    b: Array = field(default_factory=lambda: np.zeros((len(INPUTS), NEURONS)))
    s: Array = field(default_factory=lambda: np.zeros((len(INPUTS), NEURONS)))
    rest: Array = field(default_factory=lambda: np.zeros((len(INPUTS), NEURONS)))

    def __post_init__(self) -> None:
        self.v = np.full((len(INPUTS), NEURONS), float(self.n.get("v_init", 0.0)))

    def integrated(self, v: Array, x: Array) -> Array:
        """v' of the kind's row, before any reset; u' and b' are kept."""
        n = self.n
        kind, rest = n["kind"], n.get("v_rest", 0.0)
        if kind in ("cuba", "synaptic", "rsynaptic"):
            self.u = n["alpha"] * self.u + x
            x = self.u
        if kind == "if":
            return np.asarray(v + x)
        if kind in ("lif", "plif") or "tau" in n:
            tau = n.get("tau", 2.0)
            return np.asarray(v + (rest - v + x) / tau if n["decay_input"] else v + (rest - v) / tau + x)
        if kind == "alif":
            self.b = n["rho"] * self.b + n["jump"] * self.s
            drive = (1 - n["alpha"]) * x if n["decay_input"] else x
            return np.asarray(n["alpha"] * v + drive - (self.b + THRESHOLD) * self.s)
        return np.asarray(n["beta"] * v + x)

    def step(self, x: Array) -> Array:
        n = self.n
        alif, resting = n["kind"] == "alif", n["kind"] in RESTING
        reset, delay = ("none", False) if alif else (n["reset"], n.get("reset_delay", False))
        target = n.get("reset_value", 0.0) if reset == "value" else 0.0
        hard = reset in ("zero", "value")
        pause = n.get("refractory", 0) or int(resting and hard and delay)
        rearms = not alif and n.get("rearm", resting and reset == "subtract" and not delay)
        before = np.where(self.s != 0, target, self.v) if hard and delay else self.v
        v = self.integrated(before, x)
        if reset == "subtract" and delay:
            v = v - THRESHOLD * self.s
        v = np.where(self.rest > 0, before, v)
        strict = n["fire"] == "gt"
        above = self.v > THRESHOLD if strict else self.v >= THRESHOLD
        met = v - self.b - np.where(above, THRESHOLD, 0.0) * rearms
        s = (met > THRESHOLD if strict else met >= THRESHOLD).astype(float)
        if "threshold_low" in n:
            s = s - (met < LOW if strict else met <= LOW)
        s = np.where(self.rest > 0, 0.0, s)
        if hard and not delay:
            v = np.where(s != 0, target, v)
        elif reset == "subtract" and not delay:
            v = v - THRESHOLD * s
        self.rest = np.where(s != 0, pause, np.maximum(self.rest - 1, 0))
        self.v, self.s = v, s
        return s


def oracle(n: dict[str, Any], inputs: Array) -> Array:
    """Spikes (samples, steps, neurons)."""
    tensors = arrays()
    result = np.zeros((len(inputs), STEPS, NEURONS))
    neurons = Oracle(n)
    for t in range(STEPS):
        x = inputs[:, t] @ tensors["a"].T + tensors["p"]
        if n["kind"] in ("rleaky", "rsynaptic") or "scale" in n.get("recurrent", {}):
            x = x - 0.25 * (result[:, t - 1] if t else 0.0)
        elif "recurrent" in n and t >= 2:
            x = x + result[:, t - 2] @ tensors["back"].T
        result[:, t] = neurons.step(x)
    return result


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """What each kind's tensors are read from: with those of its recurrence, and without ("dense")."""
    found, tensors = {}, arrays()
    for name in ("dense", *KIND_KEYS):
        used = {"a", "p", *({"dense": ["back"]}.get(name, [])), *(["cell.V"] if name[0] == "r" else [])}
        path = tmp_path_factory.mktemp(name) / "net.npz"
        save_npz(path, **{key: tensors[key] for key in sorted(used)})
        found[name] = read_checkpoint(path)
    return found


def load(checkpoints: dict[str, Checkpoint], n: dict[str, Any]) -> Graph:
    """The network of one combination; its net.yaml is given as what would be read, for reading text takes longest."""
    back = n.get("recurrent") == DENSE
    layers: list[Any] = [{"dense": {"weight": "a", "bias": "p"}}, {"name": "n", "neuron": n}]
    net = {"input": {"shape": [WIDE]}, "steps": STEPS, "readout": "spike_count", "layers": layers}
    checkpoint = checkpoints[
        "dense" if back else n["kind"] if isinstance(n["kind"], str) and n["kind"] in KIND_KEYS else "if"
    ]
    return _Net(checkpoint, YamlFile(path=Path("net.yaml"), data=net, lines={})).graph()


@pytest.mark.parametrize("own", range(len(KINDS)), ids=lambda k: f"{k}-{KINDS[k]['kind']}")
def test_every_combination_steps_as_the_page_says_or_is_refused_in_one_line(
    own: int, checkpoints: dict[str, Checkpoint]
) -> None:
    count: Counter[str] = Counter()
    for n in of_kind(own):
        refusal = expected_refusal(n)
        try:
            graph = load(checkpoints, n)
            normal = lower_until(graph, Level.NORMAL)
        except (InputError, UnsupportedError) as error:
            said = str(error)
        else:
            said = ""
        if refusal is not None or said:
            assert refusal is not None, (n, said)
            assert WORDS[refusal] in said, (n, said)
            assert "\n" not in said
            count[refusal] += 1
            continue
        spikes = oracle(n, INPUTS)
        for level in (graph, normal):
            np.testing.assert_array_equal(run_float(level, {"input": INPUTS}).spikes["n"], spikes, str(n))
        count["steps"] += 1
        count["spiked"] += int(np.abs(spikes).sum()) > 0
        rests = n["kind"] in RESTING and n["reset"] == "value" and n["reset_delay"]
        assert any("rests for one step" in note for note in graph.notes) == rests, n
    assert count["steps"] > 0
    assert count["spiked"] == count["steps"]


@pytest.mark.parametrize("own", range(len(KINDS)), ids=lambda k: f"{k}-{KINDS[k]['kind']}")
def test_what_compiles_keeps_these_spikes_in_integers_where_its_certificate_is_exact(
    own: int, checkpoints: dict[str, Checkpoint]
) -> None:
    exact, defined = 0, [n for n in of_kind(own) if expected_refusal(n) is None]
    for n in defined[:: max(1, len(defined) // 6)]:
        lowered = lower(load(checkpoints, n), Arithmetic(decay_bits=12, state_bits=32, threshold_shift=0, gain_shift=0))
        if {c.verdict for c in lowered.certificates} == {Verdict.EXACT}:
            found = run_integer(lowered.program, {"input": INPUTS}).spikes["n"]
            np.testing.assert_array_equal(found[:, -STEPS:], oracle(n, INPUTS), str(n))
            exact += 1
    assert exact > 0 or KINDS[own]["kind"] == "alif"


def test_all_pairs_of_values_occur_with_every_kind() -> None:
    everything = CHOICES | ASIDE
    for own in range(len(KINDS)):
        found = of_kind(own)
        recurrent = KINDS[own]["kind"] in ("rleaky", "rsynaptic")
        for one, other in itertools.combinations(everything, 2):
            if recurrent and "recurrent" in (one, other):
                continue
            seen = {(str(n.get(one)), str(n.get(other))) for n in found}
            # What is missing is missed whatever stands beside it.
            written = {k: [v for v in vs if v is not None or k not in REQUIRED] for k, vs in everything.items()}
            wanted = {(str(a), str(b)) for a in written[one] for b in written[other]}
            assert seen >= wanted, (KINDS[own], one, other)


def test_no_kind_and_no_key_is_left_out() -> None:
    assert {own["kind"] for own in KINDS} == set(KIND_KEYS)
    told = {*itertools.chain(*KINDS), *CHOICES, *ASIDE, "threshold", "reset_value"}
    # Those of kind loihi, which is for itself: test_loihi.py.
    others = {"further", "decay_u", "decay_v", "bias", "bias_exponent"}
    assert told == set(NeuronKeys.model_fields) - others


BAD: tuple[Any, ...] = (
    True, [], [1, 2], {}, {"a": 1}, "", "nowhere", "a\nb", -1, -1.5, 0, 1.5, 2, 10**30, float("inf"), float("nan"),
    1e308, "1e5", "0x10", "1:30", "yes", ["a", ["b"]], None,
)  # fmt: skip


BODIES: dict[str, dict[str, Any]] = {
    "dense": {"weight": "a"}, "conv2d": {"weight": "a"}, "conv1d": {"weight": "a"}, "batchnorm": {"tensors": "a"},
    "avgpool": {"kernel": 1}, "sumpool": {"kernel": 1}, "maxpool": {"kernel": 1}, "delay": {"steps": 1}, "flatten": {},
    "dropout": {}, "add": {}, "net": {}, "input": {"shape": [1, 2, 2]}, "recurrent": {"scale": 0.5},
}  # fmt: skip
MODELS: dict[str, Any] = {name: model for name, model in LAYERS.items() if name != "neuron"} | {
    "net": NetKeys, "input": InputKeys, "recurrent": RecurrentKeys,
}  # fmt: skip


@pytest.mark.parametrize("key", [*sorted(set(NeuronKeys.model_fields)), "beta2", "Kind", ""])
def test_a_value_of_another_kind_is_refused_in_one_line_or_read(key: str, checkpoints: dict[str, Checkpoint]) -> None:
    for kind, value in itertools.product(("leaky", "cuba", "alif", "rleaky"), BAD):
        own = next(own for own in KINDS if own["kind"] == kind)
        n = {"threshold": 1.0, "fire": "gt", **own} | (
            {} if kind == "alif" else {"reset": "zero", "reset_delay": False}
        )
        said = refusal_of(partial(load, checkpoints, n | {key: value}))
        assert not said or ("requires" in said and "\n" not in said), (key, value, said)


def _graph(checkpoint: Checkpoint, file: YamlFile) -> Graph:
    return _Net(checkpoint, file).graph()


def refusal_of(act: Callable[[], object]) -> str:
    """What an InputError or the like says; an empty text where there is none."""
    try:
        act()
    except Tern2LavaError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("model", "key"), [(m, k) for m in MODELS for k in (*MODELS[m].model_fields, "strange")])
def test_values_of_other_layers_are_refused_in_one_line_or_read(
    model: str, key: str, checkpoints: dict[str, Checkpoint]
) -> None:
    for value in BAD:
        net: dict[str, Any] = {"input": {"shape": [1, 2, 2]}, "steps": 4, "readout": "spike_count"}
        neuron = {"kind": "if", "threshold": 1.0, "reset": "zero", "reset_delay": False, "fire": "gt"}
        body = BODIES[model] | {key: value}
        if model == "net":
            net |= {"layers": [{"neuron": neuron}], key: value}
        elif model == "input":
            net |= {"input": body, "layers": [{"neuron": neuron}]}
        elif model == "recurrent":
            net["layers"] = [{"neuron": neuron | {"recurrent": body}}]
        else:
            net["layers"] = [{model: body}, {"neuron": neuron}]
        file = YamlFile(path=Path("net.yaml"), data=net, lines={})
        said = refusal_of(partial(_graph, checkpoints["dense"], file))
        assert not said or ("requires" in said and "\n" not in said), (value, said)
