"""The shape of a network's input, as far as the sizes of its layers tell it."""

from __future__ import annotations

import math

from tern2lava.compiler.ir.shapes import conv_out
from tern2lava.files.yaml_text import MARK
from tern2lava.frontends.inspect.draft.entries import sizes
from tern2lava.frontends.inspect.draft.units import Kind, Unit

LARGEST = 1024


def input_shape(units: list[Unit], transposed: bool) -> str:
    """The value of `shape`, with a comment: exact for a dense first layer, by the sizes of the layers between the first
    convolution and the first dense layer where the file holds all of them, else a mark."""
    weights = [unit for unit in units if unit.kind in (Kind.WEIGHT, Kind.RECURRENT)]
    if not weights:
        return f"{MARK}  # one sample at one step: [channels, height, width], [channels, length] or [values]"
    first = weights[0]
    shape = first.shapes["input_weights" if first.kind is Kind.RECURRENT else first.matrix]
    if len(shape) == 2:
        return f"[{shape[0] if transposed else shape[1]}]  # or the shape that is flattened to it"
    groups = first.values.get("groups", 1)
    channels = shape[1] * (groups if isinstance(groups, int) else 1)
    axes = "height, width" if len(shape) == 4 else "length"
    found = _sides(units, first) if len(shape) == 4 else []
    squares = [f"[{channels}, {side}, {side}]" for side in found]
    if len(squares) == 1:
        return f"{squares[0]}  # the one square input that the sizes of the layers allow"
    if squares:
        return f"{MARK}  # {' | '.join(squares)}: the square inputs that the sizes of the layers allow"
    return f"{MARK}  # [{channels}, {axes}]{_positions(units)}"


def _positions(units: list[Unit]) -> str:
    """What the first dense layer says of the convolution in front of it."""
    before = None
    for unit in units:
        if unit.kind is not Kind.WEIGHT:
            continue
        shape = unit.shapes[unit.matrix]
        if len(shape) == 2:
            if before and shape[1] % before == 0:
                positions = shape[1] // before
                side = math.isqrt(positions)
                square = f", as {side}x{side}" if side * side == positions else ""
                return f": {unit.name} takes {before} channels of {positions} positions{square}"
            return ""
        before = shape[0]
    return ""


def _sides(units: list[Unit], first: Unit) -> list[int]:
    """Sides of a square input from which the layers' sizes give what the first dense layer takes."""
    chain: list[tuple[int, ...]] = []
    channels = 0
    for unit in units[units.index(first) :]:
        name = unit.cls.rpartition(".")[2]
        if unit.kind is Kind.WEIGHT and len(unit.shapes[unit.matrix]) == 2:
            wanted = unit.shapes[unit.matrix][1]
            return [side for side in range(1, LARGEST + 1) if _through(chain, side) ** 2 * channels == wanted][:4]
        if unit.kind is Kind.WEIGHT and len(unit.shapes[unit.matrix]) == 4 and unit.cls:
            shape = unit.shapes[unit.matrix]
            channels = shape[0]
            found = [sizes(unit, key) for key in ("stride", "padding", "dilation")]
            kernel: str | None = str(shape[2]) if shape[2] == shape[3] else None
        elif unit.kind is Kind.MODULE and name in ("AvgPool2d", "MaxPool2d"):
            found = [sizes(unit, "stride"), sizes(unit, "padding"), "1"]
            kernel = sizes(unit, "kernel_size")
        elif (
            unit.kind in (Kind.BATCHNORM, Kind.SNNTORCH, Kind.PLIF)
            or name.endswith(("Node", "Flatten"))
            or (name.startswith("Dropout") or name == "Identity")
        ):
            continue
        else:
            return []
        numbers = [kernel, *found]
        if not all(text is not None and text.isdigit() for text in numbers):
            return []
        chain.append(tuple(int(text) for text in numbers if text is not None))
    return []


def _through(chain: list[tuple[int, ...]], side: int) -> int:
    """The side behind all layers; 0 where one has no place for its window."""
    for kernel, stride, padding, dilation in chain:
        side = conv_out(side, kernel, max(stride, 1), 2 * padding, max(dilation, 1)) if side > 0 else 0
    return max(side, 0)
