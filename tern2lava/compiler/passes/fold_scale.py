"""Pass: scales leave the synapses for the thresholds and biases of the neurons they feed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Graph, Neuron, Node, Projection, plain
from tern2lava.compiler.ir.linear import per_neuron, target_shape
from tern2lava.compiler.ir.shapes import Bools, Reals, compact, size
from tern2lava.compiler.neurons.mechanism import kinds_of, with_fields
from tern2lava.compiler.passes.empty_channels import empty_channels, filled, power_of_two, unit_scale
from tern2lava.errors import UnsupportedError
from tern2lava.findings import alone, replaced

DIVIDED = ("threshold", "bias", "bias_u", "v_init", "reset_amount")
# Far above what any state holds, far below where float64 products of such numbers overflow.
LARGEST = 1e100


def fold_scale(graph: Graph) -> Graph:
    """The graph with every neuron measured in units of its first projection's scale s, codes unchanged.

    threshold, bias, bias_u, v_init and reset_amount are divided by s (of the neuron's channel where scales are per
    channel) and unit is multiplied by it; the scale of a further projection becomes its ratio to s. Exact in real
    numbers; the threshold's quotient is rounded away from the values that must not cross it (down for >, up for >=),
    so that no integer sum of codes changes sides, and a quotient that is a short fraction but for the rounding of its
    operands is that fraction (see meant): three weights of 1/3 meet a threshold of 1.
    Where layers of different shapes are summed in a neuron, s is of the one with the fewest scales. Neurons that
    compute in integers already keep them: s is the power of two in it, which divides without a remainder. A neuron
    without weights, for which any unit would do, has its layer's (empty_channels). Raises UnsupportedError for scales
    of such layers that cut the neurons differently, and for quotients beyond floating point.
    """
    scales: dict[str, Reals] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if not (isinstance(node, Neuron) and node.inputs):
            nodes.append(node)
            continue
        with alone() as each:
            ratios, neuron = _in_units(graph, node)
            scales |= ratios
            nodes.append(neuron)
        if each.refused:
            replaced(node.name)
            nodes.append(replace(plain(node), alpha_u=node.alpha_u, alpha_v=node.alpha_v))
    return graph.with_nodes(
        replace(n, scale=scales[n.name]) if isinstance(n, Projection) and n.name in scales else n for n in nodes
    )


def _in_units(graph: Graph, node: Neuron) -> tuple[dict[str, Reals], Neuron]:
    """(scales of its projections, `node`), both in units of the first projection's scale."""
    projections = graph.projections(node.inputs)
    first = _reference(projections)
    if node.quantum is not None:
        first = replace(first, scale=power_of_two(first.scale))
    else:
        first = replace(first, scale=unit_scale(first, projections, node))
    scales: dict[str, Reals] = {}
    for projection in projections:
        divisor = _on_channels(first, projection, node.name)
        ratio = meant(projection.scale / divisor, projection.scale, divisor)
        scales[projection.name] = ratio if node.quantum is not None else filled(ratio, projection)
    return scales, divided(node, _on_shape(first.scale, first, node))


def _reference(projections: tuple[Projection, ...]) -> Projection:
    """The projection whose scale becomes the neuron's unit: one with weights where there is one."""
    projections = tuple(p for p in projections if not empty_channels(p).all()) or projections
    if len({target_shape(p) for p in projections}) == 1:
        return projections[0]
    return min(projections, key=lambda p: p.scale.size)


def _on_channels(first: Projection, projection: Projection, neuron: str) -> Reals:
    """The scale of `first` for the output channels of `projection`, () or (out,)."""
    channels = target_shape(projection)[0]
    if first.scale.ndim == 0 or target_shape(first) == target_shape(projection):
        return first.scale
    rows = per_neuron(first.scale, first).reshape(channels, -1)
    if np.any(rows != rows[:, :1]):
        raise UnsupportedError(
            neuron,
            "summed layers with one scale each, or scales for the same groups of neurons",
            f"{first.scale.size} scales in {first.name} against {channels} channels in {projection.name}",
            "let one layer alone have a scale for each neuron; one scale for both changes the network",
        )
    return np.asarray(rows[:, 0])


def _on_shape(scale: Reals, projection: Projection, neuron: Neuron) -> Reals:
    """A scale () or (out,) shaped to broadcast to the neuron's shape."""
    if scale.ndim == 0:
        return scale
    if len(neuron.shape) == 1:
        return np.repeat(scale, size(target_shape(projection)) // scale.shape[0])
    if target_shape(projection) == neuron.shape:
        return scale.reshape(-1, *([1] * (len(neuron.shape) - 1)))
    return np.repeat(scale, size(neuron.shape) // scale.shape[0]).reshape(neuron.shape)


def divided(neuron: Neuron, s: Reals) -> Neuron:
    """`neuron` measured in units of s (broadcasts to its shape). Raises UnsupportedError for quotients beyond floating
    point."""
    with np.errstate(over="ignore"):
        largest = max(
            float(np.max(np.abs(getattr(neuron, "level" if name == "threshold" else name) / s))) for name in DIVIDED
        )
    if not largest <= LARGEST:
        raise UnsupportedError(
            neuron.name,
            "thresholds and biases in a range of their weights' scale",
            f"a quotient above {LARGEST:.0e}",
            "scale the layer's weights up, or its thresholds and biases down",
        )

    def over(value: Reals) -> Reals:
        return compact(meant(value / s, value, s), neuron.shape)

    def side(value: Reals, *, up: bool) -> Reals:
        return compact(meant(divide(value, s, up=up), value, s), neuron.shape)

    own: dict[str, Reals] = {}
    for mechanism in kinds_of(neuron):
        own |= mechanism.in_synapses(neuron, over, lambda x: side(x, up=True), lambda x: side(x, up=False))
    return replace(
        with_fields(neuron, own),
        threshold=neuron.threshold if neuron.integrates else side(neuron.threshold, up=neuron.compare is Compare.GE),
        quantum=None if neuron.quantum is None else compact(neuron.quantum / s, neuron.shape),
        bias=over(neuron.bias),
        bias_u=over(neuron.bias_u),
        v_init=over(neuron.v_init),
        reset_amount=over(neuron.reset_amount),
        unit=neuron.unit * s,
    )


# A quotient is taken for a multiple of 1 / FRACTION where the rounding of its operands explains the difference: two
# last bits of float64, or of float32 where the scale is one. Chance does that to one quotient of 2^17 / itself.
FRACTION = 16.0
CLOSE64, CLOSE32 = 2.0**-51, 2.0**-22
# A scale of at most this many significant bits was not rounded, so that its quotients are taken as they are.
SHORT_BITS = 12
# A short number has at most this many significant bits, whatever its size: all multiples of 1 / FRACTION up to 16 do.
BESIDE_BITS = 8


def meant(quotient: Reals, a: Reals, b: Reals) -> Reals:
    """`quotient` (a / b), elements that differ from a multiple of 1 / FRACTION by no more than the rounding of a and b
    explains set to that multiple.

    1 / 3 in float32 is 0.3333333433; three such weights sum to 1 in a framework, and to more in real numbers. Scales of
    few bits are not rounded, and numbers a last bit beside a short one (a threshold just above 1 for >= to mean >) are
    as they are meant: their quotients stay.
    """
    near = np.rint(quotient * FRACTION) / FRACTION
    single = _single(b)
    close = np.where(single, CLOSE32, CLOSE64) * np.abs(quotient)
    rounded = (quotient != near) & (np.abs(quotient - near) <= close) & (a != 0)
    mantissa = np.ldexp(np.frexp(b)[0], SHORT_BITS)
    beside = _short(a)
    moved = (a != beside) & (np.abs(a - beside) <= np.where(_single(a), CLOSE32, CLOSE64) * np.abs(a))
    rounded = rounded & (mantissa != np.rint(mantissa)) & ~moved
    return np.asarray(np.where(rounded, near, quotient))


def _short(values: Reals) -> Reals:
    """The numbers of BESIDE_BITS significant bits that are nearest to values."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(np.ldexp(mantissa, BESIDE_BITS)), exponent - BESIDE_BITS))


def _single(values: Reals) -> Bools:
    """Which of the values have the significant bits of float32, at whatever size: a network in other units is rounded
    as it was."""
    mantissa, _ = np.frexp(np.asarray(values, np.float64))
    return np.asarray(mantissa.astype(np.float32).astype(np.float64) == mantissa)


def divide(a: Reals, b: Reals, *, up: bool) -> Reals:
    """a / b as the largest float64 not above the exact quotient (`up`: the smallest not below it), element by element.

    A correctly rounded quotient can land on an integer that the exact one only comes near to; this one cannot cross.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    pairs, where = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1, return_inverse=True)
    quotients = pairs[0] / pairs[1]
    for i, quotient in enumerate(quotients):
        product, wanted = Fraction(quotient) * Fraction(pairs[1, i]), Fraction(pairs[0, i])
        if pairs[1, i] < 0:
            product, wanted = -product, -wanted
        if up and product < wanted:
            quotients[i] = np.nextafter(quotient, np.inf)
        elif not up and product > wanted:
            quotients[i] = np.nextafter(quotient, -np.inf)
    result: Reals = quotients[where.ravel()].reshape(a.shape)
    return result
