"""Values of a type that a test knows and a checker cannot: nodes and modules by name, arrays, values that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tern2lava.compiler.ir.graph import Graph, NodeBase
from tern2lava.compiler.ir.shapes import Array
from tern2lava.sim.data.stored_values import StoredValues

if TYPE_CHECKING:
    import torch
    from torch import nn

Kind = TypeVar("Kind", bound=NodeBase)
Layer = TypeVar("Layer", bound="nn.Module")
Value = TypeVar("Value")


def node(graph: Graph, name: str, kind: type[Kind]) -> Kind:
    """The node of this name, which must be of this kind."""
    found = graph[name]
    assert isinstance(found, kind), f"{name} is a {type(found).__name__}"
    return found


def there(value: Value | None) -> Value:
    """`value`, which must not be None."""
    assert value is not None
    return value


def whole(values: Array | StoredValues) -> Array:
    """`values`, which must lie in memory."""
    assert isinstance(values, np.ndarray)
    return values


def arrays_of(inputs: Mapping[str, Array | StoredValues]) -> dict[str, Array]:
    """The values of each input, which must lie in memory."""
    return {name: whole(values) for name, values in inputs.items()}


def part(model: nn.Module, name: str, kind: type[Layer]) -> Layer:
    """The module of this dotted name, which must be of this kind."""
    found = model.get_submodule(name)
    assert isinstance(found, kind), f"{name} is a {type(found).__name__}"
    return found


def gradient(model: nn.Module, name: str) -> torch.Tensor:
    """The gradient of the parameter of this dotted name, which must have one."""
    return there(model.get_parameter(name).grad)
