"""An experiment from its YAML file."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tern2lava.errors import InputError
from tern2lava.files.yaml_text import read_yaml
from tern2lava.train.config import WHOLE, Experiment
from tern2lava.train.conflicts import conflict


def read_experiment(path: Path) -> Experiment:
    """The experiment a YAML file describes; InputError with file, line and key for what is not allowed in one."""
    file = read_yaml(path)
    if not isinstance(file.data, dict):
        raise InputError(
            path, f"requires keys and values ({', '.join(Experiment.model_fields)}); found others; write KEY: VALUE"
        )
    for name, field in Experiment.model_fields.items():
        # An empty key would otherwise be the same as none.
        if name in file.data and file.data[name] is field.default is None:
            raise file.error((name,), "requires keys and values; found none; write {} for defaults, or leave it out")
    try:
        experiment = Experiment.model_validate(file.data)
        experiment.network.model()
    except InputError as error:
        raise file.error(tuple(error.where.split(".")), error.why) from None
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
        raise file.error(first["loc"], _why(first["type"], str(first["msg"]), repr(first["input"]))) from None
    if (found := conflict(experiment)) is not None:
        raise file.error(*found)
    return experiment


def _why(kind: str, message: str, found: str) -> str:
    if kind == WHOLE:
        return message
    if kind == "missing":
        return "requires a value; found none; add it (docs/training.md)"
    if kind == "model_type":
        return f"requires keys and values; found {found}; write {{KEY: VALUE}}, or {{}} for defaults (docs/training.md)"
    if kind == "extra_forbidden":
        return "requires a known key; found another; leave it out (docs/training.md lists them)"
    rule = message.removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    found = found if len(found) <= 60 else f"{found[:57]}..."
    return f"requires {rule[0].lower()}{rule[1:]}; found {found}; mend the value (docs/training.md)"
