"""What the user wants of a compilation, apart from what the hardware can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tern2lava import arguments
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.errors import InputError

Objective = Literal["cores", "traffic", "latency", "balance"]
Ternarize = Literal["refuse", "twn", "int8"]
Ranges = Literal["proven", "steps", "calibrated"]
RANGES: tuple[Ranges, ...] = get_args(Ranges)
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

# Spikes per neuron and step where nothing was measured. Published ternary and binary networks fire between 0.03 and
# 0.2 spikes a neuron and step; the rate scales every cost alike and so decides nothing about where cores lie, except
# against inputs, which count with the same rate.
ASSUMED_RATE = 0.1
DEFAULT_STEPS = 1024
# How many times as far as on calibration samples accumulators may go before they leave their ranges. Chosen: currents
# wrap, which changes what a neuron does altogether; potentials saturate, where most would spike, or rest, anyway.
U_MARGIN, V_MARGIN = 2.0, 1.25
# Random generators of the placement libraries take seeds below this.
_SEEDS = 1 << 31
_SEED = "choose another number"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the passes.

    ternarize: "refuse" weights that are not ternary, ternarise them after training ("twn"), or keep them at 8 bits,
    rounded ("int8").
    steps: time steps of a sample, over which the certificate bounds errors and overflow; 0 takes the network's own
    number, or DEFAULT_STEPS where it names none.
    allow_rounding: the largest share by which rounding to integers may move a positive threshold or reset amount, or
    biases a potential (of its threshold; rounding_limits.refuse_roundings).
    ranges: what accumulators are wide enough for: every input for any number of steps ("proven"), every input for the
    steps of a sample where the target has the bits ("steps"), or what calibration samples brought about, times a
    margin ("calibrated", which takes such samples).
    effort: how much is tried where no proof decides.
    """

    ternarize: Ternarize = "refuse"
    steps: int = 0
    allow_rounding: float = 0.05
    ranges: Ranges = "steps"
    effort: Effort = NORMAL

    def __post_init__(self) -> None:
        """Raise InputError for a value that an option cannot have."""
        arguments.choice(self.ternarize, "ternarize", get_args(Ternarize))
        arguments.choice(self.ranges, "ranges", RANGES)
        steps = arguments.whole(self.steps, "steps", 0, "give the steps of a sample, 0 for those of the network")
        share = arguments.number(
            self.allow_rounding, "allow_rounding", "a share from 0 on", lambda value: value >= 0,
            "give a share of the value, 0.05 for 5 %",
        )  # fmt: skip
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "allow_rounding", share)
        object.__setattr__(self, "effort", effort_of(self.effort))


@dataclass(frozen=True)
class MapOptions:
    """What the user wants of a mapping (what the chip can do stands in the profile).

    max_neurons_per_core: fewer than the core could hold, None for all. placement: name of the algorithm. share_cores:
    parts of several populations may lie on one core. encodings: only these of the profile's, None for all. seed: of
    algorithms that draw random numbers. pins: (population, chip) pairs; these populations share no core with others
    that are pinned elsewhere. spare_cores: cores left free on each chip. objective: what the mapping minimises (see
    mapper/search/objectives.py). rate: spikes per neuron and step assumed where none were measured.
    """

    max_neurons_per_core: int | None = None
    placement: str = "auto"
    share_cores: bool = True
    encodings: tuple[str, ...] | None = None
    seed: int = 0
    pins: tuple[tuple[str, int], ...] = ()
    spare_cores: int = 0
    objective: Objective = "cores"
    rate: float = ASSUMED_RATE

    def __post_init__(self) -> None:
        """Raise InputError for a value that an option cannot have; check_map_options looks at pins."""
        rule, hint = "spikes per neuron and step above 0", f"give a rate, as {ASSUMED_RATE}"
        plain: dict[str, object] = {
            "placement": arguments.text(self.placement, "placement", "name an algorithm, or auto"),
            "share_cores": arguments.flag(self.share_cores, "share_cores"),
            "seed": arguments.whole(self.seed, "seed", 0, _SEED, most=_SEEDS - 1),
            "pins": _pins(self.pins),
            "spare_cores": arguments.whole(self.spare_cores, "spare_cores", 0, "leave 0 or more free on each chip"),
            "objective": arguments.choice(self.objective, "objective", OBJECTIVES),
            "rate": arguments.number(self.rate, "rate", rule, lambda value: value > 0, hint),
        }
        if self.max_neurons_per_core is not None:
            most = arguments.whole(self.max_neurons_per_core, "max_neurons_per_core", 1, "allow 1 or more, or None")
            plain["max_neurons_per_core"] = most
        if self.encodings is not None:
            plain["encodings"] = _texts(self.encodings)
        for name, value in plain.items():
            object.__setattr__(self, name, value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (tuple, list)) or not all(isinstance(item, str) for item in value):
        raise arguments.refused("encodings", "names of encodings", value, "write ('dense', 'sparse')")
    return tuple(value)


def _pins(value: object) -> tuple[tuple[str, int], ...]:
    hint = "write (('POPULATION', CHIP), ...)"
    if not isinstance(value, (tuple, list)):
        raise arguments.refused("pins", "pairs of population and chip", value, hint)
    found = []
    for pair in value:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise arguments.refused("pins", "pairs of population and chip", pair, hint)
        found.append((arguments.text(pair[0], "pins", hint), arguments.whole(pair[1], "pins", 0, hint)))
    return tuple(found)


def check_map_options(options: MapOptions, graph: Graph) -> None:
    """Raise InputError for the first pin that no mapping of `graph` can follow."""
    known = sorted(p.name for p in graph.of_kind(Population))
    chips: dict[str, int] = {}
    for name, chip in options.pins:
        if name not in known or chip < 0:
            raise InputError(
                "pin",
                f"requires a population of this network and a chip counted from 0; found {name!r} to chip {chip}; "
                f"choose from {', '.join(known)}",
            )
        if chips.setdefault(name, chip) != chip:
            raise InputError(
                "pin",
                f"requires one chip for each population; found {name!r} pinned to chip {chips[name]} and to chip "
                f"{chip}; leave one out",
            )
