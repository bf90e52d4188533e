"""Trains the two demonstration networks on scikit-learn's 8x8 digits and writes checkpoint, net.yaml and test accuracy.

    uv run python benchmarks/train_demo.py                 # about two minutes; rewrites tern2lava/demo/
    uv run python benchmarks/train_demo.py -o elsewhere/    # into another folder
    uv run python benchmarks/train_demo.py --record        # only records the networks' own runs (NAME-run.npz) anew
    uv run python benchmarks/train_demo.py --quick --check # a quarter of the epochs, the lower bars of a short run

--check ends with exit code 1 and names the bar where a network falls short of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tern2lava
from tern2lava.sim.reading.pack import pack
from tern2lava.train.data import digits
from tern2lava.train.describe import describe
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import accuracy
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.ternarize import finalize, ternarize
from tern2lava.train.trainer import Trainer, TrainingOptions, fit

HERE = Path(__file__).resolve().parent.parent / "tern2lava" / "demo"
COMMAND = "uv run python benchmarks/train_demo.py"
SPLIT_SEED = 0
# Test samples of the networks' own runs.
RECORDED = 8


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One network of the demonstration; bar is the test accuracy it must reach, quick_bar that of a quick run."""

    name: str
    layers: str
    neuron: NeuronModel
    batch_norm: bool
    per: str
    options: TrainingOptions
    bar: float
    quick_bar: float


DEMOS = (
    # Runs on stock Lava LIF: reset to zero, one threshold per population, no bias.
    Demo(
        name="mlp",
        layers="128-10",
        neuron=NeuronModel(beta=0.9375, reset="zero", reset_delay=False),
        batch_norm=False,
        per="tensor",
        options=TrainingOptions(epochs=60, learning_rate=4e-3, ramp=0.25),
        bar=0.95,
        quick_bar=0.90,
    ),
    # Exercises folding: BatchNorm, pooling, groups, a threshold per channel, soft reset one step late.
    Demo(
        name="conv",
        layers="16c3-p2-32c3g2-10",
        neuron=NeuronModel(beta=0.875),
        batch_norm=True,
        per="channel",
        options=TrainingOptions(epochs=40, learning_rate=1e-2, ramp=0.25),
        bar=0.97,
        quick_bar=0.65,
    ),
)


def train(demo: Demo, quick: bool, out: Path) -> dict[str, object]:
    """The metrics of one trained network, whose checkpoint and net.yaml are written to `out`."""
    data = digits(seed=SPLIT_SEED)
    options = replace(demo.options, epochs=max(1, demo.options.epochs // 4)) if quick else demo.options
    torch.manual_seed(options.seed)
    model = network(demo.layers, data.shape, neuron=demo.neuron, batch_norm=demo.batch_norm)
    ternarize(model, "learned", per=demo.per)
    began = time.perf_counter()

    def show(trainer: Trainer) -> None:
        print(f"\r{demo.name} epoch {trainer.epoch}/{options.epochs} loss {trainer.history[-1]['task']:.4f} ", end="")

    fit(model, data, options, on_epoch=show)
    plain = network(demo.layers, data.shape, neuron=demo.neuron, batch_norm=demo.batch_norm)
    plain.load_state_dict(finalize(model))
    score = accuracy(plain, data, options)
    print(f"test accuracy {score:.4f} in {time.perf_counter() - began:.0f} s")
    torch.save(plain.state_dict(), out / f"{demo.name}.pt")
    (out / f"{demo.name}.yaml").write_text(describe(plain, data.shape, options.steps))
    return {
        "test_accuracy": score,
        "test_samples": len(data.test_y),
        "train_samples": len(data.train_y),
        "layers": demo.layers,
        "neuron": asdict(demo.neuron),
        "batch_norm": demo.batch_norm,
        "method": "learned",
        "per": demo.per,
        "split_seed": SPLIT_SEED,
        "options": asdict(options),
    }


def record(demo: Demo, out: Path) -> None:
    """Write the trained network's own run of snnTorch, in float32 on RECORDED test samples, to `out`."""
    data = digits(seed=SPLIT_SEED)
    options = demo.options
    plain = network(demo.layers, data.shape, neuron=demo.neuron, batch_norm=demo.batch_norm)
    plain.load_state_dict(torch.load(out / f"{demo.name}.pt", weights_only=True))
    spikes = encode(
        data.test_x[:RECORDED], options.steps, method=options.encoding, top=data.top, seed=options.seed
    )  # fmt: skip
    found = tern2lava.record(plain, spikes, scores=lambda returned: torch.stack(returned).sum(0))
    kept = {name: values for name, values in found.items() if not name.startswith("v")}
    np.savez_compressed(out / f"{demo.name}-run.npz", **dict[str, Any](pack(kept)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="folder to write to (default: tern2lava/demo; quick: nowhere)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the epochs; writes only where -o says")
    parser.add_argument("--record", action="store_true", help="train nothing, record the networks' own runs anew")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a network misses its bar")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # small networks gain nothing from more, and sums keep one order
    if arguments.out is None and arguments.quick:
        import tempfile

        arguments.out = Path(tempfile.mkdtemp())
    out: Path = arguments.out or HERE
    out.mkdir(parents=True, exist_ok=True)
    if arguments.record:
        for demo in DEMOS:
            record(demo, out)
        return 0
    metrics: dict[str, object] = {"command": COMMAND, "torch": torch.__version__}
    short = []
    for demo in DEMOS:
        result = train(demo, arguments.quick, out)
        metrics[demo.name] = result
        record(demo, out)
        bar = demo.quick_bar if arguments.quick else demo.bar
        if float(str(result["test_accuracy"])) < bar:
            short.append(f"{demo.name}: test accuracy {result['test_accuracy']} is below {bar}")
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    for line in short:
        print(line, file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
