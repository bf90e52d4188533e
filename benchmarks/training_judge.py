"""What benchmarks/training.py measures of one trained network, and of the seeds of one method together."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from training_cases import READOUT, Case

from tern2lava import api
from tern2lava.compiler.ir.graph import Arithmetic, Graph
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.data.readout import needs_states
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.verify.threshold_margin import measure_band
from tern2lava.train.data import Dataset
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import Evaluation, evaluate, evaluate_program
from tern2lava.train.experiment import merged
from tern2lava.train.metrics import accuracy, disagreement, ece, entropy, nll, softmax

TARGET = "generic-ternary"
ENERGY_PROFILE, ENERGY_TABLE = "loihi1", "davies2018_table2"
# Whose integers are coarse enough for the band to hold potentials.
BAND_TARGET = "loihi2"
BAND_SAMPLES = 1000
BAND_BATCH = 250
SCALE_BYTES = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Judgement:
    """All that was measured, and the probabilities of the test samples (samples, classes)."""

    record: dict[str, Any]
    probabilities: Array


def energy(evaluation: Evaluation, synops: float, steps: int) -> float:
    """Estimated energy per sample (J) from ENERGY_TABLE's events, without hops between cores:

    synaptic operations * synapse_op + spikes * (neuron_update_active + spike_within_tile)
    + (neurons * steps - spikes) * neuron_update_inactive.
    """
    table = {key: leaf.value for key, leaf in load_profile(ENERGY_PROFILE).energy[ENERGY_TABLE].items()}
    layers = list(evaluation.spikes.values())[1:]
    spikes = sum(float(layer.sum()) for layer in layers) / len(evaluation.labels)
    quiet = sum(len(layer) for layer in layers) * steps - spikes
    per_spike = table["neuron_update_active"] + table["spike_within_tile"]
    return float(synops * table["synapse_op"] + spikes * per_spike + quiet * table["neuron_update_inactive"])


def temperature(evaluation: Evaluation, gain: float, steps: int) -> float:
    """The temperature, 0.5 to 4 in 2 % steps, of least NLL on calibration samples (Guo et al., arXiv 1706.04599)."""
    grid = 0.5 * 1.02 ** np.arange(106)
    logits = gain * evaluation.scores[:, -1] / steps
    return float(min(grid, key=lambda t: nll(softmax(logits / t), evaluation.labels)))


def engine(program: Graph) -> Callable[[Graph, dict[str, Any]], Any]:
    """Runs of `program` by the fast engine on one thread."""
    ready, states = prepare(program), needs_states(program)
    return lambda _, inputs: run_engine(ready, inputs, states=states, threads=1).trace


def in_band(graph: Graph, name: str, spikes: Array) -> dict[str, Any]:
    """The share of neuron-timesteps inside the error bound of BAND_TARGET's integers, in all and by layer, the last
    layer (read by its potentials) left out."""
    lowered = lower(graph, Arithmetic(**load_profile(BAND_TARGET).arithmetic_values()))
    near, steps = Counter[str](), Counter[str]()
    for begin in range(0, len(spikes), BAND_BATCH):
        part = {name: spikes[begin : begin + BAND_BATCH]}
        for band in measure_band(lowered.real, lowered.program, part)[:-1]:
            near[band.population] += band.near
            steps[band.population] += band.neuron_steps
    layers = {layer: near[layer] / steps[layer] for layer in steps}
    return {"in_band": near.total() / steps.total(), "in_band_layers": layers}


def judge(
    case: Case, dataset: Dataset, spare: Dataset | None, model: nn.Sequential, method: str, seed: int, lava: int
) -> Judgement:
    """A trained network on the test samples of `dataset`; `lava` of them also run in Lava."""
    chosen = replace(case.options, seed=seed)
    gain, steps = chosen.logit_gain, chosen.steps
    graph = load(model, input_shape=dataset.shape, steps=steps, readout=READOUT)
    evaluation = evaluate(model, dataset, chosen)
    logits = gain * evaluation.scores[:, -1] / steps
    found: dict[str, Any] = dict(evaluation.metrics(gain, merged(graph)))
    found["energy"] = energy(evaluation, found["synops_per_sample"], steps)
    weights = [layer.weight for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    found["weights"] = sum(weight.numel() for weight in weights)
    found["fp32_bytes"] = 4 * found["weights"]
    found["zeros"] = sum(int((weight == 0).sum()) for weight in weights) / found["weights"]
    if spare is not None:
        found["temperature"] = temperature(evaluate(model, spare, chosen), gain, steps)
        p = softmax(logits / found["temperature"])
        found["nll_scaled"], found["ece_scaled"] = nll(p, evaluation.labels), ece(p, evaluation.labels)
    if method != "full":
        found["scale_bytes"] = SCALE_BYTES * sum(len(weight) for weight in weights)
        found |= compiled(case, dataset, graph, next(iter(evaluation.spikes)), seed, lava)
    return Judgement(record=found, probabilities=softmax(logits))


def compiled(case: Case, dataset: Dataset, graph: Graph, name: str, seed: int, lava: int) -> dict[str, Any]:
    """What is measured of the network compiled for TARGET: bytes in its core images and as entropy-coded files, its
    integers on all test samples, the band, the proof in Lava."""
    chosen = replace(case.options, seed=seed)
    few = dataset.test_x[:BAND_SAMPLES]
    spikes = encode(few, chosen.steps, method=chosen.encoding, top=dataset.top, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        program = api.compile(graph, TARGET, out=bundle).lowered.program
        memory = api.report(bundle).memory
        found: dict[str, Any] = {
            "stored_bytes": memory.total.stored_bits / 8,
            "coded_bytes": memory.total.transport_bits / 8,
            "entropy_bytes": memory.total.entropy_bits / 8,
            "layers": {
                layer.projection: {
                    "weights": layer.weights, "zeros": layer.zeros, "stored_bytes": layer.stored_bits / 8,
                    "coded_bytes": layer.transport_bits / 8, "entropy_bytes": layer.entropy_bits / 8,
                    "copies": layer.copies, "encodings": layer.encodings,
                }
                for layer in memory.layers
            },
            "integer": evaluate_program(program, engine(program), dataset, chosen).metrics(chosen.logit_gain),
            **in_band(graph, name, spikes),
        }  # fmt: skip
        if lava:
            data = SpikeData(inputs={name: spikes[:lava]}, labels=dataset.test_y[:lava])
            proof = api.verify(bundle, data, samples=lava).verification
            assert proof is not None
            found["lava"] = {"samples": lava, "equal": proof.equal}
    return found


def over_seeds(members: list[Array], labels: Array) -> dict[str, Any]:
    """Uncertainty over seeds, from the probabilities (samples, classes) of each: the mutual information between
    prediction and seed, and how the mean of their probabilities does."""
    stacked = np.stack(members)
    mean = stacked.mean(axis=0)
    return {
        "disagreement_over_seeds": disagreement(stacked), "accuracy_together": accuracy(mean, labels),
        "nll_together": nll(mean, labels), "entropy_together": float(entropy(mean).mean()),
    }  # fmt: skip
