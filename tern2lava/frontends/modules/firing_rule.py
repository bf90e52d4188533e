"""What a framework's spike function computes forward: told by calling it, for users give their own surrogates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tern2lava.compiler.ir.graph import Compare
from tern2lava.errors import UnsupportedError

_PROBE = 257


def firing_rule(function: Callable[[Any], Any], where: str) -> Compare:
    """Whether a spike needs v > threshold or v >= threshold, `function` being applied to v - threshold.

    Raises UnsupportedError where its forward is no step function.
    """
    import torch

    tiny = torch.finfo(torch.float64).tiny
    spread = torch.cat([torch.linspace(-3, 3, _PROBE, dtype=torch.float64), torch.tensor([-tiny, tiny, -1e6, 1e6])])
    probe = torch.cat([spread[spread != 0], torch.zeros(1, dtype=torch.float64)])
    with torch.no_grad():
        found = function(probe).to(torch.float64)
    if found.shape == probe.shape and torch.equal(found[:-1], (probe[:-1] > 0).to(torch.float64)):
        if found[-1] == 0:
            return Compare.GT
        if found[-1] == 1:
            return Compare.GE
    raise UnsupportedError(
        where,
        "spikes that are a step function of v - threshold",
        "another forward of the spike function",
        "use a surrogate whose forward is a step",
    )
