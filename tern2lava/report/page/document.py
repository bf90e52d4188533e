"""What the page shows, as plain data: the report, the core map, the routes, the network and a run, small enough to be
one JSON text in the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tern2lava.compiler.certify.ties import Ties
from tern2lava.hw_profiles import Profile
from tern2lava.report.model import LayerMemory, MemoryTotal, PopulationRow, Report
from tern2lava.report.page.core_map import cores_block, find_wires, routes_block
from tern2lava.report.page.explained import explanations
from tern2lava.report.page.network import network_block
from tern2lava.report.page.sample import Sample, sample_block
from tern2lava.report.rounding import other_notes
from tern2lava.sim.executable import Executable

MOST_ROWS = 300
"""Rows of a table that may be long; report.json has them all."""

_CORES = ("neurons", "synapse_bits", "in_axons", "out_axons", "image_bits", "id", "chip", "row", "col", "populations")
_MEMORY = (
    "fp32_bits", "int8_bits", "ternary_bits", "entropy_bits", "transport_bits", "stored_bits", "held_weights",
    "ratio_int8", "weights", "zeros",
    "copies", "sharing", "encodings", "bits_per_weight", "cores",
)  # fmt: skip
_MAPPING = (
    "spike_hops", "spikes_off_chip", "link", "link_at", "router", "longest_route", "busiest_core", "mean_core", "step",
    "unit", "times", "rate", "measured", "objective", "placement",
)  # fmt: skip
_POPULATION = ("shape", "neurons", "cores", "lag", "relay")
_CERTIFICATE = ("verdict", "eps_relative", "no_overflow", "first_overflow", "reason", "ties")
_ROUNDING = ("quantity", "inexact", "worst", "median", "real", "became")
_ENERGY = (
    "table", "energy_least", "energy_most", "static_least", "static_most", "latency_least", "latency_most",
    "throughput_least", "throughput_most",
)  # fmt: skip
_RATES = ("rate_float", "rate_integer", "float_spikes", "integer_spikes", "missing", "extra", "share")
EXPLAINED = (
    "cores_lower_bound", "over_bound", "bounds[].cores", "chips", "target", "assumptions", "notes", "exact_quantities",
    "verification", "verification.met", "verification.verdicts[].sentence", "verification.verdicts[].required",
    "verification.compared_values", "verification.arithmetic.share", "verification.accuracy_integer",
    "verification.accuracy_float", "twins[].cores", "twins[].stored_bits", "twins[].name",
    *(f"cores[].{key}" for key in _CORES),
    *(f"memory.layers[].{key}" for key in _MEMORY),
    *(f"memory.total.{key}" for key in (
        "fp32_bits", "int8_bits", "ternary_bits", "entropy_bits", "stored_bits", "held_weights",
        "ratio_int8", "ratio_fp32", "axon_bits", "parameter_bits",
        "state_bits", "image_bits",
    )),
    *(f"mapping.{key}" for key in _MAPPING),
    *(f"populations[].{key}" for key in _POPULATION),
    *(f"certificate[].{key}" for key in _CERTIFICATE),
    *(f"roundings[].{key}" for key in _ROUNDING),
    *(f"verification.arithmetic.populations[].{key}" for key in _RATES),
    *(f"energy.{key}" for key in ("measured", "timesteps", "note", "not_modelled")),
    *(f"energy.estimates[].{key}" for key in _ENERGY),
    *(f"energy.estimates[].terms[].{key}" for key in ("least", "most", "price", "kind", "source")),
)  # fmt: skip
"""The keys of report.json whose meaning the page can show."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """What a page is of: a report, what it was compiled to and for, measured rates by population and a sample's run, if
    any."""

    report: Report
    executable: Executable
    profile: Profile
    rates: Mapping[str, float] | None = None
    sample: Sample | None = None


def page_document(subject: Subject) -> dict[str, Any]:
    """The data of the page's script, in types of JSON; page.py says how they get there."""
    report, executable = subject.report, subject.executable
    wires = find_wires(report, subject.profile, executable.images, executable.host_image, subject.rates)
    return {
        "network": report.source or "graph",
        "target": report.target,
        "steps": report.steps,
        "cores": cores_block(report, subject.profile, wires),
        "routes": routes_block(report, wires),
        "mapping": {key: getattr(report.mapping, key) for key in _MAPPING},
        "bounds": [[bound.name, bound.cores] for bound in report.bounds],
        "populations": populations_block(report),
        "layers": [_layer(layer) for layer in report.memory.layers],
        "total": _total(report.memory.total),
        "twins": [twin.model_dump(mode="json") for twin in report.twins],
        "graph": network_block(report, executable.program),
        "energy": None if report.energy is None else report.energy.model_dump(mode="json", exclude={"events"}),
        "sample": None if subject.sample is None else sample_block(subject.sample),
        "rates": _rates(report),
        "roundings": [row.model_dump(mode="json") for row in report.roundings[:MOST_ROWS]],
        "roundings_left": max(0, len(report.roundings) - MOST_ROWS),
        "exact_quantities": report.exact_quantities,
        "notes": other_notes(report)[:MOST_ROWS],
        "notes_left": max(0, len(other_notes(report)) - MOST_ROWS),
        "assumptions": report.assumptions,
        "explain": explanations(EXPLAINED),
    }


def populations_block(report: Report) -> list[dict[str, Any]]:
    """The populations, with what is proven of each."""
    proven = {row.population: row for row in report.certificate}
    rows = []
    for row in report.populations:
        found = _plain(row)
        if (item := proven.get(row.name)) is not None:
            found |= {
                "verdict": item.verdict, "eps": item.eps, "eps_relative": item.eps_relative, "reason": item.reason,
                "ties": Ties(**item.ties.model_dump()).text, "no_overflow": item.no_overflow,
                "first_overflow": item.first_overflow, "steps": item.steps,
            }  # fmt: skip
        rows.append(found)
    return rows


def _plain(row: PopulationRow) -> dict[str, Any]:
    return {
        "name": row.name, "shape": row.shape, "neurons": row.neurons, "cores": row.cores, "lag": row.lag,
        "relay": row.relay,
    }  # fmt: skip


def _layer(layer: LayerMemory) -> dict[str, Any]:
    return {"name": layer.projection, **{key: getattr(layer, key) for key in _MEMORY}}


def _total(total: MemoryTotal) -> dict[str, Any]:
    return total.model_dump(mode="json")


def _rates(report: Report) -> list[dict[str, Any]]:
    """Firing rates and differences, of the data that were verified; empty without."""
    if report.verification is None or not report.verification.arithmetic.data_samples:
        return []
    rows = report.verification.arithmetic.populations
    return [{"name": row.population, **{key: getattr(row, key) for key in _RATES}} for row in rows]
