"""NeuroBench's numbers of a compiled network, and what a sample takes in energy and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tern2lava import arguments
from tern2lava.api.data import SpikesLike, given_spikes
from tern2lava.api.opened import BundleLike, keep, opened, steps_of
from tern2lava.arguments import public
from tern2lava.bundle import profile_of
from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.compiler.progress import Progress, silent
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.report.energy.build import energy_block
from tern2lava.report.energy.price import Latency
from tern2lava.report.model import EnergyBlock, Report
from tern2lava.sim.data.readout import needs_states, predictions, scores
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.engines import ENGINES
from tern2lava.sim.events.count import Counter
from tern2lava.sim.events.wiring import wiring_of
from tern2lava.sim.executable import Executable
from tern2lava.sim.neurobench.measure import Measured, Meter
from tern2lava.sim.verify.shard import shard_size

NO_MODULE = (
    "Footprint: NeuroBench adds up the parameters and buffers of a torch module, which a bundle has not: "
    "tern2lava.bench(bundle, data, module=net) counts those of yours"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench(Shown):
    """NeuroBench's numbers: `result` by its own keys, and under `tern2lava` what it cannot see; measured: the same with
    the operations of each layer; energy: the estimate of energy, latency and throughput from the events of this run
    (docs/energy.md)."""

    result: dict[str, Any]
    measured: Measured
    energy: EnergyBlock

    def _shown(self) -> str:
        return f"{count(self.measured.samples, 'sample')}: {', '.join(self.result)}"


@public
def bench(
    bundle: BundleLike,
    data: SpikesLike,
    *,
    module: object = None,
    energy: str | None = None,
    any_steps: bool = False,
    pad: bool = False,
    effort: Effort | str = NORMAL,
    progress: Progress | None = None,
) -> Bench:
    """The numbers that NeuroBench reports of a network, of a compiled one run on spikes (docs/neurobench.md).

    bundle: what `compile` returned, or the bundle's folder. data, any_steps, pad, effort, progress: as for `simulate`.
    module: the torch module that was compiled, whose parameters and buffers are its Footprint; a bundle alone has none.
    energy: the table of the profile that the estimate keeps; None: all of them, each by itself. The estimate, of events
    counted on these spikes, takes the place of that in the report, where the bundle can be written.
    `result` has NeuroBench's keys (Footprint, ConnectionSparsity, ActivationSparsity, SynapticOperations, and
    ClassificationAccuracy where the data have labels), and under tern2lava the bytes of its weights in every form, the
    operations of each layer, the estimate, and what has no number. Raises InputError, and UnsupportedError where the
    program has other populations than the network that was imported.
    """
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    wanted = effort_of(effort)
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    held = None if module is None else footprint(module)
    found = opened(bundle)
    executable = found.executable
    spikes = given_spikes(data, executable.program).spike_data(
        executable.program, steps_of(found), any_steps=any_steps, pad=pad, effort=wanted
    )
    profile = profile_of(found)
    if energy is not None:
        arguments.choice(energy, "energy", tuple(profile.energy))
    counter = Counter(executable.program, wiring_of(executable.images, executable.host_image, profile))
    latency = Latency(profile, counter.wiring.chips)
    meter = Meter(executable.imported)
    right = 0
    for begin, inputs, trace in _pieces(executable, spikes, wanted, progress or silent):
        meter.add(inputs, trace.spikes)
        for work in counter.add(inputs, trace.spikes):
            latency.add(work)
        if spikes.labels is not None:
            chosen = predictions(scores(executable.program, trace))
            right += int(np.count_nonzero(chosen == spikes.labels[begin : begin + chosen.size]))
    measured = meter.result()
    result: dict[str, Any] = {
        "Footprint": held,
        "ConnectionSparsity": measured.connection_sparsity,
        "ActivationSparsity": measured.activation_sparsity,
        "SynapticOperations": {
            "Effective_MACs": measured.effective_macs,
            "Effective_ACs": measured.effective_acs,
            "Dense": float(measured.dense),
        },
    }
    if spikes.labels is not None:
        result["ClassificationAccuracy"] = right / spikes.samples
    inputs_of = {node.name for node in executable.program.of_kind(Input)}
    estimate = energy_block(counter.result(), profile, latency, inputs_of)
    keep(bundle, found, found.report.model_copy(update={"energy": estimate}))
    shown = estimate
    if energy is not None:
        shown = estimate.model_copy(update={"estimates": [e for e in estimate.estimates if e.table == energy]})
    result["tern2lava"] = _beyond(found.report, measured) | {
        "not_counted": [NO_MODULE] if held is None else [], "energy": shown.model_dump(),
    }  # fmt: skip
    return Bench(result=result, measured=measured, energy=shown)


def _pieces(
    executable: Executable, spikes: SpikeData, effort: Effort, progress: Progress
) -> Iterator[tuple[int, dict[str, Spikes], Any]]:
    """(first sample, inputs, trace) of each piece of a run by the fast engine."""
    program: Graph = executable.program
    piece = shard_size(program, spikes.steps, effort)
    starts = range(0, spikes.samples, piece)
    parts = (spikes.values(begin, begin + piece) for begin in starts)
    run = ENGINES.get("fast").run(executable, parts, needs_states(program), progress, effort)
    for begin, trace in zip(starts, run.traces, strict=True):
        yield begin, spikes.values(begin, begin + piece), trace
        progress("bench", min(begin + piece, spikes.samples), spikes.samples)


def footprint(module: object) -> int:
    """Bytes of a torch module's parameters and buffers, as NeuroBench's metrics/static/footprint.py counts them: each
    tensor that the module names, its elements times the bytes of one."""
    parameters, buffers = getattr(module, "parameters", None), getattr(module, "buffers", None)
    if not callable(parameters) or not callable(buffers):
        raise arguments.refused("module", "a torch module", module, "give the one that was compiled, or None")
    tensors: list[Any] = [*parameters(), *buffers()]
    return sum(int(tensor.numel()) * int(tensor.element_size()) for tensor in tensors)


def _beyond(report: Report, measured: Measured) -> dict[str, Any]:
    """What NeuroBench has no number for: bytes of the weights in every form, and the operations of each layer."""
    total = report.memory.total
    return {
        "samples": measured.samples,
        "steps": measured.steps,
        "footprint_fp32_bytes": total.fp32_bits // 8,
        "footprint_int8_bytes": total.int8_bits // 8,
        "footprint_ternary_bytes": -(-total.ternary_bits // 8),
        "footprint_encoded_bytes": -(-total.transport_bits // 8),
        "footprint_stored_bytes": -(-total.stored_bits // 8),
        "footprint_images_bytes": -(-total.image_bits // 8),
        "layers": [
            {
                "layer": row.layer, "Effective_MACs": row.macs / measured.samples,
                "Effective_ACs": row.acs / measured.samples, "Dense": row.dense,
            }
            for row in measured.operations
        ],
    }  # fmt: skip
