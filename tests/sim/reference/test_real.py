"""The float reference: every neuron convention by hand, layers against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drawn import Draw
from tern2lava.compiler.ir.graph import (
    Add,
    ChannelAffine,
    Compare,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    Graph,
    Identity,
    Input,
    Level,
    Neuron,
    Output,
    Pool2d,
    PoolKind,
    Reset,
)
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.sim.reference.real import run_float

torch = pytest.importorskip("torch")


def run_neuron(x: list[int], **parameters: Any) -> tuple[list[int], list[float]]:
    """Spikes and potentials of one neuron fed with the numbers x, one a step."""
    graph = Graph(
        level=Level.IMPORTED,
        nodes=(
            Input(name="x", shape=(1,), levels=(-100, 100)),
            Neuron(name="n", inputs=("x",), shape=(1,), **parameters),
            Output(name="y", inputs=("n",)),
        ),
    )
    trace = run_float(graph, {"x": np.reshape(x, (1, -1, 1))})
    return trace.spikes["n"][0, :, 0].tolist(), trace.v["n"][0, :, 0].tolist()


HALF, TWO = frozen(0.5), frozen(2.0)


@pytest.mark.parametrize(
    ("x", "parameters", "spikes", "v"),
    [
        ([1, 1, 1], {"threshold": TWO}, [0, 0, 1], [1, 2, 0]),
        ([1, 1, 1], {"threshold": TWO, "compare": Compare.GE}, [0, 1, 0], [1, 0, 1]),
        ([2, 2, 2], {"threshold": TWO, "alpha_v": HALF}, [0, 1, 0], [2, 0, 2]),
        ([3, 0, 0], {"threshold": TWO, "reset": Reset.SUBTRACT, "reset_amount": TWO}, [1, 0, 0], [1, 1, 1]),
        ([3, 0, 2], {"threshold": TWO, "reset": Reset.NONE}, [1, 1, 1], [3, 3, 5]),
        ([3, 1], {"threshold": TWO, "reset_value": frozen(-1.0)}, [1, 0], [-1, 0]),
        # Delayed resets: the potential is seen above its threshold before it falls.
        ([3, 1], {"threshold": TWO, "reset_delay": True}, [1, 0], [3, 1]),
        ([6, 1], {"threshold": TWO, "reset_delay": True, "reset": Reset.SUBTRACT, "reset_amount": TWO, "alpha_v": HALF},
         [1, 0], [6, 2]),
        # u = 0.5 u + 2 x + 1; v = v + 0.5 u + 0.25
        ([1, 0], {"alpha_u": HALF, "gain_u": TWO, "bias_u": frozen(1.0), "gain_v": HALF, "bias": frozen(0.25),
                  "threshold": frozen(9.0), "v_init": frozen(0.5)}, [0, 0], [2.25, 3.75]),
        ([3, 3, 3, 3], {"threshold": TWO, "refractory": 2}, [1, 0, 0, 1], [0, 0, 0, 0]),
        ([-3, 3, 1], {"threshold": TWO, "threshold_low": frozen(-2.0)}, [-1, 1, 0], [0, 0, 1]),
        ([-3, 0], {"threshold": TWO, "threshold_low": frozen(-2.0), "reset": Reset.SUBTRACT, "reset_amount": TWO},
         [-1, 0], [-1, -1]),
        # After 7 - 2 = 5 > 2 it must climb above 2 + 2 to spike again; 5 does, 3 does not.
        ([7, 0, 0], {"threshold": TWO, "rearm": True, "reset": Reset.SUBTRACT, "reset_amount": TWO},
         [1, 1, 0], [5, 3, 3]),
        # a = 0.5 a + 4 s: after the spike 7 - (1 + 4) = 2 against 2 + 4, then 2 + 3 against 2 + 2.
        ([7, 0, 3], {"threshold": TWO, "reset": Reset.SUBTRACT, "reset_delay": True, "alpha_a": HALF,
                     "gain_a": frozen(4.0)}, [1, 0, 1], [7, 2, 5]),
    ],
)  # fmt: skip
def test_a_neuron_does_what_its_fields_say(
    x: list[int], parameters: dict[str, Array | Compare] | dict[str, Array], spikes: list[int], v: list[int]
) -> None:
    assert run_neuron(x, **parameters) == (spikes, v)


def test_layers_equal_torch() -> None:
    rng = np.random.default_rng(0)
    kernel, bias, matrix = rng.normal(size=(4, 1, 2, 3)), rng.normal(size=4), rng.normal(size=(5, 4 * 2 * 2))
    gain, offset = rng.normal(size=4), rng.normal(size=4)
    graph = Graph(
        level=Level.IMPORTED,
        nodes=(
            Input(name="x", shape=(2, 7, 8)),
            Conv2d(name="conv", inputs=("x",), weight=kernel, bias=bias, stride=(2, 1), padding=(1, 1, 0, 0),
                   dilation=(1, 2), groups=2),
            ChannelAffine(name="bn", inputs=("conv",), gain=gain, offset=offset),
            Identity(name="drop", inputs=("bn",)),
            Pool2d(name="avg", inputs=("drop",), kind=PoolKind.AVG, kernel=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1)),
            Add(name="sum", inputs=("avg", "avg")),
            Pool2d(name="pool", inputs=("sum",), kind=PoolKind.SUM, kernel=(1, 1), stride=(1, 1)),
            Flatten(name="flat", inputs=("pool",)),
            Dense(name="fc", inputs=("flat",), weight=matrix[:, :16]),
            Neuron(name="n", inputs=("fc",), shape=(5,), alpha_v=frozen(0.0), threshold=frozen(1e9)),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip
    x = rng.integers(0, 2, (3, 2, 2, 7, 8))
    t = torch.tensor(x.reshape(6, 2, 7, 8), dtype=torch.float64)
    y = torch.nn.functional.conv2d(t, torch.tensor(kernel), torch.tensor(bias), (2, 1), (1, 0), (1, 2), 2)
    y = y * torch.tensor(gain)[:, None, None] + torch.tensor(offset)[:, None, None]
    y = 2 * torch.nn.functional.avg_pool2d(y, 3, 2, 1)
    y = y.flatten(1) @ torch.tensor(matrix[:, : y[0].numel()]).T
    assert y.shape == (6, 5)
    assert np.allclose(run_float(graph, {"x": x}).v["n"].reshape(6, 5), y.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_delay_shows_its_input_later_and_zeros_before(steps: int) -> None:
    graph = Graph(
        level=Level.IMPORTED,
        nodes=(
            Input(name="x", shape=(1,), levels=(0, 9)),
            Delay(name="d", inputs=("x",), steps=steps),
            Neuron(name="n", inputs=("d",), shape=(1,), alpha_v=frozen(0.0), threshold=frozen(99.0)),
            Output(name="y", inputs=("n",)),
        ),
    )
    x = np.arange(1, 6).reshape(1, 5, 1)
    assert run_float(graph, {"x": x}).v["n"][0, :, 0].tolist() == ([0] * steps + [1, 2, 3, 4, 5])[:5]


def test_a_loop_reads_the_spikes_of_the_step_before() -> None:
    graph = Graph(
        level=Level.IMPORTED,
        nodes=(
            Input(name="x", shape=(1,)),
            Delay(name="d", inputs=("n",), steps=1),
            Dense(name="back", inputs=("d",), weight=frozen([[1.0]])),
            Neuron(name="n", inputs=("x", "back"), shape=(1,), threshold=frozen(0.5), alpha_v=frozen(0.0)),
            Output(name="y", inputs=("n",)),
        ),
    )
    spikes = run_float(graph, {"x": np.array([0, 1, 0, 0, 0]).reshape(1, 5, 1)}).spikes["n"]
    assert spikes[0, :, 0].tolist() == [0, 1, 1, 1, 1]


def test_samples_do_not_touch_each_other(make_network: Draw) -> None:
    for seed in range(20):
        graph, inputs = make_network(seed, leak=True)
        whole = run_float(graph, inputs)
        for sample in range(3):
            alone = run_float(graph, {"x": inputs["x"][sample : sample + 1]})
            for name in whole.spikes:
                assert np.array_equal(whole.spikes[name][sample], alone.spikes[name][0])
                assert np.array_equal(whole.v[name][sample], alone.v[name][0])
