"""Segments on cores of a crossbar: first fit, each on one core, none over a limit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nets import codes, integer_graph, neurons
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapper.crossbar.first_fit import Core, Filler, Plan, Segment
from tern2lava.compiler.mapper.crossbar.window_search import Planner
from tern2lava.compiler.options import MapOptions
from tern2lava.hw_profiles import load_profile


def dense() -> Graph:
    weight = codes(np.random.default_rng(0), 20, 30)
    return integer_graph(
        Input(name="x", shape=(30,)), Projection(name="w", inputs=("x",), weight=weight, gain=frozen(1, np.int64)),
        neurons("a", "w", (20,)),
    )  # fmt: skip


def segments_of(filler: Filler, seed: int, count: int) -> list[Segment]:
    """Of two kinds; some without axons of their own, some that fill a core."""
    rng = np.random.default_rng(seed)
    planner = Planner(filler)
    plan: Plan = next(iter(planner.plans(planner.one_by_one(1)).values()))
    full, inputs = filler.columns, filler.crossbar.inputs.value
    result = []
    for _ in range(count):
        columns = int(rng.choice([1, full // 3, full // 2, full, int(rng.integers(1, full + 1))]))
        axons = int(rng.choice([0, inputs // 2, inputs, int(rng.integers(0, inputs + 1))]))
        result.append(Segment(plan, plan.windows[0], (), columns, max(1, columns // 2), axons, (int(rng.integers(2)),)))
    return result


def first_fit(filler: Filler, segments: list[Segment]) -> list[Core]:
    """The largest first, each on the first core of its kind with room."""
    inputs = filler.crossbar.inputs.value
    cores: list[Core] = []
    for segment in sorted(segments, key=lambda s: -max(s.columns / filler.columns, s.axons / (inputs * s.plan.fold))):
        core = next((c for c in cores if c.kind == segment.kind and filler.has_room(c, segment)), None)
        if core is None:
            core = Core(segment.kind, [])
            cores.append(core)
        core.add(segment)
    return cores


@given(seed=st.integers(0, 100_000), count=st.integers(1, 60))
def test_each_segment_lies_on_the_first_core_of_its_kind_that_has_room(seed: int, count: int) -> None:
    filler = Filler(dense(), load_profile("truenorth"), MapOptions())
    segments = segments_of(filler, seed, count)
    found, expected = filler.packed(segments), first_fit(filler, segments)

    def held(cores: list[Core]) -> set[tuple[int, ...]]:
        return {tuple(map(id, core.segments)) for core in cores}

    assert held(found) == held(expected)
    assert [core for core in found if core.columns > filler.columns] == []


def test_where_no_core_is_shared_each_segment_has_its_own() -> None:
    filler = Filler(dense(), load_profile("truenorth"), MapOptions(share_cores=False))
    segments = segments_of(filler, 0, 30)
    assert [len(core.segments) for core in filler.packed(segments)] == [1] * 30
