"""The compiled loops of a Leaky layer against the same in torch operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tern2lava.train.neurons import leaky_fused
from tern2lava.train.neurons.leaky_run import LeakyRun, leaky_run

BETA = torch.tensor(0.9)
STEPS, SHAPE = 5, (3, 4, 6, 6)


def images_last(x: Tensor) -> Tensor:
    """The same numbers, channels last in memory."""
    last: Tensor = x.flatten(0, -4).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:-3])
    return last


def both(x: Tensor, reset: str, delay: bool, threshold: float, steps: int | None) -> list[tuple[Tensor, ...]]:
    """(spikes, met, gradient) of the loops, and of torch."""
    limit = torch.tensor(threshold)
    by_spike, by_met = torch.randn(2, STEPS, *SHAPE).unbind(0)
    results: list[tuple[Tensor, ...]] = []
    for fused in (True, False):
        leaf = x.clone().requires_grad_()
        if fused:
            spikes, met = leaky_run(leaf, BETA, limit, 2.0, reset=reset, delay=delay, steps=steps)
        else:
            over_time = leaf if steps is None else leaf.expand(steps, *leaf.shape)
            spikes, met = LeakyRun.apply(over_time, BETA, limit, 2.0, reset == "zero", reset == "subtract", delay)
        ((spikes * by_spike).sum() + (met * by_met).sum()).backward()
        assert leaf.grad is not None
        results.append((spikes.detach(), met.detach(), leaf.grad))
    return results


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "batch before time"])
def test_the_loops_have_the_bits_of_torch(reset: str, delay: bool, layout: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(STEPS, *SHAPE)
    if layout == "channels last":
        x = images_last(x)
    elif layout == "batch before time":
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    for threshold in (0.7, -0.2):
        (spikes, met, gradient), expected = both(x, reset, delay, threshold, None)
        assert 0.05 < spikes.mean().item() < 0.95
        assert torch.equal(spikes, expected[0])
        assert torch.equal(met, expected[1])
        assert torch.equal(gradient, expected[2])


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_constant_input_has_the_bits_of_its_repetition_and_the_sum_of_its_gradients(reset: str) -> None:
    torch.manual_seed(0)
    for x in (torch.randn(SHAPE), images_last(torch.randn(SHAPE))):
        (spikes, met, gradient), expected = both(x, reset, True, 0.7, STEPS)
        assert torch.equal(spikes, expected[0])
        assert torch.equal(met, expected[1])
        torch.testing.assert_close(gradient, expected[2])


def test_threads_share_the_neurons_and_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(STEPS, 7, 501)
    one = leaky_run(x, BETA, torch.tensor(0.5), 2.0, reset="subtract", delay=True)
    shares: list[int] = []
    submit = leaky_fused._pool().submit

    def counted(run: object, begin: int, end: int) -> object:
        shares.append(end - begin)
        return submit(run, begin, end)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(leaky_fused, "NEURONS_A_THREAD", 100)
    monkeypatch.setattr(leaky_fused._pool(), "submit", counted)
    three = leaky_run(x, BETA, torch.tensor(0.5), 2.0, reset="subtract", delay=True)
    assert sum(shares) == 7 * 501
    assert len(shares) == 3
    assert torch.equal(one[0], three[0])
    assert torch.equal(one[1], three[1])


def test_other_numbers_are_left_to_torch() -> None:
    x, limit = torch.randn(STEPS, 2, 3), torch.tensor(0.5)
    assert leaky_fused.is_fused(x, BETA, limit)
    assert not leaky_fused.is_fused(x.double(), BETA.double(), limit.double())
    assert not leaky_fused.is_fused(x, torch.full((3,), 0.9), limit)
    assert not leaky_fused.is_fused(x[:, :0], BETA, limit)
