"""Images that are shifted away from what a network was trained on: noise, blur and translation at five strengths.

Integers in, integers out, the same on every machine for a seed. How a network's confidence fares on such images is how
Ovadia et al. (arXiv 1906.02530) judge uncertainty; the strengths of the noise are those of ImageNet-C (Hendrycks and
Dietterich, arXiv 1903.12261).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes, Ints
from tern2lava.errors import InputError
from tern2lava.train.data.dataset import Dataset

STRENGTHS = (1, 2, 3, 4, 5)
NOISE = (8, 12, 18, 26, 38)
"""Standard deviation of the noise by strength, in hundredths of `top`."""
UNIFORMS = 12
"""How many uniform numbers add up to a normal one: their variance is that of one number of 16 bits, 2^32, exactly but
for a 2^-32nd of it."""
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
CHUNK = 256
"""Images that are worked on at once."""


def normals(words: np.random.PCG64, count: int) -> Ints:
    """`count` whole numbers of mean 0 and standard deviation 2^16, nearly normal: each a sum of 12 uniform ones (Irwin
    and Hall), so within 6 standard deviations."""
    parts = words.random_raw(count * UNIFORMS // 4).astype("<u8").view("<u2")
    sums: Ints = parts.reshape(count, UNIFORMS).sum(1, dtype=np.int64) - UNIFORMS * 65535 // 2
    return sums


def noise(x: Bytes, strength: int, top: int, seed: int) -> Bytes:
    """x plus normal noise of NOISE[strength - 1] hundredths of `top`, rounded and cut to 0 to `top`."""
    words, result = np.random.PCG64(seed), np.empty_like(x)
    unit = 100 << 16
    for begin in range(0, len(x), CHUNK):
        part = x[begin : begin + CHUNK].astype(np.int64)
        added = normals(words, part.size).reshape(part.shape) * (NOISE[strength - 1] * top)
        result[begin : begin + CHUNK] = np.clip(part + (added + unit // 2) // unit, 0, top)
    return result


def blur(x: Bytes, strength: int, top: int, seed: int) -> Bytes:
    """x filtered `strength` times by (1, 2, 1) / 4 along both axes, which nears a Gaussian of standard deviation
    sqrt(strength / 2) pixels, zeros around the image, rounded once. The seed is not used."""
    result = np.empty_like(x)
    scale = 16**strength
    for begin in range(0, len(x), CHUNK):
        part = np.pad(x[begin : begin + CHUNK].astype(np.int64), ((0, 0), (0, 0), *((strength, strength),) * 2))
        for _ in range(strength):
            for axis in (2, 3):
                part = np.roll(part, -1, axis) + 2 * part + np.roll(part, 1, axis)
        inside = part[:, :, strength:-strength, strength:-strength]
        result[begin : begin + CHUNK] = (inside + scale // 2) // scale
    return result


def translation(x: Bytes, strength: int, top: int, seed: int) -> Bytes:
    """x moved by `strength` pixels in one of eight directions, drawn for each image; zeros come in."""
    result = np.zeros_like(x)
    drawn = np.random.PCG64(seed).random_raw(len(x)) >> np.uint64(61)
    height, width = x.shape[2:]
    for number, (down, right) in enumerate(DIRECTIONS):
        members = np.flatnonzero(drawn == number)
        dy, dx = down * strength, right * strength
        to = (slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx)))
        of = (slice(max(0, -dy), height + min(0, -dy)), slice(max(0, -dx), width + min(0, -dx)))
        moved = np.zeros_like(x[members])
        moved[:, :, to[0], to[1]] = x[members][:, :, of[0], of[1]]
        result[members] = moved
    return result


CORRUPTIONS: dict[str, Callable[[Bytes, int, int, int], Bytes]] = {
    "noise": noise,
    "blur": blur,
    "translation": translation,
}


def corrupt(x: Bytes, kind: str, strength: int, *, top: int, seed: int = 0) -> Bytes:
    """Images x (samples, channels, height, width) of 0 to `top`, corrupted; InputError for what is none of these."""
    if kind not in CORRUPTIONS:
        raise InputError("corruption", f"requires one of {', '.join(CORRUPTIONS)}; found {kind!r}; choose one of them")
    if strength not in STRENGTHS:
        raise InputError("strength", f"requires a strength of 1 to {STRENGTHS[-1]}; found {strength}; choose one")
    if x.ndim != 4 or x.dtype != np.uint8 or min(x.shape[2:]) <= strength:
        raise InputError(
            "images", f"requires uint8 of (samples, channels, height, width), larger than {strength} pixels; found "
            f"{x.dtype} of {x.shape}; corrupt images alone",
        )  # fmt: skip
    return CORRUPTIONS[kind](x, strength, top, seed)


def corrupted(dataset: Dataset, kind: str, strength: int, *, seed: int = 0) -> Dataset:
    """`dataset` with its test images corrupted. InputError where its samples have a time axis."""
    if dataset.time:
        raise InputError(
            "images", f"requires samples without a time axis; found {dataset.name}, which has one; corrupt images alone"
        )
    return replace(dataset, test_x=corrupt(dataset.test_x, kind, strength, top=dataset.top, seed=seed))
