from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.image.core_image import (
    CORE,
    Axons,
    CoreImage,
    Group,
    Route,
    SynapseBlock,
    decode_core,
    encode_core,
    sections,
)
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import ConvGeometry, frozen
from tern2lava.errors import InputError
from tern2lava.prove.image import read_image


def example() -> CoreImage:
    """Two groups; a dense block of 8-bit codes with a gain per row, and a ternary convolution with a delay."""
    rng = np.random.default_rng(0)

    def population(name: str, neurons: int) -> Population:
        return Population(
            name=name, shape=(neurons,), reset=Reset.SUBTRACT, start=3, lsb=frozen(1.0),
            decay_u=frozen(4096, np.int64), decay_v=frozen(77, np.int64), bias=frozen(-5, np.int64),
            bias_u=frozen(rng.integers(-9, 9, neurons), np.int64),
            threshold=frozen(rng.integers(1, 70000, neurons), np.int64), reset_amount=frozen(300, np.int64),
            v_init=frozen(-1, np.int64), decays=Decays.NEAREST if name == "a" else Decays.TRUNCATE,
        )  # fmt: skip

    geometry = ConvGeometry(
        in_shape=(2, 3, 4), out_shape=(3, 2, 2), stride=(1, 2), padding=(0, 1, 0, 1), dilation=(1, 1), groups=1
    )
    dense = Projection(
        name="d", weight=frozen(rng.integers(-128, 128, (4, 6)), np.int8), bits=8,
        gain=frozen([64, -128, 70000, 1], np.int64),
    )  # fmt: skip
    conv = Projection(
        name="c", weight=frozen(rng.integers(-1, 2, (3, 2, 3, 3)), np.int8), geometry=geometry, delay=5,
        gain=frozen(64, np.int64),
    )  # fmt: skip
    return CoreImage(
        kind=CORE, core=17, arithmetic=Arithmetic(),
        groups=(
            Group(name="a", number=2, box=Box((9,), (3,), (7,)), local=population("a", 4)),
            Group(name="größe", number=4, box=Box((8, 5, 5), (3, 1, 1), (6, 3, 3)), local=population("größe", 12)),
        ),
        axons=(
            Axons(source=0, box=Box((6,), (0,), (6,)), block=0),
            Axons(source=2, box=Box((2, 7, 9), (0, 2, 5), (2, 5, 9)), block=1),
        ),
        blocks=(SynapseBlock(group=0, codec="raw8", local=dense), SynapseBlock(group=1, codec="packed2", local=conv)),
        routes=(Route(group=0, core=3, axons=1, box=Box((3, 3), (0, 1), (2, 3))),),
    )  # fmt: skip


def test_an_image_comes_back_whole() -> None:
    image = example()
    back = decode_core(encode_core(image))
    assert (back.kind, back.core, back.arithmetic) == (image.kind, image.core, image.arithmetic)
    for a, b in zip(image.groups, back.groups, strict=True):
        assert (a.name, a.number, a.box) == (b.name, b.number, b.box)
        assert a.local is not None
        assert b.local is not None
        assert (a.local.shape, a.local.start, a.local.reset) == (b.local.shape, b.local.start, b.local.reset)
        assert a.local.decays is b.local.decays
        for name in ("decay_u", "decay_v", "bias", "bias_u", "threshold", "reset_amount", "v_init"):
            np.testing.assert_array_equal(getattr(a.local, name), getattr(b.local, name))
            assert getattr(b.local, name).dtype == np.int64
    for c, d in zip(image.blocks, back.blocks, strict=True):
        assert (c.group, c.codec, c.local.delay, c.local.bits) == (d.group, d.codec, d.local.delay, d.local.bits)
        assert c.local.geometry is None or vars(c.local.geometry) == vars(d.local.geometry)
        np.testing.assert_array_equal(c.local.weight, d.local.weight)
        np.testing.assert_array_equal(c.local.gain, d.local.gain)
    assert [vars(a) for a in image.axons] == [vars(a) for a in back.axons]
    assert [vars(a) for a in image.routes] == [vars(a) for a in back.routes]
    assert encode_core(back) == encode_core(image)


def test_every_truncation_and_every_flipped_bit_is_caught() -> None:
    data = encode_core(example())
    for length in range(len(data)):
        with pytest.raises(InputError):
            decode_core(data[:length])
    for position in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(InputError):
            decode_core(bytes(flipped))
    with pytest.raises(InputError):
        decode_core(data + b"\0")


@settings(max_examples=400, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_crafted_images_with_a_valid_checksum_end_in_an_input_error_or_an_image(edits: list[tuple[int, int]]) -> None:
    data = bytearray(encode_core(example())[:-4])
    for position, value in edits:
        data[position % len(data)] = value
    try:
        image = decode_core(bytes(data) + struct.pack("<I", zlib.crc32(data)))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert image.groups[0].box.volume > 0


def test_the_layout_is_the_documented_one() -> None:
    data = encode_core(example())
    magic, version, kind, core, groups, axons, routes = struct.unpack_from("<4sHHIIII", data)
    assert (magic, version, kind, core, groups, axons, routes) == (b"T2LC", 3, 0, 17, 2, 2, 1)
    assert struct.unpack_from("<8B", data, 24) == (12, 24, 17, 6, 13, 7, 6, 20)
    assert struct.unpack_from("<H1sI10I", data, 32) == (1, b"a", 2, 1, 9, 1, 1, 3, 0, 0, 7, 1, 1)
    assert struct.unpack_from("<IBHB", data, 32 + 47) == (3, 1, 0, 32)
    # decay_u: one value of two bytes; then the other parameters in their order.
    assert struct.unpack_from("<BxIh", data, 32 + 55) == (2, 1, 4096)
    group = example().groups[0].local
    assert group is not None
    at = 32 + 55 + 8
    for values in (group.decay_v, group.bias_u, group.bias, group.threshold, group.reset_amount, group.v_init):
        width, count = struct.unpack_from("<BxI", data, at)
        stored = np.frombuffer(data, f"<i{width}", count, at + 6)
        np.testing.assert_array_equal(stored, values.reshape(-1))
        at += 6 + width * count
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    # The last block: a head, gain 64 in one byte, 54 ternary codes in 14 bytes, three bytes to five words.
    head = bytes([1 | 1 << 4, 0, 1, 0, 5, 2, 3, 4, 3, 2, 2, 3, 3, 1, 2, 0, 1, 0, 1, 1, 1, 1, 14])
    last = data[-4 - 40 : -4]
    assert last[:24] == head + bytes([64])
    assert last[38:] == bytes(2)
    codes = example().blocks[1].local.weight.swapaxes(0, 1).reshape(-1)
    fields = [(last[24 + i // 4] >> 2 * (i % 4)) & 3 for i in range(54)]
    assert fields == [{0: 0, 1: 1, -1: 3}[int(c)] for c in codes]


@pytest.mark.parametrize("flags", [64, 128, 32 | 64, 32 | 8])
def test_flags_that_say_nothing_and_relays_that_round_are_refused(flags: int) -> None:
    data = bytearray(encode_core(example())[:-4])
    data[32 + 47 + 7] = flags
    with pytest.raises(InputError):
        decode_core(bytes(data) + struct.pack("<I", zlib.crc32(data)))


def test_images_of_the_version_that_knew_no_rounding_are_refused() -> None:
    data = bytearray(encode_core(example())[:-4])
    data[4] = 2
    with pytest.raises(InputError, match=r"version 2.*reads versions 3 to 5"):
        decode_core(bytes(data) + struct.pack("<I", zlib.crc32(data)))


def test_codes_that_a_codec_cannot_hold_are_refused() -> None:
    image = example()
    wrong = replace(image.blocks[0], codec="packed2")
    with pytest.raises(InputError, match="do not fit codec packed2"):
        encode_core(replace(image, blocks=(wrong, image.blocks[1])))
    wide = replace(image.blocks[0].local, weight=frozen(np.full((4, 6), 128), np.int64))
    with pytest.raises(InputError, match="do not fit"):
        encode_core(replace(image, blocks=(replace(image.blocks[0], local=wide), image.blocks[1])))
    late = replace(image.blocks[0].local, delay=1 << 17)
    with pytest.raises(InputError, match="does not fit its field"):
        encode_core(replace(image, blocks=(replace(image.blocks[0], local=late), image.blocks[1])))


def test_records_that_disagree_are_refused() -> None:
    image = example()
    for broken in (
        replace(image, axons=(replace(image.axons[0], block=2), image.axons[1])),
        replace(image, axons=(replace(image.axons[0], box=Box((6,), (0,), (5,))), image.axons[1])),
        replace(image, blocks=(replace(image.blocks[0], group=1), image.blocks[1])),
        replace(image, blocks=(replace(image.blocks[0], group=9), image.blocks[1])),
        replace(image, routes=(replace(image.routes[0], group=2),)),
        replace(image, routes=(replace(image.routes[0], box=Box((2,), (0,), (1,))),)),
    ):
        with pytest.raises(InputError):
            decode_core(encode_core(broken))


def test_images_of_long_steps_say_so_in_a_version_of_their_own_and_others_are_as_before() -> None:
    plain = encode_core(example())
    slow = encode_core(replace(example(), slowdown=3))
    assert (plain[4], slow[4]) == (3, 4)
    assert slow[5:32] == plain[5:32]
    assert slow[34:-4] == plain[32:-4]
    assert (decode_core(plain).slowdown, decode_core(slow).slowdown) == (1, 3)
    assert sections(slow) == replace(sections(plain), rest=sections(plain).rest + 2)
    with pytest.raises(InputError, match="a value does not fit"):
        encode_core(replace(example(), slowdown=1 << 16))
    for length in (0, 1):
        data = slow[:32] + struct.pack("<H", length) + slow[34:-4]
        for read in (decode_core, lambda data: read_image(data, "image")):
            with pytest.raises(InputError, match=f"a step of {length} hardware timesteps in version 4"):
                read(data + struct.pack("<I", zlib.crc32(data)))
