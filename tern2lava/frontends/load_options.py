"""What may be said of a network as it is read: each option's name and type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tern2lava import arguments
from tern2lava.compiler.ir.graph import Readout
from tern2lava.compiler.ir.shapes import Shape
from tern2lava.errors import InputError
from tern2lava.frontends.sources import OWN, SOURCES

OPTIONAL = ("dt", "assume", "weights")
LARGEST = 1 << 30
"""Of an input value: integers of 32 bits hold them."""


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` in their plain types; those of OPTIONAL that are None are left out, and those that are not known here
    are a plugin's. Raises InputError for a value of another type, and for an unknown name where no plugin is there."""
    unknown = [name for name in options if name not in _CHECKS]
    if unknown and not SOURCES.plugin_names() and len(SOURCES.registered()) == OWN:
        raise InputError(
            unknown[0], f"requires an option of tern2lava.load; found another; choose from {', '.join(_CHECKS)}"
        )
    given = {name: value for name, value in options.items() if value is not None or name not in OPTIONAL}
    return {name: _CHECKS[name](value) if name in _CHECKS else value for name, value in given.items()}


def _input_shape(value: object) -> Shape | dict[str, Shape]:
    if isinstance(value, Mapping):
        given = arguments.named(value, "input_shape", "name the arguments of the forward")
        return {name: _shape(shape, f"input_shape: {name}") for name, shape in given.items()}
    return _shape(value, "input_shape")


def _shape(value: object, where: str) -> Shape:
    hint = "give the shape of one sample at one step, as (1, 28, 28)"
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise arguments.refused(where, "sizes from 1 on", value, hint)
    try:
        sizes = list(value)
    except Exception:  # what an array without dimensions raises
        raise arguments.refused(where, "sizes from 1 on", value, hint) from None
    if not sizes:
        raise arguments.refused(where, "one size at least", value, hint)
    return tuple(arguments.whole(size, where, 1, hint) for size in sizes)


def _levels(value: object) -> tuple[int, int]:
    hint = "give the smallest and the largest input value, as (0, 1)"
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise arguments.refused("levels", "two whole numbers", value, hint)
    low, high = (arguments.whole(level, "levels", -LARGEST, hint, most=LARGEST) for level in value)
    if not low <= high:
        raise arguments.refused("levels", "two whole numbers, the smaller one first", f"{low}, {high}", hint)
    return (low, high)


def _readout(value: object) -> Readout:
    return Readout(arguments.choice(value, "readout", (member.value for member in Readout)))


def _dt(value: object) -> float:
    return arguments.number(value, "dt", "seconds above 0", lambda dt: dt > 0, "give the time step, as 1e-3")


def _assume(value: object) -> str | dict[str, str]:
    hint = "write 'reset=subtract,fire=ge'"
    if isinstance(value, str):
        return value
    given = arguments.named(value, "assume", hint)
    return {name: arguments.text(item, f"assume: {name}", hint) for name, item in given.items()}


_CHECKS: dict[str, Callable[[object], Any]] = {
    "input_shape": _input_shape,
    "steps": lambda value: arguments.whole(value, "steps", 0, "give the time steps of a sample"),
    "readout": _readout,
    "levels": _levels,
    "call": lambda value: arguments.text(value, "call", "name how the forward is called, or auto"),
    "weights": lambda value: arguments.text(value, "weights", "name the key of the checkpoint, as model_ema"),
    "dt": _dt,
    "assume": _assume,
}
