"""What neurons may do beyond the plain equations of ir.Neuron and ir.Population: one object for each mechanism.

A mechanism is one file of this folder (or of a plug-in): a subclass of Mechanism, an entry of MECHANISMS. It says
which parameters it has, how they are rescaled and lowered to integers, what it does in a step of real numbers and in
one of integers, how far accumulators and errors can go with it, and by which words users name it. Everything else
(passes, references, certificates, core images, net.yaml, --assume, NIR) asks the registry.

The kernels of the fast engine and the Lava process are written by hand, independently: what they cover is named there
(sim/engine/coverage.py, sim/lava/procs/neuron.py), and a mechanism that they do not cover is left to the reference, or
refused by name.

Parameters are fields of ir.Neuron and ir.Population, or entries of their `extra`, which is where those of mechanisms
that the two classes do not know are kept (`name` = "mechanism.parameter").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population
from tern2lava.compiler.ir.shapes import Array, Bools, Ints, Reals, Spikes, frozen
from tern2lava.errors import UnsupportedError
from tern2lava.registry import Registry, entry_of

COMBINED = "neuron kinds and resets that are defined together"
ONE_OF_TWO = "leaving one of the two out changes the network"
N = TypeVar("N", Neuron, Population)
Divide = Callable[[Reals], Reals]


class RealCell(ABC):
    """What a mechanism sees of the neurons of one layer while they make a step in real numbers.

    neuron, with its parameters as (1, neurons); u, v (batch, neurons) and spiked (-1, 0, 1) as the step before left
    them. `flat` spreads a further parameter over the neurons, `above` says where potentials meet the threshold.
    """

    neuron: Neuron
    threshold: Reals
    reset_amount: Reals
    u: Reals
    v: Reals
    spiked: Spikes

    @abstractmethod
    def flat(self, value: Reals) -> Reals: ...

    @abstractmethod
    def above(self, v: Reals) -> Bools: ...


class RealPart:
    """The state of a mechanism in one layer of real neurons, and what it does in a step: nothing, unless overridden.

    The stages are called in this order, every array being (batch, neurons) or broadcasting to it:
    """

    def __init__(self, cell: RealCell) -> None:
        self.cell = cell

    def begin(self) -> None:
        """The step begins; u has been moved on, v and spiked are those of the step before."""

    def owed(self, owed: Reals) -> Reals:
        """What the spikes of the step before take off where a subtraction is delayed."""
        return owed

    def integrated(self, v: Reals, kept: Reals) -> Reals:
        """v after leak, input and delayed reset; kept: the old v with its delayed reset and nothing else."""
        return v

    def met(self, met: Reals) -> Reals:
        """The potential that is held against `threshold`."""
        return met

    def fired(self, met: Reals, spikes: Spikes) -> Spikes:
        """Spikes (int8) of potentials that met the threshold."""
        return spikes

    def sent(self, spikes: Spikes) -> Spikes:
        """The spikes that the neurons send."""
        return spikes

    def end(self, spikes: Spikes) -> None:
        """The step has ended with these spikes, by which the neurons were reset."""


class IntegerCell(ABC):
    """What a mechanism sees of a population while it makes a step in integers, arrays (batch, neurons) int64.

    u, v and spiked as the step before left them (u has been moved on already); clip, decayed and flat as the equations
    of ir.Population have them.
    """

    population: Population
    arithmetic: Arithmetic
    threshold: Ints
    reset_amount: Ints
    u: Ints
    v: Ints
    spiked: Ints

    @abstractmethod
    def flat(self, value: Ints) -> Ints: ...

    @abstractmethod
    def clip(self, x: Ints) -> Ints: ...

    @abstractmethod
    def decayed(self, x: Ints, d: Ints) -> Ints: ...


class IntegerPart:
    """The state of a mechanism in one population, and what it does in a step: nothing, unless overridden.

    The stages are called in this order:
    """

    def __init__(self, cell: IntegerCell) -> None:
        self.cell = cell

    def integrated(self, v: Ints, threshold: Ints) -> tuple[Ints, Ints]:
        """(v, threshold) after leak and input, before v is clipped."""
        return v, threshold

    def held(self, v: Ints) -> Ints:
        """v after it was clipped."""
        return v

    def met(self, met: Ints) -> Ints:
        """The potential that is held against the threshold."""
        return met

    def fired(self, met: Ints, spikes: Ints) -> Ints:
        """Spikes of potentials that met the threshold."""
        return spikes

    def sent(self, spikes: Ints) -> Ints:
        """The spikes that the neurons send, and by which they are reset."""
        return spikes


@dataclass(eq=False, kw_only=True)
class Ranges:
    """What a mechanism may widen (Mechanism.widen): bounds of the potential that meets the threshold, beside the most
    that a step moves it down and up, what adaptation adds, and the number of steps."""

    met_low: Reals
    met_high: Reals
    down: Reals
    up: Reals
    adaptation: Reals
    steps: int


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word by which users ask for a mechanism, in --assume and in net.yaml.

    read: the value of what is written (text, or a number of a YAML file); raises ValueError or KeyError for others.
    array: in net.yaml it may name a tensor of the checkpoint as well.
    """

    name: str
    expected: str
    read: Callable[[Any], Any]
    array: bool = False


class Mechanism:
    """One mechanism; a subclass overrides what it changes. All methods are about a node that uses it.

    name: its word in a profile's neuron.kinds. real, integer: names of its parameters in ir.Neuron and ir.Population
    that are arrays. delays_reset: the neurons' own reset is left out, for the mechanism makes it (a step later).
    words: what its parameters are called in net.yaml and in --assume (the keys of the mechanisms here are checked in
    frontends/netyaml/, which knows what they mean for each framework).
    """

    name: str = ""
    real: tuple[str, ...] = ()
    integer: tuple[str, ...] = ()
    delays_reset: bool = False
    words: tuple[Word, ...] = ()

    def used(self, node: Neuron | Population) -> bool:
        """Whether neurons of `node` do it."""
        return any(parameter(node, name) is not None for name in (self.integer or self.real))

    def fields(self, word: str, value: Any) -> dict[str, Any]:
        """Fields of ir.Neuron, or entries "mechanism.parameter" of its `extra`, that `word` with `value` stands for."""
        return {word: value}

    # Passes

    def refuse_combination(self, neuron: Neuron) -> None:
        """Raise UnsupportedError where its combination with other mechanisms or resets is not defined."""
        others = [other.name for other in kinds_of(neuron) if other is not self]
        if others:
            raise UnsupportedError(neuron.name, COMBINED, f"{self.name} with {others[0]}", ONE_OF_TWO)

    def canonical(self, neuron: Neuron, gain: Reals, rest: Reals) -> dict[str, Any]:
        """Its parameters where v is measured as (v - rest) / gain (passes/canonical_neurons.py)."""
        return {}

    def in_synapses(self, neuron: Neuron, over: Divide, up: Divide, down: Divide) -> dict[str, Any]:
        """Its parameters in units of the synapses' scale (passes/fold_scale.py): `over` divides by the scale, `up` and
        `down` divide thresholds, whose quotient must not be below or above that of real numbers."""
        return {}

    def refuse_values(self, neuron: Neuron) -> None:
        """Raise UnsupportedError for parameters that no integers execute."""

    def lowered(self, neuron: Neuron, unit: float, arithmetic: Arithmetic, on_lattice: bool) -> dict[str, Any]:
        """Its fields of ir.Population, `unit` last bits to one unit of the synapses' scale."""
        return {}

    def has_codes(self, neuron: Neuron, met_low: Reals, unit: float, arithmetic: Arithmetic) -> bool:
        """Whether every parameter has a code, or one that makes no difference while potentials stay above met_low."""
        return True

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        """Whether integers execute it without rounding; `lattice`: multiples of it are codes."""
        return False

    def runs_exactly(self) -> bool:
        """Whether certify/probe.py runs neurons with it in exact numbers."""
        return False

    # Certificates

    def adaptation(self, population: Population, growth: Callable[[Ints], Reals]) -> Reals | None:
        """The largest magnitude of what it adds to the threshold; None where it adds nothing. growth: of a decay, the
        sum of its factor's powers."""
        return None

    def above_threshold(self, population: Population) -> Array:
        """How far a potential may lie above the threshold (with its adaptation) that makes no spike."""
        return np.zeros(())

    def widen(self, population: Population, ranges: Ranges) -> None:
        """Change met_low and met_high of `ranges` to what they are with it."""

    def error_terms(self, neuron: Neuron, population: Population, unit: float, whole: float) -> dict[str, Reals]:
        """Further error terms of certificate.ErrorTerms; those named here count as rounded where they are not 0."""
        return {}

    def keeps_whole(self, population: Population) -> bool:
        """Whether real potentials of `population` that are whole numbers stay such with it (certify/lattice.py knows
        the rest)."""
        return False

    def moving(self, population: Population) -> list[Ints]:
        """Integers that it adds to potentials."""
        return []

    def decays(self, neuron: Neuron, population: Population) -> Iterator[tuple[str, Reals, Ints]]:
        """(quantity, real factor, integer decay) of each decay of its own."""
        yield from ()

    def own_decays(self, population: Population) -> list[Ints]:
        """Its integer decays (0 keeps everything, 2^D nothing)."""
        return []

    def rounded(self, neuron: Neuron, population: Population, unit: float) -> Iterator[tuple[str, Reals, Ints]]:
        """(quantity, real value in last bits, integer) of each parameter that may be rounded."""
        yield from ()

    # Executions

    def in_real(self, cell: RealCell) -> RealPart:
        return RealPart(cell)

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return IntegerPart(cell)

    def emits(self, node: Neuron | Population, low: int, high: int) -> tuple[int, int]:
        """Least and largest value that neurons emit, (low, high) without it."""
        return low, high

    def error_follows(self) -> bool:
        """Whether sim.verify.threshold_margin and sim.reading bound errors through it; where not, every neuron-timestep
        counts as near its threshold, and as one where a framework's rounding may decide."""
        return False

    # What others can say of it

    def assumed(self, neuron: Neuron) -> tuple[str, ...]:
        """The words of --assume that say it, where NIR has no field for it."""
        return ()

    def not_in_nir(self, neuron: Neuron) -> str | None:
        """What NIR cannot say even so; None where the words of `assumed` say it."""
        return None if self.assumed(neuron) else f"neurons of kind {self.name}"


MECHANISMS: Registry[Mechanism] = Registry("neuron mechanism", "tern2lava.mechanisms", entry_of(Mechanism))


def kinds_of(node: Neuron | Population) -> tuple[Mechanism, ...]:
    """The mechanisms that the neurons of `node` have, in the order of their stages.

    Raises UnsupportedError for parameters of a mechanism that nothing here has."""
    found = [mechanism for mechanism in MECHANISMS.registered() if mechanism.used(node)]
    for owner in dict.fromkeys(name.partition(".")[0] for name in node.extra):
        if all(mechanism.name != owner for mechanism in found):
            if owner not in MECHANISMS:
                rule = f"neurons of a known kind ({', '.join(MECHANISMS.names())})"
                raise UnsupportedError(node.name, rule, f"parameters of {owner}", "install the plug-in that has it")
            found.append(MECHANISMS.get(owner))
    return tuple(found)


def kind_names(node: Neuron | Population) -> tuple[str, ...]:
    """The names of the mechanisms that the neurons of `node` have."""
    return tuple(mechanism.name for mechanism in kinds_of(node))


def words() -> dict[str, tuple[Mechanism, Word]]:
    """Every word of every mechanism; of a word that two have, the first one's."""
    found: dict[str, tuple[Mechanism, Word]] = {}
    for mechanism in MECHANISMS:
        for word in mechanism.words:
            found.setdefault(word.name, (mechanism, word))
    return found


def parameter(node: Neuron | Population, name: str) -> Array | None:
    """A parameter of a mechanism: a field of the node, or an entry of its `extra`; None where there is none."""
    found: Array | None = getattr(node, name) if "." not in name else node.extra.get(name)
    return found


def needed(node: Neuron | Population, name: str) -> Array:
    """A parameter that the node has."""
    found = parameter(node, name)
    assert found is not None, f"{node.name} has no {name}"
    return found


def with_fields(node: N, values: Mapping[str, Any]) -> N:
    """`node` with these fields, names with a dot being entries of `extra`."""
    extra = {name: frozen(value) for name, value in values.items() if "." in name}
    plain: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    if extra:
        plain["extra"] = {**node.extra, **extra}
    return replace(node, **plain)


def gathered(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as keywords of a node: names with a dot gathered in `extra`."""
    extra = {name: frozen(np.asarray(value)) for name, value in values.items() if "." in name}
    plain = {name: value for name, value in values.items() if "." not in name}
    return {**plain, **({"extra": extra} if extra else {})}
