"""Trains full-precision and ternary spiking networks by several methods over several seeds and judges each: accuracy,
NLL, calibration before and after temperature scaling, another data set and corrupted samples, its integers.

    uv run python benchmarks/training.py                           # everything that is not in the results file yet
    uv run python benchmarks/training.py --only fashion-29k-pair   # one case
    uv run python benchmarks/training.py --table --check           # trains nothing: tables and bars of the results file
    uv run python benchmarks/training.py --quick --check           # digits, one seed, under a minute; writes nothing

Each network is an experiment of `tern2lava train`. Fashion-MNIST comes from Debian's package dataset-fashion-mnist, or
from the folder --data-dir names; MNIST, which a network must tell from its own data, from mnist.npz there. Every
finished network is stored at once in benchmarks/results/training.json (-o), and kept in the folder --keep: a run that
was stopped goes on where it was. --check ends with exit code 1 and names every bar that falls short or is not measured.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from training_cases import CASES, METHODS, Case, experiment_of, settings_of
from training_judge import Sets, judge
from training_store import Store
from training_table import check, markdown

from tern2lava.errors import InputError
from tern2lava.train.config import Experiment
from tern2lava.train.data import hold_out, load_dataset
from tern2lava.train.data.sets import FASHION_FOLDER
from tern2lava.train.experiment import run_experiment
from tern2lava.writing import write_file

RESULTS = Path(__file__).resolve().parent / "results" / "training.json"
LAVA_SAMPLES = 5
DONE = "metrics.json"


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """One case with its data, and the folder that keeps its networks."""

    name: str
    case: Case
    sets: Sets
    keep: Path
    data_dir: Path | None

    def folder(self, method: str, seed: int) -> Path:
        return self.keep / self.name / f"{method}-{seed}"

    def experiment(self, method: str, seed: int) -> Experiment:
        """The method's experiment; what it builds on is trained first: the network that it starts from, and for all
        seeds the teachers' labels of the first."""
        start, labels = None, None
        if method not in ("start", "full"):
            self.train("start", seed)
            start = str(self.folder("start", seed) / "net.pt")
            first = self.folder(method, 0) / "soft-labels.npz"
            labels = str(first) if seed and first.exists() else None
        return experiment_of(self.case, method, seed, start, labels)

    def train(self, method: str, seed: int) -> tuple[Experiment, float]:
        """(the experiment, the CPU seconds of this process that its training took)."""
        folder, experiment = self.folder(method, seed), self.experiment(method, seed)
        taken = folder / "cpu-seconds.txt"
        if not (folder / DONE).exists() or not taken.exists():
            began = time.process_time()
            run_experiment(experiment, folder, data_dir=folder_of(self.case, self.data_dir))
            taken.write_text(f"{time.process_time() - began:.1f}\n")
        return experiment, float(taken.read_text())


def folder_of(case: Case, data_dir: Path | None) -> Path | None:
    """Where a case's data are: the installed Fashion-MNIST goes before data_dir."""
    installed = case.data["name"] == "fashion-mnist" and FASHION_FOLDER.exists()
    return None if installed else data_dir


def sets_of(case: Case, data_dir: Path | None) -> Sets:
    """The data of a case: the held-out samples, the test samples, MNIST where it is at hand."""
    test = load_dataset(case.data["name"], folder_of(case, data_dir))
    held = hold_out(test, case.data["hold_out"]) if "hold_out" in case.data else test
    other = None
    if case.data["name"] == "fashion-mnist":
        try:
            other = load_dataset("mnist", data_dir).test_x
        except InputError:
            print("no MNIST in --data-dir: AUROC is not measured", file=sys.stderr)
    return Sets(held=held, test=test, other=other)


def quickened(case: Case) -> Case:
    """A case of a quick run."""
    return replace(case, start=3, epochs=3, seeds={"regularised": 1}, regularizer={**case.regularizer, "epochs": 3})


def run(arguments: argparse.Namespace, store: Store, keep: Path) -> Iterator[str]:
    """Trains and judges what the store does not hold yet; yields a line for each network."""
    torch.set_num_threads(1)  # small networks gain little from more, and sums keep one order
    for name in arguments.only:
        case = quickened(CASES[name]) if arguments.quick else CASES[name]
        sets = sets_of(case, arguments.data_dir)
        bench = Bench(name=name, case=case, sets=sets, keep=keep, data_dir=arguments.data_dir)
        every = "else" in case.seeds
        methods = arguments.methods or [m for m in METHODS if m in case.seeds or (every and m != "start")]
        most = max(case.seeds.values())
        for seed in arguments.seeds or range(most):
            for method in methods:
                key, settings = f"{name}/{method}/{seed}", settings_of(case, method)
                if store.get(key, settings) is not None or seed >= case.seeds.get(method, case.seeds.get("else", most)):
                    continue
                experiment, seconds = bench.train(method, seed)
                lava = arguments.lava if method == "regularised" and seed == 0 else 0
                record = judge(bench.folder(method, seed), experiment, bench.sets, lava)
                store.records[key] = {"settings": settings, "seconds": seconds, **record}
                store.write()
                found = record["held"]
                yield f"{key}: accuracy {found['accuracy']:.4f}, NLL {found['nll']:.4f}, ECE {found['ece']:.4f}"


def current(arguments: argparse.Namespace, store: Store) -> dict[str, dict[str, object]]:
    """The records of today's settings, in the order of the cases and methods: what was measured with others counts as
    not measured."""
    found: dict[str, dict[str, object]] = {}
    for name in CASES:
        case = quickened(CASES[name]) if arguments.quick else CASES[name]
        for method in METHODS:
            settings = settings_of(case, method)
            keys = sorted(key for key in store.records if key.split("/")[:2] == [name, method])
            found |= {key: store.records[key] for key in keys if store.get(key, settings) is not None}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="results file (default: benchmarks/results/training.json)")
    parser.add_argument("--data-dir", type=Path, help="folder of mnist.npz, and of Fashion-MNIST where not installed")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="these cases only")
    parser.add_argument("--seeds", nargs="+", type=int, help="these only (default: all of each method)")
    parser.add_argument("--lava", type=int, default=LAVA_SAMPLES, help="samples to verify in Lava; 0: none")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), help="these only (default: all)")
    parser.add_argument("--keep", type=Path, default=Path("build/training"), help="folder that keeps trained networks")
    parser.add_argument("--table", action="store_true", help="train nothing; print what the results file holds")
    parser.add_argument("--quick", action="store_true", help="digits, one seed, few epochs; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar is missed")
    arguments = parser.parse_args()
    keep = arguments.keep
    if arguments.quick:
        arguments.only, keep = ["digits"], Path(tempfile.mkdtemp())
    path = arguments.out or (None if arguments.quick else RESULTS)
    store = Store(path)
    try:
        if not arguments.table:
            for line in run(arguments, store, keep):
                print(line, flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if arguments.quick:
            shutil.rmtree(keep, ignore_errors=True)
    records = current(arguments, store)
    text = markdown(records, quick=arguments.quick)
    if path is not None:
        write_file(path.with_suffix(".md"), lambda path: path.write_text(text, encoding="utf-8"))
    print(text)
    short = check(records, quick=arguments.quick)
    for line in short:
        print(line, file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
