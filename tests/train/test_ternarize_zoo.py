"""ternarize on the classes of the model zoos: each trains, and what finalize leaves fits the plain class and does the
same; those that compile do so with ternary weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from places import ROOT
from tern2lava.api import compile
from tern2lava.compiler.ir.graph import Projection
from tern2lava.train.ternarize import finalize, parametrizations, ternaries, ternarize

STEPS = 3
SPIKINGJELLY = (
    "parametric_lif_net.MNISTNet", "spiking_vgg.spiking_vgg11", "spiking_resnet.spiking_resnet18 and 34",
    "sew_resnet.sew_resnet18 and 34 (ADD)", "ms_resnet.ms_resnet18",
)  # fmt: skip
TUTORIALS = (
    "leaky, fully connected", "Lapicque", "Synaptic", "regression", "recurrent, RLeaky", "recurrent, RSynaptic",
    "convolutional, max pooling of currents", "convolutional, average pooling",
)  # fmt: skip
COMPILED = ("leaky, fully connected", "convolutional, average pooling", "norse")

Made = tuple[Callable[[], nn.Module], tuple[int, ...]]


@pytest.fixture(scope="module")
def zoo() -> dict[str, Made]:
    """How the zoo's networks are made, and the shapes of what they take in a step."""
    pytest.importorskip("snntorch")
    pytest.importorskip("spikingjelly")
    norse = pytest.importorskip("norse.torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(ROOT / "benchmarks")])
        import model_zoo_nets

        found: dict[str, Made] = {net.name: (net.make, net.shape) for net in model_zoo_nets.zoo()}

    def lif() -> nn.Module:
        model: nn.Module = norse.SequentialState(
            nn.Linear(20, 16), norse.LIFBoxCell(dt=0.005), nn.Linear(16, 5), norse.LIFBoxCell(dt=0.005)
        )
        return model

    return found | {"norse": (lif, (20,))}


def run(model: nn.Module, x: Tensor) -> Tensor:
    """What a network gives for x (steps, samples, *shape), from rest."""
    if type(model).__module__.startswith("norse"):
        state, given = None, []
        for step in x:
            out, state = model(step, state)
            given.append(out)
        return torch.stack(given)
    if any(type(module).__module__.startswith("spikingjelly") for module in model.modules()):
        from spikingjelly.activation_based import functional

        functional.set_step_mode(model, "m")
        functional.reset_net(model)
    found: Any = model(x)
    result: Tensor = found if isinstance(found, Tensor) else found[-1]
    return result


@pytest.mark.parametrize("name", [*SPIKINGJELLY, *TUTORIALS, "norse"])
def test_a_class_of_the_zoo_takes_ternary_weights_and_gives_them_to_its_plain_self(
    name: str, zoo: dict[str, Made]
) -> None:
    make, shape = zoo[name]
    torch.manual_seed(0)
    model, plain = make(), make()
    names = set(model.state_dict())
    ternarize(model, per="channel", sparsity=0.5)
    x = torch.rand(STEPS, 2, *shape)
    run(model, x).square().sum().backward()
    layers = list(ternaries(model))
    assert layers
    assert all(parametrizations(layer).original.grad is not None for _, layer, _ in layers)
    state = finalize(model.eval())
    assert set(state) == names
    plain.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(run(plain.eval(), x), run(model, x))
    for layer, _, _ in layers:
        rows = state[f"{layer}.weight"].flatten(1)
        assert all(len(torch.unique(row[row != 0].abs())) <= 1 for row in rows)

    if name in COMPILED:
        program = compile(plain, input_shape=shape, steps=STEPS, readout="spike_count").lowered.program
        found = [node for node in program.of_kind(Projection) if node.bits == 2]
        assert len(found) == len(layers)
        first = state[f"{layers[0][0]}.weight"]
        np.testing.assert_array_equal(found[0].weight, torch.sign(first).numpy())
