"""Every feed-forward, recurrent and refractory LIF of Norse spikes as in Norse."""

from __future__ import annotations

from collections.abc import Callable

import norse.torch as norse
import pytest
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.lif_refrac import LIFRefracParameters
from norse.torch.functional.reset import reset_subtract
from norse.torch.module.iaf import IAF, IAFCell
from torch import nn

from nodes import node
from tern2lava.compiler.ir.graph import Graph, Neuron, Reset
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module

Compare = Callable[..., tuple[Graph, int]]


def tensor(value: float) -> torch.Tensor:
    return torch.as_tensor(value)


LIF = LIFParameters(v_th=tensor(0.15), v_leak=tensor(0.03), v_reset=tensor(-0.05), tau_mem_inv=tensor(130.0))
CELLS: dict[str, Callable[[], nn.Module]] = {
    "box": lambda: norse.LIFBoxCell(LIFBoxParameters(v_th=tensor(0.2), v_leak=tensor(-0.02), v_reset=tensor(0.05))),
    "box, subtracting": lambda: norse.LIFBoxCell(LIFBoxParameters(v_th=tensor(0.2), reset_method=reset_subtract)),
    "box, per neuron": lambda: norse.LIFBoxCell(
        LIFBoxParameters(v_th=torch.linspace(0.1, 0.4, 12), tau_mem_inv=torch.linspace(20.0, 400.0, 12)), dt=0.002
    ),
    "lif": lambda: norse.LIFCell(LIF),
    "iaf": lambda: IAFCell(IAFParameters(v_th=tensor(0.8), v_reset=tensor(-0.1))),
    "recurrent": lambda: norse.LIFRecurrentCell(12, 12, LIF),
    "refractory": lambda: norse.LIFRefracCell(LIFRefracParameters(lif=LIF, rho_reset=tensor(2.0))),
    "refractory, part of a step": lambda: norse.LIFRefracCell(LIFRefracParameters(lif=LIF, rho_reset=tensor(2.5))),
    "refractory, recurrent": lambda: norse.LIFRefracRecurrentCell(
        12, 12, LIFRefracParameters(lif=LIF, rho_reset=tensor(1.0))
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(CELLS))
def test_cells_spike_as_in_norse(compare_spikes: Compare, kind: str) -> None:
    torch.manual_seed(3)
    model = norse.SequentialState(nn.Linear(10, 12), CELLS[kind](), nn.Linear(12, 12), CELLS[kind]())
    with torch.no_grad():
        model[0].weight *= 4
        model[2].weight *= 4
    graph, spikes = compare_spikes(model, (10,))
    assert spikes > 200
    assert node(graph, "1", Neuron).refractory == {
        "refractory": 2,
        "refractory, part of a step": 3,
        "refractory, recurrent": 1,
    }.get(kind, 0)
    assert node(graph, "1", Neuron).reset is (Reset.SUBTRACT if kind == "box, subtracting" else Reset.ZERO)


def test_a_convolutional_network_spikes_as_in_norse(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = norse.SequentialState(
        nn.Conv2d(1, 4, 3, padding=1),
        norse.LIFBoxCell(LIFBoxParameters(v_th=tensor(0.05))),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 5),
        norse.LIFCell(LIFParameters(v_th=tensor(0.05))),
    )
    _, spikes = compare_spikes(model, (1, 6, 6))
    assert spikes > 500


def test_modules_over_time_spike_as_in_norse(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = norse.SequentialState(
        norse.Lift(nn.Conv2d(1, 2, 3)),
        norse.Lift(norse.LIFBoxCell(LIFBoxParameters(v_th=tensor(0.03)))),
        norse.Lift(nn.Flatten()),
        nn.Linear(32, 12),
        norse.LIF(LIF),
        norse.LIFRecurrent(12, 12, LIF),
        IAF(IAFParameters(v_th=tensor(1.5))),
    )
    graph = load_module(model, (1, 6, 6), 40)
    names = [node.name for node in graph.nodes]
    assert names[1:4] == ["0.lifted_module", "1.lifted_module", "2.lifted_module"]
    x = torch.rand(40, 6, 1, 6, 6) < 0.4
    with torch.no_grad():
        expected = model.double()(x.double())[0].transpose(0, 1)
    from tern2lava.sim.reference.real import run_float

    found = run_float(graph, {"input": x.transpose(0, 1).numpy()}).spikes["6"]
    assert expected.sum() > 100
    assert (found == expected.numpy()).all()


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: nn.Sequential(norse.LIFCell(), nn.Linear(10, 2), norse.LIFCell()), "use norse.torch.SequentialState"),
        (lambda: norse.SequentialState(norse.LIFAdExCell()), "LIFAdExCell; known are"),
        (lambda: norse.SequentialState(norse.LIFCell(dt=0.02)), "1 - dt tau_mem_inv: requires a decay factor"),
        (lambda: norse.SequentialState(nn.Conv2d(1, 1, 1), norse.LIF()), "layer 0 .*layers that all read single steps"),
    ],
)
def test_what_has_no_exact_form_is_refused_by_name(model: Callable[[], nn.Module], why: str) -> None:
    from tern2lava.errors import InputError

    with pytest.raises((UnsupportedError, InputError), match=why) as caught:
        load_module(model(), (10,), 4)
    assert "\n" not in str(caught.value)
