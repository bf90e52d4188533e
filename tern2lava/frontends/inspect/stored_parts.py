"""What `inspect` shows of weights that a checkpoint holds in parts, and of the settings that decide quantisation."""

from __future__ import annotations

import re

from tern2lava.frontends.files.checkpoint import Checkpoint, Scalar
from tern2lava.frontends.files.stored_forms import certain, is_code, with_scale

_DECIDES = re.compile(r"bit|ternar|quant|binar|threshold|delta|scale|alpha|sparsity|zero_point|level|signed|symmetric")
_PARTS = re.compile(r"(.*?)\.?(?:parametrizations\.)?(weight|bias)(?:_orig|_v|\.original1)")


def quantisation_settings(checkpoint: Checkpoint) -> dict[str, dict[str, Scalar]]:
    """Numbers, flags and texts of the pickled modules whose names speak of quantisation, by module."""
    found: dict[str, dict[str, Scalar]] = {}
    for name, value in checkpoint.values.items():
        module, _, key = name.rpartition(".")
        if module in checkpoint.modules and value is not None and _DECIDES.search(key.lower()):
            found.setdefault(module, {})[key] = value
    return found


def written_parts(checkpoint: Checkpoint) -> dict[str, str]:
    """What stands for each weight that is stored in parts, by its name: an expression, or why there is none."""
    found: dict[str, str] = {}
    for name, stored in checkpoint.tensors.stored.items():
        if (parts := _PARTS.fullmatch(name)) is not None and parts[1]:
            try:
                text = certain(checkpoint, parts[1], parts[2])
            except ValueError as error:
                text = str(error)
            if text is not None:
                found[f"{parts[1]}.{parts[2]}"] = text
        elif is_code(stored) and len(stored.shape) > 1 and (text := with_scale(checkpoint, name)) is not None:
            found[name] = text
    return found
