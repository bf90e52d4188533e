"""Reports from compiled networks."""

from __future__ import annotations

from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.prove.arithmetic.graphs import network_of
from tern2lava.prove.arithmetic.run import Claim, prove_arithmetic
from tern2lava.report.energy.build import expected_energy
from tern2lava.report.integers import calibration_block, integers_rows
from tern2lava.report.mapping import mapping_block
from tern2lava.report.memory import axon_bits, image_sections, memory_account, state_bits
from tern2lava.report.model import SCHEMA, BoundRow, CertificateRow, CoreRow, PopulationRow, Report
from tern2lava.report.rounding import rounding_rows


def make_report(compiled: Compiled, version: str) -> Report:
    """The report of a compilation, not verified yet."""
    mapped, program = compiled.mapped, compiled.lowered.program
    cores = [
        CoreRow(
            id=core.id, chip=core.chip, row=core.row, col=core.col, populations=list(core.populations),
            neurons=core.neurons, synapse_bits=core.synapse_bits, in_axons=core.in_axons, out_axons=core.out_axons,
            axon_bits=axon_bits(found, core.synapse_bits[0]), parameter_bits=8 * found.neurons,
            state_bits=state_bits(compiled, core.neurons[0]), image_bits=8 * len(image),
        )
        for core, found, image in zip(mapped.core_use(), image_sections(compiled), mapped.images, strict=True)
    ]  # fmt: skip
    populations = [
        PopulationRow(
            name=p.name, shape=list(p.shape), neurons=size(p.shape), lag=p.start,
            cores=sum(p.name in core.populations for core in cores), relay=p.levels is not None,
        )
        for p in program.of_kind(Population)
    ]  # fmt: skip
    return Report(
        schema_version=SCHEMA,
        version=version,
        source=program.source,
        described=compiled.described,
        target=compiled.profile.name,
        steps=program.steps,
        slowdown=program.slowdown,
        effort=compiled.options.effort.name,
        populations=populations,
        cores=cores,
        chips=len({core.chip for core in cores}),
        cores_lower_bound=mapped.cores_lower_bound,
        bounds=[BoundRow(name=name, cores=least) for name, least in mapped.partition.bounds.items()],
        over_bound=len(cores) / mapped.cores_lower_bound - 1,
        mapping=mapping_block(mapped),
        memory=memory_account(compiled),
        energy=expected_energy(mapped),
        certificate=certificate_rows(compiled),
        ranges=compiled.options.ranges,
        integers=integers_rows(compiled),
        calibration=calibration_block(compiled),
        roundings=rounding_rows(compiled.lowered.roundings),
        exact_quantities=compiled.lowered.exact_quantities,
        verification=None,
        twins=[],
        notes=list(compiled.lowered.program.notes),
        assumptions=compiled.profile.assumptions(),
        bundle=None,
    )


def certificate_rows(compiled: Compiled) -> list[CertificateRow]:
    """The certificates; of those EXACT, whether the second opinion (prove/arithmetic/) proves it too."""
    lowered = compiled.lowered
    claims = [Claim(population=c.population, verdict=c.verdict.value, steps=c.steps) for c in lowered.certificates]
    real, program = (network_of(*graph_document(graph)) for graph in (lowered.real, lowered.program))
    second = {one.population: one.proven for one in prove_arithmetic(real, program, claims).exact}
    return [
        CertificateRow.model_validate(c.to_dict() | {"induction": second.get(c.population)})
        for c in lowered.certificates
    ]
