"""What overflow does is one rule, in every execution: currents wrap once, potentials and adaptations saturate.

What is expected is computed here, neuron by neuron in Python's unbounded integers, from the text of ir.Population; the
same code counts what happened, so that a network that does not overflow as it should tests nothing and fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from overflowing import ALL, CASES, FIELDS, GROWING, NEURONS, ROUNDING, SAMPLES, STOCK, TOP, WIDE, M, network, spikes
from tern2lava.compiler.ir.graph import Decays, Graph, Reset
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapped import map_program
from tern2lava.effort import NORMAL
from tern2lava.errors import UnsupportedError
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.engines import ENGINES
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.lava.process_choice import plan_stock
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare


def kept(x: int, decay: int, nearest: bool) -> int:
    """x (4096 - decay) / 4096 towards zero, or the nearest whole number, halves away from zero."""
    magnitude = (abs(x) * (4096 - decay) + (2048 if nearest else 0)) // 4096
    return magnitude if x >= 0 else -magnitude


@dataclass
class Neuron:
    """One neuron of a case in plain Python, and what happened to it."""

    fields: dict[str, Any]
    happened: Counter[str]
    u: int = 0
    v: int = 0
    b: int = 0
    s: int = 0
    wait: int = 0

    def of(self, name: str, default: int = 0) -> int:
        return int(self.fields.get(name, default))

    def saturated(self, x: int, what: str) -> int:
        if x > TOP:
            self.happened[f"{what} top"] += 1
            return TOP
        if x < -TOP:
            self.happened[f"{what} bottom"] += 1
            return -TOP
        return x

    def step(self, a: int) -> int:
        happened, amount = self.happened, self.of("reset_amount")
        nearest = self.fields.get("decays") is Decays.NEAREST
        u = kept(self.u, self.of("decay_u"), nearest) + a + self.of("bias_u")
        if u > M:
            u -= 2 * M
            happened["u wraps up"] += 1
        elif u <= -M:
            u += 2 * M
            happened["u wraps down"] += 1
        happened["u stays beyond"] += abs(u) > M
        v, threshold = kept(self.v, self.of("decay_v"), nearest) + u + self.of("bias"), self.of("threshold")
        adapts = "gain_a" in self.fields
        if adapts:
            self.b = self.saturated(
                kept(self.b, self.of("decay_a"), nearest) + self.of("gain_a") * self.s, "adaptation"
            )
            v -= (amount + self.b) * self.s
            threshold += self.b
        v = self.saturated(v, "v")
        self.u = u
        if self.wait:
            self.wait -= 1
            self.s = 0
            return 0
        met = v - amount if self.fields.get("rearm") and self.v > self.of("threshold") else v
        s = int(met > threshold)
        if "threshold_low" in self.fields and met < self.of("threshold_low"):
            s -= 1
        happened["fires"] += s > 0
        happened["fires down"] += s < 0
        reset = self.fields.get("reset", Reset.ZERO)
        if s and not adapts and reset is Reset.ZERO:
            v = 0
        elif s and not adapts and reset is Reset.SUBTRACT:
            v = self.saturated(v - s * amount, "reset")
        if s:
            self.wait = self.of("refractory")
        self.v, self.s = v, s
        return s


def by_hand(graph: Graph, cases: dict[str, dict[str, Any]], x: Array) -> tuple[Trace, dict[str, Counter[str]]]:
    """Spikes and states of every population in Python's integers, and how often each thing happened there."""
    found: dict[str, dict[str, Any]] = {"spikes": {}, "v": {}, "u": {}}
    happened: dict[str, Counter[str]] = {name: Counter() for name in cases}
    for name, fields in cases.items():
        projection = graph.projection(f"w {name}")
        codes, gain = projection.weight.tolist(), int(projection.gain)
        rows = {kind: np.zeros((*x.shape[:2], NEURONS), np.int64) for kind in found}
        for sample, given in enumerate(x.tolist()):
            for k in range(NEURONS):
                neuron = Neuron(fields, happened[name])
                for t, fired in enumerate(given):
                    s = neuron.step(gain * sum(w * bit for w, bit in zip(codes[k], fired, strict=True)))
                    for kind, value in (("spikes", s), ("v", neuron.v), ("u", neuron.u)):
                        rows[kind][sample, t, k] = value
        for kind in found:
            found[kind][name] = rows[kind]
    return Trace(**found), happened


def agree(expected: Trace, executions: dict[str, Trace], graph: Graph) -> None:
    for name, trace in executions.items():
        found = compare({"by hand": expected, name: trace}, graph)
        assert found.equal, str(found)
        assert found.compared_values == 3 * sum(values.size for values in expected.spikes.values())


def test_the_cases_overflow_as_they_should() -> None:
    _, happened = by_hand(network(FIELDS), FIELDS, spikes()["x"])
    for name, (_, wanted) in CASES.items():
        missing = {what for what in wanted if not happened[name][what]}
        assert not missing, f"{name}: {missing} never happened: {dict(happened[name])}"
        assert happened[name]["fires"], f"{name} never fires"


def test_reference_engine_and_core_images_overflow_as_by_hand() -> None:
    graph, given = network(FIELDS), spikes()
    expected, _ = by_hand(graph, FIELDS, given["x"])
    program = map_program(graph, ROUNDING)
    engine = prepare(graph)
    uses = {use.population: use for use in engine.uses}
    # Only the one that grows with the steps is left to the reference; all others are compiled.
    assert {name for name, use in uses.items() if use.engine == "reference"} == {"keeps"}
    assert "its current can wrap twice in a step and does not decay" in uses["keeps"].reason
    agree(
        expected,
        {
            "I": integer.run(graph, given),
            "E": run_engine(engine, given).trace,
            "M": mapped.run(program.images, program.host_image, given),
        },
        graph,
    )


def test_lava_overflows_as_by_hand_in_its_own_neurons_and_in_ours(lava_child: LavaChild) -> None:
    graph, given = network(FIELDS), spikes()
    expected, happened = by_hand(graph, FIELDS, given["x"])
    program = map_program(graph, ROUNDING)
    stock = run_stock(graph, given, timeout=60, child=lava_child)
    used = {use.name: use.process for use in stock.processes_used}
    assert {name for name in FIELDS if used[name] == "stock LIFReset"} == STOCK
    for what in ("u wraps up", "u wraps down", "u stays beyond", "v top", "v bottom"):
        assert any(happened[name][what] for name in STOCK), f"{what} never happened in Lava's own neuron"
    agree(
        expected,
        {
            "L1": stock.trace,
            "L3": run_stock(graph, given, sequential=True, timeout=60, child=lava_child).trace,
            "L2": run_cores(program.images, program.host_image, given, timeout=60, child=lava_child).trace,
        },
        graph,
    )


def test_lavas_own_neuron_is_chosen_only_where_its_32_bits_hold_a_current_that_wraps_twice(
    lava_child: LavaChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, given = network(GROWING, ALL, WIDE), spikes(12)
    expected, happened = by_hand(graph, GROWING, given["x"])
    assert all(happened[name]["u stays beyond"] for name in GROWING)
    assert np.abs(expected.u["fast"]).max() > 1 << 29
    assert np.abs(expected.u["slow"]).max() > 1 << 31
    found = run_stock(graph, given, sequential=True, timeout=60, child=lava_child)
    used = {use.name: use for use in found.processes_used}
    assert used["fast"].process == "stock LIFReset"
    for name in ("slow", "never"):
        assert used[name].process == "TernaryNeuron"
        assert "grow beyond LIF's 32-bit integers" in used[name].reason
    agree(expected, {"L3": found.trace, "E": run_engine(graph, given).trace}, graph)
    # What the rule is for: Lava's own neuron in its place makes another current.
    monkeypatch.setattr("tern2lava.sim.lava.lif_choice.largest_current", lambda *of: 0)
    wrong = run_stock(graph, given, sequential=True, timeout=60, child=lava_child)
    assert {use.process for use in wrong.processes_used if use.name in GROWING} == {"stock LIFReset"}
    difference = compare({"by hand": expected, "L3": wrong.trace}, graph).difference
    assert difference is not None
    assert difference.population in ("slow", "never")


def test_a_current_that_outgrows_64_bits_is_refused_by_name() -> None:
    graph, given = network({"never": GROWING["never"]}, ALL, 1 << 41), spikes(12)
    # Images are never begun with.
    executable = Executable(imported=graph, real=graph, program=graph, images=(), host_image=b"")
    runs: tuple[Any, ...] = (
        integer.run,
        run_engine,
        lambda graph, given: plan_stock(graph, SAMPLES, 12),
        lambda graph, given: list(ENGINES.get("images").run(executable, [given], True, None, NORMAL).traces),
    )
    for run in runs:
        with pytest.raises(
            UnsupportedError, match="never: requires currents that 64-bit integers decay exactly; found"
        ):
            run(graph, given)
    few = {"x": given["x"][:, :1]}
    agree(by_hand(graph, {"never": GROWING["never"]}, few["x"])[0], {"I": integer.run(graph, few)}, graph)
