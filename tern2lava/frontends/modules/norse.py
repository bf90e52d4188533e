"""The neurons of Norse 1.1 as ir.Neuron: cells (one step) and their forms over time.

Semantics: norse/torch/functional/{lif,lif_box,lif_refrac,iaf}.py, with k = dt * tau_mem_inv, as the cell itself
computes it (in float32 where tau_mem_inv is a float32 tensor), and l = dt * tau_syn_inv:
    LIF     i' = i + x;  v' = v + k (v_leak - v + i');  then i' <- i' - l i'        so u' = (1 - l) u + x, v uses u'
    LIFBox  v' = v + k (x + v_leak - v)                  IAF  v' = v + x
    spike where v' > v_th; then v' = v_reset (LIFBox may subtract v_th instead)
    Refrac  for ceil(rho_reset) steps after a spike v keeps its value and no spike is made
v starts at v_leak (IAF: v_reset). The package is recognised by class name, never imported here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tern2lava.compiler.ir.graph import Compare, Reset
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import Feed, NeuronLayer
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.modules.torch_layers import class_name
from tern2lava.frontends.neuron_equations import check_decay

_MODULE = "norse.torch.module"
SEQUENTIAL = f"{_MODULE}.sequential.SequentialState"
LIFT = f"{_MODULE}.lift.Lift"
_STEPS = {
    "lif_feed_forward_step", "lif_step", "lif_box_feed_forward_step", "iaf_feed_forward_step",
    "lif_refrac_feed_forward_step", "lif_refrac_step",
}  # fmt: skip


def neuron_layer(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer of a live LIFBox, LIF, LIFRecurrent, LIFRefrac, LIFRefracRecurrent or IAF, cell or over time.

    Raises UnsupportedError for a setting that ir.Neuron cannot say, InputError for numbers that are not finite.
    """
    kind = class_name(module).removesuffix("Cell")
    step = getattr(module.activation, "__name__", "")
    if step not in _STEPS or not getattr(module.activation, "__module__", "").startswith("norse.torch.functional"):
        raise UnsupportedError(where, "Norse's own update", f"activation {step}", "use a plain cell")
    p = module.p.lif if "Refrac" in kind else module.p
    threshold, reset_value = as_array(f"{where}.v_th", p.v_th), as_array(f"{where}.v_reset", p.v_reset)
    subtract = kind == "LIFBox" and getattr(p.reset_method, "__name__", "") == "reset_subtract"
    if kind == "LIFBox" and getattr(p.reset_method, "__name__", "") not in ("reset_value", "reset_subtract"):
        raise UnsupportedError(where, "Norse's own reset", f"{p.reset_method}", "use reset_value")
    fields: dict[str, Any] = {
        "threshold": threshold,
        "compare": Compare.GT,
        "reset": Reset.SUBTRACT if subtract else Reset.ZERO,
        "reset_value": reset_value,
        "reset_amount": threshold,
        "v_init": reset_value if kind == "IAF" else as_array(f"{where}.v_leak", p.v_leak),
        **_decays(p, module.dt, kind, where),
    }
    if "Refrac" in kind:
        fields["refractory"] = _refractory(module.p.rho_reset, f"{where}.rho_reset")
    if "Recurrent" not in kind:
        return NeuronLayer(fields=fields)
    return NeuronLayer(
        fields=fields,
        entry=Feed(weight=as_array(f"{where}.input_weights", module.input_weights)),
        feedback=Feed(weight=as_array(f"{where}.recurrent_weights", module.recurrent_weights)),
    )


def _decays(p: Any, dt: float, kind: str, where: str) -> dict[str, Reals]:
    if kind == "IAF":
        return {}
    k = as_array(f"{where}.tau_mem_inv", dt * p.tau_mem_inv)
    v_leak = as_array(f"{where}.v_leak", p.v_leak)
    fields = {"alpha_v": check_decay(f"{where}: 1 - dt tau_mem_inv", 1.0 - k), "gain_v": k, "bias": k * v_leak}
    if kind != "LIFBox":
        decay = 1.0 - as_array(f"{where}.tau_syn_inv", dt * p.tau_syn_inv)
        fields["alpha_u"] = check_decay(f"{where}: 1 - dt tau_syn_inv", decay)
    return fields


def _refractory(value: Any, where: str) -> int:
    steps = as_array(where, value)
    if steps.size != 1 or not 0 <= float(steps.reshape(-1)[0]) < 1 << 20:
        found = f"{steps!s:.40}"
        raise UnsupportedError(where, "the same steps of rest for all neurons of a layer", found, "use one number")
    return math.ceil(float(steps.reshape(-1)[0]))


Read = Callable[[Any, str, str], NeuronLayer]
CELLS = tuple(
    f"{_MODULE}.{path}"
    for path in (
        "lif_box.LIFBoxCell",
        "lif.LIFCell",
        "lif.LIFRecurrentCell",
        "lif_refrac.LIFRefracCell",
        "lif_refrac.LIFRefracRecurrentCell",
        "iaf.IAFCell",
    )
)
OVER_TIME = tuple(
    f"{_MODULE}.{path}" for path in ("lif.LIF", "lif.LIFRecurrent", "lif_refrac.LIFRefracRecurrent", "iaf.IAF")
)
NEURONS: dict[str, Read] = dict.fromkeys((*CELLS, *OVER_TIME), neuron_layer)
