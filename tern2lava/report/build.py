"""Reports from compiled networks."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir import Array, Population, Projection, size
from tern2lava.report.model import CertificateRow, CoreRow, LayerMemory, Memory, MemoryTotal, PopulationRow, Report


def make_report(compiled: Compiled, version: str) -> Report:
    """The report of a compilation, not verified yet."""
    mapped, program = compiled.mapped, compiled.lowered.program
    cores = [
        CoreRow(
            id=core.id, chip=core.chip, row=core.row, col=core.col, populations=list(core.populations),
            neurons=core.neurons, synapse_bits=core.synapse_bits, in_axons=core.in_axons, out_axons=core.out_axons,
        )
        for core in mapped.core_use()
    ]  # fmt: skip
    populations = [
        PopulationRow(
            name=p.name, shape=list(p.shape), neurons=size(p.shape), lag=p.start,
            cores=sum(p.name in core.populations for core in cores),
        )
        for p in program.of_kind(Population)
    ]  # fmt: skip
    return Report(
        version=version,
        source=program.source,
        target=compiled.profile.name,
        steps=program.steps,
        populations=populations,
        cores=cores,
        chips=len({core.chip for core in cores}),
        cores_lower_bound=mapped.cores_lower_bound,
        memory=_memory(compiled),
        certificate=[CertificateRow.model_validate(c.to_dict()) for c in compiled.lowered.certificates],
        verification=None,
        notes=list(compiled.lowered.program.notes),
        assumptions=compiled.profile.assumptions(),
    )


def _memory(compiled: Compiled) -> Memory:
    stored: dict[str, int] = {}
    for part in compiled.mapped.partition.parts:
        for block in part.blocks:
            stored[block.projection] = stored.get(block.projection, 0) + int(block.synapse_bits)
    layers = [
        _layer(projection, stored.get(projection.name, 0))
        for projection in compiled.lowered.program.of_kind(Projection)
    ]
    weights, fp32, int8, ternary, entropy, total = (
        sum(getattr(layer, key) for layer in layers)
        for key in ("weights", "fp32_bits", "int8_bits", "ternary_bits", "entropy_bits", "stored_bits")
    )
    return Memory(
        layers=layers,
        total=MemoryTotal(
            weights=weights, fp32_bits=fp32, int8_bits=int8, ternary_bits=ternary, entropy_bits=entropy,
            stored_bits=total, ratio_fp32=fp32 / max(total, 1), ratio_int8=int8 / max(total, 1),
        ),
    )  # fmt: skip


def _layer(projection: Projection, stored: int) -> LayerMemory:
    weights = projection.source_weights or int(projection.weight.size)
    return LayerMemory(
        projection=projection.name,
        weights=weights,
        zeros=float(np.mean(projection.weight == 0)),
        code_bits=projection.bits,
        fp32_bits=32 * weights,
        int8_bits=8 * weights,
        ternary_bits=projection.bits * weights,
        entropy_bits=entropy(projection.weight) * weights,
        stored_bits=stored,
        bits_per_weight=stored / weights,
        ratio_fp32=32 * weights / max(stored, 1),
        ratio_int8=8 * weights / max(stored, 1),
    )


def entropy(codes: Array) -> float:
    """Shannon entropy of the codes' own frequencies, bits per code (for ternary codes at most log2 3 = 1.585)."""
    _, counts = np.unique(codes, return_counts=True)
    shares = counts / codes.size
    return float(-(shares * np.log2(shares)).sum()) + 0.0
