import copy

import pytest
import torch

from tern2lava.train.batch_norm import reestimate
from tern2lava.train.network import network
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")


def test_running_statistics_become_the_mean_of_the_batches_and_all_else_stays() -> None:
    torch.manual_seed(0)
    model = network("3c3-2c3-4", (1, 4, 4))
    model.train()
    unroll(model, torch.rand(2, 5, 1, 4, 4))  # statistics of other inputs
    before = copy.deepcopy(model.state_dict())
    batches = [torch.rand(2, 6, 1, 4, 4) for _ in range(3)]
    reestimate(model, ((x, None) for x in batches))
    means, variances = [], []
    for x in batches:
        y = torch.nn.functional.conv2d(x.flatten(0, 1), before["conv1.weight"], padding=1).transpose(0, 1).flatten(1)
        means.append(y.mean(1))
        variances.append(y.var(1))
    after = model.state_dict()
    torch.testing.assert_close(after["bn1.running_mean"], torch.stack(means).mean(0))
    torch.testing.assert_close(after["bn1.running_var"], torch.stack(variances).mean(0))
    assert not torch.equal(after["bn2.running_mean"], before["bn2.running_mean"])
    for key, value in after.items():
        assert "running" in key or "tracked" in key or torch.equal(value, before[key]), key
    assert [model.get_submodule(name).momentum for name in ("bn1", "bn2")] == [0.1, 0.1]
    assert not any(module.training for module in model.modules())


def test_networks_without_batch_norm_are_left_as_they_are() -> None:
    model = network("4", (3,))
    reestimate(model, iter(()))
    assert not model.training
