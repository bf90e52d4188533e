"""Grows INTEGER graphs of ternary networks, codes drawn from a seed, for the chip at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, conv_out, frozen, size

ZEROS = 0.5
# A threshold in weights; with a leak, a weight is several units, so that a potential can lose a part of it.
THRESHOLD = 8
LEAKY_GAIN = 64


@dataclass(frozen=True)
class Style:
    """What a network is made of where a chip cannot execute it as it is.

    leak: potentials lose a 32nd in each step; without it, they stay. fan_in: most inputs of a neuron, None for any. A
    layer whose neurons have more is cut into groups of channels that see no others, as S. K. Esser et al., PNAS
    113(41), 2016, cut theirs for TrueNorth: as few as will do, its width rounded up to whole groups, a classifier's to
    a neuron for each class and group. Where populations have several projections, each gets an equal share.
    """

    leak: bool = True
    fan_in: int | None = None


@dataclass
class Net:
    """Grows a network. `shapes` are those of what was added; each method returns the name of what it adds."""

    seed: int = 0
    zeros: float = ZEROS
    style: Style = Style()
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)

    def codes(self, *shape: int) -> Any:
        rng = np.random.default_rng([self.seed, len(self.nodes)])
        draw = rng.random(shape, dtype=np.float32)
        low, high = (1 - self.zeros) / 2, (1 + self.zeros) / 2
        return frozen((draw > high).astype(np.int8) - (draw < low).astype(np.int8))

    def input(self, *shape: int) -> str:
        self.nodes.append(Input(name="in", shape=shape))
        self.shapes["in"], self.starts["in"] = shape, 0
        return "in"

    def population(self, name: str, wires: tuple[str, ...], shape: tuple[int, ...], start: int) -> str:
        values: dict[str, Any] = {k: frozen(0, np.int64) for k in ("bias", "reset_amount", "v_init")}
        leak = self.style.leak
        self.nodes.append(
            Population(
                name=name, inputs=wires, shape=shape, reset=Reset.ZERO, lsb=frozen(1.0), start=start,
                decay_u=frozen(4096, np.int64), decay_v=frozen(128 if leak else 0, np.int64),
                threshold=frozen(self.gain * THRESHOLD, np.int64), **values,
            )
        )  # fmt: skip
        self.shapes[name], self.starts[name] = shape, start
        return name

    @property
    def gain(self) -> int:
        return LEAKY_GAIN if self.style.leak else 1

    def groups(self, channels: int, each: int, wires: int = 1) -> int:
        """The fewest groups of `channels` channels in which a neuron, reading `each` values of a channel, has no more
        than its share of the inputs that it may have."""
        if self.style.fan_in is None:
            return 1
        share = self.style.fan_in // wires
        if each > share:
            raise ValueError(f"{each} inputs from one channel, a neuron may have {share}")
        return next(g for g in range(1, channels + 1) if channels % g == 0 and channels // g * each <= share)

    def wire(self, name: str, source: str, **values: Any) -> str:
        gain = frozen(self.gain, np.int64)
        self.nodes.append(Projection(name=name, inputs=(source,), gain=gain, **values))
        return name

    def dense(self, source: str, outputs: int, pool: int = 1, loop: bool = False, classes: bool = False) -> str:
        """A dense layer of neurons, behind pooling, feeding itself where `loop`; `classes`: the last one."""
        name = f"n{len(self.shapes)}"
        pooling, shape = self.pooled(source, pool)
        c, h, w = shape if len(shape) == 3 else (*shape, 1, 1)
        groups = self.groups(c, h * w * pool**2, 1 + loop)
        if groups == 1:
            wires = [self.wire(f"w_{name}", source, weight=self.codes(outputs, size(shape)), pooling=pooling)]
        else:
            outputs = outputs * groups if classes else -(-outputs // groups) * groups
            wires = [self.window(f"w_{name}", source, (c, h, w), outputs, groups, pooling)]
        if loop:
            if groups == 1:
                wires.append(self.wire(f"r_{name}", name, weight=self.codes(outputs, outputs)))
            else:
                wires.append(self.window(f"r_{name}", name, (outputs, 1, 1), outputs, groups, None))
        return self.population(name, tuple(wires), (outputs,), self.starts[source] + 1)

    def window(
        self, name: str, source: str, shape: tuple[int, int, int], outputs: int, groups: int, pooling: Pooling | None
    ) -> str:
        """A dense layer in groups of channels: a convolution whose kernel is the whole image."""
        c, h, w = shape
        geometry = ConvGeometry(
            in_shape=shape, out_shape=(outputs, 1, 1), stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1),
            groups=groups,
        )  # fmt: skip
        weight = self.codes(outputs, c // groups, h, w)
        return self.wire(name, source, weight=weight, geometry=geometry, pooling=pooling)

    def pooled(self, source: str, pool: int) -> tuple[Pooling | None, tuple[int, ...]]:
        shape = self.shapes[source]
        if pool == 1:
            return None, shape
        pooling = Pooling(in_shape=(shape[0], shape[1], shape[2]), window=(pool, pool))
        return pooling, pooling.out_shape

    def conv(
        self, source: str, out: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1, pool: int = 1,
        shortcut: str | None = None,
    ) -> str:  # fmt: skip
        """A convolution and its neurons, behind pooling; `shortcut` adds another population's spikes, projected by a
        1 x 1 convolution where shapes differ."""
        name = f"n{len(self.shapes)}"
        pooling, shape = self.pooled(source, pool)
        c, h, w = shape
        oh, ow = (conv_out(n, kernel, stride, 2 * pad, 1) for n in (h, w))
        if groups == 1:
            groups = self.groups(c, kernel**2 * pool**2, 1 if shortcut is None else 2)
            out = -(-out // groups) * groups
        geometry = ConvGeometry(
            in_shape=(c, h, w), out_shape=(out, oh, ow), stride=(stride, stride), padding=(pad, pad, pad, pad),
            dilation=(1, 1), groups=groups,
        )  # fmt: skip
        weight = self.codes(out, c // groups, kernel, kernel)
        wires = [self.wire(f"w_{name}", source, weight=weight, geometry=geometry, pooling=pooling)]
        start = self.starts[source] + 1
        if shortcut is not None:
            sc, sh, sw = self.shapes[shortcut]
            same = sc == out
            across = ConvGeometry(
                in_shape=(sc, sh, sw), out_shape=(out, oh, ow), stride=(sh // oh, sw // ow), padding=(0, 0, 0, 0),
                dilation=(1, 1), groups=out if same else groups,
            )  # fmt: skip
            codes = frozen(np.ones((out, 1, 1, 1), np.int8)) if same else self.codes(out, sc // across.groups, 1, 1)
            delay = start - self.starts[shortcut] - 1
            wires.append(self.wire(f"s_{name}", shortcut, weight=codes, geometry=across, delay=delay))
        return self.population(name, tuple(wires), (out, oh, ow), start)

    def graph(self, last: str, title: str) -> Graph:
        nodes = (*self.nodes, Output(name="out", inputs=(last,)))
        return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes, source=title)
