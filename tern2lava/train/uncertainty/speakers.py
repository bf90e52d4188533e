"""A training for each speaker, who is left out of it and tested on: how a network does on voices it has never heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.progress import Progress
from tern2lava.errors import InputError
from tern2lava.train.config import Experiment
from tern2lava.train.experiment import run_experiment

SPEAKERS = range(6)
"""Of the spoken digits."""
MEASURED = ("accuracy", "nll", "brier", "ece")


def leave_one_speaker_out(
    experiment: Experiment,
    out: Path,
    speakers: Sequence[int] = SPEAKERS,
    *,
    data_dir: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Metrics by left-out speaker, their means and the sample standard deviation over speakers.

    Each training is `experiment` with data.speaker in the folder out/speaker-N; one that is finished is read, and an
    interrupted one goes on. InputError for fewer than two speakers, and for data without speakers.
    """
    if len(set(speakers)) < 2:
        raise InputError("speakers", f"requires two at least; found {list(speakers)}; name more of them")
    found: dict[str, dict[str, float]] = {}
    for speaker in speakers:
        keys = experiment.data.model_copy(update={"speaker": speaker})
        run = run_experiment(
            experiment.model_copy(update={"data": keys}),
            out / f"speaker-{speaker}",
            data_dir=data_dir,
            progress=progress,
        )
        found[str(speaker)] = {key: run["model"][key] for key in MEASURED}
    columns = {key: [values[key] for values in found.values()] for key in MEASURED}
    return {
        "speakers": found,
        "mean": {key: float(np.mean(values)) for key, values in columns.items()},
        "deviation": {key: float(np.std(values, ddof=1)) for key, values in columns.items()},
    }
