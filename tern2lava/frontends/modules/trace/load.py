"""A module with a forward of its own, read: run on random input, recorded, folded into a Graph, and checked."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch

from tern2lava.compiler.ir.graph import Graph, Readout
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.frontends.modules.known_modules import Loaded, fresh_copy, refuse_changes, rest
from tern2lava.frontends.modules.trace.check import check_spikes
from tern2lava.frontends.modules.trace.functions import follow
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import BATCH, ITEM, STATIC, TIME, AxesError, Symbol
from tern2lava.frontends.modules.trace.to_graph import Fold

Inputs = dict[str, Array]
DENSITIES = (0.4, 0.15, 0.8)
"""Shares of ones in the samples of a run: populations with other thresholds and weights spike at others."""


def load_traced(
    module: torch.nn.Module, shapes: dict[str, Shape], steps: int, *, readout: Readout, levels: tuple[int, int],
    call: str,
) -> Loaded:  # fmt: skip
    """A module with a forward of its own, read (see read.read_module).

    Raises UnsupportedError where the module computes what no Graph says, naming the layer or function, and where the
    graph's spikes differ from the module's.
    """
    source = type(module).__qualname__
    for name, part in module.named_modules():
        refuse_changes(part, f"{source}: {name or 'the module itself'} ({type(part).__name__})")
    styles = ("time_first", "batch_first", "step", "static") if call == "auto" else (call,)
    errors: list[tuple[int, Tern2LavaError]] = []
    for style in styles:
        attempt = _Attempt(fresh_copy(module), source, shapes, steps, style, levels)
        attempt.training = module.training
        try:
            graph, names = attempt.graph(readout)
        except (Tern2LavaError, _RunError) as error:
            found = error if isinstance(error, Tern2LavaError) else InputError(source, str(error))
            errors.append((attempt.reached - isinstance(error, AxesError), found))
            continue
        return Loaded(graph=graph, call=style, names=names)
    raise max(errors, key=lambda pair: pair[0])[1]


class _RunError(Exception):
    """The module's own forward failed."""


class _Attempt:
    """One way of calling the module; `reached` counts how far it came: 0 running, 2 graph, 4 check."""

    def __init__(
        self, module: torch.nn.Module, source: str, shapes: dict[str, Shape], steps: int, style: str,
        levels: tuple[int, int],
    ) -> None:  # fmt: skip
        self.module, self.source, self.shapes = module, source, shapes
        self.steps, self.style, self.levels = steps, style, levels
        self.batch = len(DENSITIES)
        self.reached = 0
        self.training = False

    def graph(self, readout: Readout) -> tuple[Graph, dict[str, str]]:
        """The graph, checked against two runs of the module, and the node of each neuron layer."""
        recorder, inputs = self.record(0)
        self.reached = 2
        graph, names = Fold(recorder, self.steps, self.levels, self.training).graph(readout)
        self.reached = 4
        compared: dict[str, int] = dict.fromkeys(names.values(), 0)
        notes: list[str] = []
        for seed in range(2):
            if seed:
                recorder, inputs = self.record(seed)
            spikes = {names[recorder.expressions[key].label]: recorder.spikes(key) for key in recorder.calls}
            check_spikes(graph, inputs, spikes, self.source, notes)
            for name, own in spikes.items():
                compared[name] += int(np.abs(own).sum())
        silent = [name for name, count in compared.items() if not count]
        notes = [*dict.fromkeys(notes), *(f"{n}: fired in no run of the check, which proves little" for n in silent)]
        said = f"traced over {self.steps} steps ({self.style.replace('_', ' ')}); the graph gave the module's own "
        notes = [f"{said}{sum(compared.values()):,} spikes", *notes]
        return graph.with_nodes(graph.nodes, notes=notes), names

    def record(self, seed: int) -> tuple[Recorder, Inputs]:
        """A recorded run from rest on random input, and that input by name, (batch, steps, *shape)."""
        rng = np.random.default_rng(seed)
        inputs: Inputs = {}
        for name, shape in self.shapes.items():
            full = (self.batch, 1 if self.style == "static" else self.steps, *shape)
            low, high = self.levels
            density = np.array(DENSITIES).reshape(-1, *[1] * (len(full) - 1))
            values = rng.integers(low, high + 1, full) if (low, high) != (0, 1) else (rng.random(full) < density)
            inputs[name] = np.broadcast_to(values.astype(np.float64), (self.batch, self.steps, *shape))
        recorder = Recorder(self.module, self.source, self.batch, self.steps, follow)
        with torch.no_grad():
            rest(self.module)
        try:
            recorder.run(lambda: self.call(recorder, inputs))
        except Tern2LavaError:
            raise
        except Exception as error:
            why = " ".join(str(error).split())[:160]
            raise _RunError(
                f"its forward fails on {self.style.replace('_', ' ')} input of {self.steps} steps "
                f"({type(error).__name__}: {why}); say call= and input_shape as it needs them"
            ) from None
        return recorder, inputs

    def call(self, recorder: Recorder, inputs: Inputs) -> Any:
        """Run the module's forward once, or once per step."""
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
        for t in range(self.steps):
            given = {n: v[:, t].contiguous() for n, v in values.items()}
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], (t,), (BATCH, *items[name])))
            result = self.module(*given.values(), *state)
            state = (result[1],) if self.hands_on_state() and isinstance(result, tuple) and len(result) == 2 else ()
        return None

    def hands_on_state(self) -> bool:
        """Whether the forward is forward(inputs..., state=None), giving (output, state), as Norse's modules."""
        parameters = list(inspect.signature(self.module.forward).parameters.values())
        return len(parameters) == len(self.shapes) + 1 and parameters[-1].default is None
