"""The arguments that say how a network is mapped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tern2lava.errors import InputError

if TYPE_CHECKING:
    from tern2lava.compiler.options import MapOptions, Objective

MaxNeurons = Annotated[
    int,
    typer.Option("--max-neurons-per-core", "--max-neurons", min=0, help="Most neurons on a core; 0: as many as fit."),
]
Pins = Annotated[
    list[str] | None,
    typer.Option("--pin", metavar="POPULATION=CHIP", help="Put a population on this chip; may be given again."),
]
SpareCores = Annotated[int, typer.Option("--spare-cores", min=0, help="Cores to leave free on each chip.")]
PlacementName = Annotated[
    str,
    typer.Option(
        "--placement",
        help="Where cores lie: `auto`, `linear`, `hilbert`, `spectral`, `quadratic`, `search`, `mtkahypar`, `exact` "
        "(up to 12 cores), `random`.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the placement; the same gives the same mapping.")]
ObjectiveName = Annotated[
    str,
    typer.Option(
        "--objective",
        help="What the mapping minimises: `cores`, `traffic` (spike-hops), `latency` (a step's length) or `balance` "
        "(the busiest core), see docs/mapping.md.",
    ),
]
TrafficData = Annotated[
    Path | None,
    typer.Option("--data", "--traffic", help="npz file of spikes, as for `simulate`: traffic is measured on them."),
]
Rate = Annotated[
    float, typer.Option("--rate", help="Spikes per neuron and step where no data are given: the traffic assumed.")
]
WhatIf = Annotated[
    str,
    typer.Option(
        "--what-if", metavar="TARGET,TARGET,...", help="Write nothing; map onto each target and print one comparison."
    ),
]


def map_options(
    max_neurons: int, pins: list[str] | None, spare_cores: int, placement: str, seed: int, objective: str, rate: float
) -> MapOptions:
    """The options of a mapping. Raises InputError for a pin that is not POPULATION=CHIP."""
    from tern2lava.compiler.options import MapOptions

    return MapOptions(
        max_neurons_per_core=max_neurons or None, placement=placement, seed=seed,
        pins=tuple(_pin(text) for text in pins or ()), spare_cores=spare_cores,
        objective=cast("Objective", objective), rate=rate,
    )  # fmt: skip


def _pin(text: str) -> tuple[str, int]:
    name, _, chip = text.rpartition("=")
    if not name or not chip.isascii() or not chip.isdigit() or len(chip) > 9:
        raise InputError("--pin", f"requires POPULATION=CHIP; found {text!r}; write for example conv1=0")
    return name, int(chip)
