"""Shapes of published networks as ternary spiking networks, INTEGER graphs with codes drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tern2lava.compiler.ir import (
    Arithmetic,
    ConvGeometry,
    Graph,
    Input,
    Level,
    Node,
    Output,
    Pooling,
    Population,
    Projection,
    Reset,
    conv_out,
    frozen,
    size,
)

ZEROS = 0.5


@dataclass
class Net:
    """Grows a network. `shapes` are those of what was added; each method returns the name of what it adds."""

    seed: int = 0
    zeros: float = ZEROS
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
        self.nodes.append(
            Population(
                name=name, inputs=wires, shape=shape, reset=Reset.ZERO, lsb=frozen(1.0), start=start,
                decay_u=frozen(4096, np.int64), decay_v=frozen(128, np.int64),
                threshold=frozen(64 * 8, np.int64), **values,
            )
        )  # fmt: skip
        self.shapes[name], self.starts[name] = shape, start
        return name

    def wire(self, name: str, source: str, **values: Any) -> str:
        self.nodes.append(Projection(name=name, inputs=(source,), gain=frozen(64, np.int64), **values))
        return name

    def dense(self, source: str, outputs: int, pool: int = 1, loop: bool = False) -> str:
        """A dense layer of neurons, behind pooling, feeding itself where `loop`."""
        name = f"n{len(self.shapes)}"
        pooling, shape = self.pooled(source, pool)
        wires = [self.wire(f"w_{name}", source, weight=self.codes(outputs, size(shape)), pooling=pooling)]
        if loop:
            wires.append(self.wire(f"r_{name}", name, weight=self.codes(outputs, outputs)))
        return self.population(name, tuple(wires), (outputs,), self.starts[source] + 1)

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
                dilation=(1, 1), groups=out if same else 1,
            )  # fmt: skip
            codes = frozen(np.ones((out, 1, 1, 1), np.int8)) if same else self.codes(out, sc, 1, 1)
            delay = start - self.starts[shortcut] - 1
            wires.append(self.wire(f"s_{name}", shortcut, weight=codes, geometry=across, delay=delay))
        return self.population(name, tuple(wires), (out, oh, ow), start)

    def graph(self, last: str, title: str) -> Graph:
        nodes = (*self.nodes, Output(name="out", inputs=(last,)))
        return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes, source=title)


def mlp(widths: tuple[int, ...] = (784, 512, 10), seed: int = 0, zeros: float = ZEROS) -> Graph:
    net = Net(seed, zeros)
    at = net.input(widths[0])
    for width in widths[1:]:
        at = net.dense(at, width)
    return net.graph(at, "MLP " + "-".join(map(str, widths)))


def lenet5() -> Graph:
    """Y. LeCun et al., 1998: two convolutions with pooling, three dense layers, on 28 x 28."""
    net = Net()
    at = net.conv(net.input(1, 28, 28), 6, 5, pad=2)
    at = net.conv(at, 16, 5, pool=2)
    at = net.dense(at, 120, pool=2)
    return net.graph(net.dense(net.dense(at, 84), 10), "LeNet-5")


def small_cnn() -> Graph:
    """28 x 28 - 16c4s2 - 32c3s2 - 10, which PAIBox maps too."""
    net = Net()
    at = net.conv(net.input(1, 28, 28), 16, 4, stride=2)
    at = net.conv(at, 32, 3, stride=2)
    return net.graph(net.dense(at, 10), "CNN 16c4s2-32c3s2-10")


_VGG = {
    9: (64, 64, "M", 128, 128, "M", 256, 256, "M"),
    11: (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    16: (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"),
}


def vgg(depth: int, length: int = 32, dense: tuple[int, ...] = (512, 10)) -> Graph:
    """K. Simonyan, A. Zisserman, 2014 (VGG-9 as spiking papers cut it); pooling by sums."""
    net = Net()
    at, pool = net.input(3, length, length), 1
    for entry in _VGG[depth]:
        if entry == "M":
            pool = 2
        else:
            at, pool = net.conv(at, int(entry), 3, pad=1, pool=pool), 1
    for width in dense:
        at, pool = net.dense(at, width, pool=pool), 1
    return net.graph(at, f"VGG-{depth} {length}x{length}")


def resnet18() -> Graph:
    """K. He et al., 2015, as for 32 x 32 images: residual adds are summed in the neurons."""
    net = Net()
    at = net.conv(net.input(3, 32, 32), 64, 3, pad=1)
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        inner = net.conv(at, width, 3, stride=stride, pad=1)
        at = net.conv(inner, width, 3, pad=1, shortcut=at)
    return net.graph(net.dense(at, 10, pool=4), "ResNet-18")


def mobilenet() -> Graph:
    """A. G. Howard et al., 2017, for 32 x 32 images: depthwise and pointwise layers, each with neurons."""
    net = Net()
    at = net.conv(net.input(3, 32, 32), 32, 3, pad=1)
    for width, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (1024, 2)):
        channels = net.shapes[at][0]
        at = net.conv(at, channels, 3, stride=stride, pad=1, groups=channels)
        at = net.conv(at, width, 1)
    return net.graph(net.dense(at, 10, pool=2), "MobileNet")


def recurrent() -> Graph:
    """Two recurrent layers of 256 on 700 inputs, 20 classes (the spoken digits of Heidelberg)."""
    net = Net()
    at = net.dense(net.input(700), 256, loop=True)
    at = net.dense(at, 256, loop=True)
    return net.graph(net.dense(at, 20), "RNN 700-256r-256r-20")


def stack(synapses: int, fan_in: int = 4096) -> Graph:
    """Dense layers with about so many synapses in all, none with a fan-in above `fan_in`: at first three layers of
    equal width, then more of them."""
    width = min(fan_in, max(1, round((synapses / 3) ** 0.5)))
    layers = max(1, round(synapses / width**2))
    net = Net(zeros=ZEROS)
    at = net.input(width)
    for _ in range(layers):
        at = net.dense(at, width)
    return net.graph(at, f"{layers} dense layers of {width}")


def camera(layers: int, length: int, channels: int = 64) -> Graph:
    """Convolutions of 3 x 3 at full resolution on the two polarities of an event camera of length x length pixels: as
    many neurons as one likes from few weights."""
    net = Net()
    at = net.input(2, length, length)
    for _ in range(layers):
        at = net.conv(at, channels, 3, pad=1)
    return net.graph(at, f"{layers} convolutions of {channels} at {length}x{length}")


# Networks that grow: synapses (a weight each), and neurons; names are their sizes.
SYNAPSES: dict[str, Callable[[], Graph]] = {
    f"10^{power}": (lambda power=power: stack(10**power)) for power in range(3, 9)
}
# Cores of hala-point (4,096 neurons each): 1,024, 10,240 and 122,880 (1,008 of its 1,152 chips).
NEURONS: dict[str, Callable[[], Graph]] = {
    "4 M": lambda: camera(4, 128),
    "42 M": lambda: camera(10, 256),
    "503 M": lambda: camera(30, 512),
}

NETWORKS: dict[str, Callable[[], Graph]] = {
    "mlp": mlp,
    "cnn": small_cnn,
    "lenet5": lenet5,
    "rnn": recurrent,
    "vgg9": lambda: vgg(9),
    "vgg11": lambda: vgg(11),
    "vgg16": lambda: vgg(16),
    "resnet18": resnet18,
    "mobilenet": mobilenet,
}
