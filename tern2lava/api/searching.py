"""The inputs on which a compiled network parts furthest from its real dynamics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tern2lava import arguments
from tern2lava.api.opened import BundleLike, opened, steps_of
from tern2lava.arguments import public
from tern2lava.bundle import check_outside
from tern2lava.compiler.progress import Progress, silent
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.report.model import Report
from tern2lava.sim.verify.worst import Certified, Worst, search
from tern2lava.writing import write_file


@public
def worst(
    bundle: BundleLike,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    effort: Effort | str = NORMAL,
    progress: Progress | None = None,
) -> Worst:
    """The worst inputs that a search finds: those on which potentials of the integers part furthest from the real ones,
    population by population, held against the bound of the certificate; and inputs on which spikes differ.

    All inputs are tried where the network has at most 2^20 of the steps that it was compiled for; `every` says so, and
    then nothing is worse. Otherwise random ones are, and better ones made of the best, as many as `effort` says
    (searched_inputs); the same for the same `seed`. out: npz file for these inputs, which simulate and verify read
    (docs/data.md). The result has `found` (of each population: deviation, random, bound, step, neuron, tried,
    differing), `inputs`, `every`, `tried` and `excess`, which is true where a potential parts by more than the bound of
    an EXACT or BOUNDED certificate. progress(stage, done, total) counts inputs. Raises InputError.
    """
    seed = arguments.whole(seed, "seed", 0, "give a whole number")
    place = None if out is None else arguments.path(out, "out", "name the npz file")
    if place is not None:
        check_outside(place)
    wanted = effort_of(effort)
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    found = opened(bundle)
    executable, report = found.executable, found.report
    steps = steps_of(found) or (report.certificate[0].steps if report.certificate else 1)
    result = search(
        executable.real, executable.program, certified(report, steps), steps, wanted.searched_inputs, seed,
        progress=progress or silent,
    )  # fmt: skip
    if place is not None:
        names = list(result.inputs)
        arrays = {"spikes" if len(names) == 1 else name: values for name, values in result.inputs.items()}

        def save(path: Path) -> None:
            with path.open("wb") as stream:
                np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]

        write_file(place, save)
    return result


def certified(report: Report, steps: int) -> dict[str, Certified]:
    """What the certificates of a report say of inputs of `steps` steps: a bound where it holds for every input."""
    return {
        row.population: Certified(
            verdict=row.verdict,
            bound=row.eps if row.verdict in ("EXACT", "BOUNDED") and steps <= row.steps else None,
        )
        for row in report.certificate
    }
