"""Hooks of a running module: the recorder's own around each layer, and the user's, which are followed as forwards are.

A user's hook that returns nothing changes no number by that: inside it, numbers may leave torch (`item`, `numpy`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import is_leaf, refuse_changes

Left = list[list[UnsupportedError]]
"""For each hook that runs, the refusals of what left torch in it."""

_KINDS = ("_forward_pre_hooks", "_forward_hooks")


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


def followed_parts(module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """(dotted name, module) of every part of a module that is followed, not read as a whole."""
    inside = [f"{name}." for name, _ in leaves(module)]
    for name, part in module.named_modules():
        if name and not is_leaf(part) and not any(name.startswith(outer) for outer in inside):
            yield name, part


def small_parts(module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """Those of followed_parts that have no parts of their own."""
    return ((name, part) for name, part in followed_parts(module) if next(part.children(), None) is None)


def refuse_inner_changes(module: torch.nn.Module, source: str) -> None:
    """Raise UnsupportedError where hooks or a replaced forward sit inside a layer or neuron that is read as a whole."""
    for name, leaf in leaves(module):
        for inner, part in leaf.named_modules():
            if inner:
                refuse_changes(part, f"{source}: {name}.{inner} ({type(part).__name__})")


@contextmanager
def followed(module: torch.nn.Module, left: Left) -> Iterator[None]:
    """The user's hooks of a module's parts, noted in `left` while they run."""
    kept = [(hooks, dict(hooks)) for part in module.modules() for kind in _KINDS if (hooks := getattr(part, kind))]
    try:
        for hooks, own in kept:
            for number, hook in own.items():
                hooks[number] = _noted(hook, left)
        yield
    finally:
        for hooks, own in kept:
            hooks.update(own)


def _noted(hook: Callable[..., Any], left: Left) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        left.append([])
        try:
            result = hook(*args, **kwargs)
        finally:
            found = left.pop()
        if result is not None and found:
            raise found[0]
        return result

    return run
