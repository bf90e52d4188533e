"""What the user wants of a compilation, apart from what the hardware can do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError

Objective = Literal["cores", "traffic", "latency", "balance"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

# Spikes per neuron and step where nothing was measured. Published ternary and binary networks fire between 0.03 and
# 0.2 spikes a neuron and step; the rate scales every cost alike and so decides nothing about where cores lie, except
# against inputs, which count with the same rate.
ASSUMED_RATE = 0.1
DEFAULT_STEPS = 1024
# Random generators of the placement libraries take seeds below this.
_SEEDS = 1 << 31


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the passes.

    ternarize: "refuse" weights that are not ternary, ternarise them after training ("twn"), or keep them at 8 bits,
    rounded ("int8").
    steps: time steps of a sample, over which the certificate bounds errors and overflow; 0 takes the network's own
    number, or DEFAULT_STEPS where it names none.
    allow_rounding: the largest share by which rounding to integers may move a positive threshold or reset amount, or
    biases a potential (of its threshold; rounding_limits.refuse_roundings).
    effort: how much is tried where no proof decides.
    """

    ternarize: Literal["refuse", "twn", "int8"] = "refuse"
    steps: int = 0
    allow_rounding: float = 0.05
    effort: Effort = NORMAL

    def __post_init__(self) -> None:
        """Raise InputError for a share that is none."""
        if not 0 <= self.allow_rounding < math.inf:
            raise InputError("allow_rounding", f"found {self.allow_rounding}; a share of the value, 0.05 for 5 %")


@dataclass(frozen=True)
class MapOptions:
    """What the user wants of a mapping (what the chip can do stands in the profile).

    max_neurons_per_core: fewer than the core could hold, None for all. placement: name of the algorithm. share_cores:
    parts of several populations may lie on one core. encodings: only these of the profile's, None for all. seed: of
    algorithms that draw random numbers. pins: (population, chip) pairs; these populations share no core with others
    that are pinned elsewhere. spare_cores: cores left free on each chip. objective: what the mapping minimises (see
    plan.py). rate: spikes per neuron and step assumed where none were measured.
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


def check_map_options(options: MapOptions, graph: Graph) -> None:
    """Raise InputError for the first option that no mapping of `graph` can follow."""
    if options.max_neurons_per_core is not None and options.max_neurons_per_core < 1:
        raise InputError("max_neurons_per_core", f"found {options.max_neurons_per_core}; allow 1 or more")
    if options.spare_cores < 0:
        raise InputError("spare_cores", f"found {options.spare_cores}; leave 0 or more cores of each chip free")
    if not 0 <= options.seed < _SEEDS:
        raise InputError("seed", f"found {options.seed}; choose one from 0 to {_SEEDS - 1}")
    if options.objective not in OBJECTIVES:
        raise InputError("objective", f"found {options.objective!r}; choose {', '.join(OBJECTIVES)}")
    if not (math.isfinite(options.rate) and options.rate > 0):
        raise InputError("rate", f"found {options.rate}; spikes per neuron and step are above 0")
    known = sorted(p.name for p in graph.of_kind(Population))
    chips: dict[str, int] = {}
    for name, chip in options.pins:
        if name not in known or chip < 0:
            raise InputError("pin", f"{name!r} to chip {chip}: populations are {', '.join(known)}; chips count from 0")
        if chips.setdefault(name, chip) != chip:
            raise InputError("pin", f"{name!r} is pinned to chip {chips[name]} and to chip {chip}; name one")
