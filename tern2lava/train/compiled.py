"""A trained network compiled for a target: what its integers and core images do on test samples, and what they take."""

from __future__ import annotations

from typing import Any

from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs.stream import write_stream
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Projection
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.data.readout import needs_states
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.verify.threshold_margin import measure_band
from tern2lava.train.chip.answers import taken
from tern2lava.train.config import IntegerKeys
from tern2lava.train.data import Dataset, limit
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import evaluate_program
from tern2lava.train.trainer import TrainingOptions


def compiled_metrics(
    graph: Graph, dataset: Dataset, options: TrainingOptions, keys: IntegerKeys, effort: Effort = NORMAL
) -> dict[str, Any]:
    """`integer` and `compiled` of a metrics.json for an IMPORTED graph.

    integer: metrics of the integer program on keys.samples test samples (all where None), the share of neuron-timesteps
    within its certificate's band, its verdicts. compiled: metrics of the core images on the first keys.mapped of them,
    and bits of memory; or `refused`, the reason why the target does not take the network.
    """
    profile = load_profile(keys.target)
    result: dict[str, Any] = {}
    compiled: Compiled | None = None
    try:
        compiled = build(graph, profile, Options(effort=effort))
        lowered = compiled.lowered
    except (CapacityError, UnsupportedError) as error:
        # The training is done: what can be measured without a mapping still is.
        result["compiled"] = {"target": keys.target, "refused": str(error)}
        lowered = lower(graph, Arithmetic(**profile.arithmetic_values()), Options(effort=effort))
    data = limit(dataset, None, keys.samples)
    result["integer"] = integer_metrics(lowered, data, options, effort) | {"target": keys.target}
    if compiled is not None:
        few = limit(data, None, keys.mapped)
        result["compiled"] = image_metrics(compiled, few, options) | {"target": keys.target}
    return result


def integer_metrics(
    lowered: Lowered, data: Dataset, options: TrainingOptions, effort: Effort = NORMAL
) -> dict[str, Any]:
    """What the integer program does on the test samples of `data`."""
    ready, states = prepare(lowered.program, effort=effort), needs_states(lowered.program)
    evaluation = evaluate_program(
        lowered.program, lambda _, inputs: run_engine(ready, inputs, states=states).trace, data, options
    )
    values: dict[str, Any] = dict(evaluation.metrics(options.logit_gain, lowered.program))
    few = data.test_x[: effort.band_samples]
    spikes = encode(few, options.steps, method=options.encoding, top=data.top, seed=options.seed)
    bands = measure_band(lowered.real, lowered.program, {next(iter(evaluation.spikes)): spikes})
    values["in_band"] = sum(band.near for band in bands) / max(1, sum(band.neuron_steps for band in bands))
    values["certificates"] = {c.population: c.verdict.value for c in lowered.certificates}
    values["samples"] = len(data.test_y)
    return values


def image_metrics(compiled: Compiled, data: Dataset, options: TrainingOptions) -> dict[str, Any]:
    """What the core images do on the test samples of `data`, executed core by core, and the memory they take, in bits:
    synapses (copies, headers and padding counted), whole images, and the weights entropy-coded as files."""
    program, made = compiled.lowered.program, compiled.mapped
    states = needs_states(program)
    evaluation = evaluate_program(
        program, lambda _, inputs: mapped.run(made.images, made.host_image, inputs, states=states), data, options
    )
    values: dict[str, Any] = dict(evaluation.metrics(options.logit_gain, program))
    values["samples"] = len(data.test_y)
    values |= taken(compiled)
    values["stored_bits"] = int(made.partition.used["synapse_bits"].sum())
    values["image_bits"] = 8 * (sum(map(len, made.images)) + len(made.host_image))
    values["coded_bits"] = 8 * sum(coded_bytes(node) for node in program.of_kind(Projection))
    return values


def coded_bytes(projection: Projection) -> int:
    """Bytes of a projection's weights as an entropy-coded file, header and checksum counted (8-bit codes as they
    are)."""
    groups = 1 if projection.geometry is None else projection.geometry.groups
    rows = code_rows(projection.weight, groups)
    return len(write_stream(rows, "rans_storage" if projection.bits == 2 else "raw8"))
