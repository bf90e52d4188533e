"""What layers hold while a module runs: the same numbers in every call, and neurons the states that they left.

A graph has one threshold, decay and weight for all steps and samples, and its neurons start at rest. A forward that
alters one of these through a layer's attributes calls no function of which the result would tell.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import NEURONS
from tern2lava.frontends.modules.torch_layers import class_path
from tern2lava.frontends.modules.trace.places import users_line

_KEPT = ("mem", "syn", "spk")
"""Buffers of snnTorch's neurons that are states."""

_MADE = (*_KEPT, "reset", "v_seq")
"""What neurons write into themselves."""


class Held:
    """The numbers of each layer at its first call, over all runs of one module, and the states that each neuron layer
    was left with."""

    def __init__(self) -> None:
        self._numbers: dict[int, dict[str, Any]] = {}
        self._states: dict[int, dict[str, Any]] = {}
        self._rest: dict[int, dict[str, Any]] = {}
        self._altered: dict[int, torch.nn.Module] = {}
        self._called: set[int] = set()

    def at_rest(self, module: torch.nn.Module) -> None:
        """Note the states of a module's neurons, which are at rest, in front of a run."""
        self._called.clear()
        neurons = [part for part in module.modules() if class_path(part) in NEURONS]
        self._states = {id(part): dict(_copies(_states(part))) for part in neurons}
        self._rest = dict(self._states)

    def check(self, where: str, layer: torch.nn.Module, given: bool, whole: bool) -> bool:
        """Whether neurons start from rest once more. Raises UnsupportedError where a layer that is called has other
        numbers than in its first call, or neurons another state than they left.

        given: whether the states are arguments of the call; whole: whether the neurons have run all steps, behind which
        they may be put at rest to serve in another place.
        """
        numbers = dict(numbers_of(layer))
        known = self._numbers.setdefault(id(layer), dict(_copies(numbers.items())))
        other = next((n for n in known if not _same(known.get(n), numbers.get(n))), None)
        if other is not None:
            raise UnsupportedError(
                where, "layers that keep their numbers in all steps and calls",
                f"another {other} than in its first call{users_line()}",
                "let the forward leave it as it is, or compute what changes with torch functions",
            )  # fmt: skip
        left = self._states.get(id(layer))
        if left is None or given:
            return False
        first, anew = id(layer) not in self._called, False
        for name, value in _states(layer):
            same = _same(left.get(name), value)
            if not same and whole and _rests(self._rest[id(layer)].get(name), value):
                anew = True
            elif not same and not (first and _rests(left.get(name), value)):
                found = "a start from other states than rest" if first else "states that were altered"
                raise UnsupportedError(
                    where, "neurons that start at rest and go on from their own state of the step before",
                    f"{found}, in {name}{users_line()}", "leave the states of neurons to them",
                )  # fmt: skip
        return anew

    def as_called(self, layer: torch.nn.Module) -> torch.nn.Module:
        """A layer with the numbers that it had in its calls: a copy, where the forward has put others there since."""
        known = self._numbers.get(id(layer), {})
        now = dict(numbers_of(layer))
        if all(_same(value, now.get(name)) for name, value in known.items()):
            return layer
        if id(layer) not in self._altered:
            self._altered[id(layer)] = copy.deepcopy(layer)
            _put(self._altered[id(layer)], known)
        return self._altered[id(layer)]

    def leave(self, layer: torch.nn.Module) -> None:
        """Note the states of neurons behind a call."""
        if id(layer) in self._states:
            self._called.add(id(layer))
            self._states[id(layer)] = dict(_copies(_states(layer)))


def resting(layer: torch.nn.Module, values: Tensor, states: list[Tensor]) -> bool:
    """Whether states that a first call is given are those that neurons start from by themselves."""
    fallback = getattr(layer, "state_fallback", None)
    rest = list(_inner(fallback(values))) if fallback is not None else [torch.zeros(())] * len(states)
    return len(rest) == len(states) and all(_rests(at_rest, state) for at_rest, state in zip(rest, states, strict=True))


def _rests(rest: Any, value: Any) -> bool:
    """Whether a state is the one at rest, which may be held as one number for all neurons, or as nothing, for zeros."""
    if isinstance(value, Tensor) and not value.numel():
        return True
    if isinstance(rest, Tensor) and not rest.numel():
        rest = 0.0
    if not isinstance(rest, Tensor | int | float) or not isinstance(value, Tensor | int | float):
        return rest is value
    return bool((torch.as_tensor(value).detach().double() == torch.as_tensor(rest).detach().double()).all())


def _states(layer: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    for part in layer.modules():
        for name, value in vars(part).get("_memories", {}).items():
            yield name, value
        for name in _KEPT:
            if name in part._buffers:
                yield name, part._buffers[name]


def numbers_of(layer: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """Parameters, buffers that are no states, and settings that are numbers or words, of a layer and its parts."""
    for inside, part in layer.named_modules():
        front = f"{inside}." if inside else ""
        for group in (part._parameters, part._buffers, vars(part)):
            for name, value in group.items():
                if name in _MADE or name.startswith("_"):
                    continue
                if isinstance(value, int | float | str | Tensor):
                    yield front + name, value
                elif isinstance(value, tuple):
                    fields = getattr(value, "_fields", range(len(value)))
                    yield from ((f"{front}{name}.{field}", v) for field, v in zip(fields, value, strict=True))


def _put(layer: torch.nn.Module, numbers: dict[str, Any]) -> None:
    """Give a layer these numbers, named as numbers_of does."""
    parts = dict(layer.named_modules())
    for full, value in numbers.items():
        front, _, name = full.rpartition(".")
        if front not in parts:
            raise UnsupportedError(
                f"layer {type(layer).__name__}", "layers that keep their numbers behind their calls",
                f"another {full} at the end of the forward", "let the forward leave it as it is",
            )  # fmt: skip
        part = parts[front]
        if name in part._parameters:
            part._parameters[name] = torch.nn.Parameter(value, requires_grad=False)
        elif name in part._buffers:
            part._buffers[name] = value
        else:
            object.__setattr__(part, name, value)


def _inner(states: Any) -> Iterator[Tensor]:
    if isinstance(states, Tensor):
        yield states
    elif isinstance(states, tuple | list):
        for part in states:
            yield from _inner(part)


def _copies(values: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value.detach().clone() if isinstance(value, Tensor) else value) for name, value in values)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and bool(torch.equal(a.detach().double(), b.detach().double()))
    return a is b or (type(a) is type(b) and not isinstance(a, Tensor) and bool(a == b))
