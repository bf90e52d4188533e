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

from tern2lava.compiler.ir.shapes import Reals, Shape, Spikes
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import NEURONS, is_leaf, reads_sequences
from tern2lava.frontends.modules.torch_layers import class_name, class_path
from tern2lava.frontends.modules.trace.constants import Digests
from tern2lava.frontends.modules.trace.held import Held, resting
from tern2lava.frontends.modules.trace.meanings import POTENTIAL, Meanings
from tern2lava.frontends.modules.trace.names import CASTS, WRITES, in_place, name_of
from tern2lava.frontends.modules.trace.places import users_line
from tern2lava.frontends.modules.trace.symbols import (
    BATCH,
    BATCH_TIME,
    ITEM,
    TIME,
    TIME_BATCH,
    AxesError,
    Call,
    Calls,
    Expression,
    Foreign,
    Symbol,
)

# What one call of a torch function says of tensors that depend on the input.
Follow = Callable[["Recorder", Call], None]

_STATES = ("v", "mem", "syn", "v_seq")
"""Attributes of neurons of the frameworks that hold potentials or currents."""

NO_EXACT_FORM = (
    "docs/live-modules.md lists what has an exact form; to feed the layer spikes instead changes the network"
)
"""The way out where a layer reads what no graph says."""


class Recorder(Meanings, TorchFunctionMode):
    """Records a run of `module` over `steps` steps of a batch of `batch` samples; `follow` says what functions mean."""

    def __init__(
        self, module: torch.nn.Module, source: str, batch: int, steps: int, follow: Follow, held: Held | None = None
    ) -> None:
        TorchFunctionMode.__init__(self)
        Meanings.__init__(self, batch, steps)
        self.follow = follow
        self.module, self.source = module, source
        self.held = held or Held()
        self.digests = Digests(module)
        self.kept: dict[Any, Any] = {}
        self.calls: dict[int, Calls] = {}
        self.depth = 0
        self.refused: UnsupportedError | None = None
        self.pending: list[Symbol | None] = []

    # Running

    def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns, run with hooks on every layer of the module."""
        handles = []
        self.held.at_rest(self.module)
        try:
            for name, layer in leaves(self.module):
                handles.append(layer.register_forward_pre_hook(self._before(name, layer), with_kwargs=True))
                handles.append(layer.register_forward_hook(self._after(name, layer), with_kwargs=True))
            for name, part in small_parts(self.module):
                handles.append(part.register_forward_pre_hook(lambda m, a, name=name: self.inside.append(name)))
                handles.append(part.register_forward_hook(lambda m, a, out: self.inside.pop() and None))
            with torch.no_grad(), self:
                result = function()
            if self.refused is not None:
                raise self.refused  # a forward may catch what is raised in it
            return result
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.depth:
            return widened(func(*args, **kwargs), args)
        self.depth += 1
        try:
            name = name_of(func)
            before = None
            if in_place(name) and isinstance(args[0], Tensor) and self.meaning(args[0]) is None:
                before = args[0].clone()
            result = func(*args, **kwargs)
            given = args if before is None or name in WRITES else (before, *args[1:])
            if name in CASTS and isinstance(result, Tensor) and self.meaning(args[0]) is not None:
                # A cast rounds in the module's own run, and not in this one, which stands for real numbers.
                result = args[0].double() if result.is_floating_point() else result
            result = widened(result, args)
            call = Call(name=name, function=func, args=tuple(given), kwargs=kwargs, result=result, before=before)
            self.follow(self, call)
        except UnsupportedError as error:
            self.refused = self.refused or error
            raise
        finally:
            self.depth -= 1
        return result

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
            try:
                self.held.check(where, layer, next(_tensors(values[1:]), None) is not None)
                self.pending.append(self._read(where, layer, values))
            except UnsupportedError as error:
                self.refused = self.refused or error
                raise
            doubled = [value.double() if _is_float(value) else value for value in args]
            return tuple(doubled), {k: value.double() if _is_float(value) else value for k, value in kwargs.items()}

        return hook

    def _read(self, where: str, layer: torch.nn.Module, values: list[Any]) -> Symbol | None:
        """What a layer reads, checked: the input's Symbol, and that states handed in are its own of the step before."""
        neurons = class_path(layer) in NEURONS
        symbol = self.symbol(values[0])
        sequences = reads_sequences(layer)
        if isinstance(symbol, Symbol) and sequences is False and symbol.sequence and not symbol.whole(self.steps):
            alone = self.symbol(values[0], single=True)
            symbol = alone if isinstance(alone, Symbol) else symbol
        if isinstance(symbol, Foreign) or (symbol is not None and self.expressions[symbol.key].states):
            what = symbol.what if isinstance(symbol, Foreign) else self.no_spikes(symbol.key)
            raise UnsupportedError(
                where, "layers that read spikes, or sums of layers of the same or earlier steps", what, NO_EXACT_FORM
            )
        if symbol is not None:
            line = users_line()
            if sequences is True and symbol.leading != (TIME, BATCH):
                found = f"axes of {', '.join(symbol.axes)}{line}"
                raise AxesError(where, "(time, batch, ...) for this layer", found, "give it the sequence")
            if sequences is False and symbol.leading not in ((BATCH,), (TIME_BATCH,), (BATCH_TIME,)):
                found = f"a sequence, axes of {', '.join(symbol.axes)}{line}"
                raise AxesError(where, "single steps for this layer", found, "give it one step after the other")
            if sequences is None and (not symbol.axes or symbol.axes[-1] != ITEM):
                found = f"axes of {', '.join(symbol.axes)}{line}"
                raise AxesError(where, "numbers of one step on the last axis", found, "move them there")
            if neurons and symbol.leading in ((TIME_BATCH,), (BATCH_TIME,)):
                raise AxesError(where, "neurons that read steps in order", "time and batch in one axis", "unflatten")
        if neurons:
            self._check_states(where, layer, values[0], values[1:])
            if symbol is None:
                calls = self.calls[self._neuron(where, layer)]
                calls.constants[len(calls.read)] = values[0].detach().clone()
        return symbol

    def _check_states(self, where: str, layer: torch.nn.Module, values: Tensor, states: list[Any]) -> None:
        key = self._neuron(where, layer)
        t = len(self.calls[key].read)
        given = list(_tensors(states))
        held = [value for value in (getattr(layer, a, None) for a in _STATES) if isinstance(value, Tensor)]
        for tensor in given or [value for value in held if t and self.meaning(value) is not None]:
            symbol = self.symbol(tensor)
            own = isinstance(symbol, Symbol) and symbol.times == (t - 1,) and self._of(symbol.key, key)
            if not own and not (t == 0 and symbol is None):
                several = symbol is None or (isinstance(symbol, Symbol) and self._of(symbol.key, key))
                found = f"a start or an earlier state of its own in call {t + 1}" if several else "another state"
                found = symbol.what if isinstance(symbol, Foreign) else f"{found}{users_line()}"
                raise UnsupportedError(
                    where, "neurons that go on from their own state of the step before", found,
                    "hand each neuron what it gave out the step before; neurons that serve in several places need a "
                    "copy of their own in each (copy.deepcopy), which computes the same"
                    if several else "hand each neuron what it gave out the step before",
                )  # fmt: skip
        if t == 0 and given and not resting(layer, values, given):
            raise UnsupportedError(
                where, "neurons that start at rest", f"a start from other states{users_line()}",
                "say it as v_init in a net.yaml, for a checkpoint of the network",
            )  # fmt: skip
        # Cells of Norse without a state start anew; layers over time run once.
        anew = t > 0 and not given and class_path(layer).startswith("norse.")
        if anew and reads_sequences(layer) is not True:
            raise UnsupportedError(
                where, "neurons that go on from their own state of the step before", f"no state{users_line()}",
                "hand each neuron what it gave out the step before",
            )  # fmt: skip

    def _of(self, key: int, neurons: int) -> bool:
        """Whether an expression is the spikes of `neurons` or a state of theirs."""
        expression = self.expressions[key]
        return key == neurons or (expression.kind == "state" and expression.args == ((neurons, 0),))

    def _neuron(self, label: str, layer: torch.nn.Module) -> int:
        values = (-1.0, 0.0, 1.0) if class_name(layer).startswith("Ternary") else (0.0, 1.0)
        key = self.express(Expression(kind="neuron", label=label, module=layer, values=values))
        self.calls.setdefault(key, Calls())
        return key

    def _after(self, name: str, layer: torch.nn.Module) -> Callable[..., Any]:
        def hook(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            self.depth -= 1
            if self.depth:
                return
            self.depth += 1
            try:
                self.held.leave(layer)
                self._record(name, layer, self.pending.pop(), output)
            finally:
                self.depth -= 1

        return hook

    def _record(self, name: str, layer: torch.nn.Module, read: Symbol | None, output: Any) -> None:
        first, *rest = list(_tensors([output]))
        if class_path(layer) not in NEURONS:
            if read is not None:
                lead = read.axes[:-1] if reads_sequences(layer) is None else read.leading
                axes = (*lead, *[ITEM] * (first.ndim - len(lead)))
                shape = item_shape(first, axes)
                key = self.express(
                    Expression(
                        kind="layer", label=name, args=((read.key, 0),), module=layer, shape=shape, at=users_line()
                    )
                )
                self.mark(first, Symbol(key, read.times, axes))
            return
        key = self._neuron(name, layer)
        calls = self.calls[key]
        t = len(calls.read)
        calls.read.append(read)
        sequence = reads_sequences(layer) is True
        lead = (TIME, BATCH) if sequence else (BATCH,)
        axes = (*lead, *[ITEM] * (first.ndim - len(lead)))
        old = self.expressions[key]
        shape = item_shape(first, axes)
        self.expressions[key] = Expression(**{**vars(old), "label": name, "shape": shape, "at": users_line()})
        calls.spikes.append(_whole(first))
        if sequence:
            times = read.times if read is not None and len(read.times) == len(first) else tuple(range(len(first)))
            times = tuple(range(len(first))) if min(times) < 0 else times
        else:
            times = (t,)
        self.mark(first, Symbol(key, times, axes))
        held = [value for value in (getattr(layer, a, None) for a in _STATES) if isinstance(value, Tensor)]
        for n, tensor in enumerate([*rest, *held]):
            if tensor is not first and self.meaning(tensor) is None and tensor.shape[-first.ndim :] == first.shape:
                state = Expression(
                    kind="state", label=name, args=((key, 0),), data=(n,), shape=shape, states=True, at=users_line()
                )
                self.mark(tensor, Symbol(self.express(state, n), times, axes))
            elif sequence and self.meaning(tensor) is None and tensor.shape == first.shape[1:]:
                state = Expression(
                    kind="state", label=name, args=((key, 0),), data=(n,), shape=shape, states=True, at=users_line()
                )
                self.mark(tensor, Symbol(self.express(state, n), times[-1:], axes[1:]))
            elif tensor is not first and self.meaning(tensor) is None and not sequence:
                self.mark(tensor, Foreign(POTENTIAL))

    def spikes(self, key: int) -> Spikes:
        """Spikes (batch, steps, neurons) of the neurons `key`."""
        calls = self.calls[key]
        if calls.read and calls.read[0] is not None and calls.read[0].leading == (TIME, BATCH):
            over_time: Spikes = np.concatenate(calls.spikes).swapaxes(0, 1)
            return over_time.reshape(over_time.shape[0], over_time.shape[1], -1)
        return np.stack(calls.spikes, axis=1).reshape(self.batch, len(calls.spikes), -1)


def item_shape(value: Tensor, axes: Sequence[str]) -> Shape:
    """Shape of one sample at one step of a tensor."""
    return tuple(int(length) for length, axis in zip(value.shape, axes, strict=True) if axis == ITEM)


def leaves(module: torch.nn.Module, prefix: str = "") -> Iterator[tuple[str, torch.nn.Module]]:
    """(dotted name, module) of every layer and neuron that is read as a whole, not looking inside them."""
    if not prefix and is_leaf(module):
        yield "0", module
        return
    for name, child in module.named_children():
        if is_leaf(child):
            yield prefix + name, child
        else:
            yield from leaves(child, f"{prefix}{name}.")


def small_parts(module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """(dotted name, module) of every module without parts of its own that is followed, not read as a whole."""
    inside = [f"{name}." for name, _ in leaves(module)]
    for name, part in module.named_modules():
        small = name and next(part.children(), None) is None and not is_leaf(part)
        if small and not any(name.startswith(outer) for outer in inside):
            yield name, part


def widened(result: Any, args: Sequence[Any]) -> Any:
    """`result` in float64 where it is in a shorter format and new."""
    if isinstance(result, Tensor):
        if not _is_float(result) or any(result is value for value in args) or isinstance(result, torch.nn.Parameter):
            return result
        return result.double()
    return type(result)(widened(part, args) for part in result) if type(result) in (list, tuple) else result


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype is not torch.float64


def _whole(spikes: Tensor) -> Reals | Spikes:
    """Spikes as small integers, where they are."""
    array = spikes.detach().cpu().numpy()
    short = array.astype(np.int8)
    return short if (short == array).all() else array.astype(np.float64)


def _tensors(values: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples and lists, in order."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
