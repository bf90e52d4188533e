"""A run of a live module, recorded: which layer read what of which time step.

The module runs on random input with hooks on its known layers and neurons and under a TorchFunctionMode that sees
every torch function between them. A tensor that depends on the input stands for a Symbol: an expression that is the
same in every step, and its time step. Data, not the order of calls, says which step a tensor belongs to: loops over
time, layer by layer or unrolled, come out alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tern2lava.compiler.ir.shapes import Reals, Shape, Spikes
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import NEURONS, reads_sequences
from tern2lava.frontends.modules.torch_layers import class_path
from tern2lava.frontends.modules.trace.constants import Digests
from tern2lava.frontends.modules.trace.held import Held, numbers_of
from tern2lava.frontends.modules.trace.hooks import Left, followed, followed_parts, leaves, small_parts
from tern2lava.frontends.modules.trace.meanings import POTENTIAL
from tern2lava.frontends.modules.trace.names import CASTS, WRITES, in_place, name_of
from tern2lava.frontends.modules.trace.own_neurons import OwnNeurons
from tern2lava.frontends.modules.trace.places import users_line
from tern2lava.frontends.modules.trace.populations import STATES, Populations, tensors
from tern2lava.frontends.modules.trace.symbols import (
    BATCH,
    BATCH_TIME,
    ITEM,
    TIME,
    TIME_BATCH,
    AxesError,
    Call,
    Expression,
    Foreign,
    Symbol,
)

# What one call of a torch function says of tensors that depend on the input.
Follow = Callable[["Recorder", Call], None]

NO_EXACT_FORM = (
    "docs/live-modules.md lists what has an exact form; to feed the layer spikes instead changes the network"
)
"""The way out where a layer reads what no graph says."""


class Recorder(Populations, TorchFunctionMode):
    """Records a run of `module` over `steps` steps of a batch of `batch` samples; `follow` says what functions mean.

    outside: tensors that the run must not write, those of the module that `module` is a copy of.
    """

    def __init__(
        self, module: torch.nn.Module, source: str, batch: int, steps: int, follow: Follow, held: Held | None = None,
        outside: Sequence[Tensor] = (),
    ) -> None:  # fmt: skip
        TorchFunctionMode.__init__(self)
        Populations.__init__(self, batch, steps)
        self.follow = follow
        self.module, self.source = module, source
        self.held = held or Held()
        self.digests = Digests(module)
        self.kept: dict[Any, Any] = {}
        self.own = OwnNeurons(self)
        self.depth = 0
        self.refused: UnsupportedError | None = None
        self.pending: list[tuple[Symbol | None, int]] = []
        self.left: Left = []
        self.outside = frozenset(tensor.untyped_storage()._cdata for tensor in outside)

    # Running

    def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns, run with hooks on every layer of the module."""
        with followed(self.module, self.left):
            return self._run(function)

    def _run(self, function: Callable[[], Any]) -> Any:
        handles = []
        self.held.at_rest(self.module)
        try:
            for name, layer in leaves(self.module):
                handles.append(layer.register_forward_pre_hook(self._before(name, layer), with_kwargs=True))
                handles.append(layer.register_forward_hook(self._after(name, layer), with_kwargs=True, prepend=True))
            for name, part in followed_parts(self.module):
                handles.append(part.register_forward_hook(lambda m, a, out, name=name: self._exit(name, m, out)))
            for name, part in small_parts(self.module):
                handles.append(part.register_forward_pre_hook(lambda m, a, name=name: self.inside.append(name)))
                handles.append(part.register_forward_hook(lambda m, a, out: self.inside.pop() and None))
            with torch.no_grad(), self:
                result = function()
            if self.refused is not None:
                raise self.refused  # a forward may catch what is raised in it
            self.refuse_restarts()
            self.own.finish(self.source)
            # Behind their calls the forward may have put other numbers into layers, as latent weights.
            self.expressions = [
                e if e.module is None else replace(e, module=self.held.as_called(e.module)) for e in self.expressions
            ]
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
            self._refuse_outside(name, args)
            before = None
            if in_place(name) and isinstance(args[0], Tensor) and self.meaning(args[0]) is None:
                before = args[0].clone()
            result = func(*args, **kwargs)
            given = args if before is None or name in WRITES else (before, *args[1:])
            if name in CASTS and isinstance(result, Tensor) and self.meaning(args[0]) is not None:
                # A cast rounds in the module's own run, and not in this one, which stands for real numbers.
                result = args[0].double() if result.is_floating_point() else result
            result = result if self._is_outside(result) else widened(result, args)
            call = Call(name=name, function=func, args=tuple(given), kwargs=kwargs, result=result, before=before)
            self.follow(self, call)
        except UnsupportedError as error:
            self.refused = self.refused or error
            raise
        finally:
            self.depth -= 1
        return result

    def _refuse_outside(self, name: str, args: Sequence[Any]) -> None:
        if (in_place(name) or name == "__set__") and self._is_outside(args[0]):
            raise UnsupportedError(
                self.source, "a forward that alters tensors of the module itself alone, as its copy is what is read",
                f"parameters written through a reference kept outside of it{users_line()}",
                "reach them through self in the forward, or put the numbers in place before the module is given",
            )  # fmt: skip

    def _exit(self, name: str, module: torch.nn.Module, output: Any) -> None:
        if not self.depth:
            self.own.left(name, module, output)

    def hold_shared(self, written: Tensor, what: str) -> None:
        """Note which parameter or buffer what was written in place is a part of, as `weight.data` is."""
        for value in (*self.module.parameters(), *self.module.buffers()):
            plain = value is not written and value.layout is torch.strided
            if plain and value.untyped_storage()._cdata == written.untyped_storage()._cdata:
                self.tracked.hold(value, what)

    def _is_outside(self, value: Any) -> bool:
        if not self.outside or not isinstance(value, Tensor) or value.layout is not torch.strided:
            return False
        return value.untyped_storage()._cdata in self.outside

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
                self.pending.append(self._read(where, layer, values))
            except UnsupportedError as error:
                self.refused = self.refused or error
                raise
            doubled = [value.double() if _is_float(value) else value for value in args]
            return tuple(doubled), {k: value.double() if _is_float(value) else value for k, value in kwargs.items()}

        return hook

    def _read(self, where: str, layer: torch.nn.Module, values: list[Any]) -> tuple[Symbol | None, int]:
        """(what a layer reads, the key of its neurons or -1), checked: the input's Symbol, and that states handed in
        are its own of the step before."""
        places = self.places.setdefault(id(layer), [])
        whole = bool(places) and self.complete(places[-1])
        self._refuse_led(where, layer)
        anew = self.held.check(where, layer, next(tensors(values[1:]), None) is not None, whole)
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
        key = -1
        if neurons:
            key = self.population(where, layer, values[0], values[1:], anew)
            if symbol is None:
                calls = self.calls[key]
                calls.constants[len(calls.read)] = values[0].detach().clone()
        return symbol, key

    def _refuse_led(self, where: str, layer: torch.nn.Module) -> None:
        led = next((name for name, value in numbers_of(layer) if self.meaning(value) is not None), None)
        if led is not None:
            raise UnsupportedError(
                where, "layers whose numbers do not depend on the input",
                f"a {led} that is computed from it{users_line()}",
                "form it from parameters and buffers alone; what differs with the input is a network of its own",
            )  # fmt: skip

    def _after(self, name: str, layer: torch.nn.Module) -> Callable[..., Any]:
        def hook(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            self.depth -= 1
            if self.depth:
                return
            self.depth += 1
            try:
                self.held.leave(layer)
                self._record(name, layer, *self.pending.pop(), output)
            finally:
                self.depth -= 1

        return hook

    def _record(self, name: str, layer: torch.nn.Module, read: Symbol | None, key: int, output: Any) -> None:
        first, *rest = list(tensors([output]))
        if class_path(layer) not in NEURONS:
            if read is not None:
                lead = read.axes[:-1] if reads_sequences(layer) is None else read.leading
                axes = (*lead, *[ITEM] * (first.ndim - len(lead)))
                shape = item_shape(first, axes)
                made = Expression(
                    kind="layer", label=name, args=((read.key, 0),), module=layer, shape=shape, at=users_line()
                )
                self.mark(first, Symbol(self.express(made), read.times, axes))
            return
        calls = self.calls[key]
        place = self.places[id(layer)].index(key)
        self.order.setdefault(id(layer), []).append(key)
        name = f"{name}.{place + 1}" if place else name
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
        held = [value for value in (getattr(layer, a, None) for a in STATES) if isinstance(value, Tensor)]
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
