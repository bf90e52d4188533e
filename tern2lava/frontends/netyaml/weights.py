"""The weights, biases and recurrent weights that an entry of a net.yaml names."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.counts import count
from tern2lava.files.yaml_text import Place
from tern2lava.frontends import latent_weights as latent
from tern2lava.frontends.builder import Feed
from tern2lava.frontends.files import stored_forms as forms
from tern2lava.frontends.netyaml.keys import Conv1dKeys, Conv2dKeys, DenseKeys, NeuronKeys, RecurrentKeys, parse
from tern2lava.frontends.netyaml.loihi import own_weight
from tern2lava.frontends.netyaml.tensors import LARGE, Tensors


def weight_and_bias(
    tensors: Tensors, keys: DenseKeys | Conv2dKeys | Conv1dKeys, place: Place
) -> tuple[Reals, Reals | None]:
    """The weight and bias of a layer, by their own names or as PREFIX.weight and PREFIX.bias of `tensors`; the chip's
    own integers where the network says so."""
    weight, bias = _named(tensors, keys, place)
    return (own_weight(tensors.file, place, keys, weight, bias), None) if tensors.integers else (weight, bias)


def _named(tensors: Tensors, keys: DenseKeys | Conv2dKeys | Conv1dKeys, place: Place) -> tuple[Reals, Reals | None]:
    """The weight and bias as the checkpoint has them."""
    if keys.tensors is not None and (keys.weight is not None or keys.bias is not None):
        raise tensors.file.error((*place, "tensors"), "requires tensors, or weight and bias; found both; leave one out")
    if keys.tensors is not None:
        at = (*place, "tensors")
        return weight_of(tensors, keys.tensors, at), bias_of(tensors, keys.tensors, at)
    if keys.weight is None:
        raise tensors.file.error(
            (*place, "weight"), "requires a weight; found none; give tensors: PREFIX, or weight: NAME"
        )
    bias = tensors.array(keys.bias, (*place, "bias")) if keys.bias is not None else None
    _refuse_codes(tensors, keys.weight, (*place, "weight"))
    return tensors.array(keys.weight, (*place, "weight")), bias


def _refuse_codes(tensors: Tensors, name: str, place: Place) -> None:
    """Raise InputError where the tensor `name` holds codes whose scale or packing only their owner knows."""
    full = tensors.checkpoint.find(name)
    stored = tensors.checkpoint.tensors.stored.get(full) if full is not None else None
    if full is None or stored is None or tensors.integers or not forms.is_code(stored):
        return
    if stored.type == "uint8" and stored.count <= LARGE and not tensors.fits(stored.shape):
        raise tensors.file.error(
            place,
            f"requires a weight that fits the layer; found {full} of uint8 and shape {stored.shape}, perhaps packed "
            f"codes; write weight: unpack2(t('{full}'), codes=[...], order=..., axis=..., shape=[...])",
        )
    if (written := forms.with_scale(tensors.checkpoint, full)) is not None:
        raise tensors.file.error(
            place,
            f"requires the weight that its codes stand for; found {full} of {stored.type} beside what may be its "
            f"scale; write weight: {written}, or weight: t('{full}') * 1.0 for the codes alone",
        )


def _scaled(tensors: Tensors, name: str) -> str | None:
    """The expression for the codes `name` times their scale, where the layer's tensors are asked for as a whole and
    the scale is the one that they have (files/stored_forms.py) and is not ignored."""
    full = tensors.checkpoint.find(name)
    stored = tensors.checkpoint.tensors.stored.get(full) if full is not None else None
    if full is None or stored is None or tensors.integers or not forms.is_code(stored):
        return None
    scale = forms.the_scale(tensors.checkpoint, full)
    packed = stored.type == "uint8" and stored.count <= LARGE and not tensors.fits(stored.shape)
    ignored = scale is not None and tensors.is_ignored(scale)
    return None if scale is None or packed or ignored else forms.with_scale(tensors.checkpoint, full)


def weight_of(tensors: Tensors, prefix: str, place: Place) -> Reals:
    """PREFIX.weight, times its scale where it holds codes, or what the stored quantiser makes of a latent weight
    (frontends/latent_weights.py)."""
    original, weight = f"{prefix}.{latent.ORIGINAL}", f"{prefix}.weight"
    if (written := _in_parts(tensors, prefix, "weight", place)) is not None:
        return tensors.array(written, place)
    if tensors.has(weight) or not tensors.has(original):
        if (written := _scaled(tensors, weight)) is not None:
            return tensors.array(written, place)
        _refuse_codes(tensors, weight, place)
        return tensors.array(weight, place)
    alpha, delta = (f"{prefix}.{name}" for name in latent.LEARNED)
    if not (tensors.has(alpha) and tensors.has(delta)):
        raise tensors.file.error(
            place, f"requires the quantiser of the latent weight {original}; found none in the file; {latent.SAVE}"
        )
    where = tensors.file.error(place, "").where
    return latent.ternary_weight(where, *(tensors.array(name, place) for name in (original, alpha, delta)))


def _in_parts(tensors: Tensors, prefix: str, key: str, place: Place) -> str | None:
    """The expression for a tensor that torch itself stores in parts (files/stored_forms.py), where it is not there
    otherwise than as what a pickled module computed of them."""
    full = tensors.checkpoint.find(f"{prefix}.{key}")
    if full is not None and full not in tensors.checkpoint.attributes:
        return None
    try:
        return forms.certain(tensors.checkpoint, prefix, key)
    except ValueError as error:
        raise tensors.file.error(place, str(error)) from None


def bias_of(tensors: Tensors, prefix: str, place: Place) -> Reals | None:
    """PREFIX.bias, None where there is none (or where a pickled module says so)."""
    bias = f"{prefix}.bias"
    if (written := _in_parts(tensors, prefix, "bias", place)) is not None:
        return tensors.array(written, place)
    there = tensors.has(bias) and tensors.value(bias) is None
    return tensors.array(bias, place) if there else None


def feedback_of(tensors: Tensors, keys: NeuronKeys, place: Place) -> tuple[Feed | None, int]:
    """(what feeds a neuron layer's spikes back to it, steps later); snnTorch's recurrent neurons store theirs."""
    file, at = tensors.file, (*place, "recurrent")
    if keys.recurrent is None:
        return _stored_feedback(tensors, keys, place), 1
    if keys.kind in ("rleaky", "rsynaptic"):
        raise file.error(
            at,
            f"requires no recurrent weights, for kind {keys.kind} reads its own from the checkpoint; found "
            "some; leave them out",
        )
    given = parse(file, at, RecurrentKeys, keys.recurrent)
    chosen = [key for key in ("dense", "conv2d", "scale") if getattr(given, key) is not None]
    if len(chosen) != 1:
        raise file.error(
            at, f"requires exactly one of dense, conv2d, scale; found {', '.join(chosen) or 'none'}; write one of them"
        )
    if given.scale is not None and tensors.integers:
        why = "requires recurrent weights as dense or conv2d with arithmetic: loihi; found scale; write one of them"
        raise file.error((*at, "scale"), why)
    if given.scale is not None:
        value = given.scale
        weight = tensors.array(value, (*at, "scale")) if isinstance(value, str) else np.asarray(float(value))
        return Feed(weight=weight, one_to_one=True), given.delay
    if given.dense is not None:
        dense = parse(file, (*at, "dense"), DenseKeys, given.dense)
        weight, bias = weight_and_bias(tensors, dense, (*at, "dense"))
        _check_axes(tensors, weight, 2, (*at, "dense"))
        return Feed(weight=weight.T if dense.transpose else weight, bias=bias), given.delay
    conv = parse(file, (*at, "conv2d"), Conv2dKeys, given.conv2d)
    weight, bias = weight_and_bias(tensors, conv, (*at, "conv2d"))
    _check_axes(tensors, weight, 4, (*at, "conv2d"))
    if (conv.stride, conv.dilation, conv.groups) != ((1, 1), (1, 1), 1) or not isinstance(conv.padding, tuple):
        raise file.error(
            (*at, "conv2d"),
            "requires stride, dilation and groups of 1 and padding [y, x] of a recurrent convolution; found "
            "others; leave them out",
        )
    return Feed(weight=weight, bias=bias, padding=conv.padding), given.delay


def _check_axes(tensors: Tensors, weight: Reals, axes: int, place: Place) -> None:
    if weight.ndim != axes:
        raise tensors.file.error(
            place,
            f"requires a weight of {count(axes, 'axis')}; found shape {weight.shape}; name the layer's own weight",
        )


def _stored_feedback(tensors: Tensors, keys: NeuronKeys, place: Place) -> Feed | None:
    """The recurrent weights of snnTorch's RLeaky and RSynaptic: PREFIX.recurrent.weight and .bias, or PREFIX.V."""
    if keys.kind not in ("rleaky", "rsynaptic"):
        return None
    at, prefix = (*place, "tensors"), keys.tensors
    if prefix is None:
        raise tensors.file.error(
            at,
            f"requires tensors, since kind {keys.kind} reads its recurrence from there; found none; add "
            "tensors: PREFIX",
        )
    copies = [name for name in (f"{prefix}.V", f"{prefix}.recurrent.V") if tensors.has(name)]
    if copies:
        found = [tensors.array(name, at) for name in copies]
        return Feed(weight=found[0], one_to_one=True)
    weight = tensors.array(f"{prefix}.recurrent.weight", at)
    bias = bias_of(tensors, f"{prefix}.recurrent", at)
    if weight.ndim not in (2, 4):
        raise tensors.file.error(
            at,
            f"requires a recurrent weight of 2 or 4 axes; found {prefix}.recurrent.weight of shape "
            f"{weight.shape}; save the network again",
        )
    sides = (weight.shape[2] // 2, weight.shape[3] // 2) if weight.ndim == 4 else (0, 0)
    return Feed(weight=weight, bias=bias, padding=sides)
