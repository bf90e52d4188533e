"""What benchmarks/zoo.py measures and keeps of a trained network: its own run, samples, metrics, and targets."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import tern2lava
from tern2lava import api
from tern2lava.effort import NORMAL
from tern2lava.sim.reading.pack import pack
from tern2lava.train.compiled import integer_metrics
from tern2lava.train.data import limit
from tern2lava.train.encode import encode
from tern2lava.train.evaluate import evaluate
from tern2lava.train.experiment import weight_storage
from tern2lava.train.graphs import imported, merged
from tern2lava.train.run import Run
from tern2lava.zoo.compiled import compiled_row
from tern2lava.zoo.nets import TARGETS, ZooNet

COMMAND = "uv run --group dev python benchmarks/zoo.py"
# Test samples of the networks' own runs, and of the batch in Lava.
RECORDED = 8
LAVA = 8
SHIPPED = 100


def plain(net: ZooNet, run: Run, folder: Path) -> nn.Sequential:
    """The trained network, of the weights that ship."""
    files, model = net.files_in(folder), run.build()
    if net.weights == "pt":
        state = torch.load(files.weights, weights_only=True)
    else:
        with np.load(files.weights) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model.load_state_dict(state)
    return model.eval()


def measure(net: ZooNet, run: Run, folder: Path) -> dict[str, Any]:
    """Metrics on the whole test set, storage, and what they were made with."""
    model, options = plain(net, run, folder), run.experiment.options()
    graph = merged(imported(model, run))
    return {
        "command": f"{COMMAND} {net.name}",
        "made_with": {name: version(name) for name in ("torch", "snntorch")},
        "model": evaluate(model, run.dataset, options, folded=True).metrics(options.logit_gain, graph),
        "storage": weight_storage(model, model.state_dict()),
    }


def ship(net: ZooNet, run: Run, folder: Path) -> dict[str, Any] | None:
    """The first SHIPPED test samples, written beside the network where its data may ship; how it does on them."""
    if not net.ships:
        return None
    few, options = limit(run.dataset, None, SHIPPED), run.experiment.options()
    x, y = few.test_x, few.test_y.astype(np.uint8)
    np.savez_compressed(folder / f"{net.name}-samples.npz", x=x, y=y, top=np.int64(few.top))
    metrics = evaluate(plain(net, run, folder), few, options, folded=True).metrics(options.logit_gain)
    return {"count": len(y), "accuracy": metrics["accuracy"]}


def record(net: ZooNet, run: Run, folder: Path) -> None:
    """Writes the network's own run of snnTorch, in float32, on RECORDED test samples, where its data may ship or come
    with a package."""
    if not net.records:
        return
    data, options = run.dataset, run.experiment.options()
    spikes = encode(
        data.test_x[:RECORDED], options.steps, method=options.encoding, top=data.top, seed=options.seed
    )  # fmt: skip
    keys = run.experiment.network
    count = keys.readout == "spike_count"
    found = tern2lava.record(
        plain(net, run, folder), spikes, scores=(lambda returned: torch.stack(returned).sum(0)) if count else None
    )
    kept = {name: values for name, values in found.items() if not name.startswith("v")}
    np.savez_compressed(folder / f"{net.name}-run.npz", **dict[str, Any](pack(kept)))


def compiled_rows(net: ZooNet, run: Run) -> list[dict[str, Any]]:
    """What becomes of the network on each target; on the first, a batch in Lava too."""
    options, rows = run.experiment.options(), []
    for target in TARGETS:
        row = compiled_row(net, target)
        rows.append(row)
        if "refused" in row:
            continue
        with net.files() as files:
            network = api.compile(files.weights, target, net=files.net)
        metrics = integer_metrics(network.lowered, run.dataset, options, NORMAL)
        row |= {"integer_accuracy": metrics["accuracy"], "synops_per_sample": metrics["synops_per_sample"]}
        if target == TARGETS[0]:
            few = run.dataset.test_x[:LAVA]
            spikes = encode(few, options.steps, method=options.encoding, top=run.dataset.top, seed=options.seed)
            proof = api.verify(network, {"spikes": spikes, "labels": run.dataset.test_y[:LAVA]}).verification
            assert proof is not None
            row["lava"] = {
                "samples": LAVA,
                "equal": proof.equal,
                "executions": [each.name for each in proof.executions],
            }
    return rows
