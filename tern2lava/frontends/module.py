"""A live torch module read into a Graph: an nn.Sequential of known layers, whose forward is known without running it.

Every layer must be of exactly a known class, without hooks: a subclass or a hook may compute something else.
Parametrisations (torch.nn.utils.parametrize) are read as they evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from tern2lava.compiler.ir import Array, Dense, Flatten, Graph, Identity, PoolKind, Readout
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder, numbers
from tern2lava.frontends.snntorch import LEAKY, leaky_fields

if TYPE_CHECKING:
    import torch

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_SEQUENTIAL = "torch.nn.modules.container.Sequential"
_IN_TRAINING = "dropout and batch normalisation are read as in evaluation (the module is in training mode)"


def load_module(
    module: torch.nn.Module,
    input_shape: Sequence[int],
    steps: int,
    *,
    readout: Readout | str = Readout.SPIKE_COUNT,
    levels: tuple[int, int] = (0, 1),
) -> Graph:
    """The Graph (IMPORTED) of an nn.Sequential of torch layers and snnTorch Leaky neurons, run once per time step.

    input_shape: shape of one sample at one step, without batch. levels: smallest and largest input value.
    States are taken to be reset before every sample. Raises UnsupportedError
    for a layer, setting or container that has no exact form, InputError for shapes and numbers that do not fit.
    """
    readout = read_readout(readout)
    shape = tuple(input_shape)
    if not shape or not all(isinstance(n, int) and n > 0 for n in shape) or steps < 1:
        raise InputError("input_shape, steps", f"found {shape}, {steps}; expected positive sizes and steps")
    source = type(module).__qualname__
    layers = list(walk(module, source))
    if not layers:
        raise InputError(source, "holds no layers")
    flat = any(class_path(layer) == _torch("conv.Conv1d") for _, layer in layers)
    builder = GraphBuilder(source, steps, one_dimensional=flat)
    builder.input("input", shape, levels, source)
    if module.training and any(class_path(layer) in _TRAINED for _, layer in layers):
        builder.notes.append(_IN_TRAINING)
    previous = "input"
    for index, (name, layer) in enumerate(layers):
        where = f"{source}: layer {name} ({type(layer).__name__})"
        path = class_path(layer)
        if path == LEAKY:
            fields, notes = leaky_fields(layer, name, where, last=index == len(layers) - 1)
            builder.notes.extend(notes)
            builder.neuron(name, (previous,), where, **fields)
        elif path in READERS:
            READERS[path](builder, name, previous, where, layer)
        else:
            known = ", ".join(sorted({p.rsplit(".", 1)[1] for p in (*READERS, LEAKY)}))
            raise UnsupportedError(where, "layers are of known classes", path, f"known are {known}")
        previous = name
    return builder.finish(readout, source)


def read_readout(value: Readout | str) -> Readout:
    """`value` as a Readout; InputError where there is none of that name."""
    try:
        return Readout(value)
    except ValueError:
        known = ", ".join(member.value for member in Readout)
        raise InputError("readout", f"unknown readout {value!r}; known are {known}") from None


def class_path(module: torch.nn.Module) -> str:
    """Dotted path of a module's class; of the original class where torch's parametrize has put one in front."""
    kind: type[object] = type(module)
    base = kind.__base__
    if hasattr(module, "parametrizations") and base is not None and kind.__name__ == f"Parametrized{base.__name__}":
        kind = base
    return f"{kind.__module__}.{kind.__qualname__}"


def walk(module: torch.nn.Module, where: str, prefix: str = "") -> Iterator[tuple[str, torch.nn.Module]]:
    """(dotted name, layer) of every layer inside nested nn.Sequential containers, in the order they run.

    Raises UnsupportedError where the module is another kind of container, or has hooks, or a forward of its own.
    """
    if class_path(module) != _SEQUENTIAL:
        raise UnsupportedError(
            where,
            "only containers whose order of layers is known are read",
            f"{class_path(module)} with a forward of its own",
            "pass an nn.Sequential of its layers, or a checkpoint with a net.yaml",
        )
    refuse_changes(module, where)
    for name, child in module.named_children():
        full = f"{prefix}{name}"
        if next(child.children(), None) is not None and not hasattr(child, "parametrizations"):
            yield from walk(child, f"{where}.{name}", f"{full}.")
        else:
            if class_path(child) != _SEQUENTIAL:
                refuse_changes(child, f"{where}: layer {full} ({type(child).__name__})")
                yield full, child


def refuse_changes(module: torch.nn.Module, where: str) -> None:
    """Raise UnsupportedError where hooks or a replaced forward make a module compute something of its own."""
    for hooks in _HOOKS:
        if getattr(module, hooks, None):
            raise UnsupportedError(
                where, "layers have no hooks", hooks.strip("_"), "remove them (for pruning: prune.remove)"
            )
    if "forward" in vars(module):
        raise UnsupportedError(where, "layers keep the forward of their class", "a replaced forward", "restore it")


Reader = Callable[[GraphBuilder, str, str, str, Any], None]


def _array(where: str, parameter: torch.Tensor) -> Array:
    return numbers(where, parameter.detach().cpu().double().numpy())


def _weight_and_bias(layer: Any, where: str) -> tuple[Array, Array | None]:
    bias = None if layer.bias is None else _array(f"{where}.bias", layer.bias)
    return _array(f"{where}.weight", layer.weight), bias


def _linear(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    shape = builder.shape[source]
    if len(shape) != 1:
        raise InputError(where, f"reads shape {shape}, whose last axis alone torch would map; put a Flatten before")
    weight, bias = _weight_and_bias(layer, where)
    builder.add(Dense(name=name, inputs=(source,), weight=weight, bias=bias), where)


def _conv(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    if layer.padding_mode != "zeros":
        raise UnsupportedError(where, "padding is zeros", f"padding_mode {layer.padding_mode}", "train with zeros")
    weight, bias = _weight_and_bias(layer, where)
    padding = layer.padding if isinstance(layer.padding, str) else _pair(layer.padding, 0)
    builder.conv(
        name,
        source,
        where,
        weight=weight,
        bias=bias,
        stride=_pair(layer.stride, 1),
        padding=(0, 0) if padding == "valid" else padding,
        dilation=_pair(layer.dilation, 1),
        groups=layer.groups,
    )


def _batchnorm(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    if layer.running_mean is None:
        raise UnsupportedError(where, "statistics are stored", "track_running_stats=False", "train with them stored")
    builder.batchnorm(
        name,
        source,
        where,
        weight=None if layer.weight is None else _array(f"{where}.weight", layer.weight),
        bias=None if layer.bias is None else _array(f"{where}.bias", layer.bias),
        mean=_array(f"{where}.running_mean", layer.running_mean),
        var=_array(f"{where}.running_var", layer.running_var),
        eps=float(layer.eps),
    )


def _avgpool(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    kernel, padding = _pair(layer.kernel_size, 1), _pair(layer.padding, 0)
    stride = kernel if layer.stride is None else _pair(layer.stride, 1)
    if getattr(layer, "divisor_override", None) is not None:
        raise UnsupportedError(where, "averages divide by the window", "divisor_override", "scale the next weights")
    if padding != (0, 0) and not layer.count_include_pad:
        raise UnsupportedError(where, "padding counts as zeros", "count_include_pad=False", "train with True")
    sizes = builder.shape[source][-2:]
    spare = [(n + 2 * p - k) % s for n, p, k, s in zip(sizes, padding, kernel, stride, strict=False)]
    if layer.ceil_mode and any(spare):
        raise UnsupportedError(where, "windows lie inside the input", "ceil_mode", "train with ceil_mode=False")
    builder.pool(name, source, where, kind=PoolKind.AVG, kernel=kernel, stride=stride, padding=padding)


def _flatten(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    dimensions = len(builder.shape[source]) - (1 if builder.one_dimensional and len(builder.shape[source]) == 3 else 0)
    if layer.start_dim != 1 or layer.end_dim not in (-1, dimensions):
        raise UnsupportedError(
            where,
            "all axes but the batch are flattened",
            f"start_dim={layer.start_dim}, end_dim={layer.end_dim}",
            "use nn.Flatten()",
        )
    builder.add(Flatten(name=name, inputs=(source,)), where)


def _identity(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    builder.add(Identity(name=name, inputs=(source,)), where)


def _pair(value: Any, first: int) -> tuple[int, int]:
    """(y, x) of a torch size: one number for both, two, or the one of a one-dimensional layer (`first` for y)."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    return cast("tuple[int, int]", values if len(values) == 2 else (first, values[0]))


def _torch(name: str) -> str:
    return f"torch.nn.modules.{name}"


READERS: dict[str, Reader] = {
    _torch("linear.Linear"): _linear,
    _torch("linear.Identity"): _identity,
    _torch("conv.Conv1d"): _conv,
    _torch("conv.Conv2d"): _conv,
    _torch("batchnorm.BatchNorm1d"): _batchnorm,
    _torch("batchnorm.BatchNorm2d"): _batchnorm,
    _torch("pooling.AvgPool1d"): _avgpool,
    _torch("pooling.AvgPool2d"): _avgpool,
    _torch("flatten.Flatten"): _flatten,
    _torch("dropout.Dropout"): _identity,
    _torch("dropout.Dropout1d"): _identity,
    _torch("dropout.Dropout2d"): _identity,
}
"""The reader of each torch class, by its dotted path."""

_TRAINED = frozenset(path for path in READERS if "batchnorm" in path or "dropout" in path)
