"""Our NeuroBench numbers beside those of the package itself, on the same networks and spikes.

    uv pip install --target build/neurobench --no-deps neurobench==2.3.0
    PYTHONPATH=build/neurobench uv run --group dev python benchmarks/neurobench_numbers.py --package
    uv run --group dev python benchmarks/neurobench_numbers.py            # against its recorded figures
    uv run --group dev python benchmarks/neurobench_numbers.py --check    # exit code 1 where a bar is missed

--package runs neurobench 2.3.0 (batches of one sample) and records what it says in results/neurobench.json; -o writes
the page. The bar: every number equal, the shares that NeuroBench adds up batch by batch (ActivationSparsity,
ClassificationAccuracy) to 1e-12. Takes seconds; the package alone takes ten to import. What neurobench needs beside
torch and snnTorch (torchaudio, tonic) belongs to its data sets and is not needed here. tests/sim/neurobench/ holds ours
against the recorded figures in every run of the tests, and against the package where it is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from neurobench_nets import NETS, SAMPLES, STEPS, data, network

import tern2lava

RESULTS = Path(__file__).with_name("results")
VERSION = "2.3.0"
SHARE_BAR = 1e-12
# Shares of batches, added up in floats.
SHARES = ("ActivationSparsity", "ClassificationAccuracy")
KEYS = ("Footprint", "ConnectionSparsity", "ActivationSparsity", "SynapticOperations", "ClassificationAccuracy")


def ours(name: str) -> dict[str, Any]:
    """The result of tern2lava.bench, the network compiled for loihi2."""
    module, (values, labels) = network(name), data(name)
    compiled = tern2lava.compile(
        module, "loihi2", input_shape=NETS[name].shape, steps=STEPS, levels=NETS[name].levels, readout="spike_count"
    )
    return tern2lava.bench(compiled, (values, labels), module=module).result


def theirs(name: str) -> dict[str, Any]:
    """What neurobench says of the same module on the same spikes."""
    import torch
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, ClassificationAccuracy, SynapticOperations
    from neurobench.models import SNNTorchModel
    from neurobench.processors.postprocessors import ChooseMaxCount
    from torch.utils.data import DataLoader, TensorDataset

    values, labels = data(name)
    pairs = TensorDataset(torch.from_numpy(values.astype(np.float32)), torch.from_numpy(labels))
    static, workload = [Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations, ClassificationAccuracy]
    run = Benchmark(
        SNNTorchModel(network(name)), DataLoader(pairs, batch_size=1), [], [ChooseMaxCount()], [static, workload]
    )
    with torch.no_grad():
        found: dict[str, Any] = run.run(quiet=True)
    return {key: found[key] for key in KEYS}


def differences(name: str, mine: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """A line for each number that is not equal."""
    lines = []
    for key in KEYS:
        a, b = mine[key], other[key]
        if a != b and not (key in SHARES and abs(a - b) <= SHARE_BAR):
            lines.append(f"{name}: {key}: ours {a}, neurobench {b}")
    return lines


def rows(name: str, mine: dict[str, Any], other: dict[str, Any]) -> list[str]:
    operations = [(f"SynapticOperations {key}", mine["SynapticOperations"][key], other["SynapticOperations"][key])
                  for key in ("Effective_ACs", "Effective_MACs", "Dense")]  # fmt: skip
    plain = [(key, mine[key], other[key]) for key in KEYS if key != "SynapticOperations"]
    return [f"| {name} | {key} | {a:.10g} | {b:.10g} |" for key, a, b in plain + operations]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--package", action="store_true", help="run neurobench, do not read its recorded figures")
    parser.add_argument("--quick", action="store_true", help="the same: it takes seconds")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a number differs")
    parser.add_argument("-o", "--out", type=Path, help="also write the page to this Markdown file")
    args = parser.parse_args()
    file = RESULTS / "neurobench.json"
    if args.package:
        recorded = {name: theirs(name) for name in NETS}
        file.write_text(json.dumps({"neurobench": VERSION, "nets": recorded}, indent=1) + "\n", encoding="utf-8")
    else:
        recorded = json.loads(file.read_text(encoding="utf-8"))["nets"]
    missed: list[str] = []
    table = ["| network | metric | tern2lava | neurobench |", "|---|---|---:|---:|"]
    encoded = ["| network | float32 weights, bytes | codes of 2 bits | entropy-coded file | on loihi2's cores |",
               "|---|---:|---:|---:|---:|"]  # fmt: skip
    for name in NETS:
        mine = ours(name)
        missed += differences(name, mine, recorded[name])
        table += rows(name, mine, recorded[name])
        own = mine["tern2lava"]
        forms = ("footprint_fp32_bytes", "footprint_ternary_bytes", "footprint_encoded_bytes", "footprint_stored_bytes")
        encoded.append(f"| {name} | {' | '.join(f'{own[form]:,}' for form in forms)} |")
    lines = [
        "# NeuroBench", "", "Made by `PYTHONPATH=build/neurobench uv run --group dev python "
        "benchmarks/neurobench_numbers.py --package -o benchmarks/results/neurobench.md`.", "",
        f"Ours beside those of neurobench {VERSION}, of {len(NETS)} networks (benchmarks/neurobench_nets.py) on "
        f"{SAMPLES} samples of {STEPS} steps:", "",
        *(f"- {name}: {net.what}" for name, net in NETS.items()), "", *table, "", "## What NeuroBench cannot see", "",
        "Its Footprint counts each weight in the dtype that torch holds it in. The same weights:", "", *encoded, "",
        "Headers are included: they outweigh the codes of networks as small as these.", "", "## Bars", "",
        *(["All bars are met."] if not missed else [f"- missed: {line}" for line in missed]),
    ]  # fmt: skip
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[4:]))
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
