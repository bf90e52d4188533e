"""Do integers spike as exact arithmetic does where potentials meet their thresholds, and are misreadings found?

    uv run python benchmarks/fidelity.py                         # about half an hour on one core
    uv run python benchmarks/fidelity.py -o benchmarks/results   # and writes fidelity*.md
    uv run python benchmarks/fidelity.py --quick --check         # under one minute
    uv run python benchmarks/fidelity.py --only-spikes --networks alif-grid plif    # rows of the second table
    git worktree add --detach ../before 3f246db
    uv run python benchmarks/fidelity.py --before ../before    # measures that checkout too: fidelity_before.json

A leaky layer of 40 neurons behind 50 inputs, weights alpha * {-1, 0, 1}, as in any net of round numbers: alpha of 1,
1/2, 1/3, 1/4 and 1/5, tau of 2 and 4, thresholds of 1 and 1/2, > and >=, reset to zero and by subtraction, random
spikes and static pictures, 8 to 64 steps, on every target whose neurons are such. Its own spikes are computed in
rational arithmetic (fidelity_exact.py), apart from the product; the product compiles the layer and runs its integer
program. What is counted is neuron-timesteps that differ. Targets of one arithmetic give one program and are run once.

The second table (fidelity_spikes.py, which runs the networks of fidelity_nets.py and fidelity_files.py on samples of
fidelity_data.py) counts the spikes that change in networks of realistic activity: missing and extra ones over the
reference's own, free-running, and with each population fed what the reference's spikes bring it (its resets are its
own). The reference is a float64 run of the benchmark's own (fidelity_own.py), of networks in files the product's.
Plain is compile as it is; calibrated gives it samples that are not those counted. Both stand beside what commit
3f246db gives, which fidelity_before.json holds; seconds are medians of the CPU's, compared where both ran now.
plif needs torch; other people's networks lie in the folder that $TERN2LAVA_NETS names.

Then the third verdict of verify is tried (fidelity_reading.py): on twelve deliberate misreadings of one net.yaml, and
on one network of every conformance cell in the float32 that people ship.

--check ends with exit code 1 and names the bars that were missed:

    short     0 differ within 8 and 16 steps
    long      0 differ within 32 and 64 steps, but for > with subtraction
    finite    > with subtraction, 32 and 64 steps: at most 2 % of the spikes (no finite code keeps them all)
    calibrated       at most 0.2 % differ on generic-ternary, 1 % on loihi2, free and fed, network by network; recurrent
                     networks of stock neurons on Loihi, which cut decays: a tenth of what 3f246db gives
    plain            never more than on 3f246db
    generic-ternary  never more than on loihi2
    decisions        at most 0.1 % change, network by network
    same             compiled again, the same integers
    time             plain at most twice as long as 3f246db; the command that runs samples (which starts Python as well)
                     at most twice as long as the one without
    oracle    each of twelve misreadings turns the verdict on reading red, and the network read as it is does not
    float32   no conformance network is found misread in float32
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from fidelity_exact import Case, draw, spikes
from fidelity_measure import TIMES
from fidelity_reading import float32, twelve
from fidelity_spikes import ALL, QUICK, rows, store, table
from fidelity_spikes import missed_bars as missed_by_networks

from tern2lava.compiler.ir.graph import Arithmetic, Compare, Dense, Graph, Input, Level, Neuron, Output, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.compiler.target.rules import check_rules
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile, profile_names
from tern2lava.sim.reference import integer

ALPHAS = (Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), Fraction(1, 5))
STEPS = (8, 16, 32, 64)
QUICK_ALPHAS, QUICK_STEPS = (Fraction(1, 2), Fraction(1, 3)), (8, 32)
SHORT, FINITE_BAR = 16, 0.02
SEED = 20
# Every n-th of the conformance cells is run (1: all).
ALL_CELLS, QUICK_CELLS = 1, 60


@dataclass
class Tally:
    """Sums over the cases of one row."""

    cases: int = 0
    spikes: int = 0
    differ: int = 0
    worst: str = ""
    most: int = 0

    def add(self, case: Case, own: Any, got: Any) -> None:
        differ = int(np.count_nonzero(own != got))
        self.cases += 1
        self.spikes += int(own.sum())
        self.differ += differ
        if differ > self.most:
            self.most = differ
            self.worst = f"alpha {case.alpha}, threshold {case.threshold}, tau {case.tau}: {differ} of {int(own.sum())}"


def cases(quick: bool) -> Iterator[Case]:
    """Every case, those of few steps first."""
    alphas, lengths = (QUICK_ALPHAS, QUICK_STEPS) if quick else (ALPHAS, STEPS)
    thresholds = (Fraction(1),) if quick else (Fraction(1), Fraction(1, 2))
    for steps, static, reset, compare, tau, alpha, threshold in itertools.product(
        lengths, (False, True), ("zero", "subtract"), (">=", ">"), (2, 4), alphas, thresholds
    ):
        yield Case(
            alpha=alpha, tau=tau, threshold=threshold, compare=compare, reset=reset, static=static, steps=steps
        )  # fmt: skip


def network(case: Case, codes: Any) -> Graph:
    """The layer as a front end reads it: weights in float64."""
    return Graph(
        level=Level.IMPORTED,
        steps=case.steps,
        nodes=(
            Input(name="x", shape=(codes.shape[1],)),
            Dense(name="w", inputs=("x",), weight=frozen(codes * float(case.alpha))),
            Neuron(
                name="n", inputs=("w",), shape=(len(codes),), alpha_v=frozen(1 - 1 / case.tau),
                threshold=frozen(float(case.threshold)), compare=Compare(case.compare),
                reset=Reset.ZERO if case.reset == "zero" else Reset.SUBTRACT,
                reset_amount=frozen(float(case.threshold)),
            ),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip


def compiled(case: Case, codes: Any, profile: Profile) -> Graph | None:
    """The integer program for a target; None where its neurons are no such ones."""
    try:
        lowered = lower(network(case, codes), Arithmetic(**profile.arithmetic_values()), Options(), profile)
        check_rules(lowered.program, profile)
    except UnsupportedError:
        return None
    return lowered.program


def kinds_of_targets() -> dict[str, Profile]:
    """A profile for each kind of arithmetic and neuron, under the names of all targets that have it."""
    groups: dict[str, list[Profile]] = defaultdict(list)
    for profile in map(load_profile, profile_names()):
        neuron = {name: fact["value"] for name, fact in profile.neuron.model_dump().items() if name != "kinds"}
        groups[f"{profile.arithmetic_values()} {neuron}"].append(profile)
    return {", ".join(p.name for p in members): members[0] for members in groups.values()}


def measure(quick: bool) -> dict[tuple[str, int, str, str, bool], Tally]:
    """Tallies by (targets, steps, compare, reset, static)."""
    found: dict[tuple[str, int, str, str, bool], Tally] = defaultdict(Tally)
    targets = kinds_of_targets()
    steps = 0
    for case in cases(quick):
        if case.steps != steps:
            steps = case.steps
            print(f"{steps} steps", file=sys.stderr, flush=True)
        codes, x = draw(case, SEED + case.steps)
        own = spikes(case, codes, x)
        for names, profile in targets.items():
            program = compiled(case, codes, profile)
            if program is not None:
                got = integer.run(program, {"x": x.astype(np.uint8)}, states=False).spikes["n"]
                found[names, case.steps, case.compare, case.reset, case.static].add(case, own, got)
    return found


def missed_bars(found: dict[tuple[str, int, str, str, bool], Tally]) -> list[str]:
    """A line for each row that misses its bar."""
    lines = []
    for (names, steps, compare, reset, static), tally in found.items():
        finite = steps > SHORT and (compare, reset) == (">", "subtract")
        allowed = FINITE_BAR * tally.spikes if finite else 0
        if tally.differ > allowed:
            bar = "finite" if finite else "short" if steps <= SHORT else "long"
            lines.append(
                f"{bar}: {names}, {steps} steps, {compare}, {reset}, {'static' if static else 'random'}: "
                f"{tally.differ:,} of {tally.spikes:,} (worst: {tally.worst})"
            )
    return lines


def at_thresholds(quick: bool) -> tuple[list[str], list[str]]:
    """The first table and the third verdict in Markdown, and the bars that they miss."""
    found = measure(quick)
    missed = missed_bars(found)
    print("readings", file=sys.stderr, flush=True)
    caught, shipped = twelve(), float32(QUICK_CELLS if quick else ALL_CELLS)
    missed += [
        f"oracle: {name} is {status}" for name, status in caught.items()
        if status != ("equal" if name == "nothing" else "differs")
    ]  # fmt: skip
    if shipped[3]:
        missed.append(f"float32: {shipped[3]:,} misreadings")
    lines = [
        "# Spikes at the threshold", "",
        "| targets | steps | fires at | reset | input | layers | spikes | differ |",
        "|---|---:|---|---|---|---:|---:|---:|",
    ]  # fmt: skip
    for (names, steps, compare, reset, static), tally in found.items():
        cells = (names, steps, compare, reset, "static" if static else "random", tally.cases)
        lines.append("| " + " | ".join(map(str, cells)) + f" | {tally.spikes:,} | {tally.differ:,} |")
    total, differ = sum(t.spikes for t in found.values()), sum(t.differ for t in found.values())
    lines += ["", f"In all {total:,} spikes, {differ:,} differ.", ""]
    lines += ["# The third verdict", "", "| misread in net.yaml | reading |", "|---|---|"]
    lines += [f"| {name} | {status} |" for name, status in caught.items()]
    networks, own, ties, misread = shipped
    lines += [
        "", f"{networks:,} conformance networks in float32: {own:,} spikes, {ties:,} float32 ties, {misread:,} "
        "misreadings.", "",
    ]  # fmt: skip
    return lines, missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two alphas, one threshold, 8 and 32 steps; two networks")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--only-spikes", action="store_true", help="the second table alone")
    parser.add_argument("--networks", nargs="+", choices=ALL, metavar="NAME", help=f"of {', '.join(ALL)}")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="measure 3f246db too, in fidelity_before.json")
    parser.add_argument("-o", "--out", type=Path, help="folder for fidelity.md and fidelity_spikes.md")
    args = parser.parse_args()
    command = "uv run python benchmarks/fidelity.py" + "".join(
        f" {flag}" for flag, given in (("--quick", args.quick), ("--only-spikes", args.only_spikes)) if given
    )
    command += " --before CHECKOUT" if args.before else ""
    lines = [
        f"Made by `{command}` on Python {platform.python_version()}, numpy {np.__version__}. The head of that file "
        "says what is measured, and how.", "",
    ]  # fmt: skip
    tables: dict[str, tuple[list[str], list[str]]] = {}
    if not args.only_spikes:
        tables["fidelity.md"] = at_thresholds(args.quick)
    names = args.networks or list(QUICK if args.quick else ALL)
    found, left_out = rows(names, args.before, 1 if args.quick else TIMES)
    if args.before:
        store(found)
    second = ["# Spikes of networks", "", *table(found, left_out)]
    tables["fidelity_spikes.md"] = second, missed_by_networks(found, beside=args.before is not None)
    for name, (shown, missed) in tables.items():
        bars = ["All bars are met."] if not missed else ["Bars missed:", "", *(f"- {line}" for line in missed)]
        text = "\n".join([*lines, *shown, "", "# Bars", "", *bars]) + "\n"
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / name).write_text(text, encoding="utf-8")
        print(text)
    missed = [line for _, each in tables.values() for line in each]
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
