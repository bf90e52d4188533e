"""Which integers occur in a population, for any number of steps: what its state is stored and computed in."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import ceil, floor
from typing import Any

import numpy as np

from tern2lava.compiler.certify.ranges import FOREVER, bounds, emitted_range, input_range, on_shape
from tern2lava.compiler.certify.wrapping import largest_current, largest_input, refuse_unbounded
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Reals, broadcast

# Certificates add up in float64; integers beside the end of a range are counted in.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Held:
    """Least and largest integers of a population's state and what may happen to it.

    u: the current after each step; wraps: whether it can be brought back. v: the potential, before and after a reset;
    clips: whether it can saturate. b: what an adaptive threshold adds; b_clips: whether it can saturate. largest: the
    largest magnitude of any number on the way, decays' products left out."""

    u: tuple[int, int]
    v: tuple[int, int]
    b: tuple[int, int]
    wraps: bool
    clips: bool
    b_clips: bool
    largest: int


def sums_range(graph: Graph, projection: Projection) -> tuple[int, int]:
    """Least and largest weight @ spikes of a projection, and of any part of that sum."""
    low, high = input_range(projection, graph)
    return min(0, int(low.min(initial=0))), max(0, int(high.max(initial=0)))


def sent_range(graph: Graph, name: str) -> tuple[int, int]:
    """Least and largest value that a source sends."""
    return emitted_range(graph[name])


def most_steps(graph: Graph) -> int | None:
    """The steps after which a current could leave 64 bits; None where none ever can. Raises UnsupportedError where
    one step is too many."""
    assert graph.arithmetic is not None
    refuse_unbounded(graph, 1)
    found: int | None = None
    for population in graph.of_kind(Population):
        most = largest_input(graph, population)
        if _fits(population, most, graph.arithmetic, FOREVER):
            continue
        low, high = 1, FOREVER
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _fits(population, most, graph.arithmetic, middle) else (low, middle)
        found = low if found is None else min(found, low)
    return found


def _fits(population: Population, most: int, arithmetic: Arithmetic, steps: int) -> bool:
    largest = largest_current(population, most, arithmetic, steps)
    return max((largest + 1) << arithmetic.decay_bits, largest + most) < 1 << 62


def held(graph: Graph, population: Population, steps: int | None) -> Held:
    """What a population holds within `steps` steps (None: any number)."""
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    top = arithmetic.state_max
    most = largest_input(graph, population)
    low, high = _input(graph, population)
    population = _spread(population)
    found = bounds(population, low, high, arithmetic, FOREVER)
    amount = int(np.abs(population.reset_amount).max(initial=0))
    bias = int(np.abs(population.bias).max(initial=0))
    u = _whole(found.u_low, found.u_high)
    wraps = u[0] < -top or u[1] > top
    if wraps:
        largest_u = largest_current(population, most, arithmetic, steps or FOREVER)
        u = (-largest_u, largest_u)
    v, b, clips, b_clips = (-top, top), (0, 0), True, False
    if population.gain_a is not None:
        adaptation = _whole(-found.adaptation, found.adaptation)[1]
        b, b_clips = (-min(top, adaptation), min(top, adaptation)), adaptation > top
    if not wraps:
        margin = b[1] + (amount if population.reset is Reset.SUBTRACT else 0)
        v_low, v_high = _whole(found.met_low, found.met_high)
        v_low, v_high = min(v_low, 0) - margin, max(v_high, 0) + margin
        clips = v_low < -top or v_high > top
        v = (max(v_low, -top), min(v_high, top))
    v = (min(v[0], int(population.v_init.min(initial=0))), max(v[1], int(population.v_init.max(initial=0))))
    largest_v, largest_u = max(-v[0], v[1]), max(-u[0], u[1])
    adapted = int(np.abs(population.threshold).max(initial=0)) + b[1]
    low_threshold = 0 if population.threshold_low is None else int(np.abs(population.threshold_low).max(initial=0))
    gain = 0 if population.gain_a is None else int(np.abs(population.gain_a).max(initial=0))
    largest = max(largest_u + most, largest_v + largest_u + bias + amount + b[1], adapted, low_threshold, b[1] + gain)
    if wraps or clips or b_clips:
        largest = max(largest, 2 << arithmetic.state_bits)
    return Held(u=u, v=v, b=b, wraps=wraps, clips=clips, b_clips=b_clips, largest=largest)


def _input(graph: Graph, population: Population) -> tuple[Reals, Reals]:
    """Least and largest sum of what a population receives, whatever the signs of gains."""
    low: Reals = np.zeros(())
    high: Reals = np.zeros(())
    for name in population.inputs:
        projection = graph.projection(name)
        ends = [end * projection.gain for end in input_range(projection, graph)]
        low = low + on_shape(np.minimum(*ends), projection, population.shape)
        high = high + on_shape(np.maximum(*ends), projection, population.shape)
    return low, high


def _spread(population: Population) -> Population:
    """`population` with parameters of its channels in a shape that broadcasts, as `bounds` takes them."""
    spread: dict[str, Any] = {}
    for f in fields(population):
        value = getattr(population, f.name)
        if isinstance(value, np.ndarray) and value.ndim == 1 and len(population.shape) > 1:
            spread[f.name] = broadcast(value, population.shape)
    return replace(population, **spread)


def _whole(low: Reals, high: Reals) -> tuple[int, int]:
    """Whole numbers around a range of real ones."""
    least, most = float(np.min(low)), float(np.max(high))
    return floor(least - abs(least) * ROUNDING), ceil(most + abs(most) * ROUNDING)
