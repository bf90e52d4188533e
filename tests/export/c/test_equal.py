"""Exported C does what the integer reference does, in every neuron and step, under gcc's sanitisers.

All networks are compiled into one program, once, with every warning an error.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from c_networks import HOSTILE, NETWORKS
from c_programs import GCC, Program, assert_equal, compile_networks
from drawn import Inputs
from tern2lava.compiler.ir.graph import Decays, Graph, Reset
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.neurons.mechanism import MECHANISMS, kind_names
from tern2lava.export.c.readouts import Score
from tern2lava.export.c.spikes import Kept
from tern2lava.export.c.weights import Form
from tern2lava.sim.data import readout
from tern2lava.sim.reference import integer


@dataclass(frozen=True)
class Networks:
    """Networks by name, with inputs for them, and the program that holds them in C."""

    graphs: dict[str, Graph]
    inputs: dict[str, Inputs]
    program: Program


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """All networks, compiled."""
    if GCC is None:
        pytest.skip("gcc is not installed")
    made = {name: make() for name, make in NETWORKS.items()}
    graphs = {name: graph for name, (graph, _) in made.items()}
    program = compile_networks(graphs, tmp_path_factory.mktemp("c"))
    return Networks(graphs, {name: inputs for name, (_, inputs) in made.items()}, program)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_spike_and_potential_is_that_of_the_reference(name: str, compiled: Networks) -> None:
    inputs = compiled.inputs[name]
    assert_equal(compiled.graphs[name], compiled.program.run(name, inputs), inputs)


def test_between_them_the_networks_have_every_feature_and_make_spikes_with_it(compiled: Networks) -> None:
    seen: Counter[Any] = Counter()
    for name, made in compiled.program.models.items():
        trace = integer.run(compiled.graphs[name], compiled.inputs[name])
        seen["latency"] += made.plan.latency > 0
        seen["inputs"] += len(made.inputs) > 1
        for cells in made.cells:
            p = cells.population
            if not trace.spikes[p.name].any():
                continue
            seen["wraps"] += cells.held.wraps
            seen["clips"] += cells.held.clips
            seen["b clips"] += cells.held.b_clips
            seen["wide"] += cells.kind.bytes == 8
            seen.update(kind_names(p))
            seen.update([p.decays, p.reset, cells.source.kept, f"{cells.v_type.bytes} bytes"])
        for wire in made.synapses:
            projection, g = wire.projection, wire.projection.geometry
            seen.update([wire.codes.form, f"sums of {wire.sum.name}"])
            seen["four to a byte"] += wire.codes.form is Form.PACKED and wire.codes.columns % 4 == 0
            seen["box"] += projection.reads is not None and not projection.reads.is_full
            seen["pooling"] += projection.pooling is not None
            seen["gains"] += projection.gain.ndim > 0
            if g is not None:
                out, into, *_ = projection.weight.shape
                seen["strides"] += max(g.stride) > 1
                seen["padding"] += max(g.padding) > 0
                seen["dilation"] += max(g.dilation) > 1
                seen["groups"] += g.groups > 1
                seen["depthwise"] += g.groups > 1 and into == 1 and out == g.groups
        seen["kept steps"] = max(seen["kept steps"], *made.plan.slots.values())
    wanted = [
        "latency", "inputs", "wraps", "clips", "b clips", "wide", "four to a byte", "box", "pooling", "gains",
        "strides", "padding", "dilation", "groups", "depthwise", *MECHANISMS.names(), *Decays, *Reset, *Kept, *Form,
        "1 bytes", "2 bytes", "4 bytes", "sums of int8_t", "sums of int16_t",
    ]  # fmt: skip
    assert [what for what in wanted if not seen[what]] == []
    assert seen["kept steps"] >= 4


def test_a_second_sample_knows_nothing_of_the_first(compiled: Networks) -> None:
    inputs = compiled.inputs["n_every_kind"]
    last = {name: values[-1:] for name, values in inputs.items()}
    together, alone = (compiled.program.run("n_every_kind", each) for each in (inputs, last))
    assert together.digests[-1] == alone.digests[0]
    assert len(set(together.digests)) == len(together.digests)


def test_a_digest_is_of_every_spike_and_potential_of_a_sample(compiled: Networks) -> None:
    graph, inputs = compiled.graphs["n_every_kind"], compiled.inputs["n_every_kind"]
    trace, made = integer.run(graph, inputs), compiled.program.models["n_every_kind"]
    wanted = []
    for sample, steps in enumerate(inputs["x"]):
        digest = 2166136261
        for step in range(len(steps)):
            for cells in made.cells:
                name = cells.source.name
                for value in [*trace.spikes[name][sample, step].tolist(), *trace.v[name][sample, step].tolist()]:
                    digest = (digest ^ (value & 0xFFFFFFFF)) * 16777619 & 0xFFFFFFFF
        wanted.append(f"{digest:08x}")
    assert all(cells.has_v for cells in made.cells)
    assert compiled.program.run("n_every_kind", inputs).digests == wanted


def test_values_that_an_input_does_not_have_are_refused(compiled: Networks) -> None:
    inputs = compiled.inputs["n_graded"]
    for value, code in ((4, 0), (-3, 0), (5, 1), (-4, 1)):
        changed = {name: values.copy() for name, values in inputs.items()}
        changed["x"][0, 2, 3] = value
        done = compiled.program.call("n_graded", changed)
        assert done.returncode == code
        assert done.stderr == b"refused with code 1\n" * code
        # Of each population a line for each step before.
        assert code == 0 or done.stdout.count(b"t ") == 2 * 2


def test_more_steps_than_a_readout_has_weights_for_are_refused(compiled: Networks) -> None:
    x = compiled.inputs["readouts"]["x"][:1]
    done = compiled.program.call("readouts", {"x": np.concatenate([x, x[:, :1]], axis=1)})
    assert (done.returncode, done.stderr) == (1, b"refused with code 2\n")
    assert done.stdout.count(b"t ") == 2 * x.shape[1]


def test_names_that_are_none_of_c_are_made_so_and_told_apart(compiled: Networks) -> None:
    made = compiled.program.models["hostile"]
    found = [source.id for source in made.sources.values()]
    assert len(set(found)) == len(HOSTILE)
    assert found[:9] == ["include_stdio_h", "int", "groe_0", "groe_0_2", "n", "n_2", "a_b", "a_b_2", "1"]


def formed(compiled: Networks) -> dict[str, tuple[Score, Array]]:
    """What the C forms of each Output of `readouts`, (batch, numbers)."""
    made = compiled.program.models["readouts"]
    numbers = compiled.program.run("readouts", compiled.inputs["readouts"]).numbers
    found, at = {}, 0
    for each in made.scores:
        count = each.counts if each.formed else 0
        found[each.output.name] = (each, numbers[:, at : at + count])
        at += count
    assert at == numbers.shape[1]
    return found


EXACT = {"counts", "grouped", "late", "votes", "votes late"}
NOTHING = {"fading", "votes of groups", "softmax"}


def test_scores_are_formed_in_integers_where_these_are_exact(compiled: Networks) -> None:
    graph, inputs = compiled.graphs["readouts"], compiled.inputs["readouts"]
    expected = readout.all_scores(graph, integer.run(graph, inputs))
    found = formed(compiled)
    assert {name for name, (each, _) in found.items() if each.exact} == EXACT
    assert {name for name, (each, _) in found.items() if not each.formed} == NOTHING
    for name in EXACT:
        np.testing.assert_array_equal(found[name][1], expected[name], err_msg=name)
        assert expected[name].any()


def finished(document: dict[str, Any], numbers: Array, steps: int) -> Array:
    """Scores by what readout.json leaves to the caller, with the numbers that it holds."""
    weights = np.asarray(document.get("step_weights", 1.0))
    lsb, origin = (np.asarray(document.get(key, default)) for key, default in (("lsb", 1.0), ("origin", 0.0)))
    values = numbers.astype(float)
    if document["readout"] == "membrane_sum":
        own = document.get("weights_applied")
        times = steps if own is None else float(np.sum(own))
        values = values * lsb + origin * times
    elif document["readout"] in ("membrane_last", "membrane_max"):
        values = values * lsb + origin
    if weights.ndim == 0:
        values = values * weights
    elif document["readout"] == "membrane_max":
        values = values * weights.max()
    if "classes" in document:
        values = values @ np.array(document["classes"]).T
    return np.asarray(values + np.array(document.get("offset", 0.0)))


def test_what_readout_json_leaves_to_the_caller_gives_the_scores(compiled: Networks) -> None:
    graph, inputs = compiled.graphs["readouts"], compiled.inputs["readouts"]
    steps = inputs["x"].shape[1]
    expected = readout.all_scores(graph, integer.run(graph, inputs))
    for name, (each, numbers) in formed(compiled).items():
        if each.formed:
            document = json.loads(json.dumps(each.document()))
            np.testing.assert_allclose(finished(document, numbers, steps), expected[name], err_msg=name)
            if each.ordered:
                np.testing.assert_array_equal(numbers.argmax(axis=1), expected[name].argmax(axis=1), err_msg=name)
    assert sum(each.ordered for each, _ in formed(compiled).values()) >= 8
