"""The networks of the model zoo: SpikingJelly's classes as shipped, and snnTorch's tutorials, written anew.

SpikingJelly's classes are built with small inputs, one block for each stage and few channels where their arguments
allow it; SpikingVGG's classifier, whose width no argument says, is built anew with WIDTH neurons a layer.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

WIDTH = 24


@dataclass(frozen=True)
class Zoo:
    """A network of the zoo: where it is from, what it is called, how it is made, the shape of its input in a step, and
    whether it is small enough for --quick."""

    origin: str
    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    quick: bool = False


def zoo() -> Iterator[Zoo]:
    """All of them."""
    yield from parametric_lif()
    yield from vggs()
    yield from resnets()
    yield from sew_resnets()
    yield from ms_resnets()
    yield from tutorials()


def models(module: str) -> Any:
    """A module of spikingjelly.activation_based.model, which takes a loader of URLs from torchvision: where that cannot
    be imported, an empty one stands for it."""
    import importlib

    try:
        importlib.import_module("torchvision")
    except Exception:
        for name in ("torchvision", "torchvision.models", "torchvision._internally_replaced_utils"):
            stand_in: Any = types.ModuleType(name)
            stand_in.load_state_dict_from_url = None
            sys.modules[name] = stand_in
    return importlib.import_module(f"spikingjelly.activation_based.model.{module}")


def leaky() -> Any:
    """SpikingJelly's LIF neuron class."""
    from spikingjelly.activation_based import neuron

    return neuron.LIFNode


def firing() -> Any:
    """SpikingJelly's IF neuron class."""
    from spikingjelly.activation_based import neuron

    return neuron.IFNode


def parametric_lif() -> Iterator[Zoo]:
    """parametric_lif_net, two or four channels."""
    from spikingjelly.activation_based import neuron

    nets = models("parametric_lif_net")
    for name, channels, shape in (
        ("MNISTNet", 4, (1, 28, 28)), ("FashionMNISTNet", 4, (1, 28, 28)), ("NMNISTNet", 2, (2, 34, 34)),
        ("CIFAR10Net", 4, (3, 32, 32)), ("CIFAR10DVSNet", 2, (2, 128, 128)), ("DVSGestureNet", 2, (2, 128, 128)),
    ):  # fmt: skip
        kind = getattr(nets, name)
        yield Zoo(
            "SpikingJelly", f"parametric_lif_net.{name}",
            partial(kind, channels, spiking_neuron=neuron.ParametricLIFNode, init_tau=2.0),
            shape,
        )  # fmt: skip


def vggs() -> Iterator[Zoo]:
    """spiking_vgg: its four configurations with channels divided by 16, with and without batch normalisation."""
    nets = models("spiking_vgg")

    def make(key: str, norm: bool) -> nn.Module:
        narrow = [v if v == "M" else v // 16 for v in nets.cfgs[key]]
        found: nn.Module = _meta(nets.SpikingVGG, narrow, norm)
        return found

    def _meta(kind: Any, narrow: list[Any], norm: bool) -> nn.Module:
        from spikingjelly.activation_based import layer

        with torch.device("meta"):
            shipped = kind(cfg=narrow, batch_norm=norm, num_classes=10, spiking_neuron=firing())
        model: nn.Module = shipped
        model.features = kind.make_layers(narrow, batch_norm=norm, neuron=firing())
        widths = [narrow[-2] * 49, WIDTH, WIDTH, 10]
        lines = iter([layer.Linear(a, b) for a, b in pairwise(widths)])
        parts = [next(lines) if isinstance(part, nn.Linear) else part for part in shipped.classifier]
        model.classifier = nn.Sequential(*(firing()() if isinstance(p, firing()) else p for p in parts))
        return model

    for number, key in (("11", "A"), ("13", "B"), ("16", "D"), ("19", "E")):
        for norm in (False, True):
            name = f"spiking_vgg.spiking_vgg{number}{'_bn' if norm else ''}"
            yield Zoo("SpikingJelly", name, partial(make, key, norm), (3, 32, 32), not norm and key == "A")


_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("resnet18 and 34", "BasicBlock", {}),
    ("resnet50, 101 and 152", "Bottleneck", {}),
    ("resnext50_32x4d", "Bottleneck", {"groups": 32, "width_per_group": 4}),
    ("resnext101_32x8d", "Bottleneck", {"groups": 32, "width_per_group": 8}),
    ("wide_resnet50_2 and 101_2", "Bottleneck", {"width_per_group": 128}),
)
"""Names, block and arguments: the numbers are of blocks in a stage, of which one is built."""


def resnets() -> Iterator[Zoo]:
    """spiking_resnet, one block for each stage."""
    nets = models("spiking_resnet")
    for name, block, options in _KINDS:
        yield Zoo(
            "SpikingJelly", f"spiking_resnet.spiking_{name}",
            partial(
                nets.SpikingResNet, getattr(nets, block), [1, 1, 1, 1], num_classes=10,
                spiking_neuron=firing(), **options,
            ),
            (3, 16, 16),
        )  # fmt: skip


def sew_resnets() -> Iterator[Zoo]:
    """sew_resnet with each of its functions of two spikes, one or two blocks for each stage."""
    nets = models("sew_resnet")
    for cnf in ("ADD", "AND", "IAND"):
        for name, block, options in _KINDS[:2] if cnf != "ADD" else _KINDS:
            yield Zoo(
                "SpikingJelly", f"sew_resnet.sew_{name} ({cnf})",
                partial(
                    nets.SEWResNet, getattr(nets, block), [1, 1, 1, 1], num_classes=10, cnf=cnf,
                    spiking_neuron=firing(), **options,
                ),
                (3, 16, 16),
            )  # fmt: skip


def ms_resnets() -> Iterator[Zoo]:
    """ms_resnet: four channels, one block for each stage."""
    nets = models("ms_resnet")
    for name, kind, layers in (
        ("ms_resnet18", "MSResNet", (1, 1, 1, 1)), ("ms_resnet34", "MSResNet", (2, 1, 2, 1)),
        ("max_resnet18", "MaxResNet", (1, 1, 1)),
    ):  # fmt: skip
        yield Zoo(
            "SpikingJelly", f"ms_resnet.{name}",
            partial(
                getattr(nets, kind), T=4, num_classes=10, layers=layers, base_channels=4,
                stem_kernel_size=3, stem_stride=1,
            ),
            (3, 16, 16), name == "ms_resnet18",
        )  # fmt: skip


class Loop(nn.Module):
    """A tutorial's network: its own loop over (time, batch, ...), spikes of the last layer and its potentials."""

    def __init__(self, layers: list[nn.Module], *, flat: bool = True, read: str = "both") -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.flat, self.read = flat, read

    def forward(self, x: torch.Tensor) -> Any:
        spikes, potentials = [], []
        states = [self.start(layer) for layer in self.layers]
        for t in range(x.shape[0]):
            y = x[t].flatten(1) if self.flat else x[t]
            for n, layer in enumerate(self.layers):
                if type(layer).__module__.startswith("snntorch"):
                    given = layer(y, *states[n])
                    y, states[n] = given[0], list(given[-len(states[n]) :])
                else:
                    y = layer(y)
            spikes.append(y)
            potentials.append(states[-1][-1])
        if self.read == "potential":
            return torch.stack(potentials)
        return torch.stack(spikes), torch.stack(potentials)

    @staticmethod
    def start(layer: nn.Module) -> list[torch.Tensor]:
        """The states of a neuron layer at rest."""
        import snntorch as snn

        match layer:
            case snn.RLeaky():
                return list(layer.init_rleaky())
            case snn.RSynaptic():
                return list(layer.init_rsynaptic())
            case snn.Synaptic():
                return list(layer.init_synaptic())
            case snn.Lapicque():
                return [layer.init_lapicque()]
            case snn.Leaky():
                return [layer.init_leaky()]
            case _:
                return []


def tutorials() -> Iterator[Zoo]:
    """snnTorch's tutorials, from their descriptions: dense networks of each neuron, a convolutional one, populations
    that vote, a regression that reads potentials, recurrent ones."""
    import snntorch as snn

    def dense(make: Callable[[int], nn.Module], classes: int = 5, read: str = "both") -> nn.Module:
        return Loop([nn.Linear(20, 32), make(32), nn.Linear(32, classes), make(classes)], read=read)

    def half() -> nn.Module:
        made: nn.Module = snn.Leaky(beta=0.5)
        return made

    def convolutional() -> nn.Module:
        return Loop(
            [nn.Conv2d(1, 4, 5), nn.MaxPool2d(2), half(), nn.Conv2d(4, 8, 3), nn.MaxPool2d(2), half(), nn.Flatten(),
             nn.Linear(8, 5), half()], flat=False,
        )  # fmt: skip

    def averaging() -> nn.Module:
        return Loop(
            [nn.Conv2d(1, 4, 5), half(), nn.AvgPool2d(2), nn.Conv2d(4, 8, 3), half(), nn.AvgPool2d(2), nn.Flatten(),
             nn.Linear(8, 5), half()], flat=False,
        )  # fmt: skip

    rows: list[tuple[str, Callable[[], nn.Module], tuple[int, ...]]] = [
        ("leaky, fully connected", lambda: dense(lambda n: snn.Leaky(beta=0.9)), (20,)),
        ("Lapicque", lambda: dense(lambda n: snn.Lapicque(beta=0.8)), (20,)),
        ("Synaptic", lambda: dense(lambda n: snn.Synaptic(alpha=0.8, beta=0.7)), (20,)),
        ("population coding", lambda: dense(lambda n: snn.Leaky(beta=0.9), 50), (20,)),
        ("regression", lambda: dense(lambda n: snn.Leaky(beta=0.9), 1, "potential"), (20,)),
        ("recurrent, RLeaky", lambda: dense(lambda n: snn.RLeaky(beta=0.8, linear_features=n)), (20,)),
        ("recurrent, RSynaptic", lambda: dense(lambda n: snn.RSynaptic(alpha=0.7, beta=0.8, linear_features=n)), (20,)),
        ("convolutional, max pooling of currents", convolutional, (1, 12, 12)),
        ("convolutional, average pooling", averaging, (1, 12, 12)),
    ]
    for name, make, shape in rows:
        yield Zoo("snnTorch's tutorials", name, make, shape, True)


def ternary(model: nn.Module, seed: int) -> nn.Module:
    """The model in float64 and evaluation, its weights random codes -1, 0 and 1 times a scale that lets neurons spike,
    its normalisations with random statistics."""
    rng = np.random.default_rng(seed)
    model = model.double().eval()
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
                codes = rng.integers(-1, 2, part.weight.shape)
                fan_in = max(part.weight[0].numel(), 1)
                part.weight.copy_(torch.from_numpy(codes * float(np.float32(2.0 / np.sqrt(fan_in)))))
                if part.bias is not None:
                    part.bias.copy_(torch.from_numpy(rng.uniform(-0.1, 0.2, part.bias.shape)))
            elif isinstance(part, nn.BatchNorm2d):
                for tensor, low, high in ((part.running_mean, -0.1, 0.1), (part.running_var, 0.5, 1.0)):
                    if tensor is not None:
                        tensor.copy_(torch.from_numpy(rng.uniform(low, high, tensor.shape)))
                part.weight.copy_(torch.from_numpy(rng.uniform(1.0, 1.6, part.weight.shape)))
                part.bias.copy_(torch.from_numpy(rng.uniform(0.0, 0.4, part.bias.shape)))
    return model
