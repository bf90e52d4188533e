"""Measures how far certificates are proven, and how tight they are.

    uv run python benchmarks/arithmetic.py                                           # about ten minutes
    uv run python benchmarks/arithmetic.py -o benchmarks/results/arithmetic.md       # and writes what it printed
    uv run python benchmarks/arithmetic.py --quick --check                           # under one minute

Networks are those of tests/helpers/sample_nets.py on every target, those of the demonstration, and drawn ones. Mistakes
(tests/helpers/wrong_integers.py) are made in populations that are certified EXACT. One counts where an input makes
other spikes than rational numbers do (tests/helpers/fraction_run.py); it is caught where induction fails.

--check ends with exit code 1 and names the bars that were missed:

    proven      every population certified EXACT, by induction
    caught      every mistake that changes a spike
    bounds      no input found parts potentials by more than a bound
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "helpers"), str(ROOT / "tests")]


import tern2lava  # noqa: E402
from fingerprints import sample_graph  # noqa: E402
from fraction_run import FractionRun  # noqa: E402
from sample_nets import SAMPLES  # noqa: E402
from tern2lava.compiler.ir.files import graph_document  # noqa: E402
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Reset  # noqa: E402
from tern2lava.compiler.options import Options  # noqa: E402
from tern2lava.compiler.passes.pipeline import Lowered, lower  # noqa: E402
from tern2lava.errors import Tern2LavaError  # noqa: E402
from tern2lava.hw_profiles import load_profile, profile_names  # noqa: E402
from tern2lava.prove.arithmetic.exhaustion import try_population  # noqa: E402
from tern2lava.prove.arithmetic.graphs import NotProvenError, network_of  # noqa: E402
from tern2lava.prove.arithmetic.run import Claim, Induction, prove_arithmetic  # noqa: E402
from tern2lava.sim.reference import integer  # noqa: E402
from tern2lava.sim.verify.worst import Certified, search  # noqa: E402
from wrong_integers import MISTAKES, mistaken  # noqa: E402

# What tests draw their networks with; no module that can be imported by name alone.
DRAWS: Any = import_module("conftest")

COARSE = Arithmetic()
FINE = Arithmetic(threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0)
REARMING = {"rearm": True, "reset": Reset.SUBTRACT, "reset_delay": False, "refractory": 0, "threshold_low": None}


def induction(lowered: Lowered, program: Graph | None = None, only: str = "") -> Induction:
    """What is proven of a network, with another program, of one population alone."""
    claims = [
        Claim(population=c.population, verdict=c.verdict.value, steps=c.steps)
        for c in lowered.certificates
        if only in ("", c.population)
    ]
    real, coded = (network_of(*graph_document(graph)) for graph in (lowered.real, program or lowered.program))
    return prove_arithmetic(real, coded, claims)


def samples(quick: bool) -> Iterator[tuple[str, Lowered]]:
    """(name, network): the sample networks and those of the demonstration on every target that takes them."""
    demo = Path(tern2lava.__file__).parent / "demo"
    for target in ("generic-ternary", "loihi2", "tiny") if quick else profile_names():
        profile = load_profile(target)
        arithmetic = Arithmetic(**profile.arithmetic_values())
        graphs = {name: (sample_graph(name), SAMPLES[name].options) for name in SAMPLES}
        graphs |= {n: (tern2lava.load(demo / f"{n}.pt", demo / f"{n}.yaml"), Options()) for n in ("mlp", "conv")}
        for name, (graph, options) in graphs.items():
            try:
                yield f"{name} on {target}", lower(graph, arithmetic, options, profile)
            except Tern2LavaError:
                continue


def drawn(count: int, first: int = 0) -> Iterator[tuple[str, Lowered]]:
    """(name, network): drawn networks of dyadic numbers, and leaky and adaptive ones of any."""
    for number in range(first, first + count):
        graphs = {
            "whole": DRAWS.draw_network(number)[0], "leaking": DRAWS.draw_network(number, leak=True)[0],
            "rearming": DRAWS.draw_network(number, **REARMING)[0], "leaky": DRAWS.draw_leaky(number)[0],
            "adaptive": DRAWS.draw_adaptive(number)[0],
        }  # fmt: skip
        for name, graph in graphs.items():
            for grid, arithmetic in (("coarse", COARSE), ("fine", FINE)):
                try:
                    yield f"{name} {number}, {grid}", lower(graph, arithmetic, Options(allow_rounding=1.0))
                except Tern2LavaError:
                    continue


class Tally:
    """What was counted, and a line for each bar that was missed."""

    def __init__(self) -> None:
        self.exact: Counter[str] = Counter()
        self.proven: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.caught: Counter[str] = Counter()
        self.same: Counter[str] = Counter()
        self.strict: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.shares: list[tuple[float, float]] = []
        self.missed: list[str] = []
        self.seconds = 0.0


def prove_all(tally: Tally, kind: str, networks: Iterator[tuple[str, Lowered]]) -> list[tuple[str, Lowered]]:
    """Induction on every network; those that have an EXACT population, and all."""
    kept = []
    for name, lowered in networks:
        begin = time.process_time()
        found = induction(lowered)
        tally.seconds += time.process_time() - begin
        tally.exact[kind] += len(found.exact)
        tally.proven[kind] += found.proven
        tally.verdicts.update(c.verdict.value for c in lowered.certificates)
        tally.missed += [f"proven: {name}, {one.population}: {one.reason}" for one in found.exact if not one.proven]
        kept.append((name, lowered))
    return kept


def make_mistakes(tally: Tally, networks: list[tuple[str, Lowered]], inputs: int) -> None:
    """One mistake of each kind in a population of each network that has an EXACT one."""
    for place, (name, lowered) in enumerate(networks):
        exact = [c for c in lowered.certificates if c.verdict.value == "EXACT"]
        if not exact:
            continue
        rng = np.random.default_rng([5, place])
        x = many_inputs(lowered.program, rng, exact[0].steps, inputs)
        meant = FractionRun(lowered.real, x)
        for kind in MISTAKES:
            certificate = exact[int(rng.integers(len(exact)))]
            population = lowered.program.population(certificate.population)
            wrong = mistaken(lowered.program, population, kind, rng)
            proven = induction(lowered, wrong, population.name).proven == 1
            alike = spikes_alike(lowered, wrong, population.name, meant, x)
            if not alike and proven:
                tally.missed.append(f"caught: {kind} in {population.name} of {name}")
            tally.caught[kind] += not alike and not proven
            tally.same[kind] += alike and proven
            tally.strict[kind] += alike and not proven


def many_inputs(program: Graph, rng: np.random.Generator, steps: int, count: int) -> dict[str, np.ndarray]:
    """Inputs from silence to everything in every step."""
    result = {}
    for node in program.of_kind(Input):
        low, high = node.levels
        share = rng.choice([0.0, 0.2, 0.5, 0.8, 1.0], (count, *[1] * (1 + len(node.shape))))
        values = rng.integers(low, high + 1, (count, steps, *node.shape))
        values = np.where(rng.random(values.shape) < 0.5, values, high)
        result[node.name] = np.where(rng.random(values.shape) < share, values, 0)
    return result


def spikes_alike(
    lowered: Lowered, program: Graph, name: str, meant: FractionRun, inputs: dict[str, np.ndarray]
) -> bool:
    """Whether a population spikes as in fractions, wherever its sources have done so up to that step."""
    trace = integer.run(program, inputs, states=False)
    same = np.ones(next(iter(inputs.values())).shape[:2], bool)
    for projection in lowered.real.projections(lowered.real.neuron(name).inputs):
        source = projection.inputs[0]
        if source in trace.spikes and source != name:
            same &= (trace.spikes[source] == meant.spikes(source)).all(axis=2)
    same = np.logical_and.accumulate(same, axis=1)
    return bool(((trace.spikes[name] == meant.spikes(name)).all(axis=2) | ~same).all())


def try_all(tally: Tally, networks: list[tuple[str, Lowered]], most: int) -> None:
    """Trying all that can happen to neurons of populations that are not EXACT."""
    for _, lowered in networks:
        real, program = (network_of(*graph_document(graph)) for graph in (lowered.real, lowered.program))
        for certificate in lowered.certificates:
            if certificate.verdict.value == "EXACT":
                continue
            try:
                found = try_population(real, program, certificate.population, certificate.steps, most)
            except NotProvenError as error:
                tally.tried["too many" if "many" in str(error) or "more" in str(error) else "not followed"] += 1
            else:
                kind = "a certain difference" if found.certain else "a difference, maybe of no input"
                tally.tried["proven" if found.proven else kind] += 1


def search_all(tally: Tally, networks: list[tuple[str, Lowered]], tries: int) -> None:
    """The worst inputs of every network, against the bounds."""
    for name, lowered in networks:
        says = {
            c.population: Certified(
                verdict=c.verdict.value,
                bound=float(np.max(c.eps)) if c.verdict.value in ("EXACT", "BOUNDED") else None,
            )
            for c in lowered.certificates
        }
        found = search(lowered.real, lowered.program, says, lowered.certificates[0].steps, tries, few=1 << 8)
        for one in found.found:
            if one.excess:
                tally.missed.append(f"bounds: {one.population} of {name}: {one.deviation} beyond {one.bound}")
            if one.bound and not found.every:
                tally.shares.append((one.deviation / one.bound, one.random / one.bound))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, help="write the tables to this file too")
    parser.add_argument("--quick", action="store_true", help="fewer targets, networks and inputs")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    options = parser.parse_args()
    quick, tally = options.quick, Tally()
    shown = prove_all(tally, "samples and demonstration", samples(quick))
    random = prove_all(tally, "drawn networks", drawn(4 if quick else 60))
    make_mistakes(tally, random[: 12 if quick else 180], 12 if quick else 40)
    try_all(tally, random[: 10 if quick else 120], 1 << (12 if quick else 16))
    search_all(tally, [*(shown[::9] if quick else shown[::3]), *random[: 10 if quick else 150]], 16 if quick else 96)
    caught, wanted = sum(tally.caught.values()), sum(tally.caught.values())
    wanted += sum(line.startswith("caught:") for line in tally.missed)
    shares = np.array(tally.shares or [(0.0, 0.0)])
    lines = [
        "# Arithmetic", "", "`uv run python benchmarks/arithmetic.py -o benchmarks/results/arithmetic.md`", "",
        "## EXACT, proven by induction", "", "| networks | certified EXACT | proven |", "|---|---|---|",
        *(f"| {kind} | {number:,} | {tally.proven[kind]:,} |" for kind, number in tally.exact.items()), "",
        f"{tally.seconds:.1f} CPU seconds in all. Certificates: "
        + ", ".join(f"{name} {number:,}" for name, number in sorted(tally.verdicts.items())) + ".", "",
        "## Mistakes in EXACT populations", "",
        f"{caught:,} of {wanted:,} mistakes that change a spike are caught. Of the others, which change none that was "
        "looked at, some are proven to change none, and the rest break a condition of the proof.", "",
        "| mistake | changes a spike, caught | changes none, proven | changes none, not proven |", "|---|---|---|---|",
        *(f"| {kind} | {tally.caught[kind]} | {tally.same[kind]} | {tally.strict[kind]} |" for kind in MISTAKES), "",
        "## Populations that are not EXACT, by trying all that can happen", "",
        "| outcome | populations |", "|---|---|",
        *(f"| {name} | {number} |" for name, number in tally.tried.most_common()), "",
        "## Bounds, and the worst inputs that were found", "",
        f"{len(tally.shares):,} populations with a bound. Deviation over bound:", "",
        "| | median | mean | largest |", "|---|---|---|---|",
        *(
            f"| {name} | {np.median(column):.3f} | {column.mean():.3f} | {column.max():.3f} |"
            for name, column in (("search", shares[:, 0]), ("random inputs", shares[:, 1]))
        ),
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    for line in tally.missed:
        print(line)
    return 1 if options.check and tally.missed else 0


if __name__ == "__main__":
    sys.exit(main())
