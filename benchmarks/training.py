"""Trains full-precision, post-training ternary and trained ternary spiking networks and judges each: accuracy, NLL,
calibration, operations, energy, bytes, the compiled integers on the whole test set, a proof in Lava.

    uv run python benchmarks/training.py                        # everything that is not in the results file yet
    uv run python benchmarks/training.py --only fashion-conv    # one data set and network
    uv run python benchmarks/training.py --table --check        # trains nothing: table and bars of the results file
    uv run python benchmarks/training.py --quick --check        # digits only, one seed, under a minute; writes nothing
    uv run python benchmarks/training.py --hold-out --only fashion-conv --regularizer 1 2 2 0.1    # choosing settings

Fashion-MNIST comes from Debian's package dataset-fashion-mnist, or from the folder --data-dir names. Every finished
network is stored at once in benchmarks/results/training.json (-o): a run that was stopped goes on where it was.
--hold-out judges on held-out training samples and writes nothing. --check ends with exit code 1 and names every bar
that falls short or was not measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from training_cases import ABLATED, ABLATION, CASES, METHODS, Case, build, quickened, samples_of, settings_of, train
from training_judge import Judgement, judge, over_seeds
from training_store import Kept, Store
from training_table import check, markdown

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.data import Dataset
from tern2lava.train.evaluate import evaluate
from tern2lava.train.metrics import softmax
from tern2lava.writing import write_file

RESULTS = Path(__file__).resolve().parent / "results" / "training.json"
LAVA_SAMPLES = 5


@dataclass(frozen=True, eq=False)
class Bench:
    """One case with its data, and where its networks are kept."""

    name: str
    case: Case
    dataset: Dataset
    spare: Dataset | None
    kept: Kept
    held_out: bool

    def network(self, method: str, seed: int) -> tuple[nn.Sequential, float]:
        """(the trained network, seconds that its training took), from the folder where it is kept there."""
        key, settings = f"{self.name}/{method}/{seed}", settings_of(self.case, method, self.held_out)
        if (found := self.kept.get(key, settings)) is not None:
            model = build(self.case, self.dataset, seed)
            model.load_state_dict(found[0])
            return model.eval().requires_grad_(False), found[1]
        teacher = None if method == "full" else self.network("full", seed)[0]
        began = time.perf_counter()
        model = train(self.case, self.dataset, method, seed, teacher)
        seconds = time.perf_counter() - began
        self.kept.put(key, settings, model.state_dict(), seconds)
        return model, seconds

    def probabilities(self, method: str, seed: int) -> Array:
        """Those of a network that is trained already, on the test samples."""
        chosen = replace(self.case.options, seed=seed)
        evaluation = evaluate(self.network(method, seed)[0], self.dataset, chosen)
        return softmax(chosen.logit_gain * evaluation.scores[:, -1] / chosen.steps)

    def judge(self, method: str, seed: int, lava: int) -> tuple[Judgement, float]:
        """(what is measured of one network, seconds that its training took)."""
        model, seconds = self.network(method, seed)
        return judge(self.case, self.dataset, self.spare, model, method, seed, lava), seconds


def case_of(name: str, arguments: argparse.Namespace) -> Case:
    """The case as the arguments change it."""
    case = quickened(CASES[name]) if arguments.quick else CASES[name]
    if arguments.regularizer:
        names = ("time", "margin", "confidence", "doubt")
        case = replace(case, regularizer=case.regularizer | dict(zip(names, arguments.regularizer, strict=True)))
    return case


def run(arguments: argparse.Namespace, store: Store) -> Iterator[str]:
    """Trains and judges what the store does not hold yet; yields a line for each network."""
    torch.set_num_threads(1)  # small networks gain nothing from more, and sums keep one order
    for name in arguments.only:
        case = case_of(name, arguments)
        data = samples_of(case, arguments.data_dir, arguments.hold_out)
        bench = Bench(name, case, *data, Kept(arguments.keep), arguments.hold_out)
        methods = arguments.methods or [*METHODS, *(ABLATION if name in ABLATED else ())]
        seeds = arguments.seeds or list(case.seeds)
        for seed in seeds:
            for method in methods:
                key, settings = f"{name}/{method}/{seed}", settings_of(case, method, arguments.hold_out)
                if store.get(key, settings) is not None:
                    continue
                lava = arguments.lava if method == "distil+reg" else 0
                judgement, seconds = bench.judge(method, seed, lava)
                record = judgement.record
                store.records[key] = {"settings": settings, "seconds": seconds, **record}
                store.write()
                yield f"{key}: accuracy {record['accuracy']:.4f}, NLL {record['nll']:.4f}, ECE {record['ece']:.4f}"
        if len(seeds) > 1:
            yield from run_over_seeds(bench, methods, seeds, store)


def run_over_seeds(bench: Bench, methods: list[str], seeds: list[int], store: Store) -> Iterator[str]:
    """Judges the seeds of each method together where the store does not hold that yet; yields a line for each."""
    for method in methods:
        key, settings = f"{bench.name}/{method}", settings_of(bench.case, method, bench.held_out)
        if store.together(key, settings, seeds) is not None:
            continue
        found = over_seeds([bench.probabilities(method, seed) for seed in seeds], bench.dataset.test_y)
        store.over_seeds[key] = {"settings": settings, "seeds": seeds, **found}
        store.write()
        yield f"{key}, {len(seeds)} seeds: disagreement {found['disagreement_over_seeds']:.4f}"


def current(arguments: argparse.Namespace, records: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The records of today's settings, in the order of the cases and methods: what was measured with others counts as
    not measured."""
    methods, found = [*METHODS, *ABLATION], {}
    for name in CASES:
        for method in methods:
            settings = settings_of(case_of(name, arguments), method, arguments.hold_out)
            for key in sorted(records):
                if key.split("/")[:2] == [name, method] and records[key]["settings"] == settings:
                    found[key] = records[key]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="results file (default: benchmarks/results/training.json)")
    parser.add_argument("--data-dir", type=Path, help="folder of Fashion-MNIST's idx files")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="these cases only")
    parser.add_argument("--seeds", nargs="+", type=int, help="these only (default: what each case is trained with)")
    parser.add_argument("--lava", type=int, default=LAVA_SAMPLES, help="samples to verify in Lava; 0: none")
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *ABLATION], help="these only (default: all)")
    parser.add_argument("--keep", type=Path, default=Path("build/training"), help="folder that keeps trained networks")
    parser.add_argument("--hold-out", action="store_true", help="judge on held-out training samples")
    parser.add_argument(
        "--regularizer", nargs=4, type=float, metavar=("TIME", "MARGIN", "CONFIDENCE", "DOUBT"),
        help="other settings, to choose them with --hold-out",
    )  # fmt: skip
    parser.add_argument("--table", action="store_true", help="train nothing; print what the results file holds")
    parser.add_argument("--quick", action="store_true", help="the digits MLP, one seed, few epochs; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is missed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.only, arguments.seeds, arguments.keep = ["digits-mlp"], [0], None
    if arguments.regularizer and not arguments.hold_out:
        parser.error("--regularizer goes with --hold-out: settings are not chosen on the test samples")
    path = arguments.out or (None if arguments.quick or arguments.hold_out else RESULTS)
    store = Store(path)
    try:
        if not arguments.table:
            for line in run(arguments, store):
                print(line, flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    records, together = current(arguments, store.records), current(arguments, store.over_seeds)
    text = markdown(records, together, methods=METHODS, ablation=ABLATION, quick=arguments.quick)
    if path is not None:
        write_file(path.with_suffix(".md"), lambda path: path.write_text(text, encoding="utf-8"))
    print(text)
    short = check(records, quick=arguments.quick)
    for line in short:
        print(line, file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
