"""Shapes of published networks as ternary spiking networks, INTEGER graphs with codes drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from networks_net import ZEROS, Net, Style

from tern2lava.compiler.ir.graph import Graph

PLAIN = Style()
# What these chips refuse by name in the networks as they are, their twins do without.
TWINS = {"paicore2": Style(leak=False), "truenorth": Style(leak=False, fan_in=128)}


def mlp(style: Style = PLAIN, widths: tuple[int, ...] = (784, 512, 10), seed: int = 0, zeros: float = ZEROS) -> Graph:
    net = Net(seed, zeros, style)
    at = net.input(widths[0])
    for width in widths[1:-1]:
        at = net.dense(at, width)
    at = net.dense(at, widths[-1], classes=True)
    return net.graph(at, "MLP " + "-".join(map(str, widths)))


def lenet5(style: Style = PLAIN) -> Graph:
    """Y. LeCun et al., 1998: two convolutions with pooling, three dense layers, on 28 x 28."""
    net = Net(style=style)
    at = net.conv(net.input(1, 28, 28), 6, 5, pad=2)
    at = net.conv(at, 16, 5, pool=2)
    at = net.dense(at, 120, pool=2)
    return net.graph(net.dense(net.dense(at, 84), 10, classes=True), "LeNet-5")


def small_cnn(style: Style = PLAIN) -> Graph:
    """28 x 28 - 16c4s2 - 32c3s2 - 10, which PAIBox maps too."""
    net = Net(style=style)
    at = net.conv(net.input(1, 28, 28), 16, 4, stride=2)
    at = net.conv(at, 32, 3, stride=2)
    return net.graph(net.dense(at, 10, classes=True), "CNN 16c4s2-32c3s2-10")


_VGG = {
    9: (64, 64, "M", 128, 128, "M", 256, 256, "M"),
    11: (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"),
    16: (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"),
}


def vgg(depth: int, length: int = 32, dense: tuple[int, ...] = (512, 10), style: Style = PLAIN) -> Graph:
    """K. Simonyan, A. Zisserman, 2014 (VGG-9 as spiking papers cut it); pooling by sums."""
    net = Net(style=style)
    at, pool = net.input(3, length, length), 1
    for entry in _VGG[depth]:
        if entry == "M":
            pool = 2
        else:
            at, pool = net.conv(at, int(entry), 3, pad=1, pool=pool), 1
    for width in dense:
        at, pool = net.dense(at, width, pool=pool, classes=width == dense[-1]), 1
    return net.graph(at, f"VGG-{depth} {length}x{length}")


def resnet18(style: Style = PLAIN) -> Graph:
    """K. He et al., 2015, as for 32 x 32 images: residual adds are summed in the neurons."""
    net = Net(style=style)
    at = net.conv(net.input(3, 32, 32), 64, 3, pad=1)
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        inner = net.conv(at, width, 3, stride=stride, pad=1)
        at = net.conv(inner, width, 3, pad=1, shortcut=at)
    return net.graph(net.dense(at, 10, pool=4, classes=True), "ResNet-18")


def mobilenet(style: Style = PLAIN) -> Graph:
    """A. G. Howard et al., 2017, for 32 x 32 images: depthwise and pointwise layers, each with neurons."""
    net = Net(style=style)
    at = net.conv(net.input(3, 32, 32), 32, 3, pad=1)
    for width, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (1024, 2)):
        channels = net.shapes[at][0]
        at = net.conv(at, channels, 3, stride=stride, pad=1, groups=channels)
        at = net.conv(at, width, 1)
    return net.graph(net.dense(at, 10, pool=2, classes=True), "MobileNet")


def recurrent(style: Style = PLAIN) -> Graph:
    """Two recurrent layers of 256 on 700 inputs, 20 classes (the spoken digits of Heidelberg)."""
    net = Net(style=style)
    at = net.dense(net.input(700), 256, loop=True)
    at = net.dense(at, 256, loop=True)
    return net.graph(net.dense(at, 20, classes=True), "RNN 700-256r-256r-20")


def stack(synapses: int, fan_in: int = 4096) -> Graph:
    """Dense layers with about `synapses` synapses in all, none with a fan-in above `fan_in`: at first three layers of
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
SYNAPSES: dict[str, Callable[[], Graph]] = {f"10^{power}": partial(stack, 10**power) for power in range(3, 9)}
# Cores of hala-point (4,096 neurons each): 1,024, 10,240 and 122,880 (1,008 of its 1,152 chips).
NEURONS: dict[str, Callable[[], Graph]] = {
    "4 M": lambda: camera(4, 128),
    "42 M": lambda: camera(10, 256),
    "503 M": lambda: camera(30, 512),
}

NETWORKS: dict[str, Callable[..., Graph]] = {
    "mlp": mlp,
    "cnn": small_cnn,
    "lenet5": lenet5,
    "rnn": recurrent,
    "vgg9": partial(vgg, 9),
    "vgg11": partial(vgg, 11),
    "vgg16": partial(vgg, 16),
    "resnet18": resnet18,
    "mobilenet": mobilenet,
}


def network(name: str, target: str) -> Graph:
    """The network of that name, or the twin of it that the target can execute."""
    return NETWORKS[name](style=TWINS.get(target, PLAIN))
