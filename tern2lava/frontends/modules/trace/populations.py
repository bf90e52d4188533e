"""Which neurons a call of a neuron layer is of: one population for each place that the layer serves in.

A layer that goes on from its own state of the step before is one population. One that starts from rest again, behind
all its steps or handed another state, is a further one: the same equations, another state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.torch_layers import class_name, class_path
from tern2lava.frontends.modules.trace.held import resting
from tern2lava.frontends.modules.trace.meanings import Meanings
from tern2lava.frontends.modules.trace.places import users_line
from tern2lava.frontends.modules.trace.symbols import Calls, Expression, Foreign, Symbol

STATES = ("v", "mem", "syn", "v_seq")
"""Attributes of neurons of the frameworks that hold potentials or currents."""

_OWN_STATE = (
    "hand each neuron what it gave out the step before; a layer that serves in several places starts from rest in each "
    "and runs all steps there"
)


class Populations(Meanings):
    """The calls of each population; the populations of each layer (`places`, by its id), and that of each of its calls
    (`order`)."""

    def __init__(self, batch: int, steps: int) -> None:
        super().__init__(batch, steps)
        self.calls: dict[int, Calls] = {}
        self.places: dict[int, list[int]] = {}
        self.order: dict[int, list[int]] = {}
        self.restarted: dict[int, UnsupportedError] = {}

    def population(self, where: str, layer: torch.nn.Module, values: Tensor, states: list[Any], anew: bool) -> int:
        """The key of the neurons that a call of a layer is of: those whose states it goes on from, or others that start
        from rest, where the layer serves in several places."""
        given = [(tensor, self.symbol(tensor)) for tensor in tensors(states)]
        places = self.places[id(layer)]
        if not places:
            key = self._new(where, layer)
        else:
            own = (k for k in places if given and all(self._from(symbol, k) for _, symbol in given))
            key = next(own, places[-1])
        t = len(self.calls[key].read)
        if t and (anew or (given and all(symbol is None for _, symbol in given) and resting(layer, values, [
            tensor for tensor, _ in given
        ]))):  # fmt: skip
            return self._again(where, layer, key, f"a start from rest in call {t + 1}{users_line()}")
        held = [value for value in (getattr(layer, a, None) for a in STATES) if isinstance(value, Tensor)]
        kept = [(value, self.symbol(value)) for value in held if t and self.meaning(value) is not None]
        for _, symbol in given or kept:
            if not self._from(symbol, key) and not (t == 0 and symbol is None):
                several = symbol is None or (isinstance(symbol, Symbol) and self._of(symbol.key, key))
                found = f"a start or an earlier state of its own in call {t + 1}" if several else "another state"
                found = symbol.what if isinstance(symbol, Foreign) else f"{found}{users_line()}"
                raise UnsupportedError(
                    where, "neurons that go on from their own state of the step before", found, _OWN_STATE
                )
        if t == 0 and given and not resting(layer, values, [tensor for tensor, _ in given]):
            raise UnsupportedError(
                where, "neurons that start at rest", f"a start from other states{users_line()}",
                "say it as v_init in a net.yaml, for a checkpoint of the network",
            )  # fmt: skip
        # Norse's neurons without a state start anew.
        if t > 0 and not given and class_path(layer).startswith("norse."):
            return self._again(where, layer, key, f"no state{users_line()}")
        return key

    def _again(self, where: str, layer: torch.nn.Module, key: int, found: str) -> int:
        """The key of further neurons of a layer that starts from rest once more."""
        if not self.complete(key):
            error = UnsupportedError(
                where, "neurons that go on from their own state of the step before", found, _OWN_STATE
            )
            self.restarted.setdefault(id(layer), error)
        return self._new(where, layer)

    def shared(self, names: dict[str, str]) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
        """The layers of several places as Loaded.shared has them; names: the node of each label."""
        found = {}
        for layer, keys in self.places.items():
            if len(keys) > 1:
                labels = [self.expressions[key].label for key in keys]
                nodes = tuple(names.get(label, "") for label in labels)
                found[labels[0]] = (nodes, tuple(keys.index(key) for key in self.order[layer]))
        return found

    def refuse_restarts(self) -> None:
        """Raise where a layer started from rest within the steps, and not once in each of its places."""
        for layer, error in self.restarted.items():
            if not all(self.complete(key) for key in self.places[layer]):
                raise error

    def complete(self, key: int) -> bool:
        """Whether neurons have run all steps."""
        read = self.calls[key].read
        return len(read) == self.steps or any(symbol is not None and symbol.sequence for symbol in read)

    def _from(self, symbol: Symbol | Foreign | None, key: int) -> bool:
        """Whether a state is that of the neurons `key`, of the step before."""
        before = len(self.calls[key].read) - 1
        return isinstance(symbol, Symbol) and symbol.times == (before,) and self._of(symbol.key, key)

    def _of(self, key: int, neurons: int) -> bool:
        """Whether an expression is the spikes of `neurons` or a state of theirs."""
        expression = self.expressions[key]
        return key == neurons or (expression.kind == "state" and expression.args == ((neurons, 0),))

    def _new(self, label: str, layer: torch.nn.Module) -> int:
        values = (-1.0, 0.0, 1.0) if class_name(layer).startswith("Ternary") else (0.0, 1.0)
        places = self.places[id(layer)]
        key = self.express(Expression(kind="neuron", label=label, module=layer, values=values), len(places))
        self.calls[key] = Calls()
        places.append(key)
        return key


def tensors(values: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples and lists, in order."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from tensors(value)
