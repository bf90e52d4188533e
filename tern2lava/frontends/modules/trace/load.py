"""A module with a forward of its own, read: run on random input, recorded, folded into a Graph, and checked."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch

from tern2lava.compiler.ir.graph import Readout
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.frontends.modules.known_modules import Loaded, fresh_copy, rest
from tern2lava.frontends.modules.trace.check import check_returned, check_spikes
from tern2lava.frontends.modules.trace.functions import follow
from tern2lava.frontends.modules.trace.held import Held
from tern2lava.frontends.modules.trace.hooks import refuse_inner_changes
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.returned import Returned, returned_tensors
from tern2lava.frontends.modules.trace.symbols import BATCH, ITEM, STATIC, TIME, AxesError, OneCallError, Symbol
from tern2lava.frontends.modules.trace.to_graph import Fold

Inputs = dict[str, Array]
DENSITIES = (0.4, 0.15, 0.8)
"""Shares of ones in the samples of a run: populations with other thresholds and weights spike at others."""


def load_traced(
    module: torch.nn.Module, shapes: dict[str, Shape], steps: int, *, readout: Readout | None, levels: tuple[int, int],
    call: str, effort: Effort = NORMAL,
) -> Loaded:  # fmt: skip
    """A module with a forward of its own, read (see read.read_module).

    Raises UnsupportedError where the module computes what no Graph says, naming the layer or function, and where the
    graph's spikes differ from the module's.
    """
    source = type(module).__qualname__
    refuse_inner_changes(module, source)
    styles = ("time_first", "batch_first", "step", "static") if call == "auto" else (call,)
    errors: list[tuple[int, Tern2LavaError]] = []
    for style in styles:
        attempt = _Attempt(fresh_copy(module), source, shapes, steps, style, levels, effort)
        attempt.training = module.training
        attempt.outside = [t for t in (*module.parameters(), *module.buffers()) if t.layout is torch.strided]
        try:
            found = attempt.graph(readout)
        except (Tern2LavaError, _RunError) as error:
            why = error if isinstance(error, Tern2LavaError) else InputError(source, str(error))
            # A forward that fails, or calls neurons once, was more likely called the wrong way than one refused.
            behind = 2 if isinstance(error, _RunError) else 1 if isinstance(error, AxesError) else 0
            behind = 3 if isinstance(error, OneCallError) else behind
            errors.append((attempt.reached - behind, why))
            continue
        return found
    raise max(errors, key=lambda pair: pair[0])[1]


class _RunError(Exception):
    """The module's own forward failed."""


class _Attempt:
    """One way of calling the module; `reached` counts how far it came: 0 running, 2 graph, 4 check."""

    def __init__(
        self, module: torch.nn.Module, source: str, shapes: dict[str, Shape], steps: int, style: str,
        levels: tuple[int, int], effort: Effort,
    ) -> None:  # fmt: skip
        self.module, self.source, self.shapes = module, source, shapes
        self.steps, self.style, self.levels, self.effort = steps, style, levels, effort
        self.batch = len(DENSITIES)
        self.reached = 0
        self.training = False
        self.held = Held()
        self.outside: list[torch.Tensor] = []

    def graph(self, readout: Readout | None) -> Loaded:
        """The module as it is read, its graph checked against runs of it over all its steps.

        Of further runs, each has stronger input than the one before, while populations are silent.
        """
        recorder, inputs, returned = self.record(0)
        self.reached = 2
        fold = Fold(recorder, self.steps, self.levels, self.training, returned)
        graph, names = fold.graph(readout)
        self.reached = 4
        compared: dict[str, int] = dict.fromkeys(names.values(), 0)
        notes: list[str] = []
        for seed in range(2 + self.effort.waking_runs):
            if seed:
                recorder, inputs, returned = self.record(seed)
                fold.refuse_others(recorder)
            labels = {key: recorder.expressions[key].label for key in recorder.calls}
            spikes = {names[label]: recorder.spikes(key) for key, label in labels.items() if label in names}
            trace = check_spikes(graph, inputs, spikes, self.source, notes, self.effort.checked_values)
            check_returned(graph, trace, spikes, returned, fold.chosen, self.source)
            for name, own in spikes.items():
                compared[name] += int(np.count_nonzero(own))
            if seed and all(compared.values()):
                break
        silent = [name for name, count in compared.items() if not count]
        notes = [*dict.fromkeys(notes), *(f"{n}: fired in no run of the check, which proves little" for n in silent)]
        said = f"traced over {self.steps} steps ({self.style.replace('_', ' ')}); the graph gave the module's own "
        notes = [f"{said}{sum(compared.values()):,} spikes", *notes]
        graph = graph.with_nodes(graph.nodes, notes=(*notes, *fold.told))
        first = next(iter(fold.chosen), None)
        given = not fold.other if first is None else not (first.whole or first.ends) and first.path in ("", "[0]")
        shared = recorder.shared(names)
        places = {f"{name}.{n + 1}" for name, (nodes, _) in shared.items() for n in range(1, len(nodes))} | set(shared)
        parts = dict(self.module.named_modules())
        alone = {
            label: node for label, node in names.items() if (label not in places and label in parts) or label == "0"
        }
        return Loaded(graph=graph, call=self.style, names=alone, scores=given, shared=shared)

    def record(self, seed: int) -> tuple[Recorder, Inputs, list[Returned]]:
        """A recorded run from rest on random input, that input by name, (batch, steps, *shape), and what the run
        returned."""
        rng = np.random.default_rng(seed)
        still = self.style == "static"
        inputs: Inputs = {}
        for name, shape in self.shapes.items():
            values = _strong(rng, self.levels, self.steps, shape, still) if seed > 1 else _random(
                rng, self.levels, 1 if still else self.steps, shape
            )  # fmt: skip
            inputs[name] = np.broadcast_to(values.astype(np.float64), (self.batch, self.steps, *shape))
        recorder = Recorder(self.module, self.source, self.batch, self.steps, follow, self.held, self.outside)
        with torch.no_grad():
            rest(self.module)
        try:
            result = recorder.run(lambda: self.call(recorder, inputs))
        except Tern2LavaError:
            raise
        except Exception as error:
            why = " ".join(str(error).split())[:160]
            raise _RunError(
                f"its forward fails on {self.style.replace('_', ' ')} input of {self.steps} steps "
                f"({type(error).__name__}: {why}); say call= and input_shape as it needs them"
            ) from None
        return recorder, inputs, returned_tensors(recorder, result, self.style == "step")

    def call(self, recorder: Recorder, inputs: Inputs) -> Any:
        """Run the module's forward once, or once per step; what it returns, of every step where it is called so."""
        keys = {name: recorder.input(name, shape, self.levels) for name, shape in self.shapes.items()}
        values = {name: torch.from_numpy(np.array(value)) for name, value in inputs.items()}
        items = {name: (ITEM,) * len(shape) for name, shape in self.shapes.items()}
        if self.style in ("time_first", "batch_first"):
            first = self.style == "time_first"
            given = {n: v.transpose(0, 1).contiguous() if first else v for n, v in values.items()}
            lead = (TIME, BATCH) if first else (BATCH, TIME)
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], tuple(range(self.steps)), (*lead, *items[name])))
            return self.module(*given.values())
        if self.style == "static":
            given = {n: v[:, 0].contiguous() for n, v in values.items()}
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], (STATIC,), (BATCH, *items[name])))
            return self.module(*given.values())
        state: tuple[Any, ...] = ()
        results = []
        for t in range(self.steps):
            given = {n: v[:, t].contiguous() for n, v in values.items()}
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], (t,), (BATCH, *items[name])))
            result = self.module(*given.values(), *state)
            handed = self.hands_on_state() and isinstance(result, tuple) and len(result) == 2
            state = (result[1],) if handed else ()
            results.append(result[0] if handed else result)
        return results

    def hands_on_state(self) -> bool:
        """Whether the forward is forward(inputs..., state=None), giving (output, state), as Norse's modules."""
        parameters = list(inspect.signature(self.module.forward).parameters.values())
        return len(parameters) == len(self.shapes) + 1 and parameters[-1].default is None


def _random(rng: np.random.Generator, levels: tuple[int, int], steps: int, shape: Shape) -> Array:
    """Values (samples, steps, *shape) in `levels`, spikes with a density of its own in each sample."""
    full = (len(DENSITIES), steps, *shape)
    if levels != (0, 1):
        return rng.integers(levels[0], levels[1] + 1, full)
    return rng.random(full) < np.array(DENSITIES).reshape(-1, *[1] * (len(full) - 1))


def _strong(rng: np.random.Generator, levels: tuple[int, int], steps: int, shape: Shape, still: bool) -> Array:
    """Values that drive neurons longer: the largest everywhere, a pattern that stays, and one that stays for some steps
    and comes back on less of the input."""
    low, high = levels
    stays = np.where(rng.random(shape) < rng.uniform(0.2, 0.8), high, low)
    other = np.where(rng.random(shape) < rng.uniform(0.05, 0.6), high, rng.integers(low, high + 1, shape))
    on = np.arange(steps) // max(1, steps // 4) % 2 == 0
    pulses = np.where(on.reshape(-1, *[1] * len(shape)), other, 0 if low <= 0 <= high else low)
    parts = [np.full((steps, *shape), high), np.broadcast_to(stays, (steps, *shape)), pulses]
    values = np.stack(parts)
    return values[:, :1] if still else values
