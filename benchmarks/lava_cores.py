"""Lava with a process for each core (LM) against the integers, and what it costs beside L1, L2 and L3.

    uv run python benchmarks/lava_cores.py                   # some minutes; writes results/lava_cores.md
    uv run python benchmarks/lava_cores.py --quick           # under a minute on a quiet machine, prints only
    uv run python benchmarks/lava_cores.py --quick --check   # exit code 1, naming the bar that falls short

Networks have random ternary weights (networks_net.py); `mechanisms` has adaptive, signed, refractory, relaying and
rearming neurons. Every spike and state of every neuron is compared with the integer reference. Seconds are those of a
run in a child that has Lava imported, building and stopping included; each way runs the same samples.

--check ends with exit code 1 and names the bars that were missed:

    equal       no spike and no state differs, of any network
    seconds     VGG-9 on loihi2, one sample of 4 steps, in 300 seconds
    stock       neurons that L1 runs on Lava's own models run so on every core in LM
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import prove
from networks import PLAIN, TWINS, network
from networks_net import Net, Style

from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.lava.mapped.run import run_mapped
from tern2lava.sim.lava.process_choice import plan_stock
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.lava.run import LavaRun
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

RESULT = Path(__file__).resolve().parent / "results" / "lava_cores.md"
SECONDS, VGG = 300.0, "vgg9 on loihi2"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network on a target, and how much of it is run. published: by name (networks.py); else grown here."""

    name: str
    target: str
    published: bool = False
    samples: int = 2
    steps: int = 8
    each: int | None = None
    chips: int = 0

    def mapped(self) -> tuple[Graph, Mapped]:
        """The network and its core images. each: neurons of a core at most. chips: rows and columns of a
        system with more of the target's chips (0: as it is)."""
        if self.published:
            graph = network(self.name, self.target)
        else:
            graph = prove.NETWORKS[self.name](TWINS.get(self.target, PLAIN))
        options = MapOptions() if self.each is None else MapOptions(max_neurons_per_core=self.each)
        profile = load_profile(self.target)
        if self.chips:
            data = profile.model_dump()
            data["system"]["chip_rows"]["value"] = data["system"]["chip_cols"]["value"] = self.chips
            profile = Profile.model_validate(data)
        return graph, map_program(graph, profile, options)


GROWN = ("residual", "recurrent", "pooled", "grouped", "mechanisms")
CASES = (
    Case(name="lenet5", target="loihi2", published=True),
    Case(name="lenet5", target="generic-ternary", published=True),
    Case(name="lenet5", target="tiny", published=True, samples=1, chips=4),
    *(
        Case(name=name, target="loihi2", each=60)
        for name in ("residual", "recurrent", "pooled", "grouped", "mechanisms")
    ),
    Case(name="mechanisms", target="generic-ternary", each=40),
    Case(name="vgg9", target="loihi2", published=True, samples=1, steps=4),
)
QUICK = (CASES[0], *CASES[3:5], CASES[7])


def chain(cores: int) -> tuple[Graph, Mapped]:
    """Dense layers of 64 neurons on this number of cores."""
    net = Net(style=Style(leak=False))
    at = net.input(64)
    for _ in range(cores):
        at = net.dense(at, 64)
    graph = net.graph(at, f"{cores} layers")
    return graph, map_program(graph, load_profile("loihi2"), MapOptions(max_neurons_per_core=64))


def spikes(graph: Graph, samples: int, steps: int) -> dict[str, Array]:
    rng = np.random.default_rng(11)
    return {
        node.name: (rng.random((samples, steps, *node.shape)) < 0.3).astype(np.uint8) for node in graph.of_kind(Input)
    }


def timed(run: Callable[[], LavaRun]) -> tuple[LavaRun, float]:
    begin = time.perf_counter()
    found = run()
    return found, time.perf_counter() - begin


def measure(case: Case, child: LavaChild, missed: list[str]) -> str:
    """A row: what LM is made of, and samples per second of each way."""
    graph, program = case.mapped()
    given = spikes(graph, case.samples, case.steps)
    where = f"{case.name} on {case.target}"
    reference = integer.run(graph, given)
    found, seconds = timed(lambda: run_mapped(program.images, program.host_image, given, timeout=1200, child=child))
    compared = compare({"I": reference, "LM": found.trace}, graph)
    if not compared.equal:
        missed.append(f"equal: {where}: {compared}")
    if where == VGG and seconds > SECONDS:
        missed.append(f"seconds: {where}: {seconds:.0f}")
    use = found.mapped
    assert use is not None
    alone = plan_stock(graph, case.samples, case.steps)
    own = [
        name for name, plan in alone.neurons.items()
        if plan.use.stock and any(p.part == name and not p.process.startswith("stock") for p in use.parts)
    ]  # fmt: skip
    if own:
        missed.append(f"stock: {where}: {', '.join(own)}")
    rates = [case.samples / seconds]
    others: tuple[Callable[[], LavaRun], ...] = (
        lambda: run_stock(graph, given, timeout=1200, child=child),
        lambda: run_stock(graph, given, sequential=True, timeout=1200, child=child),
        lambda: run_cores(program.images, program.host_image, given, timeout=1200, child=child),
    )
    for other in others:
        run, each = timed(other)
        if not compare({"I": reference, "other": run.trace}, graph).equal:
            missed.append(f"equal: {where}, another way")
        rates.append(case.samples / each)
    values = f"{compared.compared_values:,}" if compared.equal else "DIFFERS"
    stock = sum(len(part.cores) for part in use.parts if part.process.startswith("stock"))
    parts = sum(len(part.cores) for part in use.parts)
    return (
        f"| {where}, {case.samples} x {case.steps} | {len(program.images)} | {use.connections} | {stock} of {parts} | "
        f"{use.processes} | {values} | " + " | ".join(f"{rate:.3g}" for rate in rates) + " |"
    )


def growth(counts: tuple[int, ...], steps: tuple[int, ...], child: LavaChild) -> list[str]:
    """Rows: seconds of LM by cores and by steps."""
    rows = []
    for cores, length in [(count, 16) for count in counts] + [(4, length) for length in steps]:
        graph, program = chain(cores)
        given = spikes(graph, 1, length)
        found, seconds = timed(lambda p=program, g=given: run_mapped(p.images, p.host_image, g, child=child))  # type: ignore[misc]
        assert found.mapped is not None
        assert compare({"I": integer.run(graph, given), "LM": found.trace}, graph).equal
        rows.append(f"| {len(program.images)} | {found.mapped.processes} | {length} | {seconds:.2f} |")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four networks and a short table, printed only")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    options = parser.parse_args()
    missed: list[str] = []
    lines = [
        "# Lava with a process for each core", "", "`uv run python benchmarks/lava_cores.py`", "",
        "LM against the integers, every spike and state; samples per second of LM, L1, L3 and L2 on the same samples, "
        "building and stopping included.", "",
        "| network, samples x steps | cores | connections | parts on Lava's own models | processes | values equal | LM "
        "| L1 | L3 | L2 |", "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    with LavaChild(("tern2lava.sim.lava.runtime:preload",)) as child:
        # Imports and compiled kernels are there before anything is timed.
        measure(QUICK[1], child, [])
        for case in QUICK if options.quick else CASES:
            lines.append(measure(case, child, missed))
            print(lines[-1], flush=True)
        lines += ["", "How it grows: layers of 64 neurons, one sample", ""]
        lines += ["| cores | processes | steps | seconds |", "|---|---|---|---|"]
        counts, steps = ((1, 8), (64,)) if options.quick else ((1, 4, 8, 16, 32, 64, 128), (64, 256, 1024))
        lines += growth(counts, steps, child)
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if not options.quick:
        RESULT.write_text(text, encoding="utf-8")
    for line in missed:
        print(f"missed: {line}")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
