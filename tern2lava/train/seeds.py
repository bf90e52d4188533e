"""One experiment with several seeds: a folder for each, and means with intervals over them."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from tern2lava.compiler.progress import Progress
from tern2lava.errors import InputError, Interrupted
from tern2lava.sim.verify.ray import map_on_ray
from tern2lava.train.config import Experiment
from tern2lava.train.experiment import run_experiment
from tern2lava.train.processes import map_on_processes
from tern2lava.writing import write_file

LEVEL = 0.95
"""The confidence of intervals."""
ENGINES = ("processes", "ray")
MOST = 1000
JUDGED = ("teacher", "model", "integer", "compiled")
"""The parts of a metrics.json whose numbers are summarised."""


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What all seeds have in common."""

    experiment: Experiment
    out: Path
    data_dir: Path | None = None

    def folder(self, seed: int) -> Path:
        """The folder of a seed."""
        return self.out / f"seed-{seed}"


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds in words: "0,1,2" or "0-4", or both together. Raises InputError."""
    seeds: list[int] = []
    for word in re.split(r"[,\s]+", text.strip()):
        found = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", word)
        if found is None:
            raise InputError(
                "--seeds", f"requires whole numbers, as 0,1,2 or 0-4; found {text!r}; write the seeds one by one"
            )
        seeds += range(int(found[1]), min(int(found[2] or found[1]), int(found[1]) + MOST) + 1)
    if not seeds or len(set(seeds)) != len(seeds) or len(seeds) > MOST or max(seeds) > 1_000_000:
        raise InputError(
            "--seeds",
            f"requires 1 to {MOST:,} different numbers up to 1,000,000; found {text!r}; name each once",
        )
    return tuple(seeds)


def train_seed(common: Seeded, seed: int) -> dict[str, Any]:
    """The metrics of one seed, trained by one thread, so that they do not depend on how many are trained at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        experiment = common.experiment.model_copy(update={"seed": seed})
        return run_experiment(experiment, common.folder(seed), data_dir=common.data_dir)
    finally:
        torch.set_num_threads(threads)


def run_seeds(
    common: Seeded, seeds: Sequence[int], *, workers: int = 1, engine: str = "processes",
    progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The summary written to seeds.json in the folder, each seed's own files being in seed-K there.

    workers: how many are trained at a time, each in a process of its own; 1: in this one. engine: processes, or ray,
    which trains as many at a time as it has cores, on machines that share the folder. A seed that is trained is read,
    an interrupted one goes on. Raises what run_experiment does, BackendError where a process died, and InputError for
    an engine that there is not.
    """
    if engine not in ENGINES:
        raise InputError("--engine", f"requires one of {', '.join(ENGINES)}; found {engine}; choose one of them")
    if workers < 1:
        raise InputError("--workers", f"requires one process at least; found {workers}; give for example 2")
    results: dict[int, dict[str, Any]] = {}
    try:
        for seed, result in _trained(common, seeds, workers, engine):
            results[seed] = result
            if progress:
                progress("seeds", len(results), len(seeds))
    except KeyboardInterrupt:
        done = f"{len(results)} of {len(seeds)} seeds are trained in {common.out}"
        raise Interrupted(f"interrupted: {done}; the same command goes on from there") from None
    for seed in seeds:
        if not (common.folder(seed) / "metrics.json").exists():
            raise InputError(
                common.folder(seed), "requires a folder that all machines of Ray share; found none of its files; "
                "choose such a folder with -o",
            )  # fmt: skip
    summary = summarise({seed: results[seed] for seed in seeds})
    text = json.dumps(summary, indent=2) + "\n"
    write_file(common.out / "seeds.json", lambda path: path.write_text(text, encoding="utf-8"))
    return summary


def _trained(
    common: Seeded, seeds: Sequence[int], workers: int, engine: str
) -> Generator[tuple[int, dict[str, Any]], None, None]:
    """(seed, its metrics) as they come."""
    if engine == "ray":
        common = Seeded(experiment=common.experiment, out=common.out.absolute(), data_dir=_absolute(common.data_dir))
        yield from zip(seeds, map_on_ray(train_seed, common, seeds), strict=True)
    elif workers > 1:
        yield from map_on_processes(train_seed, common, seeds, workers)
    else:
        yield from zip(seeds, map(partial(train_seed, common), seeds), strict=True)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def summarise(results: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The content of seeds.json: of every number of every judged part its values by seed, their mean, and the bounds
    of Student's interval of confidence LEVEL (none for one seed)."""
    first = next(iter(results.values()))
    summary: dict[str, Any] = {
        "config": {key: value for key, value in first["config"].items() if key != "seed"}, "seeds": list(results),
        "level": LEVEL, "seconds": sum(result["seconds"] for result in results.values()),
    }  # fmt: skip
    for part in JUDGED:
        parts = [result.get(part) or {} for result in results.values()]
        keys = [key for key, value in parts[0].items() if isinstance(value, int | float)]
        found = {key: _interval([values[key] for values in parts]) for key in keys if all(key in v for v in parts)}
        if found:
            summary[part] = found
    return summary


def _interval(values: list[float]) -> dict[str, Any]:
    """values, mean, low and high."""
    mean = float(np.mean(values))
    low = high = mean if len(values) > 1 else None
    if len(values) > 1 and np.ptp(values) > 0:
        low, high = map(float, stats.t.interval(LEVEL, len(values) - 1, loc=mean, scale=stats.sem(values)))
    return {"values": values, "mean": mean, "low": low, "high": high}
