"""The keys of a net.yaml: which exist, which must be given, and what they may hold (docs/net-yaml.md explains them)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from tern2lava.compiler.ir.graph import Readout
from tern2lava.compiler.neurons.mechanism import words
from tern2lava.files.yaml_text import Place, YamlFile
from tern2lava.likely import meant

LARGEST = 1 << 24
"""Largest size, stride, padding or number of steps that is read as meant."""


def _whole(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= LARGEST


def _positive(value: Any) -> int:
    if not _whole(value, 1):
        raise ValueError("expected a whole number of at least 1")
    return int(value)


def _shape(value: Any) -> tuple[int, ...]:
    if not (isinstance(value, list) and 1 <= len(value) <= 3 and all(_whole(n, 1) for n in value)):
        raise ValueError("expected one to three sizes in brackets, as [1, 28, 28]")
    return tuple(value)


def _levels(value: Any) -> tuple[int, int]:
    if not (isinstance(value, list) and len(value) == 2 and all(_whole(n, -LARGEST) for n in value)):
        raise ValueError("expected the smallest and the largest input value, as [0, 1]")
    if value[0] >= value[1]:
        raise ValueError("expected the smaller value first")
    return value[0], value[1]


def _pair_from(low: int) -> Any:
    def pair(value: Any) -> tuple[int, int] | None:
        values = value if isinstance(value, list) else [value, value]
        if len(values) != 2 or not all(_whole(n, low) for n in values):
            raise ValueError(f"expected a whole number of at least {low}, or two of them as [y, x]")
        return values[0], values[1]

    return pair


def _not_negative(value: Any) -> int:
    if not _whole(value, 0):
        raise ValueError("expected a whole number of at least 0")
    return int(value)


def _exponent(value: Any) -> int:
    if not (_whole(value, -8) and value <= 7):
        raise ValueError("expected a whole number of -8 to 7, as the chip's exponents")
    return int(value)


def _optional(validate: Any) -> Any:
    return lambda value: None if value is None else validate(value)


def _padding(value: Any) -> Any:
    if value == "same":
        return value
    try:
        return _pair_from(0)(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "same"') from None


def _number_or_name(value: Any) -> float | str:
    """A number, or the name of a tensor; YAML reads 1e-3 (without a point) as text, which is meant as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a number, the name of a tensor or an expression")
    try:
        number = float(value)
    except ValueError:
        return str(value)
    except OverflowError:
        raise ValueError("expected a smaller number") from None
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _number(value: Any) -> float:
    number = _number_or_name(value)
    if isinstance(number, str):
        raise ValueError("expected a number")
    return number


Positive = Annotated[int, BeforeValidator(_positive)]
Pair = Annotated[tuple[int, int], BeforeValidator(_pair_from(1))]
Padding = Annotated[Any, BeforeValidator(_padding)]
Parameter = Annotated[Any, BeforeValidator(_number_or_name)]
Name = StrictStr | None
Exponent = Annotated[int | None, BeforeValidator(_optional(_exponent))]


class Keys(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetKeys(Keys):
    input: Any = None
    inputs: Any = None
    steps: Positive
    layers: Annotated[list[Any], Field(min_length=1, max_length=1_000)]
    arithmetic: Literal["loihi"] | None = None
    readout: Readout
    classes: Any = None
    step_weights: Any = None
    offset: Any = None
    outputs: list[Any] = []
    ignore: list[StrictStr] = []


class OutputKeys(Keys):
    """A layer that is read, and how: numbers in lists or tensors by name; without a readout that of the network."""

    layer: StrictStr
    readout: Readout | None = None
    classes: Any = None
    step_weights: Any = None
    offset: Any = None


class InputKeys(Keys):
    shape: Annotated[tuple[int, ...], BeforeValidator(_shape)]
    levels: Annotated[tuple[int, int], BeforeValidator(_levels)] = (0, 1)


class DenseKeys(Keys):
    tensors: Name = None
    weight: Name = None
    bias: Name = None
    weight_exponent: Exponent = None
    transpose: StrictBool = False


class Conv2dKeys(Keys):
    tensors: Name = None
    weight: Name = None
    bias: Name = None
    weight_exponent: Exponent = None
    stride: Pair = (1, 1)
    padding: Padding = (0, 0)
    dilation: Pair = (1, 1)
    groups: Positive = 1


class Conv1dKeys(Keys):
    tensors: Name = None
    weight: Name = None
    bias: Name = None
    weight_exponent: Exponent = None
    stride: Positive = 1
    padding: Padding = (0, 0)
    dilation: Positive = 1
    groups: Positive = 1


class BatchNormKeys(Keys):
    tensors: Name = None
    weight: Name = None
    bias: Name = None
    running_mean: Name = None
    running_var: Name = None
    eps: Annotated[float | None, BeforeValidator(_number)] = None


class PoolKeys(Keys):
    kernel: Pair
    stride: Pair | None = None
    padding: Annotated[tuple[int, int], BeforeValidator(_pair_from(0))] = (0, 0)


class PlainKeys(Keys):
    """A layer without settings."""


class DropoutKeys(Keys):
    p: Annotated[float | None, BeforeValidator(_number)] = None


class DelayKeys(Keys):
    steps: Positive
    shape: Annotated[tuple[int, ...] | None, BeforeValidator(_optional(_shape))] = None


class RecurrentKeys(Keys):
    """What feeds the spikes of a neuron layer back to itself: exactly one of dense, conv2d and scale."""

    dense: Any = None
    conv2d: Any = None
    scale: Parameter = None
    delay: Positive = 1


class NeuronKeys(Keys):
    kind: Literal[
        "if", "leaky", "lif", "plif", "cuba", "alif", "synaptic", "rleaky", "rsynaptic", "integrator", "loihi"
    ]
    tensors: Name = None
    alpha: Parameter = None
    beta: Parameter = None
    tau: Parameter = None
    w: Parameter = None
    rho: Parameter = None
    jump: Parameter = None
    decay_u: Parameter = None
    decay_v: Parameter = None
    bias: Parameter = None
    bias_exponent: Exponent = None
    decay_input: StrictBool | None = None
    v_rest: Parameter = None
    v_init: Parameter = None
    threshold: Parameter = None
    threshold_low: Parameter = None
    reset: Literal["zero", "subtract", "none", "value"] | None = None
    reset_value: Parameter = None
    reset_delay: StrictBool | None = None
    rearm: StrictBool | None = None
    refractory: Annotated[int | None, BeforeValidator(_optional(_not_negative))] = None
    recurrent: Any = None
    fire: Literal["gt", "ge", ">", ">="] | None = None
    # Values by the words of further mechanisms (compiler/neurons/).
    further: Annotated[dict[str, Any], Field(exclude=True)] = {}


LAYERS: Mapping[str, type[Keys]] = {
    "dense": DenseKeys,
    "conv2d": Conv2dKeys,
    "conv1d": Conv1dKeys,
    "batchnorm": BatchNormKeys,
    "avgpool": PoolKeys,
    "sumpool": PoolKeys,
    "maxpool": PoolKeys,
    "delay": DelayKeys,
    "flatten": PlainKeys,
    "dropout": DropoutKeys,
    "add": PlainKeys,
    "neuron": NeuronKeys,
}
BESIDE = ("name", "from")
"""Keys that stand beside the kind of a layer, not within its own."""
K = TypeVar("K", bound=Keys)


def parse(file: YamlFile, place: Place, model: type[K], value: Any) -> K:
    """`value`, found at `place` of `file`, as a `model`; InputError with file, line and key where it is none."""
    if not isinstance(value, dict):
        raise file.error(
            place, f"requires keys and values ({', '.join(_known(model))}); found {show(value)}; write KEY: VALUE"
        )
    if "further" in value:
        raise file.error(
            (*place, "further"),
            f"requires a known key; found another; {_instead(model, 'further')}",
        )
    if issubclass(model, NeuronKeys):
        further = {key: found for key, found in value.items() if key in words() and key not in model.model_fields}
        value = {key: found for key, found in value.items() if key not in further} | {"further": further}
    try:
        return model.model_validate(value)
    except ValidationError as errors:
        found = errors.errors(include_url=False)
        first = next((error for error in found if error["type"] == "extra_forbidden"), found[0])
        why = _why(first["type"], first["msg"], first.get("input"), model, first["loc"][-1] if first["loc"] else None)
        raise file.error((*place, *first["loc"]), why) from None


def _known(model: type[Keys]) -> list[str]:
    """The keys that a model has, words of mechanisms among those of neurons."""
    own = [key for key in model.model_fields if key != "further"]
    return own + [word for word in words() if issubclass(model, NeuronKeys) and word not in own]


def _instead(model: type[Keys], found: object) -> str:
    known = _known(model)
    if found in BESIDE and model in LAYERS.values():
        return f"write it beside the layer: {{KIND: {{...}}, {found}: ...}}"
    return f"{meant(found, known)}choose from {', '.join(known)}" if known else "leave it out, for there are none here"


def _why(kind: str, message: str, found: Any, model: type[Keys], key: object) -> str:
    if kind == "missing":
        return "requires a value; found none; add it (docs/net-yaml.md shows an example)"
    if kind == "extra_forbidden":
        return f"requires a known key; found another; {_instead(model, key)}"
    rule = message.removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("expected ")
    if kind == "string_type" and isinstance(found, bool | int | float):
        as_read = ": YAML reads yes, no, on, off, true and false as flags" if isinstance(found, bool) else ""
        return f"requires a text; found {show(found)}; write it in quotes{as_read}"
    return f"requires {rule}; found {show(found)}; mend the value (docs/net-yaml.md)"


def show(value: Any) -> str:
    """`value` for an error message, at most 60 characters."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
