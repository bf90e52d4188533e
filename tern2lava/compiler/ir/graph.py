"""The one intermediate representation: an immutable graph of nodes at four levels.

IMPORTED  what the source says, layer by layer, every neuron convention an explicit field.
NORMAL    Input, Projection (one linear map per wire, real weights), Neuron in canonical form, Output.
TERNARY   the same, each Projection's weight being integer codes times a real scale.
INTEGER   Input, Projection (codes and an integer gain), Population (integer dynamics), Output.

`check.LEGAL` says which kinds are legal at which level. Arrays in nodes are read-only. A node's `inputs` name the
nodes it reads; several inputs of a Neuron, Population or Add are summed. A cycle must pass a Delay (IMPORTED) or a
Projection (later levels).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Ints, Pooling, Reals, Shape, frozen, size
from tern2lava.compiler.shown import Shown, brief
from tern2lava.counts import count

if TYPE_CHECKING:
    from tern2lava.compiler.ir.box import Box


K = TypeVar("K")


class Level(IntEnum):
    IMPORTED = 0
    NORMAL = 1
    TERNARY = 2
    INTEGER = 3


class Compare(str, Enum):
    """How the membrane potential meets the threshold: v > threshold or v >= threshold.

    Compare("gt") and Compare("ge") are the same members by their `word`, which needs no quotes in a shell or in YAML.
    """

    GT = ">"
    GE = ">="

    @property
    def word(self) -> str:
        """gt or ge."""
        return self.name.lower()

    @classmethod
    def _missing_(cls, value: object) -> Compare | None:
        return next((member for member in cls if member.word == value), None)


class Reset(str, Enum):
    """What a spike does to the membrane potential: v = reset_value, v -= reset_amount, or nothing."""

    ZERO = "zero"
    SUBTRACT = "subtract"
    NONE = "none"


class Decays(str, Enum):
    """How an integer that has decayed becomes a whole number: cut towards zero, as Loihi and Lava's LIF do, or the
    nearest one, halves away from zero."""

    TRUNCATE = "truncate"
    NEAREST = "nearest"

    @property
    def off(self) -> float:
        """The most by which a number that decays is moved, in last bits: what is cut off is less than 1, what is added
        or taken off to the nearest at most 1/2."""
        return 1.0 if self is Decays.TRUNCATE else 0.5


class PoolKind(str, Enum):
    SUM = "sum"
    AVG = "avg"


class Readout(str, Enum):
    """What is read of the output population, over the time steps of a sample (Output says how scores are formed)."""

    SPIKE_COUNT = "spike_count"
    MEMBRANE_SUM = "membrane_sum"
    MEMBRANE_LAST = "membrane_last"
    MEMBRANE_MAX = "membrane_max"
    MEMBRANE_ARGMAX = "membrane_argmax"
    MEMBRANE_SOFTMAX = "membrane_softmax"

    @property
    def in_each_step(self) -> bool:
        """Whether scores are formed in each step, and then summed."""
        return self in (Readout.MEMBRANE_ARGMAX, Readout.MEMBRANE_SOFTMAX)


@dataclass(frozen=True, eq=False, kw_only=True)
class NodeBase(Shown):
    name: str
    inputs: tuple[str, ...] = ()

    def _shown(self) -> str:
        said = [repr(self.name)]
        if self.inputs:
            said.append(f"from {', '.join(self.inputs)}")
        for name in ("shape", "weight", "steps", "levels", "threshold", "reset", "readout"):
            if getattr(self, name, None) is not None:
                said.append(f"{name} {brief(getattr(self, name))}")
        return ", ".join(said)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            # Arithmetic on arrays without dimensions gives numpy scalars; in nodes they are arrays again.
            if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.flags.writeable):
                object.__setattr__(self, f.name, frozen(value))
            elif f.name == "extra":
                object.__setattr__(self, f.name, {name: frozen(array) for name, array in value.items()})


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(NodeBase):
    """Spikes or small integers that enter the network: `shape` without time or batch, values in `levels` (lo, hi)."""

    shape: Shape
    levels: tuple[int, int] = (0, 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(NodeBase):
    """y = weight @ flatten(x) + bias. weight (out, in), bias (out,) or None."""

    weight: Reals
    bias: Reals | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2d(NodeBase):
    """Cross-correlation as in torch, channels first. weight (out, in/groups, kh, kw), bias (out,) or None.

    padding is (top, bottom, left, right) in zeros; stride and dilation are (y, x). A one-dimensional convolution is
    one with height 1.
    """

    weight: Reals
    bias: Reals | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool2d(NodeBase):
    """Sum or average over windows (kernel, stride in (y, x); padding (top, bottom, left, right) in zeros).

    AVG divides by the whole kernel area, padding included (torch's count_include_pad=True).
    """

    kind: PoolKind
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseLinear(NodeBase):
    """flatten(y) = A flatten(x), both in C order, y of `shape`; A is zero but for values[k] at (rows[k], columns[k]).

    Moving and averaging: permutations, slices, padding, upsampling, means, windows of any kind. rows, columns:
    (entries,); values: () or (entries,). What stands twice at one place is added up. There is no bias.
    """

    shape: Shape
    rows: Ints
    columns: Ints
    values: Reals = field(default_factory=lambda: frozen(1.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class ChannelAffine(NodeBase):
    """y[c] = gain[c] * x[c] + offset[c] along the first axis (batch normalisation in inference, scaling).

    gain and offset have shape (channels,) or ().
    """

    gain: Reals
    offset: Reals


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(NodeBase):
    """All dimensions into one, C order."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Identity(NodeBase):
    """Dropout in inference and other layers that do nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(NodeBase):
    """Sum of all inputs, which have one shape."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Delay(NodeBase):
    """y(t) = x(t - steps), zero before the first step; steps >= 0."""

    steps: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Neuron(NodeBase):
    """A population of spiking neurons with real parameters (each an array that broadcasts to `shape`).

    Per step, x being the summed input, in this order:
        u' = alpha_u * u + gain_u * x + bias_u
        a' = alpha_a * a + gain_a * s_previous         (only with an adaptive threshold: gain_a not None, else a = 0)
        v' = alpha_v * v + gain_v * u' + bias          (reset_delay, refractory: see below)
        s  = v' compare threshold + a'                 (and -1 where v' is below threshold_low, if that is not None)
        reset ZERO: v' = reset_value where s; SUBTRACT: v' -= reset_amount * s; NONE: v' stays
    With reset_delay the reset of a spike is applied in the next step: SUBTRACT subtracts reset_amount + a' after the
    decay (v' = alpha_v * v + ... - (reset_amount + a') * s_previous), ZERO sets v = reset_value before the decay.
    refractory: for that many steps after a spike v keeps its value (its delayed reset applied) and no spike is made;
    u goes on. rearm: a neuron whose v is still above its threshold after the reset compares v' - reset_amount with the
    threshold in the next step, as snnTorch's immediate subtraction does.
    v starts at v_init, u and a at 0. alpha_u = 0 is a neuron without synaptic current memory.
    What refractory, rearm, threshold_low and gain_a do is a mechanism each (compiler/neurons/); extra holds parameters
    of further mechanisms, by "mechanism.parameter".
    A threshold of infinity is none: an integrator, which makes no spike, is never reset and only read by its potential.
    quantum: the source computes in integers of this size (lava-dl does): alpha_u * u and alpha_v * v are cut towards
    zero to multiples of it. None: it computes in real numbers.

    Passes rewrite v in other units: the source's membrane potential is unit * v + origin (for readouts and reports),
    with reset_amount added back to v at a spike where record_before_reset says that the source records v before the
    reset.
    """

    shape: Shape
    alpha_u: Reals = field(default_factory=lambda: frozen(0.0))
    gain_u: Reals = field(default_factory=lambda: frozen(1.0))
    alpha_v: Reals = field(default_factory=lambda: frozen(1.0))
    gain_v: Reals = field(default_factory=lambda: frozen(1.0))
    bias_u: Reals = field(default_factory=lambda: frozen(0.0))
    bias: Reals = field(default_factory=lambda: frozen(0.0))
    v_init: Reals = field(default_factory=lambda: frozen(0.0))
    threshold: Reals = field(default_factory=lambda: frozen(1.0))
    compare: Compare = Compare.GT
    reset: Reset = Reset.ZERO
    reset_value: Reals = field(default_factory=lambda: frozen(0.0))
    reset_amount: Reals = field(default_factory=lambda: frozen(1.0))
    reset_delay: bool = False
    refractory: int = 0
    rearm: bool = False
    threshold_low: Reals | None = None
    alpha_a: Reals = field(default_factory=lambda: frozen(0.0))
    gain_a: Reals | None = None
    quantum: Reals | None = None
    unit: Reals = field(default_factory=lambda: frozen(1.0))
    origin: Reals = field(default_factory=lambda: frozen(0.0))
    record_before_reset: bool = False
    extra: Mapping[str, Reals] = field(default_factory=dict)

    @property
    def integrates(self) -> bool:
        """Whether it is an integrator, without a threshold."""
        return bool(np.isposinf(self.threshold).all())

    @property
    def level(self) -> Reals:
        """What errors of a potential are measured against: its threshold, 0 where it has none (then one weight is)."""
        return np.zeros(()) if self.integrates else self.threshold


def plain(neuron: Neuron) -> Neuron:
    """Neurons that add up what `neuron` reads and are reset to 0 at 1: what stands for it where it was refused and the
    rest is looked at (findings.py)."""
    return Neuron(name=neuron.name, inputs=neuron.inputs, shape=neuron.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection(NodeBase):
    """All synapses from one population (or Input) to one population: a single linear map and its delay.

    weight is (out, in) where geometry is None (input flattened in C order), else (out, in/groups, kh, kw).
    Its meaning by level:
        NORMAL   the effective weight is weight (float64); scale is 1
        TERNARY  the effective weight of output channel c is weight (int8 codes) * scale[c]
        INTEGER  a spike adds weight * gain[c] to the current u of the target, in units of the membrane's last bit
    scale and gain have shape () or (out,). `bits` is the width of a code: 2 for {-1, 0, 1}, else up to 8.
    delay: steps a spike waits. At NORMAL and TERNARY it counts source steps (0: within the step); at INTEGER it
    counts hardware timesteps beyond the one that every synapse takes.
    source_weights: trained weights that it stands for, which are fewer than `weight` has where two layers were merged
    into it (0: as many as `weight` has).
    pooling: what is summed before the weight is applied; `weight` and `geometry` see its output.
    reads: the neurons of the source that it sees, where it does not see all of them; what comes behind (pooling,
    geometry, weight) sees these alone, in the order of the box.
    part_of: the projection that it is a part of since a fan-in was split over relays, or whose partial sums it adds.
    """

    weight: Array
    scale: Reals = field(default_factory=lambda: frozen(1.0))
    gain: Ints = field(default_factory=lambda: frozen(1, np.int64))
    geometry: ConvGeometry | None = None
    delay: int = 0
    bits: int = 2
    source_weights: int = 0
    pooling: Pooling | None = None
    reads: Box | None = None
    part_of: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Population(NodeBase):
    """A population of neurons in integers; the one definition of our semantics (executed by sim/reference/integer.py).

    Per hardware timestep t = start + 1 + k * slowdown of its graph, k = 0, 1, ... being the steps of the network (in
    all others the population rests: no state changes, no spikes), with
    a = sum over incoming projections of gain * (weight @ spikes), dec(x, d) = x * (2^D - d) / 2^D made whole as
    `decays` says (TRUNCATE: towards 0), D = decay_bits of the graph's Arithmetic, M = 2^(state_bits - 1), clip into
    [-M + 1, M - 1]:
        u' = dec(u, decay_u) + a + bias_u   wrapped once into (-M, M]
        v' = dec(v, decay_v) + u' + bias    clipped
        s  = v' > threshold                 strict
        reset ZERO: v' = 0 where s; SUBTRACT: v' -= reset_amount where s, clipped again; NONE
    Where refractory > 0: in the `refractory` steps after a spike v' = v and s = 0; u goes on.
    Where rearm: s = v' - reset_amount > threshold for a neuron with v > threshold.
    Where threshold_low is not None: s = -1 where v' < threshold_low (strict); ZERO resets, SUBTRACT adds reset_amount.
    Where gain_a is not None (adaptive threshold; reset is SUBTRACT and takes effect one step later):
        b' = clip(dec(b, decay_a) + gain_a * s_previous), b = 0 at first
        v' = clip(dec(v, decay_v) + u' + bias - (reset_amount + b') * s_previous)
        s  = v' > threshold + b'
    Where levels is not None (a relay, which passes a partial sum on): s = v', a graded spike within `levels` (lo, hi),
    whatever the threshold; it keeps nothing (decays 2^D, reset NONE), and its threshold and reset amount are 0.
    Each of these is a mechanism (compiler/neurons/); `extra` holds parameters of further ones as Neuron's does.
    All parameters are int64 arrays that broadcast to `shape`. decay = 2^D forgets at once, 0 keeps everything.
    The source's membrane potential is lsb * v + origin, reset_amount being added to v at a spike first where
    record_before_reset: for readouts and reports, never for the dynamics.
    """

    shape: Shape
    decay_u: Ints
    decay_v: Ints
    bias: Ints
    threshold: Ints
    reset: Reset
    reset_amount: Ints
    v_init: Ints
    lsb: Reals
    start: int
    bias_u: Ints = field(default_factory=lambda: frozen(0, np.int64))
    refractory: int = 0
    rearm: bool = False
    threshold_low: Ints | None = None
    decay_a: Ints = field(default_factory=lambda: frozen(0, np.int64))
    gain_a: Ints | None = None
    origin: Reals = field(default_factory=lambda: frozen(0.0))
    record_before_reset: bool = False
    levels: tuple[int, int] | None = None
    decays: Decays = Decays.TRUNCATE
    extra: Mapping[str, Ints] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Output(NodeBase):
    """The population that is read, and how the host forms scores of what it gives.

    With r_t its spikes or membrane potentials of step t (neurons,), C = classes (1 for None), b = offset (0 for None)
    and w = step_weights (1 for None), one for each step or the same for all, () :
        SPIKE_COUNT, MEMBRANE_SUM          scores = C sum_t w_t r_t + b
        MEMBRANE_LAST                      scores = C w r_T + b                        (w: one number)
        MEMBRANE_MAX                       scores = C max_t w_t r_t + b                (over steps of w_t other than 0)
        MEMBRANE_ARGMAX, MEMBRANE_SOFTMAX  scores = sum_t w_t f(C r_t + b)
    f is the softmax over the classes, or 1 for the largest (the first of equals) and 0 for the others. classes is
    (classes, neurons), offset (classes,), and so are scores: (neurons,) without classes.
    """

    readout: Readout = Readout.SPIKE_COUNT
    classes: Reals | None = None
    step_weights: Reals | None = None
    offset: Reals | None = None

    @property
    def plain(self) -> bool:
        """Whether scores are what the readout gives, one for each neuron."""
        return self.classes is None and self.step_weights is None and self.offset is None


Node = (
    Input
    | Dense
    | Conv2d
    | Pool2d
    | SparseLinear
    | ChannelAffine
    | Flatten
    | Identity
    | Add
    | Delay
    | Neuron
    | Projection
    | Population
    | Output
)
NODE_KINDS: dict[str, type[NodeBase]] = {
    kind.__name__: kind
    for kind in (
        Input,
        Dense,
        Conv2d,
        Pool2d,
        SparseLinear,
        ChannelAffine,
        Flatten,
        Identity,
        Add,
        Delay,
        Neuron,
        Projection,
        Population,
        Output,
    )
}


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """The integer formats of the target's neurons (from its profile): widths in bits.

    decay_bits D: decays are d / 2^D. state_bits: u and v, two's complement. threshold_shift and threshold_bits: a
    threshold is a multiple of 2^shift below 2^(bits + shift). bias_bits (signed mantissa) and bias_max_exp: a bias is
    mantissa * 2^exponent, one exponent per population. gain_shift, gain_max_shift: gains are multiples of
    2^gain_shift up to 2^gain_max_shift (Loihi: input << 6, weight exponent up to 7 over 2-bit codes aligned at bit 7).
    """

    decay_bits: int = 12
    state_bits: int = 24
    threshold_bits: int = 17
    threshold_shift: int = 6
    bias_bits: int = 13
    bias_max_exp: int = 7
    gain_shift: int = 6
    gain_max_shift: int = 20

    @property
    def state_max(self) -> int:
        """Largest magnitude of u and v that neither wraps nor saturates."""
        return (1 << (self.state_bits - 1)) - 1

    @property
    def threshold_max(self) -> int:
        """Largest threshold that has a code."""
        return ((1 << self.threshold_bits) - 1) << self.threshold_shift


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph(Shown):
    """A network at one level. `nodes` in definition order; `steps` the time steps of a sample where known (else 0);
    `notes` every approximation or assumption made on the way, in the order made.

    slowdown: at INTEGER, the hardware timesteps that one step of the network takes. An Input gives the values of step k
    in hardware timestep 1 + k * slowdown, a population makes its step k in start + 1 + k * slowdown; what a synapse
    brings arrives in such a timestep of its target (check.py refuses other delays)."""

    level: Level
    nodes: tuple[Node, ...]
    source: str = ""
    steps: int = 0
    notes: tuple[str, ...] = ()
    arithmetic: Arithmetic | None = None
    slowdown: int = 1

    def _shown(self) -> str:
        places = [node for node in self.nodes if isinstance(node, Input | Neuron | Population)]
        shapes = [f"{node.name} {'x'.join(map(str, node.shape)) or '1'}" for node in places]
        neurons = sum(size(node.shape) for node in places if not isinstance(node, Input))
        said = [self.level.name] + ([f"from {brief(self.source)}"] if self.source else [])
        said += [count(len(self.nodes), "node"), count(neurons, "neuron")]
        said += [count(self.steps, "step")] if self.steps else []
        return f"{', '.join(said)}: {', '.join(shapes[:6])}{', ...' if len(shapes) > 6 else ''}"

    def __getitem__(self, name: str) -> Node:
        """The node called `name` (KeyError where there is none)."""
        return self.by_name[name]

    @property
    def by_name(self) -> dict[str, Node]:
        cached = self.__dict__.get("_by_name")
        if cached is None:
            cached = {node.name: node for node in self.nodes}
            object.__setattr__(self, "_by_name", cached)
        result: dict[str, Node] = cached
        return result

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read `name`, in definition order."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def of_kind(self, kind: type[K]) -> tuple[K, ...]:
        """The nodes of one class, in definition order."""
        return tuple(node for node in self.nodes if isinstance(node, kind))

    def projection(self, name: str) -> Projection:
        """The Projection called `name` (KeyError where there is none)."""
        return self._of(name, Projection)

    def neuron(self, name: str) -> Neuron:
        """The Neuron called `name` (KeyError where there is none)."""
        return self._of(name, Neuron)

    def population(self, name: str) -> Population:
        """The Population called `name` (KeyError where there is none)."""
        return self._of(name, Population)

    def projections(self, names: Iterable[str]) -> tuple[Projection, ...]:
        """Those of the nodes `names` that are Projections."""
        return tuple(node for name in names if isinstance(node := self.by_name[name], Projection))

    def _of(self, name: str, kind: type[K]) -> K:
        found = self.by_name[name]
        if not isinstance(found, kind):
            raise KeyError(f"{name} is a {type(found).__name__}, no {kind.__name__}")
        return found

    def with_nodes(self, nodes: Iterable[Node], *, level: Level | None = None, notes: Iterable[str] = ()) -> Graph:
        """This graph with other nodes (and level), `notes` appended."""
        return replace(
            self, nodes=tuple(nodes), level=self.level if level is None else level, notes=(*self.notes, *notes)
        )
