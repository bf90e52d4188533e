"""A checkpoint of tensors and a net.yaml that says how they are wired, read into a Graph (docs/net-yaml.md)."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Add, Delay, Dense, Flatten, Graph, Identity, PoolKind
from tern2lava.compiler.ir.shapes import Reals, Shape, size
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.files.yaml_text import Place, YamlFile, read_yaml, refuse_marks
from tern2lava.findings import alone, replaced
from tern2lava.frontends.builder import GraphBuilder, NeuronLayer
from tern2lava.frontends.files.checkpoint import Checkpoint, read_checkpoint
from tern2lava.frontends.files.stored_forms import scaled_weight
from tern2lava.frontends.netyaml.keys import (
    LAYERS,
    BatchNormKeys,
    Conv1dKeys,
    Conv2dKeys,
    DelayKeys,
    DenseKeys,
    InputKeys,
    Keys,
    NetKeys,
    NeuronKeys,
    PoolKeys,
    parse,
    show,
)
from tern2lava.frontends.netyaml.loihi import NOTE, check_layer
from tern2lava.frontends.netyaml.neuron import neuron_fields
from tern2lava.frontends.netyaml.outputs import read_outputs
from tern2lava.frontends.netyaml.tensors import Tensors
from tern2lava.frontends.netyaml.weights import feedback_of, weight_and_bias
from tern2lava.likely import meant

INPUT = "input"
TORCH_EPS = 1e-5
"""Default of torch.nn.BatchNorm's eps, which no state_dict holds."""


def load_checkpoint(path: str | Path, net_path: str | Path, *, weights: str | None = None) -> Graph:
    """The Graph (IMPORTED) of the checkpoint at `path`, wired as the net.yaml at `net_path` says. weights: as for
    read_checkpoint.

    Raises InputError (file, line, key) for a missing or unknown key, an unknown tensor, a tensor that no layer uses,
    numbers that are not finite and shapes that do not chain; UnsupportedError for a neuron that has no exact form.
    """
    file = read_yaml(net_path)
    refuse_marks(file)
    return _Net(read_checkpoint(path, weights), file).graph()


class _Net:
    """One net.yaml on its way into a Graph."""

    def __init__(self, checkpoint: Checkpoint, file: YamlFile) -> None:
        self.file = file
        self.keys = parse(file, (), NetKeys, file.data)
        self.tensors = Tensors(checkpoint, file, self.keys.ignore)
        self.tensors.integers = self.keys.arithmetic is not None
        self.layers = [self.layer_kind(("layers", i), layer) for i, layer in enumerate(self.keys.layers)]
        flat = any(kind == "conv1d" for kind, _, _, _ in self.layers)
        self.builder = GraphBuilder(checkpoint.path.name, self.keys.steps, one_dimensional=flat)

    def graph(self) -> Graph:
        """The finished graph; every error of this front end is raised in here."""
        previous = self.inputs()
        counts: dict[str, int] = {}
        for index, (kind, name, sources, body) in enumerate(self.layers):
            place: Place = ("layers", index, kind)
            counts[kind] = counts.get(kind, 0) + 1
            label = name or f"{kind}{counts[kind]}"
            with alone(label) as each:
                keys = parse(self.file, place, LAYERS[kind], body)
                check_layer(self.file, place, kind, keys, chosen=self.tensors.integers)
                label = each.name = name or self.default_name(label, keys)
                origin = self.sources(sources, previous, kind, ("layers", index))
                self.add(kind, label, origin, keys, place)
            if each.refused:
                self.instead(kind, label, sources, previous, index)
                self.tensors.pass_over(repr(body))
            previous = label
        outputs = read_outputs(self.file, self.keys, self.tensors, self.builder)
        unused, ignored = self.tensors.leftover()
        if unused:
            with alone("whether each tensor has a use"):
                self.builder.refuse_lost()
                raise self.unused(unused)
        self.builder.notes.extend((*self.tensors.checkpoint.notes, *self.tensors.notes))
        if self.tensors.integers:
            self.builder.notes.append(NOTE)
        if ignored:
            self.builder.notes.append(f"left out on request (ignore): {', '.join(ignored)}")
        for name in self.builder.promised:
            raise self.file.error(
                ("layers",),
                f"requires the name of a layer for each delay; found {name!r}, which no layer is called; name one so",
            )
        return self.builder.finish(self.keys.readout, self.file.path, outputs)

    def instead(self, kind: str, name: str, sources: Any, previous: str, index: int) -> None:
        """What stands for a layer that was refused: ordinary neurons for neurons, else nothing (see findings.py)."""
        self.builder.lose(name)
        if kind == "neuron":
            with alone(name):
                origin = self.sources(sources, previous, kind, ("layers", index))
                self.builder.replace(name, origin, self.where(("layers", index)))

    def unused(self, unused: list[str]) -> InputError:
        """The error for tensors that nothing uses."""
        more = f" (and {len(unused) - 1} more)" if len(unused) > 1 else ""
        written = scaled_weight(self.tensors.checkpoint, unused[0])
        hint = f"write weight: {written}, or name it under ignore" if written else "name it in a layer or under ignore"
        return InputError(
            f"{self.tensors.checkpoint.path}: tensor {unused[0]}{more}",
            f"requires a use for each tensor; found none in {self.file.name}; {hint}",
        )

    def inputs(self) -> str:
        """Add the network's inputs: `input`, or those named under `inputs`; the name of the last one."""
        one, several = self.keys.input, self.keys.inputs
        if (one is None) == (several is None):
            raise self.file.error(
                ("input",),
                "requires input: {shape: [...]}, or inputs: with a name for each; found both or neither; write "
                "one of them",
            )
        if several is None:
            several = {INPUT: one}
        if not isinstance(several, dict) or not several:
            raise self.file.error(
                ("inputs",),
                f"requires a name and {{shape: [...]}} for each input; found {show(several)}; write NAME: "
                f"{{shape: [...]}}",
            )
        for name, body in several.items():
            place: Place = ("input",) if one is not None else ("inputs", name)
            given = parse(self.file, place, InputKeys, body)
            self.builder.input(name, given.shape, given.levels, self.where(place))
        return str(name)

    def where(self, place: Place) -> str:
        return self.file.error(place, "").where

    def default_name(self, numbered: str, keys: Keys) -> str:
        """The prefix of a layer's tensors, so that reports speak of layers as the checkpoint does, else `numbered`.

        A prefix that is taken (a weight used twice) gets a number: conv1_2.
        """
        weight = getattr(keys, "weight", None) or ""
        named = weight.removesuffix(".weight") if self.tensors.has(weight) else ""
        prefix = getattr(keys, "tensors", None) or named
        if not prefix:
            return numbered
        names = itertools.chain([prefix], (f"{prefix}_{n}" for n in itertools.count(2)))
        return next(name for name in names if name not in self.builder.shape)

    def layer_kind(self, place: Place, layer: Any) -> tuple[str, str | None, Any, Any]:
        """(kind, name, from, settings) of one entry of `layers`; InputError where it has not exactly one kind."""
        if isinstance(layer, str):
            layer = {layer: {}}
        if not isinstance(layer, dict):
            raise self.file.error(place, f"requires one of {', '.join(LAYERS)}; found {show(layer)}; write one of them")
        known = ", ".join(LAYERS)
        strange = [key for key in layer if key not in (*LAYERS, "name", "from")]
        if strange:
            raise self.file.error(
                (*place, strange[0]),
                f"requires a known layer; found another; {meant(strange[0], LAYERS)}choose from {known}, with name and "
                "from beside it",
            )
        kinds = [key for key in layer if key in LAYERS]
        if len(kinds) != 1:
            found = ", ".join(kinds) or "none"
            raise self.file.error(
                place, f"requires exactly one of {', '.join(LAYERS)}; found {found}; make each a layer of its own"
            )
        name = layer.get("name")
        if name is not None and not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= 80):
            hint = "shorten it" if isinstance(name, str) and name else "write a name, in quotes"
            raise self.file.error(
                (*place, "name"), f"requires a word of at most 80 characters; found {show(name)}; {hint}"
            )
        body = layer[kinds[0]]
        return kinds[0], name, layer.get("from"), {} if body is None else body

    def sources(self, given: Any, previous: str, kind: str, place: Place) -> tuple[str, ...]:
        """The layers that one reads: those under `from`, else the one before. An add needs two, the others one."""
        names = [previous] if given is None else [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.file.error(
                (*place, "from"), f"requires names of earlier layers; found {show(given)}; write NAME or [NAME, NAME]"
            )
        earlier = [name for name in self.builder.shape if name not in self.builder.promised]
        for name in names:
            if name not in earlier and kind != "delay":
                why = f"requires the name of an earlier layer; found {name!r}; choose from {', '.join(earlier)}"
                raise self.file.error((*place, "from"), why)
        if kind == "add" and len(names) < 2:
            raise self.file.error(
                (*place, "from"), "requires two earlier layers or more for an add; found fewer; write from: [a, b]"
            )
        if kind not in ("add", "neuron") and len(names) != 1:
            raise self.file.error(
                (*place, "from"), f"requires one layer for a {kind}; found {len(names)}; put an add before it"
            )
        return tuple(names)

    def add(self, kind: str, name: str, sources: tuple[str, ...], keys: Keys, place: Place) -> None:
        """Add one layer to the graph."""
        where, builder = self.where(place), self.builder
        self.tensors.fits = partial(_fits, keys, builder.shape.get(sources[0], ()))
        match keys:
            case DenseKeys():
                weight, bias = weight_and_bias(self.tensors, keys, place)
                if keys.transpose and weight.ndim == 2:
                    weight = weight.T
                builder.add(Dense(name=name, inputs=sources, weight=weight, bias=bias), where)
            case Conv2dKeys() | Conv1dKeys():
                weight, bias = weight_and_bias(self.tensors, keys, place)
                dimensions = 2 if isinstance(keys, Conv2dKeys) else 1
                if weight.ndim != dimensions + 2:
                    raise self.file.error(
                        place,
                        f"requires a weight of {count(dimensions + 2, 'axis')}; found shape {weight.shape}; name the "
                        "layer's own weight",
                    )
                builder.conv(name, sources[0], where, weight=weight, bias=bias, **_conv_geometry(keys))
            case BatchNormKeys():
                self.batchnorm(name, sources[0], keys, place)
            case PoolKeys():
                self.pool(kind, name, sources[0], keys, where)
            case DelayKeys():
                self.delay(name, sources[0], keys, place)
            case NeuronKeys():
                with alone() as each:
                    fields, notes = neuron_fields(self.tensors, self.file, place, name, keys)
                if each.refused:
                    replaced(name)
                    self.tensors.pass_over(repr(keys))
                    fields, notes = {"threshold": np.asarray(1.0)}, []
                feedback, steps = feedback_of(self.tensors, keys, place)
                layer = NeuronLayer(fields=fields, notes=tuple(notes), feedback=feedback, feedback_delay=steps)
                builder.layer(name, sources, where, layer)
            case _ if kind == "flatten":
                builder.add(Flatten(name=name, inputs=sources), where)
            case _ if kind == "add":
                builder.add(Add(name=name, inputs=sources), where)
            case _:
                builder.add(Identity(name=name, inputs=sources), where)

    def batchnorm(self, name: str, source: str, keys: BatchNormKeys, place: Place) -> None:
        weight, bias, mean, var = (
            self.batchnorm_tensor(keys, key, place) for key in ("weight", "bias", "running_mean", "running_var")
        )
        assert mean is not None
        assert var is not None
        eps = keys.eps
        stored = self.tensors.value(f"{keys.tensors}.eps") if keys.tensors is not None else None
        if eps is None:
            eps = float(stored) if isinstance(stored, int | float) else TORCH_EPS
            if stored is None:
                self.builder.notes.append(f"{name}: eps {TORCH_EPS:g} assumed, torch's default")
        self.builder.batchnorm(name, source, self.where(place), weight=weight, bias=bias, mean=mean, var=var, eps=eps)

    def batchnorm_tensor(self, keys: BatchNormKeys, key: str, place: Place) -> Reals | None:
        """One tensor of a batch normalisation: as its key says, else PREFIX.key; weight and bias may be missing."""
        written = getattr(keys, key)
        if written is not None:
            return self.tensors.array(written, (*place, key))
        name = f"{keys.tensors}.{key}"
        if keys.tensors is not None and (key.startswith("running") or self.tensors.has(name)):
            return self.tensors.array(name, (*place, "tensors"))
        if key.startswith("running"):
            raise self.file.error((*place, key), f"requires a tensor; found none; give tensors: PREFIX, or {key}: NAME")
        return None

    def delay(self, name: str, source: str, keys: DelayKeys, place: Place) -> None:
        """A delay; one that reads a layer below it says that layer's shape."""
        if source not in self.builder.shape:
            if keys.shape is None:
                known = ", ".join(self.builder.shape)
                why = (
                    f"requires the name of an earlier layer; found {source!r}; choose from {known}, or say the shape: "
                    "[...] of a later one"
                )
                raise self.file.error((*place[:-1], "from"), why)
            self.builder.promise(source, self.builder.held(keys.shape))
        elif keys.shape is not None and self.builder.held(keys.shape) != self.builder.shape[source]:
            raise self.file.error(
                (*place, "shape"),
                f"requires the shape of {source}, {self.builder.shape[source]}; found another; mend it",
            )
        self.builder.add(Delay(name=name, inputs=(source,), steps=keys.steps), self.where(place))

    def pool(self, kind: str, name: str, source: str, keys: PoolKeys, where: str) -> None:
        kernel, stride, padding = keys.kernel, keys.stride or keys.kernel, keys.padding
        if self.builder.one_dimensional:
            kernel, stride, padding = (1, kernel[1]), (1, stride[1]), (0, padding[1])
        if kind == "maxpool":
            self.builder.maxpool(name, source, where, kernel=kernel, stride=stride, padding=padding)
            return
        pool_kind = PoolKind.AVG if kind == "avgpool" else PoolKind.SUM
        self.builder.pool(name, source, where, kind=pool_kind, kernel=kernel, stride=stride, padding=padding)


def _fits(keys: Keys, source: Shape, shape: Shape) -> bool:
    """Whether a weight of `shape` has the inputs of a layer that reads `source`, or joins it with itself."""
    match keys:
        case DenseKeys():
            return len(shape) == 2 and shape[0 if keys.transpose else 1] == size(source)
        case Conv2dKeys() | Conv1dKeys():
            dimensions = 2 if isinstance(keys, Conv2dKeys) else 1
            return len(shape) == dimensions + 2 and source[:1] == (shape[1] * keys.groups,)
        case NeuronKeys():
            return len(shape) == 2 and shape[0] == shape[1] == size(source)
    return False


def _conv_geometry(keys: Conv2dKeys | Conv1dKeys) -> dict[str, Any]:
    """Stride, padding, dilation and groups in (y, x); a one-dimensional layer has height 1."""
    if isinstance(keys, Conv2dKeys):
        return {"stride": keys.stride, "padding": keys.padding, "dilation": keys.dilation, "groups": keys.groups}
    padding = keys.padding if keys.padding == "same" else (0, keys.padding[1])
    return {"stride": (1, keys.stride), "padding": padding, "dilation": (1, keys.dilation), "groups": keys.groups}


__all__ = ["Tensors", "load_checkpoint"]
