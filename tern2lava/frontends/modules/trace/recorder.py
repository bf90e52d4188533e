"""A run of a live module, recorded: which layer read what of which time step.

The module runs on random input with hooks on its known layers and neurons and under a TorchFunctionMode that sees
every torch function between them. A tensor that depends on the input stands for a Symbol: an expression that is the
same in every step, and its time step. Data, not the order of calls, says which step a tensor belongs to: loops over
time, layer by layer or unrolled, come out alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tern2lava.compiler.ir.shapes import Reals, Shape
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import NEURONS, is_layer, reads_sequences
from tern2lava.frontends.modules.torch_layers import class_path
from tern2lava.frontends.modules.trace.symbols import ALL, AxesError, Calls, Expression, Foreign, Meaning, State, Symbol

# What one call of a torch function (recorder, name, args, kwargs, result) says of tensors that depend on the input.
Follow = Callable[["Recorder", str, Sequence[Any], dict[str, Any], Any], None]


class Recorder(TorchFunctionMode):
    """Records a run of `module` over `steps` steps of a batch of `batch` samples; `follow` says what functions mean."""

    def __init__(self, module: torch.nn.Module, source: str, batch: int, steps: int, follow: Follow) -> None:
        super().__init__()
        self.follow = follow
        self.module, self.source = module, source
        self.batch, self.steps = batch, steps
        self.expressions: list[Expression] = []
        self.index: dict[Any, int] = {}
        self.meanings: dict[int, tuple[Tensor, Meaning]] = {}
        self.calls: dict[int, Calls] = {}
        self.depth = 0
        self.pending: list[Symbol | None] = []

    # Running

    def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns, run with hooks on every layer of the module."""
        handles = []
        try:
            for name, layer in leaves(self.module):
                handles.append(layer.register_forward_pre_hook(self._before(name, layer), with_kwargs=True))
                handles.append(layer.register_forward_hook(self._after(name, layer), with_kwargs=True))
            with torch.no_grad(), self:
                return function()
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.depth == 0:
            self.depth += 1
            try:
                self.follow(self, getattr(func, "__name__", str(func)), args, kwargs or {}, result)
            finally:
                self.depth -= 1
        return result

    # Meanings

    def meaning(self, value: Any) -> Meaning | None:
        """What a tensor stands for, None where it does not depend on the input."""
        found = self.meanings.get(id(value))
        return found[1] if found is not None else None

    def mark(self, value: Any, meaning: Meaning) -> None:
        """Let a tensor stand for `meaning` (it is kept alive, so that its id stays its own)."""
        if isinstance(value, Tensor):
            self.meanings[id(value)] = (value, meaning)

    def express(self, expression: Expression, identity: Any = None) -> int:
        """The key of an expression, the same for equal ones (`identity` tells apart what data cannot be compared)."""
        known = (expression.kind, id(expression.module), expression.args, expression.label if not expression.module
                 else "", identity)  # fmt: skip
        if known not in self.index:
            self.index[known] = len(self.expressions)
            self.expressions.append(expression)
        return self.index[known]

    def item_shape(self, value: Tensor, axes: str) -> Shape:
        """Shape of one sample at one step of a tensor."""
        return tuple(value.shape[2 if axes in ("time", "batch") else 1 :])

    def input(self, name: str, shape: Shape) -> int:
        """The key of an input of the network."""
        return self.express(Expression(kind="input", label=name, shape=shape))

    # Layers

    def _before(self, name: str, layer: torch.nn.Module) -> Callable[..., Any]:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            self.depth += 1
            if self.depth > 1:
                return None
            where = f"{self.source}: layer {name} ({type(layer).__name__})"
            values = [*args, *kwargs.values()]
            if not values or not isinstance(values[0], Tensor):
                found = type(values[0]).__name__ if values else "nothing"
                raise UnsupportedError(where, "tensors as the input of layers", found, "pass a tensor")
            self.pending.append(self._read(where, layer, values))
            doubled = [value.double() if _is_float(value) else value for value in args]
            return tuple(doubled), {k: value.double() if _is_float(value) else value for k, value in kwargs.items()}

        return hook

    def _read(self, where: str, layer: torch.nn.Module, values: list[Any]) -> Symbol | None:
        """What a layer reads, checked: the input's Symbol, and that states handed in are its own of the step before."""
        meaning = self.meaning(values[0])
        if isinstance(meaning, State | Foreign):
            what = meaning.what if isinstance(meaning, Foreign) else "a membrane potential or current of neurons"
            raise UnsupportedError(
                where, "layers that read spikes, or sums of layers of the same or earlier steps", what, "feed it spikes"
            )
        if meaning is not None:
            sequences = reads_sequences(layer)
            if sequences is True and meaning.axes != "time":
                raise AxesError(where, "(time, batch, ...) for this layer", meaning.axes, "give it the sequence")
            if sequences is False and meaning.axes not in ("step", "merged") and not _flattens_inner(layer):
                raise AxesError(where, "single steps for this layer", "a sequence", "give it one step after the other")
        if class_path(layer) in NEURONS:
            if meaning is not None and meaning.axes == "merged":
                raise AxesError(where, "neurons that read steps in order", "time and batch in one axis", "unflatten")
            self._check_states(where, layer, values[1:])
        return meaning

    def _check_states(self, where: str, layer: torch.nn.Module, states: list[Any]) -> None:
        key = self._neuron(where, layer)
        t = len(self.calls[key].read)
        for tensor in _tensors(states):
            meaning = self.meaning(tensor)
            own = isinstance(meaning, State | Symbol) and meaning.key == key and meaning.time == t - 1
            if not own and not (t == 0 and meaning is None):
                raise UnsupportedError(
                    where, "neurons that go on from their own state of the step before", "another state",
                    "hand each neuron what it gave out the step before",
                )  # fmt: skip

    def _neuron(self, label: str, layer: torch.nn.Module) -> int:
        key = self.express(Expression(kind="neuron", label=label, module=layer))
        self.calls.setdefault(key, Calls())
        return key

    def _after(self, name: str, layer: torch.nn.Module) -> Callable[..., Any]:
        def hook(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            self.depth -= 1
            if self.depth:
                return
            self.depth += 1
            try:
                self._record(name, layer, self.pending.pop(), output)
            finally:
                self.depth -= 1

        return hook

    def _record(self, name: str, layer: torch.nn.Module, read: Symbol | None, output: Any) -> None:
        first, *rest = list(_tensors([output]))
        if class_path(layer) not in NEURONS:
            if read is not None:
                shape = self.item_shape(first, read.axes)
                key = self.express(
                    Expression(kind="layer", label=name, args=((read.key, 0),), module=layer, shape=shape)
                )
                self.mark(first, Symbol(key, read.time, read.axes))
            return
        key = self._neuron(name, layer)
        calls = self.calls[key]
        t = len(calls.read)
        calls.read.append(read)
        sequence = reads_sequences(layer) is True
        axes = "time" if sequence else "step"
        old = self.expressions[key]
        self.expressions[key] = Expression(
            kind="neuron", label=name, module=layer, shape=self.item_shape(first, axes), args=old.args
        )
        calls.spikes.append(first.detach().cpu().numpy().astype(np.float64))
        self.mark(first, Symbol(key, ALL if sequence else t, axes))
        for tensor in rest:
            self.mark(tensor, State(key, t))

    def spikes(self, key: int) -> Reals:
        """Spikes (batch, steps, neurons) of the neurons `key`."""
        calls = self.calls[key]
        if calls.read and calls.read[0] is not None and calls.read[0].axes == "time":
            over_time: Reals = np.concatenate(calls.spikes).swapaxes(0, 1)
            return over_time.reshape(self.batch, self.steps, -1)
        return np.stack(calls.spikes, axis=1).reshape(self.batch, len(calls.spikes), -1)


def leaves(module: torch.nn.Module, prefix: str = "") -> Iterator[tuple[str, torch.nn.Module]]:
    """(dotted name, module) of every known layer and neuron, not looking inside them."""
    for name, child in module.named_children():
        if is_layer(child):
            yield prefix + name, child
        else:
            yield from leaves(child, f"{prefix}{name}.")


def _flattens_inner(layer: torch.nn.Module) -> bool:
    """Whether a plain Flatten leaves two axes alone, so that it flattens every step of a sequence."""
    return class_path(layer) == "torch.nn.modules.flatten.Flatten" and bool(layer.start_dim == 2)


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype is not torch.float64


def _tensors(values: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples and lists, in order."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
