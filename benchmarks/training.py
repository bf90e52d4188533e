"""Trains full-precision, post-training ternary and trained ternary spiking networks and judges each: accuracy, NLL,
calibration, operations, energy, bytes, the compiled integers on the whole test set, a proof in Lava.

    uv run python benchmarks/training.py                        # everything that is not in the results file yet
    uv run python benchmarks/training.py --only fashion-conv    # one data set and network
    uv run python benchmarks/training.py --quick --check        # digits only, one seed, under a minute; writes nothing
    uv run python benchmarks/training.py --hold-out             # on held-out training samples: how settings were chosen

Fashion-MNIST comes from Debian's package dataset-fashion-mnist, or from the folder --data-dir names. Every finished
network is stored at once in benchmarks/results/training.json (-o): a run that was stopped goes on where it was.
--check ends with exit code 1 and names every bar that falls short or was not measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tern2lava import api
from tern2lava.compiler.ir import Graph, Population
from tern2lava.errors import InputError
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.band import measure_band
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.readout import needs_states
from tern2lava.sim.spikes import SpikeData
from tern2lava.train import checkpoint
from tern2lava.train.checkpoint import write_aside
from tern2lava.train.data import Dataset, hold_out, limit, load_dataset
from tern2lava.train.distill import Distillation
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import Evaluation, evaluate, evaluate_program
from tern2lava.train.experiment import merged
from tern2lava.train.metrics import ece, nll, softmax
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.regularizer import UncertaintyRegularizer
from tern2lava.train.ternarize import finalize, ternarize
from tern2lava.train.trainer import Objective, TrainingOptions, cross_entropy, fit, together

RESULTS = Path(__file__).resolve().parent / "results" / "training.json"
TARGET = "generic-ternary"
ENERGY_PROFILE, ENERGY_TABLE = "loihi1", "davies2018_table2"
READOUT = "membrane_sum"
SEEDS = (0, 1, 2)
NEURON = NeuronModel(beta=0.875)
BAND_SAMPLES = 200
LAVA_SAMPLES = 5
CALIBRATION = 2000
DISTILLATION = {"temperature": 2.0, "weight": 1.0, "match": "rate", "match_weight": 1.0}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A data set and a network. train: the first so many training samples."""

    dataset: str
    layers: str
    train: int | None
    options: TrainingOptions
    regularizer: dict[str, float]
    neuron: NeuronModel = NEURON


def options(**values: Any) -> TrainingOptions:
    """The settings that all cases share, and those given."""
    shared: dict[str, Any] = {"encoding": "rate", "batch": 64, "logit_gain": 5.0, "learning_rate": 4e-3}
    return TrainingOptions(**shared | values)


# Chosen on held-out training samples; doubt is near the teacher's share of errors there.
REGULARIZER = {"time": 2.0, "margin": 5.0, "confidence": 2.0, "width": 0.1, "doubt": 0.1}
DIGITS_REGULARIZER = {"time": 0.3, "margin": 2.0, "confidence": 1.0, "width": 0.1, "doubt": 0.02}
CASES = {
    "digits-mlp": Case(
        dataset="digits", layers="64-10", train=None, options=options(steps=8, epochs=40),
        regularizer=DIGITS_REGULARIZER,
    ),
    "digits-conv": Case(
        dataset="digits", layers="16c3-p2-32c3-10", train=None, options=options(steps=8, epochs=20),
        regularizer=DIGITS_REGULARIZER,
    ),
    "fashion-mlp": Case(
        dataset="fashion-mnist", layers="100-10", train=6000, options=options(steps=4, epochs=20),
        regularizer=REGULARIZER,
    ),
    "fashion-conv": Case(
        dataset="fashion-mnist", layers="8c3s2-16c3s2-10", train=6000, options=options(steps=4, epochs=8),
        regularizer=REGULARIZER,
    ),
}  # fmt: skip
METHODS = {
    "full": "full precision (the teacher)",
    "post": "TWN after training",
    "ternary": "(a) ternarisation-aware",
    "distil": "(b) with distillation",
    "distil+reg": "(b) + regulariser",
}
# The case on which the regulariser is taken apart.
ABLATED = "fashion-mlp"
ABLATION = {
    "distil+time": ("time",),
    "distil+margin": ("margin",),
    "distil+confidence": ("confidence",),
}


def weights_of(terms: tuple[str, ...], settings: dict[str, float]) -> dict[str, float]:
    """`settings` of the regulariser with the weights of all but the named terms at zero."""
    return settings | {name: 0.0 for name in ("time", "margin", "confidence") if name not in terms}


def build(case: Case, dataset: Dataset, seed: int) -> nn.Sequential:
    """The plain network with the seed's weights."""
    torch.manual_seed(seed)
    return network(case.layers, dataset.shape, neuron=case.neuron, batch_norm=True, readout=READOUT)


def train(case: Case, dataset: Dataset, method: str, seed: int, teacher: nn.Sequential | None) -> nn.Sequential:
    """The trained plain network (ternary ones finalised), the teacher left as it is."""
    model, chosen = build(case, dataset, seed), replace(case.options, seed=seed)
    if method == "full":
        fit(model, dataset, chosen)
        return model.eval().requires_grad_(False)
    assert teacher is not None
    model.load_state_dict(teacher.state_dict())
    if method == "post":
        ternarize(model, "twn", per="channel")
    else:
        ternarize(model, "learned", per="channel")
        objectives: list[Objective] = [cross_entropy]
        if method != "ternary":
            objectives.append(Distillation(teacher=teacher, gain=chosen.logit_gain, **DISTILLATION))  # type: ignore[arg-type]
        if method == "distil+reg":
            objectives.append(UncertaintyRegularizer(gain=chosen.logit_gain, **case.regularizer))
        elif method in ABLATION:
            values = weights_of(ABLATION[method], case.regularizer)
            objectives.append(UncertaintyRegularizer(gain=chosen.logit_gain, **values))
        fit(model, dataset, replace(chosen, ramp=0.25), together(*objectives))
    plain = build(case, dataset, seed)
    plain.load_state_dict(finalize(model))
    return plain.eval().requires_grad_(False)


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


def judge(
    case: Case, dataset: Dataset, spare: Dataset | None, model: nn.Sequential, method: str, seed: int, lava: int
) -> dict[str, Any]:
    """All that is measured of one trained network on the test samples of `dataset`."""
    chosen = replace(case.options, seed=seed)
    gain, steps = chosen.logit_gain, chosen.steps
    graph = load(model, input_shape=dataset.shape, steps=steps, readout=READOUT)
    evaluation = evaluate(model, dataset, chosen)
    found: dict[str, Any] = dict(evaluation.metrics(gain, merged(graph)))
    found["energy"] = energy(evaluation, found["synops_per_sample"], steps)
    weights = [layer.weight for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    found["weights"] = sum(weight.numel() for weight in weights)
    found["fp32_bytes"] = 4 * found["weights"]
    found["zeros"] = sum(int((weight == 0).sum()) for weight in weights) / found["weights"]
    if spare is not None:
        found["temperature"] = temperature(evaluate(model, spare, chosen), gain, steps)
        p = softmax(gain * evaluation.scores[:, -1] / steps / found["temperature"])
        found["nll_scaled"], found["ece_scaled"] = nll(p, evaluation.labels), ece(p, evaluation.labels)
    if method == "full":
        return found | {"stored_bytes": found["fp32_bytes"]}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        compiled = api.compile(graph, TARGET, out=bundle)
        memory = api.report(bundle).memory.total
        found["stored_bytes"], found["entropy_bytes"] = memory.stored_bits / 8, memory.entropy_bits / 8
        program, real = compiled.lowered.program, compiled.lowered.real
        integers = evaluate_program(program, engine(program), dataset, chosen)
        found["integer"] = integers.metrics(gain)
        few = dataset.test_x[:BAND_SAMPLES]
        spikes = encode(few, steps, method=chosen.encoding, top=dataset.top, seed=chosen.seed)
        name = next(iter(evaluation.spikes))
        bands = measure_band(real, program, {name: spikes})[:-1]  # the last is read by its potentials
        found["in_band"] = sum(band.near for band in bands) / sum(band.neuron_steps for band in bands)
        assert all(isinstance(program[band.population], Population) for band in bands)
        if lava:
            data = SpikeData(inputs={name: spikes[:lava]}, labels=dataset.test_y[:lava])
            proof = api.verify(bundle, data, samples=lava).verification
            assert proof is not None
            found["lava"] = {"samples": lava, "equal": proof.equal}
    return found


def quickened(case: Case) -> Case:
    """A case of a quick run."""
    return replace(case, options=replace(case.options, epochs=15))


def samples_of(case: Case, data_dir: Path | None, held_out: bool) -> tuple[Dataset, Dataset | None]:
    """(the case's data, the same with calibration samples for test samples where training leaves enough unused)."""
    whole = load_dataset(case.dataset, data_dir)
    if held_out:
        whole = hold_out(whole, 0.05 if case.train else 0.2)
    dataset = limit(whole, case.train, None)
    if case.train is None or len(whole.train_y) < case.train + CALIBRATION:
        return dataset, None
    unused = slice(case.train, case.train + CALIBRATION)
    return dataset, replace(dataset, test_x=whole.train_x[unused], test_y=whole.train_y[unused])


class Store:
    """The results file: one record per finished network, with the settings it was trained with."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.records: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            self.records = json.loads(path.read_text())["networks"]

    def get(self, key: str, settings: dict[str, Any]) -> dict[str, Any] | None:
        """The record, if there is one of these settings."""
        found = self.records.get(key)
        return found if found is not None and found["settings"] == settings else None

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Adds a record; the file is replaced at once."""
        self.records[key] = record
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = {"command": "uv run python benchmarks/training.py", "torch": torch.__version__}
            text = json.dumps(content | {"target": TARGET, "networks": self.records}, indent=1)
            write_aside(self.path, (text + "\n").encode())


def settings_of(case: Case, method: str, held_out: bool) -> dict[str, Any]:
    """What a record depends on, as it stands in the results file."""
    values: dict[str, Any] = {
        "dataset": case.dataset, "layers": case.layers, "train": case.train, "readout": READOUT, "held_out": held_out,
        "options": asdict(case.options), "neuron": asdict(case.neuron),
    }  # fmt: skip
    if method.startswith("distil"):
        values["distillation"] = DISTILLATION
    if method == "distil+reg":
        values["regularizer"] = case.regularizer
    elif method in ABLATION:
        values["regularizer"] = weights_of(ABLATION[method], case.regularizer)
    result: dict[str, Any] = json.loads(json.dumps(values))
    return result


def kept_teacher(
    case: Case, dataset: Dataset, name: str, seed: int, arguments: argparse.Namespace
) -> nn.Sequential:
    """The full-precision network, from the folder --teachers where it is kept there, else trained (and kept)."""
    folder: Path | None = arguments.teachers
    text = json.dumps(settings_of(case, "full", arguments.hold_out), sort_keys=True)
    path = folder / f"{name}-{seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.pt" if folder else None
    if path is not None and path.exists():
        model = build(case, dataset, seed)
        model.load_state_dict(checkpoint.load(path))
        return model.eval().requires_grad_(False)
    model = train(case, dataset, "full", seed, None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(path, model.state_dict())
    return model


def run(arguments: argparse.Namespace, store: Store) -> Iterator[str]:
    """Trains and judges what the store does not hold yet; yields a line for each network."""
    torch.set_num_threads(1)  # small networks gain nothing from more, and sums keep one order
    for name in arguments.only:
        case = quickened(CASES[name]) if arguments.quick else CASES[name]
        dataset, spare = samples_of(case, arguments.data_dir, arguments.hold_out)
        methods = arguments.methods or [*METHODS, *(ABLATION if name == ABLATED else ())]
        for seed in arguments.seeds:
            teacher: nn.Sequential | None = None
            for method in methods:
                key, settings = f"{name}/{method}/{seed}", settings_of(case, method, arguments.hold_out)
                if store.get(key, settings) is not None:
                    continue
                began = time.perf_counter()
                if teacher is None:
                    teacher = kept_teacher(case, dataset, name, seed, arguments)
                model = teacher if method == "full" else train(case, dataset, method, seed, teacher)
                seconds = time.perf_counter() - began
                lava = arguments.lava if method == "distil+reg" and seed == arguments.seeds[0] else 0
                record = judge(case, dataset, spare, model, method, seed, lava)
                store.put(key, {"settings": settings, "seconds": seconds, **record})
                yield f"{key}: accuracy {record['accuracy']:.4f}, NLL {record['nll']:.4f}, ECE {record['ece']:.4f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="results file (default: benchmarks/results/training.json)")
    parser.add_argument("--data-dir", type=Path, help="folder of Fashion-MNIST's idx files")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="these cases only")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--lava", type=int, default=LAVA_SAMPLES, help="samples to verify in Lava; 0: none")
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *ABLATION], help="these only (default: all)")
    parser.add_argument("--teachers", type=Path, help="folder that keeps teachers, for runs that were stopped")
    parser.add_argument("--hold-out", action="store_true", help="judge on held-out training samples")
    parser.add_argument("--table", action="store_true", help="train nothing; print what the results file holds")
    parser.add_argument("--quick", action="store_true", help="the digits MLP, one seed, few epochs; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is missed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.only, arguments.seeds = ["digits-mlp"], [0]
    path = arguments.out or (None if arguments.quick or arguments.hold_out else RESULTS)
    store = Store(path)
    try:
        if not arguments.table:
            for line in run(arguments, store):
                print(line, flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    from training_table import check, markdown

    text = markdown(store.records, METHODS, ABLATION)
    if path is not None:
        write_aside(path.with_suffix(".md"), text.encode())
    print(text)
    short = check(store.records, quick=arguments.quick)
    for line in short:
        print(line, file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
