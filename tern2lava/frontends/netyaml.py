"""A checkpoint of tensors and a net.yaml that says how they are wired, read into a Graph (docs/net-yaml.md)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import chain, count
from pathlib import Path
from typing import Any

from tern2lava.compiler.ir import Add, Array, Dense, Flatten, Graph, Identity, PoolKind
from tern2lava.errors import InputError
from tern2lava.frontends.builder import GraphBuilder, numbers
from tern2lava.frontends.checkpoint import Checkpoint, Scalar, read_checkpoint
from tern2lava.frontends.netformat import (
    LAYERS,
    BatchNormKeys,
    Conv1dKeys,
    Conv2dKeys,
    DenseKeys,
    InputKeys,
    Keys,
    NetKeys,
    NeuronKeys,
    PoolKeys,
    parse,
    show,
)
from tern2lava.frontends.netneuron import neuron_fields
from tern2lava.frontends.yamlfile import Place, YamlFile, read_yaml

INPUT = "input"
BOOKKEEPING = ("*num_batches_tracked",)
"""Tensors that take no part in inference."""

TORCH_EPS = 1e-5
"""Default of torch.nn.BatchNorm's eps, which no state_dict holds."""


def load_checkpoint(path: str | Path, net_path: str | Path) -> Graph:
    """The Graph (IMPORTED) of the checkpoint at `path`, wired as the net.yaml at `net_path` says.

    Raises InputError (file, line, key) for a missing or unknown key, an unknown tensor, a tensor that no layer uses,
    numbers that are not finite and shapes that do not chain; UnsupportedError for a neuron that has no exact form.
    """
    return _Net(read_checkpoint(path), read_yaml(net_path)).graph()


class Tensors:
    """The tensors of a checkpoint, remembering which were used."""

    def __init__(self, checkpoint: Checkpoint, file: YamlFile) -> None:
        self.checkpoint = checkpoint
        self.file = file
        self.used: set[str] = set()

    def has(self, name: str) -> bool:
        return self.checkpoint.find(name) is not None

    def array(self, name: str, place: Place) -> Array:
        """The tensor (or number) called `name` in float64; InputError at `place` where there is none to be had."""
        full = self.checkpoint.find(name)
        if full is None:
            close = ", ".join(sorted(self.checkpoint.tensors)[:12])
            raise self.file.error(place, f"no tensor is called {name!r}; {self.checkpoint.path.name} holds {close}")
        if full in self.checkpoint.unreadable:
            raise self.file.error(place, f"tensor {name!r} {self.checkpoint.unreadable[full]}")
        self.used.add(full)
        found = self.checkpoint.tensors.get(full)
        value: Any = found if found is not None else self.checkpoint.values[full]
        if isinstance(value, str) or value is None:
            raise self.file.error(place, f"{name!r} is {show(value)} in the checkpoint; expected a number")
        return numbers(f"{self.checkpoint.path}: tensor {full}", value)

    def value(self, name: str) -> Scalar:
        """The plain value called `name` that a pickled module holds, None where there is none."""
        full = self.checkpoint.find(name)
        return self.checkpoint.values.get(full) if full is not None else None

    def leftover(self, ignore: list[str]) -> tuple[list[str], list[str]]:
        """(tensors that nothing uses, those among all that `ignore` names), sorted."""
        everything = set(self.checkpoint.tensors) | set(self.checkpoint.unreadable)
        rest = everything - self.used - self.checkpoint.attributes
        ignored = sorted(name for name in rest if any(fnmatchcase(name, pattern) for pattern in ignore))
        quiet = {name for name in rest if any(fnmatchcase(name, pattern) for pattern in BOOKKEEPING)}
        return sorted(rest - quiet - set(ignored)), ignored


class _Net:
    """One net.yaml on its way into a Graph."""

    def __init__(self, checkpoint: Checkpoint, file: YamlFile) -> None:
        self.file = file
        self.keys = parse(file, (), NetKeys, file.data)
        self.tensors = Tensors(checkpoint, file)
        self.layers = [self.layer_kind(("layers", i), layer) for i, layer in enumerate(self.keys.layers)]
        flat = any(kind == "conv1d" for kind, _, _, _ in self.layers)
        self.builder = GraphBuilder(checkpoint.path.name, self.keys.steps, one_dimensional=flat)

    def graph(self) -> Graph:
        """The finished graph; every error of this front end is raised in here."""
        given = parse(self.file, ("input",), InputKeys, self.keys.input)
        self.builder.input(INPUT, given.shape, given.levels, self.where(("input",)))
        previous = INPUT
        counts: dict[str, int] = {}
        for index, (kind, name, sources, body) in enumerate(self.layers):
            place: Place = ("layers", index, kind)
            keys = parse(self.file, place, LAYERS[kind], body)
            counts[kind] = counts.get(kind, 0) + 1
            label = name or self.default_name(f"{kind}{counts[kind]}", keys)
            origin = self.sources(sources, previous, kind, ("layers", index))
            self.add(kind, label, origin, keys, place)
            previous = label
        unused, ignored = self.tensors.leftover(self.keys.ignore)
        if unused:
            more = f" (and {len(unused) - 1} more)" if len(unused) > 1 else ""
            raise InputError(
                f"{self.tensors.checkpoint.path}: tensor {unused[0]}{more}",
                f"is used by no layer of {self.file.path.name}; name it in a layer or under ignore",
            )
        if ignored:
            self.builder.notes.append(f"left out on request (ignore): {', '.join(ignored)}")
        return self.builder.finish(self.keys.readout, self.file.path)

    def where(self, place: Place) -> str:
        return self.file.error(place, "").where

    def default_name(self, numbered: str, keys: Keys) -> str:
        """The prefix of a layer's tensors, so that reports speak of layers as the checkpoint does, else `numbered`.

        A prefix that is taken (a weight used twice) gets a number: conv1_2.
        """
        prefix = getattr(keys, "tensors", None) or (getattr(keys, "weight", None) or "").removesuffix(".weight")
        if not prefix:
            return numbered
        names = chain([prefix], (f"{prefix}_{n}" for n in count(2)))
        return next(name for name in names if name not in self.builder.shape)

    def layer_kind(self, place: Place, layer: Any) -> tuple[str, str | None, Any, Any]:
        """(kind, name, from, settings) of one entry of `layers`; InputError where it has not exactly one kind."""
        if isinstance(layer, str):
            layer = {layer: {}}
        if not isinstance(layer, dict):
            raise self.file.error(place, f"expected one of {', '.join(LAYERS)}, found {show(layer)}")
        known = ", ".join(LAYERS)
        strange = [key for key in layer if key not in (*LAYERS, "name", "from")]
        if strange:
            raise self.file.error((*place, strange[0]), f"unknown layer; known are {known}, and name and from")
        kinds = [key for key in layer if key in LAYERS]
        if len(kinds) != 1:
            found = ", ".join(kinds) or "none"
            raise self.file.error(place, f"expected exactly one of {', '.join(LAYERS)}, found {found}")
        name = layer.get("name")
        if name is not None and not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= 80):
            raise self.file.error((*place, "name"), f"expected a word of up to 80 characters, found {show(name)}")
        body = layer[kinds[0]]
        return kinds[0], name, layer.get("from"), {} if body is None else body

    def sources(self, given: Any, previous: str, kind: str, place: Place) -> tuple[str, ...]:
        """The layers that one reads: those under `from`, else the one before. An add needs two, the others one."""
        names = [previous] if given is None else [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.file.error((*place, "from"), f"expected names of earlier layers, found {show(given)}")
        for name in names:
            if name not in self.builder.shape:
                known = ", ".join(self.builder.shape)
                raise self.file.error((*place, "from"), f"no earlier layer is called {name!r}; there are {known}")
        if kind == "add" and len(names) < 2:
            raise self.file.error((*place, "from"), "an add needs from: [a, b] with two earlier layers or more")
        if kind != "add" and len(names) != 1:
            raise self.file.error((*place, "from"), f"a {kind} reads one layer, found {len(names)}; put an add before")
        return tuple(names)

    def add(self, kind: str, name: str, sources: tuple[str, ...], keys: Keys, place: Place) -> None:
        """Add one layer to the graph."""
        where, builder = self.where(place), self.builder
        match keys:
            case DenseKeys():
                weight, bias = self.weight_and_bias(keys, place)
                if keys.transpose and weight.ndim == 2:
                    weight = weight.T
                builder.add(Dense(name=name, inputs=sources, weight=weight, bias=bias), where)
            case Conv2dKeys() | Conv1dKeys():
                weight, bias = self.weight_and_bias(keys, place)
                dimensions = 2 if isinstance(keys, Conv2dKeys) else 1
                if weight.ndim != dimensions + 2:
                    raise self.file.error(place, f"its weight has shape {weight.shape}; expected {dimensions + 2} axes")
                builder.conv(name, sources[0], where, weight=weight, bias=bias, **_conv_geometry(keys))
            case BatchNormKeys():
                self.batchnorm(name, sources[0], keys, place)
            case PoolKeys():
                self.pool(kind, name, sources[0], keys, where)
            case NeuronKeys():
                fields, notes = neuron_fields(self.tensors, self.file, place, name, keys)
                builder.notes.extend(notes)
                builder.neuron(name, sources, where, **fields)
            case _ if kind == "flatten":
                builder.add(Flatten(name=name, inputs=sources), where)
            case _ if kind == "add":
                builder.add(Add(name=name, inputs=sources), where)
            case _:
                builder.add(Identity(name=name, inputs=sources), where)

    def weight_and_bias(self, keys: DenseKeys | Conv2dKeys | Conv1dKeys, place: Place) -> tuple[Array, Array | None]:
        """The weight and bias of a layer, by their own names or as PREFIX.weight and PREFIX.bias of `tensors`."""
        if keys.tensors is not None and (keys.weight is not None or keys.bias is not None):
            raise self.file.error((*place, "tensors"), "stands beside weight or bias; give either")
        if keys.tensors is not None:
            weight, bias = f"{keys.tensors}.weight", f"{keys.tensors}.bias"
            found = self.tensors.array(weight, (*place, "tensors"))
            there = self.tensors.has(bias) and self.tensors.value(bias) is None
            return found, self.tensors.array(bias, (*place, "tensors")) if there else None
        if keys.weight is None:
            raise self.file.error((*place, "weight"), "is missing; give tensors: PREFIX, or weight: NAME")
        bias_array = self.tensors.array(keys.bias, (*place, "bias")) if keys.bias is not None else None
        return self.tensors.array(keys.weight, (*place, "weight")), bias_array

    def batchnorm(self, name: str, source: str, keys: BatchNormKeys, place: Place) -> None:
        at, prefix = (*place, "tensors"), keys.tensors
        found = {
            key: self.tensors.array(f"{prefix}.{key}", at) if self.tensors.has(f"{prefix}.{key}") else None
            for key in ("weight", "bias")
        }
        mean, var = (self.tensors.array(f"{prefix}.{key}", at) for key in ("running_mean", "running_var"))
        eps = keys.eps
        stored = self.tensors.value(f"{prefix}.eps")
        if eps is None:
            eps = float(stored) if isinstance(stored, int | float) else TORCH_EPS
            if stored is None:
                self.builder.notes.append(f"{name}: eps {TORCH_EPS:g} assumed, torch's default")
        self.builder.batchnorm(name, source, self.where(place), **found, mean=mean, var=var, eps=eps)

    def pool(self, kind: str, name: str, source: str, keys: PoolKeys, where: str) -> None:
        kernel, stride, padding = keys.kernel, keys.stride or keys.kernel, keys.padding
        if self.builder.one_dimensional:
            kernel, stride, padding = (1, kernel[1]), (1, stride[1]), (0, padding[1])
        pool_kind = PoolKind.AVG if kind == "avgpool" else PoolKind.SUM
        self.builder.pool(name, source, where, kind=pool_kind, kernel=kernel, stride=stride, padding=padding)


def _conv_geometry(keys: Conv2dKeys | Conv1dKeys) -> dict[str, Any]:
    """Stride, padding, dilation and groups in (y, x); a one-dimensional layer has height 1."""
    if isinstance(keys, Conv2dKeys):
        return {"stride": keys.stride, "padding": keys.padding, "dilation": keys.dilation, "groups": keys.groups}
    padding = keys.padding if keys.padding == "same" else (0, keys.padding[1])
    return {"stride": (1, keys.stride), "padding": padding, "dilation": (1, keys.dilation), "groups": keys.groups}


__all__ = ["Tensors", "load_checkpoint"]
