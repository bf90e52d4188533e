"""The verification block of a report, from a proof."""

from __future__ import annotations

from tern2lava.report.model import BandRow, ExecutionRow, FallbackRow, ProcessRow, Report, Verification
from tern2lava.sim.verify import Proof

WHAT = {
    "I": "integer reference",
    "E": "fast engine",
    "M": "packed core images, recomputed in numpy",
    "L2": "core images in our Lava process, many samples a step",
    "L3": "Lava's process models in sequence, without its runtime",
    "L1": "Lava's runtime, a process for each layer",
}


def add_verification(report: Report, proof: Proof) -> Report:
    """`report` with the result of `proof`."""
    comparison = proof.comparison
    bands = [
        BandRow(
            population=band.population,
            neuron_steps=band.neuron_steps,
            near=band.near,
            closest=band.closest,
            closest_eps=band.closest_eps,
            spikes=proof.spikes[band.population],
            float_differences=proof.float_differences[band.population],
        )
        for band in proof.bands
    ]
    # The data may run for more steps than the network was compiled for.
    safe = all(row.safe_steps is None or row.safe_steps >= proof.steps for row in report.certificate)
    verification = Verification(
        chain=list(comparison.chain),
        equal=comparison.equal,
        executions=[
            ExecutionRow(name=e.name, what=WHAT[e.name], samples=e.samples, values=e.values, seconds=e.seconds)
            for e in proof.executions
        ],
        compared_values=comparison.compared_values,
        samples=proof.samples,
        steps=proof.steps,
        first_difference=None if comparison.difference is None else str(comparison),
        processes=[ProcessRow(node=node, process=process, reason=why) for node, process, why in proof.processes],
        accuracy_integer=proof.accuracy_integer,
        accuracy_float=proof.accuracy_float,
        band=bands,
        engine_samples=proof.engine_samples,
        accuracy_engine=proof.accuracy_engine,
        engine_fallbacks=[FallbackRow(population=name, reason=why) for name, why in proof.engine_fallbacks],
        spike_exact=safe and all(band.near == 0 for band in proof.bands),
    )
    return report.model_copy(update={"verification": verification})
