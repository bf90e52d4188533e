"""Weights that a checkpoint holds in parts, as expressions of docs/net-yaml.md: those whose meaning is certain from the
names that torch gives to the parts, and those that only their owner knows."""

from __future__ import annotations

from tern2lava.frontends.files.checkpoint import Checkpoint
from tern2lava.frontends.files.stored import StoredTensor

SCALES = (
    "scale", "scales", "alpha", "weight_scale", "weight_scales", "weight_alpha", "scale_weight", "w_scale", "step",
    "step_size", "delta",
)  # fmt: skip
"""What layers of people's own call the scale of their codes."""
FACTORS = ("scale", "scales", "weight_scale", "weight_scales")
"""Those that are what codes are multiplied by; of the others some are a step, a bound or its inverse."""
ZEROS = ("zero_point", "zero_points", "weight_zero_point", "weight_zero_points", "zeros", "zp")
"""What stands for 0 among codes: they count from it."""
MASKS = ("mask", "weight_mask")
CODES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
SPECTRAL = (
    "torch.nn.utils.remove_spectral_norm(layer), or parametrize.remove_parametrizations(layer, 'weight'), leaves the "
    "weight as it is; save the state_dict after it"
)


def certain(checkpoint: Checkpoint, prefix: str, key: str) -> str | None:
    """The expression for PREFIX.key where torch's own names say it: a pruned tensor or one with weight_norm. None where
    there are no such parts. Raises ValueError, saying why, for a tensor whose parts do not say it."""
    original, mask = f"{prefix}.{key}_orig", f"{prefix}.{key}_mask"
    if _tensor(checkpoint, original) and _tensor(checkpoint, mask):
        return f"t('{mask}') * t('{original}')"
    own = f"{prefix}.parametrizations.{key}"
    for part in (f"{original.removesuffix('_orig')}_u", f"{own}.0._u"):
        if _tensor(checkpoint, part):
            raise ValueError(f"requires a stored {key}; found the parts of spectral_norm ({part}); {SPECTRAL}")
    for magnitude, direction in ((f"{prefix}.{key}_g", f"{prefix}.{key}_v"), (f"{own}.original0", f"{own}.original1")):
        g, v = _tensor(checkpoint, magnitude), _tensor(checkpoint, direction)
        if g is not None and v is not None:
            return _normed(magnitude, direction, g, v)
    return None


def _normed(magnitude: str, direction: str, g: StoredTensor, v: StoredTensor) -> str:
    """weight_norm: v g / |v|, the norm over the axes that g does not have."""
    kept = [axis for axis, size in enumerate(g.shape) if size > 1]
    if g.shape and (len(g.shape) != len(v.shape) or len(kept) > 1 or any(g.shape[i] != v.shape[i] for i in kept)):
        raise ValueError(
            f"requires the two parts of weight_norm; found {magnitude} of {g.shape} and {direction} of {v.shape}; "
            "parametrize.remove_parametrizations(layer, 'weight') leaves the weight as it is; save it after that"
        )
    axes = [axis for axis in range(len(v.shape)) if axis not in kept]
    squares = f"sum(t('{direction}') * t('{direction}'), axis={axes}, keepdim={'true' if g.shape else 'false'})"
    return f"t('{direction}') * (t('{magnitude}') / sqrt({squares}))"


def with_scale(checkpoint: Checkpoint, name: str) -> str | None:
    """What to write where the tensor `name` (a full name) lies beside one that looks like its scale or mask; None where
    none does."""
    found = _beside(checkpoint, name)
    codes = _tensor(checkpoint, name)
    if not found or codes is None:
        return None
    zero = _zero(checkpoint, name)
    if zero is not None and is_code(codes):
        factors = " * ".join(_spread(checkpoint, part, codes) for part in found)
        return f"dequantize(t('{name}'), {factors}, zero_point={_spread(checkpoint, zero, codes)})"
    return " * ".join((f"t('{name}')", *(_spread(checkpoint, part, codes) for part in found)))


def _spread(checkpoint: Checkpoint, part: str, codes: StoredTensor) -> str:
    """The expression for the tensor `part`, one number for each output channel of `codes` spread along it."""
    stored = checkpoint.tensors.stored[part]
    if len(stored.shape) == 1 and stored.count > 1 and len(codes.shape) > 1 and stored.shape[0] == codes.shape[0]:
        return f"reshape(t('{part}'), {[-1] + [1] * (len(codes.shape) - 1)})"
    return f"t('{part}')"


def the_scale(checkpoint: Checkpoint, name: str) -> str | None:
    """The one tensor beside the codes `name` that is called their scale: real numbers, one or one for each output
    channel. None where there is none, or more than it that may belong to them, such as a zero point."""
    found, codes = _beside(checkpoint, name), checkpoint.tensors.stored[name]
    if len(found) != 1 or found[0].rpartition(".")[2] not in FACTORS or _zero(checkpoint, name) is not None:
        return None
    stored = checkpoint.tensors.stored[found[0]]
    channels = bool(codes.shape) and stored.shape == (codes.shape[0],)
    spread = len(stored.shape) == len(codes.shape) and stored.shape[1:] == (1,) * (len(codes.shape) - 1)
    each = channels or (spread and stored.shape[:1] in ((1,), codes.shape[:1]))
    return found[0] if not is_code(stored) and (stored.count == 1 or each) else None


def is_code(stored: StoredTensor) -> bool:
    """Whether a tensor holds integers."""
    return stored.type in CODES


def scaled_weight(checkpoint: Checkpoint, part: str) -> str | None:
    """What to write where the tensor `part` looks like the scale or mask of a weight beside it."""
    prefix = part.rpartition(".")[0]
    for key in ("weight", "codes", "qweight"):
        name = f"{prefix}.{key}" if prefix else key
        if name != part and part in _beside(checkpoint, name) and name in checkpoint.tensors:
            return with_scale(checkpoint, name)
    return None


def _beside(checkpoint: Checkpoint, name: str) -> list[str]:
    """The tensors beside `name` that are called like a scale or mask of it."""
    prefix, _, key = name.rpartition(".")
    words = [*SCALES, *MASKS, *(f"{key}_{word}" for word in ("scale", "scales", "alpha", "mask"))]
    return _called(checkpoint, prefix, words)


def _zero(checkpoint: Checkpoint, name: str) -> str | None:
    """The zero point beside the codes `name`."""
    prefix, _, key = name.rpartition(".")
    return next(iter(_called(checkpoint, prefix, _zeros(key))), None)


def _zeros(key: str) -> list[str]:
    return [*ZEROS, f"{key}_zero_point", f"{key}_zero_points"]


def is_zero(key: str, part: str) -> bool:
    """Whether a tensor called `part` is the zero point of the codes called `key`."""
    return part in _zeros(key)


def _called(checkpoint: Checkpoint, prefix: str, words: list[str]) -> list[str]:
    """The tensors of `prefix` that are called one of `words`."""
    begin = f"{prefix}." if prefix else ""
    return [part for word in dict.fromkeys(words) if (part := f"{begin}{word}") in checkpoint.tensors.stored]


def _tensor(checkpoint: Checkpoint, name: str) -> StoredTensor | None:
    full = checkpoint.find(name)
    return checkpoint.tensors.stored.get(full) if full is not None else None
