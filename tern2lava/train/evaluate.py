"""A trained model, or its integer program, on test samples: what the metrics need, gathered in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Array, Ints, Spikes
from tern2lava.sim.data.readout import running_scores
from tern2lava.sim.data.trace import Trace
from tern2lava.train.data import Dataset
from tern2lava.train.encode import encode
from tern2lava.train.metrics import prediction_metrics, synaptic_operations
from tern2lava.train.trainer import TrainingOptions, input_of
from tern2lava.train.unroll import unroll

BATCH = 250
BAND = 0.02


@dataclass(eq=False, kw_only=True)
class Evaluation:
    """What a model did on labelled samples.

    scores: cumulative class scores (samples, steps, classes), of output spikes or potentials. spikes: how often every
    neuron spiked in all, (neurons,), by layer; the input's are under its name (graded inputs: non-zero values). near:
    by layer the share of neuron-timesteps whose potential met the threshold within `BAND` of it (only for a float
    model).
    """

    scores: Array
    labels: Ints
    spikes: dict[str, Array]
    near: dict[str, float] = field(default_factory=dict)

    def metrics(self, gain: float, graph: Graph | None = None) -> dict[str, float]:
        """Prediction metrics, spikes per sample, and with a NORMAL, TERNARY or INTEGER `graph` of the same neurons
        (in the same order) synaptic operations per sample."""
        samples = len(self.labels)
        result = prediction_metrics(self.scores, self.labels, gain)
        names = list(self.spikes)
        result["spikes_per_sample"] = float(sum(self.spikes[name].sum() for name in names[1:]) / samples)
        if self.near:
            result["near_threshold"] = float(np.mean(list(self.near.values())))
        if graph is not None:
            by_node = dict(zip(layer_names(graph), self.spikes.values(), strict=True))
            result["synops_per_sample"] = sum(synaptic_operations(graph, by_node).values()) / samples
        return result


def layer_names(graph: Graph) -> list[str]:
    """Names of the input and of all neurons or populations of a feed-forward graph, in definition order."""
    return [node.name for node in graph.nodes if type(node).__name__ in ("Input", "Neuron", "Population")]


def evaluate(model: nn.Sequential, dataset: Dataset, options: TrainingOptions, *, folded: bool = False) -> Evaluation:
    """The Evaluation of a float model on the test samples of `dataset` (folded: see trainer.spikes_in)."""
    model.eval()
    device = next(model.parameters()).device
    scores, totals, near = [], dict[str, Array](), dict[str, list[float]]()

    def add(name: str, spikes: Spikes) -> None:
        totals[name] = totals.get(name, 0) + spikes.reshape(-1, int(np.prod(spikes.shape[2:]))).sum(0, dtype=np.int64)

    with torch.no_grad():
        for begin in range(0, len(dataset.test_y), BATCH):
            samples = dataset.test_x[begin : begin + BATCH]
            x, steps = input_of(samples, dataset, options, options.seed + begin, folded=folded)
            activity = unroll(model, x.to(device), steps)
            add("input", (x != 0).expand(steps or -1, *x.shape[0 if steps else 1 :]).numpy())
            for name, spikes in activity.spikes.items():
                add(name, spikes.cpu().numpy())
            for name in activity.firing:
                close = (activity.met[name] / activity.threshold[name]).abs() <= BAND
                near.setdefault(name, []).append(float(close.float().mean()) * len(samples))
            scores.append(activity.reading.double().cumsum(0).cpu().numpy().swapaxes(0, 1))
    shares = {name: sum(parts) / len(dataset.test_y) for name, parts in near.items()}
    return Evaluation(scores=np.concatenate(scores), labels=dataset.test_y, spikes=totals, near=shares)


def accuracy(model: nn.Sequential, dataset: Dataset, options: TrainingOptions) -> float:
    """Fraction of the test samples whose largest class score (the first, of equals) is their label's."""
    evaluation = evaluate(model, dataset, options)
    return float((evaluation.scores[:, -1].argmax(1) == evaluation.labels).mean())


Runner = Callable[[Graph, dict[str, Spikes]], Trace]


def evaluate_program(program: Graph, run: Runner, dataset: Dataset, options: TrainingOptions) -> Evaluation:
    """The Evaluation of an INTEGER graph on the test samples; `run` gives its trace.

    The trace has states where the graph's Output reads potentials.

    For example run=lambda graph, inputs: sim.reference.integer.run(graph, inputs).
    """
    (node,) = program.of_kind(Input)
    scores, totals = [], dict[str, Array]()
    for begin in range(0, len(dataset.test_y), BATCH):
        x = encode(
            dataset.test_x[begin : begin + BATCH], options.steps, method=options.encoding, top=dataset.top,
            seed=options.seed + begin,
        )  # fmt: skip
        trace = run(program, {node.name: x})
        spikes = {node.name: (x != 0).reshape(*x.shape[:2], -1), **trace.spikes}
        for name, values in spikes.items():
            totals[name] = totals.get(name, 0) + values.sum(axis=(0, 1), dtype=np.int64)
        scores.append(running_scores(program, trace))
    ordered = {name: totals[name] for name in layer_names(program)}
    return Evaluation(scores=np.concatenate(scores), labels=dataset.test_y, spikes=ordered)
