"""The framework's own run of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tern2lava import arguments, extras
from tern2lava.api.data import SpikesLike
from tern2lava.arguments import public
from tern2lava.bundle import check_outside
from tern2lava.compiler.ir.shapes import Array
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.frontends.sources import is_module
from tern2lava.sim.data.given import HINT
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.writing import write_file

if TYPE_CHECKING:
    import torch


@public
def record(
    module: torch.nn.Module,
    data: SpikesLike,
    *,
    out: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    potentials: Mapping[str, tuple[str, str]] | None = None,
    call: str = "auto",
    scores: Callable[[Any], Any] | None = None,
    effort: Effort | str = NORMAL,
) -> dict[str, Array]:
    """The framework's own run of `module` on `data`, as arrays that `verify` takes for the oracle; also written to the
    npz file `out` if given (docs/oracle.md).

    A copy runs, at rest, in evaluation mode and its own dtype: the module stays as it is. data: spikes (samples, steps,
    *shape) as an array, list or tensor, (spikes, labels), or named arrays or an npz file with `spikes` (one array for
    each argument of a forward that has several) and `labels`. names: the population of a layer by its name in the
    module, where a net.yaml names it otherwise or the layer is of no known class. potentials: for such a layer the
    attribute that holds its membrane potential after a step, and whether that is "before" or "after" the reset. call:
    as for `load`. scores: what makes the class scores (samples, classes) of what the forward returns, of the list of
    its returns where it is called once per step; by default a forward's return of that shape. effort: as for `compile`:
    how far silent layers of a forward of its own are searched, and how many samples run at a time.

    The arrays: the input and labels; spikes.NAME int8 and v.NAME (samples, steps, *shape), v in the module's units;
    scores; v_when, dtype and framework as words. Raises InputError for what does not fit.
    """
    if not is_module(module):
        raise arguments.refused("module", "a torch module", module, "give the network that was trained")
    place = None if out is None else arguments.path(out, "out", "name the npz file")
    if place is not None:
        check_outside(place)
    chosen = _named_texts(names, "names", "give {'LAYER': 'POPULATION'}")
    attributes = None if potentials is None else _attributes(potentials)
    arguments.text(call, "call", "see tern2lava.load")
    arguments.callback(scores, "scores", "give what makes class scores of what the forward returns")
    wanted = effort_of(effort)
    extras.require("torch", why="a module's own run needs it")
    from tern2lava.frontends.record.data import read_arrays
    from tern2lava.frontends.record.record import record_module

    if isinstance(data, SpikeData):
        data = dict(data.values()) | ({} if data.labels is None else {"labels": data.labels})
    elif (not isinstance(data, (str, bytes)) and hasattr(data, "__fspath__")) or isinstance(data, str):
        data = arguments.path(data, "data", HINT)
    inputs, labels = read_arrays(data)
    arrays: dict[str, Any] = dict(inputs) if labels is None else {**inputs, "labels": labels}
    arrays |= record_module(
        module, inputs, names=chosen, potentials=attributes, call=call, scores=scores, effort=wanted
    )
    if place is not None:
        write_file(place, lambda path: _write(path, arrays))
    return arrays


def _write(path: Path, arrays: dict[str, Any]) -> None:
    # To the open file: numpy adds .npz to a name that lacks it.
    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _named_texts(value: object, where: str, hint: str) -> dict[str, str] | None:
    if value is None:
        return None
    given = arguments.named(value, where, hint)
    return {name: arguments.text(item, f"{where}: {name}", hint) for name, item in given.items()}


def _attributes(value: object) -> dict[str, tuple[str, str]]:
    hint = "give {'LAYER': ('ATTRIBUTE', 'before' or 'after')}"
    found = {}
    for name, said in arguments.named(value, "potentials", hint).items():
        if not (isinstance(said, (tuple, list)) and len(said) == 2 and all(isinstance(part, str) for part in said)):
            raise arguments.refused(f"potentials: {name}", "(attribute, 'before' or 'after')", said, hint)
        found[name] = (said[0], said[1])
    return found
