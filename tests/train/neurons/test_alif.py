import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from differences import by_differences
from nodes import there
from tern2lava.errors import InputError
from tern2lava.train.neurons.alif import ALIF
from tern2lava.train.neurons.own import run_own
from tern2lava.train.surrogate import ArcTangent


def alif(**options: Any) -> ALIF:
    values: dict[str, Any] = {"alpha": 0.8, "rho": 0.9, "jump": 0.3, "threshold": 0.5, "spike_grad": ArcTangent(2.0)}
    return ALIF(**values | options)


@pytest.mark.parametrize("decay_input", [True, False])
def test_it_follows_its_equations(decay_input: bool) -> None:
    x = 2.5 * np.random.default_rng(0).standard_normal((25, 3, 4))
    ran = run_own("lif", alif(decay_input=decay_input).double(), torch.from_numpy(x))
    # The decays are held as float32 logits, and so are a little off.
    alpha, rho = (
        float(torch.logit(torch.tensor(p, dtype=torch.float64)).float().double().sigmoid()) for p in (0.8, 0.9)
    )
    v, b, s = np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))
    for t in range(25):
        b = rho * b + float(np.float32(0.3)) * s
        v = alpha * v + (1 - alpha if decay_input else 1) * x[t] - (b + 0.5) * s
        s = (v > b + 0.5).astype(float)
        assert np.array_equal(ran.spikes[t].numpy(), s)
        np.testing.assert_allclose(ran.threshold[t].numpy(), b + 0.5, rtol=1e-12)
        np.testing.assert_allclose(ran.met[t].numpy(), v - b - 0.5, rtol=1e-9, atol=1e-12)
    assert float(ran.threshold.max()) > 0.8
    assert 0.05 < float(ran.spikes.mean()) < 0.9


def test_all_steps_at_once_are_its_steps_one_by_one() -> None:
    torch.manual_seed(0)
    layer, x = alif(recurrent=nn.Linear(4, 4)), torch.randn(20, 3, 4)
    with torch.no_grad():
        ran = run_own("lif", layer, x)
        assert torch.equal(ran.spikes, torch.stack([layer(current) for current in x]))
    assert 0.05 < float(ran.spikes.mean()) < 0.9


def test_spikes_make_spikes_rarer() -> None:
    x = torch.ones(60, 1, 1)
    rates = [float(run_own("lif", alif(jump=jump), x).spikes.mean()) for jump in (0.0, 0.3, 1.0)]
    assert rates[0] > rates[1] > rates[2] > 0


def test_its_decays_have_the_gradient_of_finite_differences() -> None:
    # Spikes are what they are here (a step has no derivative): what they raise and subtract is followed.
    layer = alif(learn=True, decay_input=True, spike_grad=lambda met: (met.detach() > 0).to(met.dtype)).double()
    x = 4 + 6 * torch.randn(8, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(8, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert 4 < float(run_own("lif", layer, x).spikes.sum()) < 40

    def value() -> torch.Tensor:
        return (run_own("lif", layer, x).met * weight).sum()

    value().backward()
    for decay in (layer.alpha_w, layer.rho_w):
        assert float(there(decay.grad).abs()) > 0.01
        torch.testing.assert_close(there(decay.grad), by_differences(value, decay), rtol=1e-5, atol=1e-7)


def test_the_rise_of_the_threshold_carries_the_gradient_of_the_spike() -> None:
    x = torch.tensor([1.7, 0.0, 0.0]).reshape(3, 1, 1).requires_grad_()
    ran = run_own("lif", alif(), x)
    ran.threshold[2].sum().backward()
    slope = 1.0 / (1.0 + (math.pi * 1.2) ** 2)  # of an arc tangent of slope 2, at 1.7 - 0.5
    later = 1.0 / (1.0 + (math.pi * float(ran.met[1].detach())) ** 2)
    rise = 0.3 * slope  # of the threshold in step 1, which the potential of step 1 falls by, too, and is compared with
    assert there(x.grad)[0].item() == pytest.approx(0.9 * rise + 0.3 * later * (0.8 - 2 * rise), rel=1e-4)


def test_numbers_that_are_no_decays_are_refused() -> None:
    with pytest.raises(InputError, match="alpha: requires a decay between 0 and 1; found 1"):
        alif(alpha=1.0)
    with pytest.raises(InputError, match="jump: requires a number of 0 or more"):
        alif(jump=-0.1)
