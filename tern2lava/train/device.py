"""Where a network is trained: the processor, or a GPU where there is one."""

from __future__ import annotations

import torch

from tern2lava.errors import InputError

DEVICES = ("auto", "cpu", "cuda")


def device_of(name: str) -> torch.device:
    """The device of that name; auto: the GPU where torch reaches one, else the processor. Raises InputError."""
    if name not in DEVICES:
        raise InputError("device", f"requires one of {', '.join(DEVICES)}; found {name}; choose one of them")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError(
            "device", "requires a GPU that torch reaches; found none; take cpu, or a torch that is built for the GPU"
        )
    return torch.device("cuda" if name != "cpu" and there else "cpu")
