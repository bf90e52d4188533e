"""Where each framework keeps the membrane potentials of a neuron layer after a step.

By the sources of snnTorch 1.0, SpikingJelly 2.0 and Norse 1.1: `mem`, `v` and `state.v` after the reset of that step.
snnTorch's delayed reset (reset_delay=True) comes in the next step: its `mem` still holds the potential that met the
threshold, as ir.Neuron's v does.
"""

from __future__ import annotations

from typing import Any

import torch

from tern2lava.frontends.modules import norse
from tern2lava.frontends.modules.torch_layers import class_path


def potential(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    """The membrane potentials that a call of a neuron layer leaves, None where it does not tell them."""
    path = class_path(module)
    if path.startswith("snntorch."):
        return module.mem
    if path.startswith("spikingjelly."):
        return module.v_seq if getattr(module, "step_mode", "s") == "m" else module.v
    if path in norse.OVER_TIME:
        return _norse_over_time(module, *args, **kwargs)
    if path in norse.CELLS:
        return _norse_v(output[1])
    return None


def _norse_v(state: Any) -> Any:
    return state.lif.v if hasattr(state, "lif") else state.v


def _norse_over_time(module: Any, x: torch.Tensor, state: Any = None) -> torch.Tensor:
    """The potentials of every step, the layer's own update run again: its forward gives out those of the last."""
    state = module.state_fallback(x) if state is None else state
    weights = (module.input_weights, module.recurrent_weights) if hasattr(module, "recurrent_weights") else ()
    found = []
    for step in x:
        _, state = module.activation(step, state, *weights, module.p, module.dt)
        found.append(_norse_v(state))
    return torch.stack(found)
