"""The one door from a live tensor to numpy: every dtype, layout and device, or one line that says why not."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import InputError, one_line
from tern2lava.frontends.builder import numbers, require_numbers


def refuse_empty(module: Any, source: str) -> None:
    """Raise InputError where parameters or buffers of a module have no numbers yet: lazy ones, and those on the meta
    device."""
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        if type(value).__name__.startswith("Uninitialized"):
            raise InputError(
                f"{source}: {name}", "requires weights with numbers; found those of a lazy layer that has not run yet; "
                "run the module once on an input, or load its state_dict"
            )  # fmt: skip
        if value.is_meta:
            raise no_numbers(f"{source}: {name}")


def no_numbers(where: str) -> InputError:
    """The error for a tensor on the meta device."""
    return InputError(
        where, "requires a tensor with numbers; found one on the meta device, which has a shape alone; load the "
        "state_dict into the module first (to_empty, then load_state_dict)"
    )  # fmt: skip


def as_array(where: str, value: Any) -> Reals:
    """A tensor (or number) of a live module in float64: sparse ones filled up with zeros, quantised ones as
    `dequantize` has them. Raises InputError where it is not real or not finite, and where it has no numbers (meta)."""
    if not hasattr(value, "detach"):
        return numbers(where, value)
    if value.is_meta:
        raise no_numbers(where)
    if value.is_complex():
        raise InputError(where, f"requires real numbers; found dtype {value.dtype}; convert the tensor")
    require_numbers(where, value.numel())
    try:
        plain = value.detach()
        if plain.is_quantized:
            plain = plain.dequantize()
        if str(plain.layout) != "torch.strided":
            plain = plain.to_dense()
        found = plain.cpu().resolve_neg().double().numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        told = one_line((str(error).splitlines() or [""])[0][:120])
        raise InputError(
            where, f"requires a tensor whose numbers torch gives out; found {type(value).__name__} of {value.dtype} "
            f"({told}); convert it to float32"
        ) from None  # fmt: skip
    return numbers(where, np.asarray(found))
