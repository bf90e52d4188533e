"""Numbers that do not depend on the input, compared by value: two tensors of equal dtype, shape and numbers are one."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

Digest = tuple[str, tuple[int, ...], bytes]


class Digests:
    """Digests of tensors; those of a module's parameters and buffers are formed once."""

    def __init__(self, module: torch.nn.Module) -> None:
        kept = [*module.parameters(), *module.buffers()]
        self._kept: dict[int, Tensor] = {id(tensor): tensor for tensor in kept}
        self._known: dict[int, tuple[Tensor, Digest]] = {}

    def of(self, value: Any) -> Any:
        """What is equal for equal values: a digest for a tensor, else the value itself (lists as tuples)."""
        if isinstance(value, list | tuple):
            return tuple(self.of(part) for part in value)
        if not isinstance(value, Tensor):
            return value if isinstance(value, int | float | str | bool | type(None)) else repr(value)
        if id(value) not in self._kept:
            return digest(value)
        # What is written through `data` counts as no new version: the numbers themselves are compared.
        known = self._known.get(id(value))
        if known is None or known[0].dtype != value.dtype or not torch.equal(known[0], value.detach()):
            self._known[id(value)] = known = (value.detach().clone(), digest(value))
        return known[1]


def digest(tensor: Tensor) -> Digest:
    """(dtype, shape, hash of the numbers) of a tensor."""
    array = tensor.detach().cpu().contiguous()
    data = array.reshape(-1).view(torch.uint8).numpy().tobytes() if array.numel() else b""
    return str(tensor.dtype), tuple(tensor.shape), hashlib.blake2b(data, digest_size=16).digest()
