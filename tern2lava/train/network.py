"""Spiking networks for training: an nn.Sequential of plain torch layers and neurons, from one line of words."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from tern2lava.compiler.ir.shapes import Shape, conv_out, size
from tern2lava.errors import InputError
from tern2lava.registry import Registry
from tern2lava.train.dropout import DropConnectConv2d, DropConnectLinear
from tern2lava.train.families import NeuronModel as NeuronModel
from tern2lava.train.families import neurons

READOUTS = ("spike_count", "membrane_sum")
EXAMPLE = "16c3-p2-32c3s2g4-d0.2-128r-10"


@dataclass(eq=False, kw_only=True)
class Line:
    """A network as far as its words are read: its modules by name, and the shape that the last of them gives."""

    text: str
    shape: Shape
    neuron: NeuronModel
    batch_norm: bool
    bias: bool
    integrates_last: bool
    modules: OrderedDict[str, nn.Module] = field(default_factory=OrderedDict)
    layers: int = 0
    dropconnect: float = 0.0
    """Probability with which the next layer leaves out weights."""
    word: str = ""
    last: bool = False
    """The word that is being read, and whether it is the last of all."""
    fires: bool = False
    """Whether what was added last are neurons."""
    spikes: bool = False
    """Whether the last module gives spikes."""

    def refuse(self, rule: str, found: str, hint: str) -> InputError:
        """The error of the word that is being read."""
        return InputError(f"layer {self.word!r} of {self.text!r}", f"requires {rule}; found {found}; {hint}")

    def add(self, name: str, module: nn.Module) -> None:
        """Adds a module, called `name` or, where that is taken, name_2 and so on."""
        names = (name, *(f"{name}_{n}" for n in range(2, len(self.modules) + 3)))
        self.modules[next(each for each in names if each not in self.modules)] = module
        self.fires = False

    def linear(self, inputs: int, outputs: int, *, bias: bool) -> nn.Linear:
        """A Linear, with dropconnect where the word before it says so."""
        if self.dropconnect:
            return DropConnectLinear(inputs, outputs, p=self.dropconnect, bias=bias)
        return nn.Linear(inputs, outputs, bias=bias)

    def fire(self, recurrent: nn.Linear | None = None) -> None:
        """Adds the layer's neurons."""
        integrates = self.last and self.integrates_last
        self.add(f"lif{self.layers}", neurons(self.neuron, recurrent=recurrent, integrates=integrates))
        self.fires, self.spikes, self.dropconnect = True, True, 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Word:
    """A word of a line: what it looks like (an example and a pattern), what it is, and what it adds to the line."""

    name: str
    what: str
    pattern: re.Pattern[str]
    add: Callable[[Line, dict[str, str]], None]


WORDS: Registry[Word] = Registry("word of network.layers")


def network(
    layers: str,
    shape: Shape,
    *,
    neuron: NeuronModel | None = None,
    batch_norm: bool = True,
    bias: bool = False,
    readout: str = "spike_count",
) -> nn.Sequential:
    """The network that a line such as "16c3-p2-32c3s2-p2-10" describes, for samples of `shape`.

    Each word of it is one of WORDS. batch_norm: behind convolutions; bias is for layers without it. readout
    membrane_sum: the last layer of neurons has no reset and its classes are read from its potentials, summed over time,
    which no spike cuts to whole numbers. Raises InputError for a line that cannot be read or does not fit the shape.
    """
    if readout not in READOUTS:
        raise InputError("readout", f"requires one of {', '.join(READOUTS)}; found {readout!r}; choose one of them")
    line = Line(
        text=layers, shape=shape, neuron=neuron or NeuronModel(), batch_norm=batch_norm, bias=bias,
        integrates_last=readout == "membrane_sum",
    )  # fmt: skip
    words = layers.split("-")
    for number, line.word in enumerate(words, 1):
        line.last = number == len(words)
        for word in WORDS:
            if match := word.pattern.fullmatch(line.word):
                word.add(line, {key: value or "" for key, value in match.groupdict().items()})
                break
        else:
            known = ", ".join(WORDS.names())
            raise line.refuse(f"words such as {known}", "another", f"write for example {EXAMPLE}")
    if not line.fires or line.dropconnect:
        raise line.refuse("a layer of neurons as the last", "another word", f"write for example {EXAMPLE}")
    return nn.Sequential(line.modules)


def _conv(line: Line, found: dict[str, str]) -> None:
    shape = line.shape
    out, kernel, stride, groups = (int(found[key] or 1) for key in ("out", "kernel", "stride", "groups"))
    if len(shape) != 3 or 0 in (out, stride, groups) or kernel % 2 == 0 or shape[0] % groups or out % groups:
        raise line.refuse(
            f"a layer that fits its input {shape}", "another", "take odd kernels, and groups that divide the channels"
        )
    line.layers += 1
    pad = kernel // 2
    geometry: dict[str, Any] = {
        "stride": stride, "padding": pad, "groups": groups, "bias": line.bias and not line.batch_norm,
    }  # fmt: skip
    if line.dropconnect:
        layer: nn.Module = DropConnectConv2d(shape[0], out, kernel, p=line.dropconnect, **geometry)
    else:
        layer = nn.Conv2d(shape[0], out, kernel, **geometry)
    line.add(f"conv{line.layers}", layer)
    if line.batch_norm:
        line.add(f"bn{line.layers}", nn.BatchNorm2d(out))
    line.shape = (out, *(conv_out(length, kernel, stride, 2 * pad, 1) for length in shape[1:]))
    line.fire()


def _pool(line: Line, found: dict[str, str]) -> None:
    kernel, shape = int(found["kernel"]), line.shape
    if len(shape) != 3 or kernel < 1 or min(shape[1:]) < kernel:
        raise line.refuse(f"a layer that fits its input {shape}", "another", "make the pooling smaller")
    if found["maximum"] and not line.spikes:
        raise line.refuse("a maximum of spikes", "one of other numbers", "put it behind neurons, or take an average")
    line.add(f"pool{line.layers}", nn.MaxPool2d(kernel) if found["maximum"] else nn.AvgPool2d(kernel))
    line.spikes = bool(found["maximum"])
    line.shape = (shape[0], *(length // kernel for length in shape[1:]))


def _dense(line: Line, found: dict[str, str]) -> None:
    out = int(found["out"])
    if out < 1:
        raise line.refuse("one neuron or more", "none", "write how many")
    line.layers += 1
    if len(line.shape) > 1:
        line.add("flatten", nn.Flatten())
    line.add(f"fc{line.layers}", line.linear(size(line.shape), out, bias=line.bias))
    line.shape = (out,)
    line.fire(line.linear(out, out, bias=line.bias) if found["recurrent"] else None)


def _share(line: Line, found: dict[str, str]) -> float:
    p = float(found["p"])
    if not 0 < p < 1:
        raise line.refuse("a probability between 0 and 1", found["p"], "write for example d0.2 or dc0.2")
    return p


def _dropout(line: Line, found: dict[str, str]) -> None:
    line.add(f"drop{line.layers}", nn.Dropout(_share(line, found)))


def _dropconnect(line: Line, found: dict[str, str]) -> None:
    line.dropconnect = _share(line, found)


for _word in (
    Word(
        name="16c3",
        what="convolution to 16 channels with 3x3 kernels, same padding (`s2`: stride 2, `g4`: 4 groups), batch norm, "
        "neurons",
        pattern=re.compile(r"(?P<out>\d+)c(?P<kernel>\d+)(?:s(?P<stride>\d+))?(?:g(?P<groups>\d+))?"),
        add=_conv,
    ),
    Word(name="p2", what="average pooling 2x2", pattern=re.compile(r"p(?P<kernel>\d+)(?P<maximum>)"), add=_pool),
    Word(
        name="m2",
        what="maximum pooling 2x2 of spikes, their OR: compiled to neurons of its own, a hardware timestep more",
        pattern=re.compile(r"(?P<maximum>m)(?P<kernel>\d+)"),
        add=_pool,
    ),
    Word(
        name="128",
        what="dense layer of 128 neurons (flattened before it where needed)",
        pattern=re.compile(r"(?P<out>\d+)(?P<recurrent>)"),
        add=_dense,
    ),
    Word(
        name="128r",
        what="the same, with weights from its spikes of the step before back to all of it",
        pattern=re.compile(r"(?P<out>\d+)(?P<recurrent>r)"),
        add=_dense,
    ),
    Word(
        name="d0.2",
        what="dropout: in training each value is left out with probability 0.2, the others are divided by 0.8; a mask "
        "for each sample and time step",
        pattern=re.compile(r"d(?P<p>\d*\.?\d+)"),
        add=_dropout,
    ),
    Word(
        name="dc0.2",
        what="dropconnect: the same with the weights of the layer after it (recurrent ones too), a mask for each batch",
        pattern=re.compile(r"dc(?P<p>\d*\.?\d+)"),
        add=_dropconnect,
    ),
):
    WORDS.add(_word)
