"""What benchmarks/training.py measures of one trained network, in the folder that `tern2lava train` left."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from tern2lava import api
from tern2lava.compiler.ir.graph import Arithmetic
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.data.readout import needs_states
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.train import checkpoint
from tern2lava.train.config import Experiment
from tern2lava.train.data import Dataset
from tern2lava.train.data.corrupt import CORRUPTIONS, corrupted
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import evaluate, evaluate_program
from tern2lava.train.graphs import imported, merged
from tern2lava.train.metrics import accuracy, ece, nll, softmax
from tern2lava.train.run import Run
from tern2lava.train.uncertainty.calibration import fit_temperature
from tern2lava.train.uncertainty.detection import auroc

TARGET = "loihi2"
SHIFTED_SEEDS = 5
"""The number of seeds whose networks are also judged on other samples than the data set's own."""
SHIFTED = 2000
"""Test samples that are corrupted, and as many of the other data set that a network must tell from its own."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sets:
    """held: trained on all but the held-out samples, which stand in for the test samples; test: the real ones; other:
    samples of another data set, None where it is not at hand."""

    held: Dataset
    test: Dataset
    other: Array | None


def judge(folder: Path, experiment: Experiment, sets: Sets, lava: int) -> dict[str, Any]:
    """The record of the network in `folder`; lava: test samples that are also run in Lava."""
    run = Run(experiment=experiment, dataset=sets.held, out=folder)
    plain = run.build()
    plain.load_state_dict(checkpoint.load(folder / "net.pt"))
    plain.eval()
    held, test = (logits_on(plain, data, experiment) for data in (sets.held, sets.test))
    temperature = fit_temperature(held, sets.held.test_y)
    record: dict[str, Any] = {
        "held": scores(held, sets.held.test_y) | {"nll_scaled": halves(held, sets.held.test_y)},
        "test": scores(test, sets.test.test_y) | scaled(test, sets.test.test_y, temperature),
        "temperature": temperature,
    }  # fmt: skip
    few = replace(sets.test, test_x=sets.test.test_x[:SHIFTED], test_y=sets.test.test_y[:SHIFTED])
    many = experiment.seed >= SHIFTED_SEEDS
    if not many and len(few.test_x.shape) == 4 and few.test_x.shape[-1] > 8:
        record["shifted"] = {
            f"{kind} {strength}": scores(logits_on(plain, corrupted(few, kind, strength), experiment), few.test_y)
            for kind in CORRUPTIONS for strength in range(1, 6)
        }  # fmt: skip
    if not many and sets.other is not None:
        others = replace(few, test_x=sets.other[:SHIFTED], test_y=np.zeros(len(sets.other[:SHIFTED]), np.int64))
        strange = softmax(logits_on(plain, others, experiment)).max(axis=1)
        record["auroc"] = auroc(softmax(test[:SHIFTED]).max(axis=1), strange)
    weights = [layer.weight for layer in plain if isinstance(layer, nn.Conv2d | nn.Linear)]
    record["weights"] = sum(weight.numel() for weight in weights)
    record["zeros"] = sum(int((weight == 0).sum()) for weight in weights) / record["weights"]
    if experiment.algorithm != "full":
        record |= integers(plain, run, sets.test, lava)
    return record


def logits_on(model: nn.Sequential, data: Dataset, experiment: Experiment) -> Array:
    """Logits (samples, classes) on the test samples of `data`."""
    options = experiment.options()
    found = evaluate(model, data, options, folded=True)
    result: Array = options.logit_gain * found.scores[:, -1] / options.steps
    return result


def scores(logits: Array, labels: Array) -> dict[str, float]:
    """Accuracy, NLL and ECE of raw logits."""
    p = softmax(logits)
    return {"accuracy": accuracy(p, labels), "nll": nll(p, labels), "ece": ece(p, labels)}


def scaled(logits: Array, labels: Array, temperature: float) -> dict[str, float]:
    """NLL and ECE after temperature scaling."""
    p = softmax(logits / temperature)
    return {"nll_scaled": nll(p, labels), "ece_scaled": ece(p, labels)}


def halves(logits: Array, labels: Array) -> float:
    """NLL after temperature scaling where there are no other samples: each half with the temperature of the other."""
    even = np.arange(len(labels)) % 2 == 0
    parts = [
        nll(softmax(logits[part] / fit_temperature(logits[~part], labels[~part])), labels[part])
        for part in (even, ~even)
    ]
    return float(np.average(parts, weights=[even.sum(), (~even).sum()]))


def integers(plain: nn.Sequential, run: Run, data: Dataset, lava: int) -> dict[str, Any]:
    """The network compiled for TARGET: its integers on all test samples, memory, cores, the proof in Lava."""
    options, graph = run.experiment.options(), imported(plain, run)
    lowered = lower(graph, Arithmetic(**load_profile(TARGET).arithmetic_values()))
    ready, states = prepare(lowered.program), needs_states(lowered.program)
    found = evaluate_program(
        lowered.program, lambda _, inputs: run_engine(ready, inputs, states=states, threads=1).trace, data, options
    )
    metrics = found.metrics(options.logit_gain, merged(graph))
    result: dict[str, Any] = {
        "integer": {key: metrics[key] for key in ("accuracy", "nll", "spikes_per_sample", "synops_per_sample")}
    }
    if lava:
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle"
            api.compile(graph, TARGET, out=bundle)
            name = next(iter(found.spikes))
            spikes = encode(data.test_x[:lava], options.steps, method=options.encoding, top=data.top, seed=options.seed)
            proof = api.verify(bundle, SpikeData(inputs={name: spikes}, labels=data.test_y[:lava]), samples=lava)
            report: Mapping[str, Any] = proof.model_dump(mode="json")
            assert proof.verification is not None
            result["lava"] = {"samples": lava, "equal": proof.verification.equal}
            result["cores"] = report["cores"]["used"] if "used" in report.get("cores", {}) else None
    return result
