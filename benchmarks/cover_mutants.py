"""Core images with one weight, sign, delay or pair of sources made another, checksums included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.image.core_image import CoreImage, SynapseBlock, encode_core
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import Tern2LavaError

KINDS = ("changed code", "wrong sign", "swapped sources", "delay")
Rng = np.random.Generator


def mutant(images: list[CoreImage], data: list[bytes], kind: str, rng: Rng) -> tuple[list[bytes], bool] | None:
    """The bytes of all images, the host's last, with one mistake of this kind, and whether it changes what its block
    adds up; None where the drawn block has no place for it. Every weight of the network is as likely as another."""
    blocks = [(place, index) for place, image in enumerate(images) for index in range(len(image.blocks))]
    sizes = np.array([images[place].blocks[index].local.weight.size for place, index in blocks])
    place, index = blocks[int(rng.choice(len(blocks), p=sizes / sizes.sum()))]
    image = images[place]
    old = image.blocks[index]
    local = _changed(old.local, kind, rng)
    if local is None:
        return None
    changed: SynapseBlock = replace(old, local=local)
    result = list(data)
    try:
        result[place] = encode_core(
            replace(image, blocks=(*image.blocks[:index], changed, *image.blocks[index + 1 :]))
        )  # fmt: skip
    except Tern2LavaError:
        return None
    return result, kind == "delay" or not _adds_up_alike(old.local, local, rng)


def _changed(local: Projection, kind: str, rng: Rng) -> Projection | None:
    weight = np.array(local.weight)
    if kind == "delay":
        return replace(local, delay=abs(local.delay + int(rng.choice([-1, 1])))) if weight.any() else None
    if kind == "swapped sources":
        if weight.shape[1] < 2:
            return None
        one, other = rng.choice(weight.shape[1], 2, replace=False)
        weight[:, [one, other]] = weight[:, [other, one]]
    elif kind == "wrong sign":
        places = np.flatnonzero(weight)
        if not places.size:
            return None
        weight.reshape(-1)[rng.choice(places)] *= -1
    else:
        at = int(rng.integers(weight.size))
        codes = np.setdiff1d(np.arange(-1, 2), weight.reshape(-1)[at : at + 1])
        weight.reshape(-1)[at] = rng.choice(codes)
    return replace(local, weight=frozen(weight, np.int8))


def _adds_up_alike(one: Projection, other: Projection, rng: Rng) -> bool:
    """Whether two maps of the same axons give the same on 32 drawn inputs."""
    axons = one.weight.shape[1] if one.geometry is None else int(np.prod(one.geometry.in_shape))
    x = rng.integers(0, 1000, (32, axons)).astype(np.float64)
    return bool((accumulate(one, x) == accumulate(other, x)).all())
