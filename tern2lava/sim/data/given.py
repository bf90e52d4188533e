"""Spikes as a Python program holds them (numpy arrays, lists, tensors, (spikes, labels)), made into named arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tern2lava.arguments import named, refused

HINT = "give (samples, steps, *shape), (spikes, labels), a mapping of arrays, or an npz file (docs/data.md)"
_NO_ARRAYS = (str, bytes, bytearray, set, frozenset, dict, int, float, complex, type)
_DEPTH = 8
# Of a recorded run, what is a word.
_WORDS = ("dtype", "framework", "v_when")


def named_arrays(data: object, wanted: Callable[[str], bool], where: str = "data") -> dict[str, Any]:
    """The arrays of `data` by name, as docs/data.md names them; of a mapping those whose names are `wanted`.

    data: a mapping of them, (spikes, labels), or the spikes alone: numpy arrays, nested lists, torch tensors (on any
    device, sparse, with a gradient), or what has `__array__`. A list stays a list, of samples that may differ in
    length. Raises InputError for what is no array.
    """
    if isinstance(data, Mapping):
        given = named(data, where, "name the arrays as docs/data.md does")
        return {
            name: value if _is_word(name) else array_of(value, f"{where}: {name}")
            for name, value in given.items()
            if wanted(name) and not (name in ("labels", "lengths") and value is None)
        }
    if isinstance(data, tuple):
        if len(data) != 2:
            raise refused(where, "(spikes, labels) where it is a tuple", data, "give samples one by one as a list")
        spikes, labels = data
        arrays = {"spikes": array_of(spikes, f"{where}: spikes")}
        return arrays if labels is None else arrays | {"labels": array_of(labels, f"{where}: labels")}
    return {"spikes": array_of(data, f"{where}: spikes")}


def array_of(value: object, where: str) -> Any:
    """`value` as a numpy array, a list of samples as a list of what numpy can make arrays of. Raises InputError."""
    if value is None or isinstance(value, _NO_ARRAYS) or callable(value):
        raise refused(where, "an array, list or tensor", value, HINT)
    if isinstance(value, (list, tuple)):
        return _plain(value, where)
    if _is_tensor(value):
        return _from_tensor(value, where)
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever __array__ of a foreign class raises
        raise refused(where, "an array, list or tensor", value, f"it cannot be made an array ({error})") from None
    if array.ndim == 0 or array.dtype.kind in "USV":
        raise refused(where, "an array, list or tensor of numbers", value, HINT)
    return array


def _plain(values: Any, where: str, depth: int = 0) -> Any:
    """Nested lists with numpy arrays in place of tensors."""
    if depth > _DEPTH:
        raise refused(where, "(samples, steps, *shape)", values, f"its lists are nested more than {_DEPTH} times")
    if _is_tensor(values):
        return _from_tensor(values, where)
    if isinstance(values, (list, tuple)) and any(isinstance(v, (list, tuple)) or _is_tensor(v) for v in values):
        return [_plain(value, where, depth + 1) for value in values]
    return values


def _is_tensor(value: object) -> bool:
    """Whether `value` is a torch.Tensor; torch is not imported for it: who has a tensor has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, getattr(torch, "Tensor", ()))


def _from_tensor(tensor: Any, where: str) -> Any:
    """The tensor's values as a numpy array; those of half precision as float32, nested ones as a list of samples."""
    try:
        plain = tensor.detach()
        if getattr(plain, "is_nested", False):
            return [_from_tensor(part, where) for part in plain.unbind()]
        if str(plain.layout) != "torch.strided":
            plain = plain.to_dense()
        if plain.is_quantized:
            plain = plain.dequantize()
        if str(plain.dtype) in ("torch.bfloat16", "torch.float16") or "float8" in str(plain.dtype):
            plain = plain.float()
        return plain.cpu().resolve_conj().resolve_neg().numpy()
    except Exception as error:  # torch's own errors: a meta tensor, a device that is gone
        why = " ".join(str(error).split())[:160]
        raise refused(where, "a tensor with values", tensor, f"its values cannot be read ({why})") from None


def _is_word(name: str) -> bool:
    return name in _WORDS or name.startswith("v_when.")


def whole_array(value: Any, where: str) -> Any:
    """A numpy array of `value`, which array_of gave. Raises InputError for lists of unequal length."""
    try:
        return np.asarray(value)
    except Exception as error:  # numpy's, for lists that are no array
        why = " ".join(str(error).split())[:160]
        raise refused(where, "one array of numbers", value, f"it is none ({why})") from None
