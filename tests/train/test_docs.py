import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from places import ROOT
from tern2lava.report.training import ROWS
from tern2lava.train.config import EventKeys, Experiment

TEXT = (ROOT / "docs" / "training.md").read_text()


def test_every_key_of_an_experiment_is_explained() -> None:
    rows = {line.split("|")[1]: line for line in TEXT.splitlines() if line.startswith("| `")}
    for name, field in Experiment.model_fields.items():
        kinds = getattr(field.annotation, "__args__", (field.annotation,))
        kind = next((each for each in kinds if each is not type(None)), None)
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        for key in [name] if model is None else model.model_fields:
            first = f"`{name}." if model is not None else f"`{name}`"
            found = [cell for cell in rows if first in cell and re.search(rf"[`.]{key}`", cell)]
            assert found, f"{name}.{key} is not in docs/training.md"


def test_every_key_of_event_lists_is_explained() -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith("| `data.events`")]
    assert all(f"`{key}`" in row for key in EventKeys.model_fields)


def test_every_metric_is_explained() -> None:
    for key, _, _ in ROWS:
        assert f"`{key}`" in TEXT


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("train_*.yaml")), ids=lambda path: path.stem)
def test_an_example_experiment_is_valid_and_begins_with_its_command(path: Path) -> None:
    from tern2lava.train.experiment_file import read_experiment

    experiment = read_experiment(path)
    assert experiment.algorithm == "direct"
    assert f"tern2lava train --config examples/{path.name}" in path.read_text(encoding="utf-8").splitlines()[0]
    with pytest.raises(ValueError, match="frozen"):
        setattr(experiment, "seed", 3)  # noqa: B010
