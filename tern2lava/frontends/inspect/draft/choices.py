"""What only the owner of a network knows, as comments: the choices beside each mark of a net.yaml."""

from __future__ import annotations

NEURONS = (
    ("snnTorch Leaky", "{kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: true, fire: gt}"),
    ("SpikingJelly IFNode", "{kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}"),
    (
        "SpikingJelly LIFNode",
        "{kind: lif, tau: 2.0, decay_input: true, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}",
    ),
    (
        "Norse LIFBoxCell",
        "{kind: lif, tau: 10.0, decay_input: true, threshold: 1.0, reset: zero, reset_delay: false, fire: gt}",
    ),
    (
        "Norse LIFCell",
        "{kind: cuba, alpha: 0.8, tau: 10.0, decay_input: true, threshold: 1.0, reset: zero, reset_delay: false, "
        "fire: gt}",
    ),
)
"""One entry for each usual neuron, with the defaults of its framework; tau = 1 / (dt tau_mem_inv) of Norse, alpha =
1 - dt tau_syn_inv."""
PLACES = (
    ("nothing at inference", "dropout"),
    ("", "flatten"),
    ("", "avgpool: {kernel: 2}"),
    ("of spikes", "maxpool: {kernel: 2}"),
)
RESET_DELAY = "true | false: snnTorch's default is true"
READOUT = "spike_count | membrane_sum | membrane_last | membrane_max (docs/readouts.md)"


def neuron_choices() -> list[str]:
    """The lines of a neuron's choices."""
    wide = max(len(name) for name, _ in NEURONS)
    return [f"{name:{wide}}  {entry}" for name, entry in NEURONS]


def place_choices() -> list[str]:
    """The lines of what may stand where a module without tensors is."""
    return [f"{entry}{f'  ({what})' if what else ''}" for what, entry in PLACES]


def weight_choices(tensor: str, axes: int) -> list[str]:
    """The lines of what a forward may make of latent numbers; the scale of a row keeps all axes but the first."""
    w = f"t('{tensor}')"
    rows = f"axis=[{', '.join(map(str, range(1, axes)))}], keepdim=true" if axes > 2 else "axis=1, keepdim=true"
    above = f"abs({w}) > 0.7 * mean(abs({w}))"
    twn = f"where({above}, sign({w}), 0) * (sum(where({above}, abs({w}), 0)) / sum(float32({above})))"
    return [
        f"{tensor}  as it is (compile with --ternarize twn or int8)",
        f"sign({w}) * mean(abs({w}))  one scale, no zeros",
        f"round(clip({w} / mean(abs({w})), -1, 1)) * mean(abs({w}))  absmean, as BitNet's",
        f"round(clip({w} / mean(abs({w}), {rows}), -1, 1)) * mean(abs({w}), {rows})  the same for each row",
        f"{twn}  ternary weight networks (TWN)",
    ]
