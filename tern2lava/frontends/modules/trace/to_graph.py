"""The Graph of a traced module: what its neurons read in the last step, held against all steps and its own run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tern2lava.compiler.ir.graph import Add, ChannelAffine, Delay, Dense, Flatten, Graph, PoolKind, Readout
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.modules.known_modules import Loaded, add_layer, fresh_copy, refuse_changes, rest
from tern2lava.frontends.modules.torch_layers import IN_TRAINING, TRAINED, as_array, class_path, pair
from tern2lava.frontends.modules.trace.check import check_spikes
from tern2lava.frontends.modules.trace.functions import follow
from tern2lava.frontends.modules.trace.recorder import Recorder, leaves
from tern2lava.frontends.modules.trace.symbols import ALL, STATIC, AxesError, Expression, Symbol

Inputs = dict[str, Array]


def load_traced(
    module: torch.nn.Module, shapes: dict[str, Shape], steps: int, *, readout: Readout, levels: tuple[int, int],
    call: str, effort: Effort = NORMAL,
) -> Loaded:  # fmt: skip
    """A module with a forward of its own, read (see module.read_module).

    Raises UnsupportedError where the module computes what no Graph says, naming the layer or function, and where the
    graph's spikes differ from the module's.
    """
    source = type(module).__qualname__
    for name, part in module.named_modules():
        refuse_changes(part, f"{source}: {name or 'the module itself'} ({type(part).__name__})")
    styles = ("time_first", "batch_first", "step", "static") if call == "auto" else (call,)
    errors: list[tuple[int, Tern2LavaError]] = []
    for style in styles:
        for length in dict.fromkeys((min(steps, effort.traced_steps), steps)):
            attempt = _Attempt(fresh_copy(module), source, shapes, steps, length, style, levels)
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
        self, module: torch.nn.Module, source: str, shapes: dict[str, Shape], steps: int, length: int, style: str,
        levels: tuple[int, int],
    ) -> None:  # fmt: skip
        self.module, self.source, self.shapes = module, source, shapes
        self.steps, self.length, self.style, self.levels = steps, length, style, levels
        self.batch = 3 if length != 3 else 2
        self.reached = 0
        self.training = False

    def graph(self, readout: Readout) -> tuple[Graph, dict[str, str]]:
        """The graph, checked against further runs of the module, and the node of each neuron layer."""
        recorder, _ = self.record(0.4, 0)
        self.reached = 2
        graph, names = _Fold(recorder, self, self.module).graph(readout)
        self.reached = 4
        compared: dict[str, int] = dict.fromkeys(names.values(), 0)
        notes: list[str] = []
        for seed, density in enumerate((0.4, 0.15, 0.8)):
            again, inputs = self.record(density, seed)
            spikes = {names[k]: again.spikes(key) for key, k in _by_label(again)}
            check_spikes(graph, inputs, spikes, self.source, notes)
            for name, own in spikes.items():
                compared[name] += int(np.abs(own).sum())
        silent = [name for name, count in compared.items() if not count]
        notes = [*dict.fromkeys(notes), *(f"{n}: fired in no run of the check, which proves little" for n in silent)]
        said = f"traced over {self.length} steps ({self.style.replace('_', ' ')}); the graph gave the module's own "
        notes = [f"{said}{sum(compared.values()):,} spikes", *notes]
        return graph.with_nodes(graph.nodes, notes=notes), names

    def record(self, density: float, seed: int) -> tuple[Recorder, Inputs]:
        """A recorded run from rest on random input of `density`, and that input by name, (batch, steps, *shape)."""
        rng = np.random.default_rng(seed)
        inputs: Inputs = {}
        for name, shape in self.shapes.items():
            full = (self.batch, 1 if self.style == "static" else self.length, *shape)
            low, high = self.levels
            values = rng.integers(low, high + 1, full) if (low, high) != (0, 1) else (rng.random(full) < density)
            inputs[name] = np.broadcast_to(values.astype(np.float64), (self.batch, self.length, *shape))
        recorder = Recorder(self.module, self.source, self.batch, self.length, follow)
        with torch.no_grad():
            rest(self.module)
        try:
            recorder.run(lambda: self.call(recorder, inputs))
        except Tern2LavaError:
            raise
        except Exception as error:
            why = " ".join(str(error).split())[:160]
            raise _RunError(
                f"its forward fails on {self.style.replace('_', ' ')} input of {self.length} steps "
                f"({type(error).__name__}: {why}); say call= and input_shape as it needs them"
            ) from None
        return recorder, inputs

    def call(self, recorder: Recorder, inputs: Inputs) -> Any:
        """Run the module's forward once, or once per step."""
        keys = {name: recorder.input(name, shape) for name, shape in self.shapes.items()}
        values = {name: torch.from_numpy(np.array(value)) for name, value in inputs.items()}
        if self.style in ("time_first", "batch_first"):
            first = self.style == "time_first"
            given = {n: v.transpose(0, 1).contiguous() if first else v for n, v in values.items()}
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], ALL, "time" if first else "batch"))
            return self.module(*given.values())
        if self.style == "static":
            given = {n: v[:, 0].contiguous() for n, v in values.items()}
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], STATIC, "step"))
            return self.module(*given.values())
        state: tuple[Any, ...] = ()
        for t in range(self.length):
            given = {n: v[:, t].contiguous() for n, v in values.items()}
            for name, value in given.items():
                recorder.mark(value, Symbol(keys[name], t, "step"))
            result = self.module(*given.values(), *state)
            state = (result[1],) if self.hands_on_state() and isinstance(result, tuple) and len(result) == 2 else ()
        return None

    def hands_on_state(self) -> bool:
        """Whether the forward is forward(inputs..., state=None), giving (output, state), as Norse's modules."""
        import inspect

        parameters = list(inspect.signature(self.module.forward).parameters.values())
        return len(parameters) == len(self.shapes) + 1 and parameters[-1].default is None


def _by_label(recorder: Recorder) -> list[tuple[int, str]]:
    return [(key, recorder.expressions[key].label) for key in recorder.calls]


class _Fold:
    """One recorded run on its way into a Graph."""

    def __init__(self, recorder: Recorder, attempt: _Attempt, module: torch.nn.Module) -> None:
        self.recorder, self.module, self.attempt = recorder, module, attempt
        self.source = recorder.source
        kinds = {e.kind for e in recorder.expressions} | {
            class_path(e.module).rsplit(".", 1)[1] for e in recorder.expressions if e.module is not None
        }
        flat = bool(kinds & {"Conv1d", "MaxPool1d", "AvgPool1d"})
        self.builder = GraphBuilder(self.source, attempt.steps, one_dimensional=flat)
        self.emitted: dict[tuple[int, int], str] = {}
        self.used: set[int] = set()

    def graph(self, readout: Readout) -> tuple[Graph, dict[str, str]]:
        """(the graph, the node of each neuron layer by its name in the module)."""
        recorder, builder = self.recorder, self.builder
        for key, expression in enumerate(recorder.expressions):
            if expression.kind == "input":
                builder.input(expression.label, expression.shape, self.attempt.levels, self.source)
                self.emitted[key, 0] = expression.label
        if self.attempt.training and any(class_path(layer) in TRAINED for _, layer in leaves(self.module)):
            builder.notes.append(IN_TRAINING)
        read = {key: self.read_by(key) for key in recorder.calls}
        if not read:
            raise UnsupportedError(self.source, "a forward that calls its neurons", "no call", "pass the whole network")
        for key in recorder.calls:
            expression = recorder.expressions[key]
            shape = expression.shape
            if builder.one_dimensional and len(shape) == 2:
                shape = (shape[0], 1, shape[1])
            self.emitted[key, 0] = self.free(expression.label)
            builder.promise(self.emitted[key, 0], shape)
        sinks = set(recorder.calls)
        for key, (arg, delay) in read.items():
            before = set(self.used)
            self.used = set()
            source = self.emit(arg, delay)
            sinks -= self.used - {key}
            self.used |= before
            expression = recorder.expressions[key]
            add_layer(builder, self.emitted[key, 0], source, self.where(expression), expression.module)
        self.refuse_unused()
        outputs = [self.emitted[key, 0] for key in recorder.calls if key in (sinks or {list(recorder.calls)[-1]})]
        graph = builder.finish(readout, self.source, outputs)
        return graph, {recorder.expressions[key].label: self.emitted[key, 0] for key in recorder.calls}

    def where(self, expression: Expression) -> str:
        return f"{self.source}: layer {expression.label} ({type(expression.module).__name__})"

    def free(self, label: str) -> str:
        """`label`, with a number where a node has that name already."""
        taken, name, number = set(self.builder.shape) | set(self.emitted.values()), label, 2
        while name in taken:
            name, number = f"{label}_{number}", number + 1
        return name

    def read_by(self, key: int) -> tuple[int, int]:
        """(expression, steps it looks back) that a neuron layer reads in every step once all its past exists."""
        where = self.where(self.recorder.expressions[key])
        calls = self.recorder.calls[key].read
        last = calls[-1]
        if last is None:
            raise UnsupportedError(
                where, "neurons that read layers of this network", "numbers made outside of torch's functions",
                "use torch functions and known layers in front of it",
            )  # fmt: skip
        if last.time == ALL:
            if len(calls) != 1:
                raise UnsupportedError(where, "one call for a sequence", f"{len(calls)} calls", "call it once")
            return last.key, 0
        if len(calls) != self.recorder.steps:
            raise UnsupportedError(
                where, "one call of a neuron layer per step", f"{len(calls)} calls in {self.recorder.steps} steps",
                "use a neuron layer of its own in each place, and as many steps as the module runs",
            )  # fmt: skip
        delay = 0 if last.time == STATIC else len(calls) - 1 - last.time
        start = delay + self.reach(last.key)
        for t in range(start, len(calls)):
            found = calls[t]
            same = found is not None and found.key == last.key
            if not same or (found is not None and found.time != STATIC and t - found.time != delay) or delay < 0:
                raise UnsupportedError(
                    where, "the same computation in every step", f"another input in step {t} than in the last",
                    "keep the loop over time the same in every step",
                )  # fmt: skip
        return last.key, delay

    def reach(self, key: int) -> int:
        """Steps that an expression looks back at most."""
        return max((delay + self.reach(arg) for arg, delay in self.recorder.expressions[key].args), default=0)

    def emit(self, key: int, delay: int) -> str:
        """The node of an expression of `delay` steps ago; delays stand at neurons and inputs, in front of biases."""
        expression = self.recorder.expressions[key]
        if expression.kind in ("neuron", "input"):
            self.used.add(key)
            if delay and (key, delay) not in self.emitted:
                name = self.free(f"{self.emitted[key, 0]}.delay{delay}")
                self.builder.add(Delay(name=name, inputs=(self.emitted[key, 0],), steps=delay), self.source)
                self.emitted[key, delay] = name
            return self.emitted[key, delay]
        sources = [self.emit(arg, delay + back) for arg, back in expression.args]
        self.used.add(key)
        if (key, delay) not in self.emitted:
            name = self.free(expression.label)
            self.emitted[key, delay] = self.add(expression, name, sources)
        return self.emitted[key, delay]

    def add(self, expression: Expression, name: str, sources: list[str]) -> str:
        """Add the node of an expression and give its name."""
        builder, where, data = self.builder, f"{self.source}: {name}", expression.data
        array: Callable[[Any], Array] = lambda value: as_array(where, value)  # noqa: E731
        match expression.kind:
            case "layer":
                where = self.where(expression)
                if class_path(expression.module).endswith(".Flatten"):
                    builder.add(Flatten(name=name, inputs=(sources[0],)), where)
                    self.same_shape(name, expression, where)
                else:
                    add_layer(builder, name, sources[0], where, expression.module)
            case "add":
                builder.add(Add(name=name, inputs=tuple(sources)), where)
            case "affine":
                gain, offset = data
                builder.add(ChannelAffine(name=name, inputs=(sources[0],), gain=gain, offset=offset), where)
            case "flatten":
                builder.add(Flatten(name=name, inputs=(sources[0],)), where)
            case "linear" | "matmul":
                weight = array(data[0]) if expression.kind == "linear" else array(data[0]).T
                bias = array(data[1]) if len(data) > 1 and data[1] is not None else None
                if len(builder.shape[sources[0]]) != 1:
                    shape = builder.shape[sources[0]]
                    raise UnsupportedError(where, "vectors in front of a matrix", f"shape {shape}", "flatten first")
                builder.add(Dense(name=name, inputs=(sources[0],), weight=weight, bias=bias), where)
            case "conv":
                weight, bias, stride, padding, dilation, groups = data
                builder.conv(
                    name, sources[0], where, weight=array(weight), bias=None if bias is None else array(bias),
                    stride=pair(stride, 1), padding="same" if padding == "same" else
                    (0, 0) if padding == "valid" else pair(padding, 0), dilation=pair(dilation, 1), groups=groups,
                )  # fmt: skip
            case "avgpool" | "maxpool":
                kernel, stride, padding = data
                window = {"kernel": pair(kernel, 1), "stride": pair(kernel if stride is None else stride, 1)}
                sides = pair(padding or 0, 0)
                if expression.kind == "maxpool":
                    builder.maxpool(name, sources[0], where, **window, padding=sides)
                else:
                    builder.pool(name, sources[0], where, kind=PoolKind.AVG, **window, padding=sides)
            case _:
                raise UnsupportedError(
                    self.source, "numbers added to a layer to be one per channel and the same in every step",
                    "a tensor of another shape", "use a bias, or batch normalisation",
                )  # fmt: skip
        return name

    def same_shape(self, name: str, expression: Expression, where: str) -> None:
        """Raise UnsupportedError where a layer gave out another shape in the module's run than the node has."""
        if self.builder.shape[name] != expression.shape:
            raise UnsupportedError(
                where, "all axes but the batch to be flattened", f"shape {expression.shape}", "use nn.Flatten()"
            )

    def refuse_unused(self) -> None:
        """Raise UnsupportedError where a layer with weights computes what no neuron reads, as a last linear layer."""
        modules = {id(self.recorder.expressions[key].module) for key in self.used}
        for expression in self.recorder.expressions:
            weights = expression.kind in ("linear", "matmul", "conv") or (
                expression.kind == "layer" and next(expression.module.parameters(), None) is not None
            )
            emitted = id(expression.module) in modules if expression.module is not None else True
            if weights and not emitted:
                raise UnsupportedError(
                    self.where(expression), "a network that ends in neurons", "a layer that no neuron reads",
                    "add a neuron layer; one without leak and reset, read as membrane_last, sums its input",
                )  # fmt: skip
