"""What a network can have that a format may not be able to say: the rows of docs/exports.md.

Each exporter names those that it refuses (`Exporter.refuses`), in the words of its refusal; what it does not name, it
writes. tests/export/test_exports.py holds both against a small network for each feature.
"""

from __future__ import annotations

FEATURES: dict[str, str] = {
    "dense": "dense layers, one after the other",
    "convolution": "convolutions with strides, padding, dilation and groups, and a dense layer behind them",
    "uneven padding": "a convolution padded at one end alone",
    "average pooling": "average pooling",
    "moved elements": "elements that are moved, repeated or averaged at will",
    "delay": "spikes that wait for some steps",
    "delays of synapses": "synapses of one layer that wait for different numbers of steps",
    "recurrence": "neurons that read their own spikes of the step before through weights",
    "loop of layers": "a layer that reads the spikes of a later one",
    "long step": "a loop of layers in which spikes wait fewer steps than it has synapses",
    "skip": "a layer that reads two earlier ones",
    "two inputs": "more than one input",
    "bias": "a bias of the membrane",
    "bias of the current": "a bias of the synaptic current",
    "scales of channels": "ternary weights with a scale for each output",
    "8-bit codes": "weights of 8 bits (--ternarize int8)",
    "leak": "membranes that leak",
    "synaptic current": "synaptic currents that decay",
    "reset to zero": "resets to the resting potential",
    "reset to a value": "resets to another potential than the one that neurons begin at",
    "delayed reset": "resets to zero a step after the spike",
    "soft reset": "resets that subtract, with a leak",
    "fire >=": "spikes where the potential is the threshold",
    "first potential": "neurons that do not begin at rest",
    "thresholds of neurons": "a threshold for each neuron",
    "refractory": "neurons that rest after a spike",
    "signed": "spikes of -1",
    "adaptive": "thresholds that rise with spikes",
    "rearm": "snnTorch's immediate subtraction, which does not spike again above the threshold",
    "relay": "a fan-in beyond the target's, split over relay neurons",
    "graded input": "inputs of more than 0 and 1",
    "potentials read": "scores that are the potentials of neurons without a reset",
    "scores": "class sums, step weights or an offset that the host applies",
    "nearest decays": "decays made whole to the nearest number, as a target may do with neurons that are no LIF",
    "lava-dl integers": "networks of lava-dl, in their own integers",
}
