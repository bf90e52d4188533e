"""A live torch module read into a Graph.

Containers whose order of layers is known (nn.Sequential, SpikingJelly's step containers, Norse's SequentialState) are
read without running them, where all their layers are known and unchanged; every other module is traced
(trace/recorder.py) and the graph then held against its own run. A subclass that changes nothing is read as its base,
one with a forward of its own is traced into. Parametrisations (torch.nn.utils.parametrize) are read as they evaluate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tern2lava.compiler.ir.graph import Graph, Readout
from tern2lava.compiler.ir.shapes import Shape
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.modules import norse, snntorch, spikingjelly
from tern2lava.frontends.modules.arrays import refuse_empty
from tern2lava.frontends.modules.known_modules import (
    NEURONS,
    SEQUENTIAL,
    Loaded,
    add_layer,
    changes,
    is_layer,
    reads_sequences,
    refuse_unknown,
    unwrapped,
)
from tern2lava.frontends.modules.torch_layers import IN_TRAINING, READERS, TRAINED, class_path

if TYPE_CHECKING:
    import torch

CALLS = ("auto", "step", "time_first", "batch_first", "static")
"""How a module is called: once per step with (batch, *shape); once with (time, batch, *shape) or (batch, time, *shape);
or once with (batch, *shape), which it then reads in each of its steps."""


def load_module(
    module: torch.nn.Module,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]],
    steps: int,
    *,
    readout: Readout | str | None = None,
    levels: tuple[int, int] = (0, 1),
    call: str = "auto",
) -> Graph:
    """The Graph (IMPORTED) of a network of torch layers and snnTorch, SpikingJelly or Norse neurons.

    input_shape: shape of one sample at one step, without batch; for a forward of several arguments one shape for each,
    by its name. levels: smallest and largest input value. call: how a module with a forward of its own is called (see
    CALLS; "auto" tries them in turn). States are taken to be reset before every sample. Raises UnsupportedError for a
    layer, setting or forward that has no exact form, InputError for shapes and numbers that do not fit.
    """
    return read_module(module, input_shape, steps, readout=readout, levels=levels, call=call).graph


def read_module(
    module: torch.nn.Module,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]],
    steps: int,
    *,
    readout: Readout | str | None = None,
    levels: tuple[int, int] = (0, 1),
    call: str = "auto",
    effort: Effort = NORMAL,
) -> Loaded:
    """The graph of load_module, with what is known of the module's own way to run. Arguments and errors as there."""
    readout = None if readout is None else read_readout(readout)
    given = input_shape if isinstance(input_shape, Mapping) else {"input": input_shape}
    shapes = {name: tuple(shape) for name, shape in given.items()}
    for shape in shapes.values():
        if not shape or not all(isinstance(n, int) and n > 0 for n in shape) or steps < 1:
            raise InputError(
                "input_shape, steps",
                f"requires positive sizes and steps; found {shape}, {steps}; give those of one sample",
            )
    if not shapes or call not in CALLS:
        raise InputError(
            "call", f"requires one of {', '.join(CALLS)}, and one input shape or more; found {call!r}; give both"
        )
    module = unwrapped(module)
    source = type(module).__qualname__
    refuse_empty(module, source)
    refused: UnsupportedError | None = None
    if is_sequence(module) and call == "auto" and len(shapes) == 1:
        try:
            sample = next(iter(shapes.items()))
            graph = _load_sequence(module, source, sample, steps, readout, levels)
            loaded = Loaded(graph=graph, call=sequence_call(module), names=sequence_names(module))
            from tern2lava.frontends.modules.trace.ordered import hold_ordered

            return hold_ordered(module, loaded, sample, levels, source, effort)
        except ModesError:
            raise
        except UnsupportedError as error:
            refused = error  # a setting that its reader does not know may be followed function by function
    from tern2lava.frontends.modules.trace.load import load_traced

    try:
        return load_traced(module, shapes, steps, readout=readout, levels=levels, call=call, effort=effort)
    except Tern2LavaError:
        if refused is not None:
            raise refused from None
        refuse_unknown(module, source)
        raise


def read_readout(value: Readout | str) -> Readout:
    """`value` as a Readout; InputError where there is none of that name."""
    try:
        return Readout(value)
    except ValueError:
        known = ", ".join(member.value for member in Readout)
        raise InputError("readout", f"requires a readout; found {value!r}; choose from {known}") from None


def sequence_call(module: torch.nn.Module) -> str:
    """How a container of layers is called: once per step, or once with (time, batch, *shape)."""
    over_time = any(reads_sequences(part) is True for part in module.modules())
    within = any(class_path(part) in spikingjelly.SEQUENCE_OF_STEPS for part in module.modules())
    return "time_first" if over_time or within else "step"


def sequence_names(module: torch.nn.Module) -> dict[str, str]:
    """The population of each neuron layer of a container by its name in the module; of a layer by itself "0"."""
    if is_layer(module):
        return {"": "0"}
    if not is_sequence(module):
        return {name: name for name, part in module.named_modules() if class_path(part) in NEURONS}
    layers = walk(module, type(module).__qualname__)
    return {placed.name: placed.name for placed in layers if class_path(placed.layer) in NEURONS}


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A layer of a container. inside: it runs on single steps inside a container over time; stateful: that container
    hands on its state."""

    name: str
    layer: torch.nn.Module
    inside: bool
    stateful: bool


_INNER = (*spikingjelly.SEQUENCE_OF_STEPS, spikingjelly.STEP_MODE)
_ORDERED = (SEQUENTIAL, *_INNER, norse.SEQUENTIAL)


def is_sequence(module: torch.nn.Module) -> bool:
    """Whether `module` is a container of known layers in a known order, all the way down, or a single layer, each
    as its class says."""
    if is_layer(module):
        return not any(changes(part) for part in module.modules())
    path = class_path(module)
    if path == norse.LIFT:
        return is_sequence(module.lifted_module)  # type: ignore[arg-type]
    return path in _ORDERED and not changes(module) and all(is_sequence(unwrapped(c)) for c in module.children())


def walk(
    module: torch.nn.Module, where: str, prefix: str = "", inside: bool = False, stateful: bool = False
) -> Iterator[Placed]:
    """Every layer inside nested containers, in the order they run."""
    path = class_path(module)
    if path == norse.LIFT:
        inner = module.lifted_module
        assert not isinstance(inner, type(None))
        yield from _walk_child(inner, where, f"{prefix}lifted_module", True, True)  # type: ignore[arg-type]
        return
    within = path in spikingjelly.SEQUENCE_OF_STEPS or (
        path == spikingjelly.STEP_MODE and getattr(module, "step_mode", "s") == "m"
    )
    for name, child in module.named_children():
        yield from _walk_child(child, f"{where}.{name}", f"{prefix}{name}", inside or within, path == norse.SEQUENTIAL)


def _walk_child(child: torch.nn.Module, where: str, full: str, inside: bool, stateful: bool) -> Iterator[Placed]:
    child = unwrapped(child)
    if not is_layer(child) and class_path(child) in (*_ORDERED, norse.LIFT):
        yield from walk(child, where, f"{full}.", inside, stateful)
    else:
        yield Placed(name=full, layer=child, inside=inside, stateful=stateful)


def _load_sequence(
    module: torch.nn.Module,
    source: str,
    given: tuple[str, Shape],
    steps: int,
    readout: Readout | None,
    levels: tuple[int, int],
) -> Graph:
    layers = [Placed(name="0", layer=module, inside=False, stateful=True)] if is_layer(module) else []
    layers = layers or list(walk(module, source))
    if not layers:
        raise InputError(source, "requires layers; found none; add one to the module")
    flat = any(class_path(placed.layer).endswith((".Conv1d", ".MaxPool1d", ".AvgPool1d")) for placed in layers)
    builder = GraphBuilder(source, steps, one_dimensional=flat)
    builder.input(given[0], given[1], levels, source)
    if module.training and any(class_path(placed.layer) in TRAINED for placed in layers):
        builder.notes.append(IN_TRAINING)
    _check_modes(layers, source)
    previous = given[0]
    for index, placed in enumerate(layers):
        where = _where(source, placed)
        if class_path(placed.layer) in snntorch.NEURONS and index < len(layers) - 1:
            snntorch.sequential_output(placed.layer, where)
        elif class_path(placed.layer) in norse.NEURONS and not placed.stateful and index < len(layers) - 1:
            raise UnsupportedError(
                where,
                "a container that passes on the states that Norse neurons give out",
                "one inside a container that does not pass states on",
                "use norse.torch.SequentialState",
            )
        add_layer(builder, placed.name, previous, where, placed.layer)
        previous = placed.name
    return builder.finish(readout, source)


def _where(source: str, placed: Placed) -> str:
    return f"{source}: layer {placed.name} ({type(placed.layer).__name__})"


class ModesError(UnsupportedError):
    """Layers of one container that read single steps and sequences."""


def _check_modes(layers: list[Placed], source: str) -> None:
    """Raise ModesError where some layers read single steps and others sequences.

    A layer that reads single steps takes the time axis of a sequence for its batch, and the batch for channels.
    """
    modes: dict[bool, Placed] = {}
    for placed in layers:
        if class_path(placed.layer) not in (*READERS, *NEURONS):
            continue
        own = reads_sequences(placed.layer)
        if placed.inside and own:
            raise ModesError(
                _where(source, placed), "layers that take single steps inside a container over time",
                "a layer that reads sequences", "set step_mode 's'",
            )  # fmt: skip
        if own is not None or placed.inside:
            modes.setdefault(placed.inside or bool(own), placed)
    if len(modes) == 2:
        raise ModesError(
            _where(source, modes[False]),
            "layers that all read single steps, or all sequences",
            f"single steps, where layer {modes[True].name} reads (time, batch, ...)",
            "set one step_mode (spikingjelly: functional.set_step_mode), or put the layer into a SeqToANNContainer",
        )
