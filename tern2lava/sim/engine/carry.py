"""Counters kept as bit planes: a spike adds one bit to each of 512 counters in a few logical operations.

Plane l of the counters holds bit l of every count (vertical counters, added to by carry-save adders: Harley and Seal's
method as in Mula, Kurz, Lemire, "Faster Population Counts Using AVX2 Instructions", Computer Journal 61(1), 2018).
Seven rows of bits are first added to a number of three bits, and that to the counters.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# Rows that are added at once, bits of a counter, and words of a vector.
ROWS, BITS, WORDS = 7, 7, 8
# The most that a counter of a sign can hold.
MOST = (1 << BITS) - 1


def _vector(context: Any, builder: Any, kind: Any, array: Any, at: Any, item: int, count: int) -> Any:
    """Pointer to `count` integers of `item` bits at index `at` of a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), ir.VectorType(ir.IntType(item), count).as_pointer())


def _added(builder: Any, x: Any, y: Any, z: Any) -> tuple[Any, Any]:
    """Sum and carry of three bits, in every place."""
    half = builder.xor(x, y)
    return builder.xor(half, z), builder.or_(builder.and_(x, y), builder.and_(half, z))


@intrinsic  # type: ignore[untyped-decorator]
def add_rows(
    typing: Any, rows: Any, r0: Any, r1: Any, r2: Any, r3: Any, r4: Any, r5: Any, r6: Any, counters: Any, at: Any,
    stride: Any,
) -> Any:  # fmt: skip
    """Add the WORDS words at rows[r0] to rows[r6], bit by bit, to the counters: their plane l is at
    counters[l * stride + at]. No check: the caller keeps the counts at MOST at most."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, integer = signature.args, ir.IntType(64)

        def place(level: int) -> Any:
            index = builder.add(builder.mul(arguments[10], ir.Constant(integer, level)), arguments[9])
            return _vector(context, builder, kinds[8], arguments[8], index, 64, WORDS)

        x = [
            builder.load(_vector(context, builder, kinds[0], arguments[0], arguments[1 + k], 64, WORDS), align=8)
            for k in range(ROWS)
        ]
        one, two_a = _added(builder, x[0], x[1], x[2])
        one, two_b = _added(builder, one, x[3], x[4])
        one, two_c = _added(builder, one, x[5], x[6])
        two, four = _added(builder, two_a, two_b, two_c)
        carry: Any = None
        for level, more in enumerate((one, two, four, *([None] * (BITS - 3)))):
            held = builder.load(place(level), align=8)
            if more is None:
                total, carry = builder.xor(held, carry), builder.and_(held, carry)
            elif carry is None:
                total, carry = builder.xor(held, more), builder.and_(held, more)
            else:
                total, carry = _added(builder, held, more, carry)
            builder.store(total, place(level), align=8)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(rows, *([whole] * ROWS), counters, whole, whole), generate


@intrinsic  # type: ignore[untyped-decorator]
def read_counters(typing: Any, counters: Any, plus: Any, minus: Any, stride: Any, counts: Any, at: Any) -> Any:
    """Leave in counts[at : at + 64] (int8) the 64 counters of word `plus` less those of word `minus`. No check."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer, bytes_of = ir.IntType(64), ir.VectorType(ir.IntType(8), 64)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data

        def number(word: Any) -> Any:
            result = ir.Constant(bytes_of, None)
            for level in reversed(range(BITS)):
                index = builder.add(builder.mul(arguments[3], ir.Constant(integer, level)), word)
                bits = builder.bitcast(builder.load(builder.gep(data, [index])), ir.VectorType(ir.IntType(1), 64))
                # A set bit is -1 as a signed byte.
                result = builder.sub(builder.add(result, result), builder.sext(bits, bytes_of))
            return result

        difference = builder.sub(number(arguments[1]), number(arguments[2]))
        target = _vector(context, builder, signature.args[4], arguments[4], arguments[5], 8, 64)
        builder.store(difference, target, align=1)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(counters, whole, whole, whole, counts, whole), generate
