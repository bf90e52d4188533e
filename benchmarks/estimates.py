"""Estimates of memory held against what the steps take: compile, simulate and verify, each in a process of its own.

The measured number is the peak of resident memory (VmHWM) beyond what the process held when the step began, libraries
and kernels loaded. Bar: each estimate above MEANS is at least half and at most twice it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

LOW, HIGH = 0.5, 2.0
"""Least and largest estimate over measurement."""
MEANS = 30e6
"""Bytes below which an estimate is of no concern: what libraries take on the way is more."""
NEURON = "neuron: {kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: false, fire: gt}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One step on one network. wide: layers of dense neurons, or one side of an image where `image`."""

    step: str
    wide: tuple[int, ...]
    image: bool = False
    steps: int = 8
    samples: int = 1
    full: bool = False

    @property
    def name(self) -> str:
        shape = f"{self.wide[0]:,} x {self.wide[0]:,} pixels" if self.image else " x ".join(f"{n:,}" for n in self.wide)
        run = "" if self.step == "compile" else f", {self.samples:,} samples of {self.steps:,} steps"
        return f"{shape}{run}"


CASES = (
    Case(step="compile", wide=(1500, 1500)),
    Case(step="compile", wide=(2500, 2500), full=True),
    Case(step="compile", wide=(1500, 1500, 1500, 1500), full=True),
    Case(step="compile", wide=(4096,), image=True, full=True),
    Case(step="simulate", wide=(512,), image=True, samples=4),
    Case(step="simulate", wide=(1024,), image=True, samples=2, full=True),
    Case(step="simulate with states", wide=(512,), image=True, samples=4, full=True),
    Case(step="simulate with states", wide=(20, 12, 5), steps=100_000, samples=4, full=True),
    Case(step="verify", wide=(512,), image=True),
    Case(step="verify", wide=(1024,), image=True, full=True),
    Case(step="verify", wide=(20, 12, 5), steps=100_000, full=True),
)


def write(case: Case, folder: Path) -> None:
    """net.npz, net.yaml and spikes.npz of a case."""
    rng = np.random.default_rng(0)
    layers, arrays = [], {}
    if case.image:
        arrays["w0"] = rng.integers(-1, 2, (1, 1, 3, 3)) * np.float32(0.25)
        layers = ["conv2d: {weight: w0, padding: 1}", NEURON]
        shape: tuple[int, ...] = (1, case.wide[0], case.wide[0])
    else:
        shape = case.wide[:1]
        for k, (wide, out) in enumerate(zip(case.wide, case.wide[1:], strict=False)):
            arrays[f"w{k}"] = rng.integers(-1, 2, (out, wide)).astype(np.float32) * np.float32(0.25)
            layers += [f"dense: {{weight: w{k}}}", NEURON]
    np.savez(folder / "net.npz", **arrays)
    text = "".join(f"- {layer}\n" for layer in layers)
    head = f"input: {{shape: {list(shape)}}}\nsteps: {case.steps}\nreadout: spike_count\nlayers:\n"
    (folder / "net.yaml").write_text(head + text, encoding="utf-8")
    if case.step != "compile":
        np.savez(folder / "spikes.npz", spikes=np.zeros((case.samples, case.steps, *shape), np.uint8))


def peak(folder: Path) -> dict[str, float]:
    """Estimate and measured bytes of the last step in this process."""
    import tern2lava
    from tern2lava import memory_need

    case = Case(**json.loads((folder / "case.json").read_text(encoding="utf-8")))
    needs: list[int] = []
    required = memory_need.require_memory

    def noted(where: object, what: str, need: int, hint: str) -> None:
        needs.append(need)
        required(where, what, need, hint)

    graph = tern2lava.load(folder / "net.npz", folder / "net.yaml")
    _warm_up(folder)
    network: Any = tern2lava.compile(graph, "hala-point") if case.step != "compile" else None
    from tern2lava.api import simulating
    from tern2lava.compiler.passes import pipeline
    from tern2lava.sim.verify import verify

    for module in (pipeline, simulating, verify):
        module.require_memory = noted  # type: ignore[attr-defined]
    steps: dict[str, Callable[[], Any]] = {
        "compile": lambda: tern2lava.compile(graph, "hala-point"),
        "simulate": lambda: tern2lava.simulate(network, folder / "spikes.npz"),
        "simulate with states": lambda: tern2lava.simulate(network, folder / "spikes.npz", states=True),
        "verify": lambda: tern2lava.verify(network, folder / "spikes.npz", backend="reference"),
    }
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    steps[case.step]()
    return {"estimate": max(needs), "measured": _status("VmHWM") - before}


def _warm_up(folder: Path) -> None:
    """Load every library and kernel once."""
    import tern2lava

    np.savez(folder / "warm.npz", w=np.eye(4, dtype=np.float32))
    (folder / "warm.yaml").write_text(
        f"input: {{shape: [4]}}\nsteps: 4\nreadout: spike_count\nlayers:\n- dense: {{weight: w}}\n- {NEURON}\n",
        encoding="utf-8",
    )
    warm = tern2lava.compile(folder / "warm.npz", "hala-point", net=folder / "warm.yaml")
    tern2lava.verify(warm, np.zeros((2, 4, 4), np.uint8), backend="reference")
    tern2lava.simulate(warm, np.zeros((2, 4, 4), np.uint8))


def _status(key: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(f"{key}:"))


def measured(case: Case) -> dict[str, float]:
    """`peak` of a case, in a process of its own."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(case, folder)
        (folder / "case.json").write_text(json.dumps(vars(case)), encoding="utf-8")
        command = [sys.executable, __file__, "--child", str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, help="write the table to this file too")
    parser.add_argument("--quick", action="store_true", help="one case of each step")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(peak(options.child)))
        return 0
    command = f"uv run python benchmarks/estimates.py{' --quick' if options.quick else ''}"
    lines = [
        "# Estimates of memory", "", f"`{command} -o benchmarks/results/estimates.md`", "",
        "| step | network and data | estimate, MB | measured, MB | estimate / measured |", "|---|---|---|---|---|",
    ]  # fmt: skip
    missed = []
    for case in CASES:
        if case.full and options.quick:
            continue
        found = measured(case)
        ratio = found["estimate"] / max(found["measured"], 1)
        numbers = f"{found['estimate'] / 1e6:,.0f} | {found['measured'] / 1e6:,.0f} | {ratio:.2f}"
        lines.append(f"| {case.step} | {case.name} | {numbers} |")
        print(lines[-1], file=sys.stderr)
        if not LOW <= ratio <= HIGH and max(found.values()) > MEANS:
            missed.append(f"{case.step}, {case.name}: {ratio:.2f} is not within {LOW} to {HIGH}")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return int(bool(missed) and options.check)


if __name__ == "__main__":
    sys.exit(main())
