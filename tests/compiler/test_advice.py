"""A refusal for lack of room says in one line what would fit, and what it names really does."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava.compiler
from nets import variant
from tern2lava import api
from tern2lava.compiler import advice
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Output, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.mapper.cost.core_cost import LIST_WORDS
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile, load_profile, profile_names

EDGES = {"routing__out_axon_model": "edges"}


def dense_net(*sizes: int, values: str = "ternary", threshold: float = 1.5, **neuron: Any) -> Graph:
    """Dense layers from sizes[0] inputs on, neurons behind each."""
    rng = np.random.default_rng(0)
    nodes: list[Any] = [Input(name="x", shape=(sizes[0],))]
    source = "x"
    fields: dict[str, Any] = {"alpha_v": frozen(1.0), "reset": Reset.ZERO} | neuron
    for index, (before, count) in enumerate(pairwise(sizes)):
        codes = rng.choice([-1, 1], (count, before)) if values == "ternary" else rng.integers(-90, 91, (count, before))
        nodes.append(Dense(name=f"w{index}", inputs=(source,), weight=frozen(codes.astype(float))))
        nodes.append(
            Neuron(
                name=f"n{index}", inputs=(f"w{index}",), shape=(count,), threshold=frozen(threshold),
                **fields,
            )
        )  # fmt: skip
        source = f"n{index}"
    nodes.append(Output(name="y", inputs=(source,)))
    return Graph(level=Level.IMPORTED, nodes=tuple(nodes), source="small", steps=4)


def one_chip(**more: Any) -> Profile:
    """Two cores of 5 neurons."""
    return variant("tiny", **{"system__chip_cols": 1, "system__mesh_rows": 1, "system__mesh_cols": 1,
                              "core__neurons": 5} | more)  # fmt: skip


Case = tuple[Callable[[], Graph], Callable[[], Profile], MapOptions, Options, str]
PLAIN, AS_IS = MapOptions(), Options()
INT8 = Options(ternarize="int8")
CASES: dict[str, Case] = {
    "cores": (
        lambda: dense_net(20, 90), one_chip, PLAIN, AS_IS,
        r"the network: needs 18 cores, .*use loihi2 \(1 core\) or kapoho-point \(1 core\); or \d+ such chips would "
        r"hold it \(a profile of your own: docs/targets.md\), or leave out \d+ % of its neurons",
    ),
    "inputs of a crossbar": (
        lambda: dense_net(300, 20), lambda: load_profile("truenorth"), PLAIN, AS_IS,
        r"n0: needs 600 in_axons, the target has 256; use loihi2 .*; or prune its neurons to 42 % of their inputs",
    ),
    "inputs of a neuron": (
        lambda: dense_net(70, 10), lambda: variant("tiny", core__fan_in=39, neuron__kinds=("plain",)), PLAIN, AS_IS,
        r"n0: needs 70 fan_in, the target has 39; use loihi2 .*; or prune its neurons to 39 inputs each",
    ),
    "inputs of a core": (
        lambda: dense_net(70, 10), lambda: variant("tiny", core__in_axons=64, neuron__kinds=("plain",)), PLAIN, AS_IS,
        r"n0: needs 70 in_axons, the target has 64; use loihi2 .*; or prune its neurons to 91 % of their inputs",
    ),
    "memory": (
        lambda: dense_net(900, 4), lambda: variant("tiny", core__synapse_memory=512), PLAIN, AS_IS,
        r"n0: needs [\d,]+ synapse_bits, the target has 512; use loihi2 .*; or leave at most \d+ % of its synapses",
    ),
    "output axons": (
        lambda: dense_net(10, 60, 64), lambda: variant("tiny", core__out_axons=7, core__neurons=8, **EDGES),
        MapOptions(share_cores=False), AS_IS,
        r"n0: needs 8 out_axons, the target has 7; .*; or its spikes go to more cores than a neuron can reach: leave "
        r"the layers that it feeds at most 87 % of their neurons",
    ),
    "spare cores": (
        lambda: dense_net(20, 90), lambda: load_profile("tiny"), MapOptions(spare_cores=16), AS_IS,
        r"the network: needs 1 cores on a chip besides the spare ones, the target has 0; without --spare-cores 16 it "
        r"takes \d cores; or spare at most 15",
    ),
    "some spare cores": (
        lambda: dense_net(20, 900), lambda: load_profile("tiny"), MapOptions(spare_cores=12), AS_IS,
        r"the network: needs 15 cores, the target has 8; without --spare-cores 12 it takes 15 cores; or spare at most "
        r"8 cores a chip",
    ),
    "a pin beyond the chips": (
        lambda: dense_net(20, 30), lambda: load_profile("tiny"), MapOptions(pins=(("n0", 9),)), AS_IS,
        r"chips for a pin to chip 9, the target has 2; without --pin n0=9 it takes \d core.*; or pin to a chip "
        r"from 0 to 1",
    ),
    "pins to one chip": (
        lambda: dense_net(20, 1100), lambda: load_profile("tiny"), MapOptions(pins=(("n0", 1),)), AS_IS,
        r"chip 1: needs 18 cores pinned to it, the target has 16; without --pin n0=1 it takes 18 cores; or pin "
        r"populations of 2 of these cores to other chips",
    ),
    "neurons on a core": (
        lambda: dense_net(20, 900), lambda: load_profile("tiny"), MapOptions(max_neurons_per_core=4), AS_IS,
        r"the network: needs 225 cores, the target has 32; without --max-neurons 4 it takes 15 cores; or",
    ),
    "options together": (
        lambda: dense_net(20, 900), lambda: load_profile("tiny"), MapOptions(max_neurons_per_core=4, spare_cores=12),
        AS_IS, r"needs 225 cores, .*without --spare-cores 12, --max-neurons 4 it takes 15 cores; or",
    ),
    "encodings": (
        lambda: dense_net(20, 10), lambda: load_profile("loihi2"), MapOptions(encodings=("rans",)), AS_IS,
        r"needs 1 allowed encodings of ternary codes.*; without the choice of encodings it takes 1 core; or allow one "
        r"of the target's own, dense",
    ),
    "encodings of a crossbar": (
        lambda: dense_net(20, 10), lambda: load_profile("truenorth"), MapOptions(encodings=("rans",)), AS_IS,
        r"needs 1 of the encodings rans, .*; without the choice of encodings it takes 1 core; or allow the target's "
        r"own, axon_pairs",
    ),
    "copies": (
        lambda: dense_net(20, 10, 90), lambda: variant("truenorth", core__neurons=4), PLAIN, AS_IS,
        r"n0: needs \d+ copies of a neuron, the target has 4; use loihi2 .*; or its spikes go to more cores than a "
        r"neuron can reach: leave the layers that it feeds at most \d+ % of",
    ),
}  # fmt: skip


def refusal(case: Case, effort: Effort = NORMAL) -> CapacityError:
    graph, profile, map_options, options, _ = case
    with pytest.raises(CapacityError) as caught:
        api.compile(graph(), profile(), options=options, map_options=map_options, effort=effort)
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_each_refusal_says_in_one_line_what_would_fit(name: str) -> None:
    error = refusal(CASES[name])
    assert "\n" not in str(error)
    assert re.search(CASES[name][4], str(error)), str(error)


@pytest.mark.parametrize("name", CASES)
def test_targets_that_are_named_hold_the_network(name: str) -> None:
    graph, _, _, options, _ = CASES[name]
    error = refusal(CASES[name])
    named = re.findall(r"(?:use|or) ([\w-]+) \(([\d,]+) cores?\)", error.hint)
    for target, cores in named:
        assert target in profile_names()
        assert build(graph(), load_profile(target), options).mapped.partition.cores == int(cores.replace(",", ""))


def test_fewer_neurons_on_a_core_are_suggested_where_they_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of Loihi 1 that are too long for their field get shorter with the part of a layer on a core."""
    graph, profile = dense_net(4, 120), variant("loihi1", synapse__max_words_per_list=3, core__neurons=64)
    error = CapacityError("n0", LIST_WORDS, 9, 3, "own hint")
    found = advice.advised(error, graph, profile, AS_IS, PLAIN)
    most = re.search(r"with --max-neurons (\d+) it takes ([\d,]+) cores", found.hint)
    assert most is not None, found.hint
    assert found.hint.endswith("; or own hint")
    cores = build(graph, profile, AS_IS, MapOptions(max_neurons_per_core=int(most[1]))).mapped.partition.cores
    assert cores == int(most[2].replace(",", ""))


def test_wide_weights_are_said_to_fit_as_ternary_ones_where_nothing_else_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = dense_net(400, 30, values="int8", threshold=400.0)
    profile = one_chip(core__neurons=64, core__synapse_memory=40_960)
    monkeypatch.setattr(advice, "_others", lambda profile: [])
    with pytest.raises(CapacityError) as caught:
        api.compile(graph, profile, options=INT8)
    assert re.search(r"; with --ternarize twn it takes \d cores?; or ", str(caught.value)), str(caught.value)


def test_large_networks_are_held_against_bounds_and_not_mapped() -> None:
    error = refusal(CASES["cores"], effort=replace(NORMAL, advised_size=10))
    named = re.findall(r"(?:use|or) ([\w-]+) \(not tried; at least (\d+) cores? of ([\d,]+)\)", error.hint)
    assert [name for name, _, _ in named] == ["loihi2", "kapoho-point"]
    for target, least, have in named:
        mapped = build(dense_net(20, 90), load_profile(target)).mapped
        assert int(least) <= mapped.partition.cores
        assert int(have.replace(",", "")) == load_profile(target).system.cores


def test_a_target_that_cannot_execute_the_network_is_not_named() -> None:
    signed = dense_net(20, 90, threshold_low=frozen(-1.5))
    with pytest.raises(CapacityError) as caught:
        api.compile(signed, one_chip())
    assert "use loihi2 (" in caught.value.hint
    assert not re.search("truenorth|paicore2|loihi1", caught.value.hint)


def test_inside_the_mapper_a_refusal_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is caught there again and again, and nobody reads it."""

    def never(*_: Any) -> Any:
        raise AssertionError("a profile was read")

    profiles = {name: case[1]() for name, case in CASES.items()}
    programs = {
        name: build(case[0](), load_profile("hala-point"), case[3]).lowered.program for name, case in CASES.items()
    }
    monkeypatch.setattr("tern2lava.hw_profiles.loader.load_profile", never)
    monkeypatch.setattr("tern2lava.compiler.advice.known_profiles", never)
    for name, case in CASES.items():
        with pytest.raises(CapacityError):
            map_program(programs[name], profiles[name], case[2])


def test_no_hint_sends_the_user_to_an_unnamed_target() -> None:
    folder = Path(tern2lava.compiler.__file__).parent
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
        words = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in words:
                assert not re.search(r"another target|(?:use|or) a (?:larger )?target", node.value), (path, node.value)
