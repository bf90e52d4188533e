"""Bits of 64-bit words in numba: counts, positions, and spikes packed into words."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tern2lava.compiler.ir.shapes import Bytes, Ints, Words
from tern2lava.sim.engine.kernels import kernel


@intrinsic  # type: ignore[untyped-decorator]
def popcount(typing: Any, word: Any) -> Any:
    """Number of ones in a uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def lowest(typing: Any, word: Any) -> Any:
    """Index of the lowest one of a uint64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def halved(typing: Any, number: Any, times: Any) -> Any:
    """number >> times in the number's own width (numba's >> widens to 64 bits, which halves the speed of a loop)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ashr(*arguments)

    return number(number, number), generate


@intrinsic  # type: ignore[untyped-decorator]
def ones_of(typing: Any, spikes: Any, first: Any) -> Any:
    """Word whose bit i says whether spikes[first + i] is not 0, of 64 bytes of a contiguous array, without a check."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        bytes_of = ir.VectorType(ir.IntType(8), 64)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), bytes_of.as_pointer())
        values = builder.load(place, align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", values, ir.Constant(bytes_of, None)), ir.IntType(64))

    return types.uint64(spikes, types.int64), generate


@kernel
def pack(spikes: Bytes, words: Words) -> int:
    """Number of spikes in `spikes` (n,) uint8 of 0 and 1, whose bit i goes to bit i % 64 of words[i // 64]."""
    n = spikes.size
    total = np.uint64(0)
    for k in range(n // 64):
        word = ones_of(spikes, k * 64)
        words[k] = word
        total += popcount(word)
    if n % 64:
        word = np.uint64(0)
        part = spikes[n // 64 * 64 : n]
        for i in range(part.size):
            word |= np.uint64(part[i]) << np.uint64(i)
        words[n // 64] = word
        total += popcount(word)
    return int(total)


@kernel
def positions(words: Words, count: int, found: Ints) -> int:
    """Number of ones in the first `count` words, their indices in `found` in ascending order."""
    n = 0
    for k in range(count):
        word = words[k]
        while word != np.uint64(0):
            found[n] = k * 64 + np.int64(lowest(word))
            word &= word - np.uint64(1)
            n += 1
    return n
