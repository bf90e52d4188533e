"""Headers of arrays are read as numpy reads them, by a grammar that nothing nests in."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tern2lava.files.npy import pieces, read_body, read_header
from tern2lava.files.opening import FileError

DTYPES = [
    "b1",
    "i1",
    "u1",
    "<i2",
    ">i2",
    "<i4",
    ">u4",
    "<i8",
    ">u8",
    "<f2",
    ">f2",
    "<f4",
    ">f4",
    "<f8",
    ">f8",
    "<U5",
    "S3",
]


def npy(header: str | bytes, body: bytes = b"", version: tuple[int, int] = (1, 0), pad: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else header.encode("latin1")
    text = text.ljust(pad) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(text)) + text + body


def described(shape: str, descr: str = "'<f4'", fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def read(data: bytes) -> Any:
    stream = io.BytesIO(data)
    header = read_header(stream, "x", len(data))
    return read_body(stream, header, "x")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_arrays_come_back_as_numpy_wrote_them(data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES)))
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)))
    if data.draw(st.booleans()):
        array = np.asfortranarray(array)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=data.draw(st.sampled_from([(1, 0), (2, 0), (3, 0)])))
    found = read(stream.getvalue())
    assert found.dtype == dtype.newbyteorder("=")
    assert found.shape == array.shape
    assert found.tobytes() == array.astype(dtype.newbyteorder("=")).tobytes()
    stream.seek(0)
    header = read_header(stream, "x", len(stream.getvalue()))
    parts = list(pieces(stream, header, "x", most=7))
    flat = np.concatenate([*parts, np.empty(0, header.dtype.newbyteorder("="))])
    assert (
        flat.tobytes()
        == array.astype(dtype.newbyteorder("=")).reshape(-1, order="A" if header.fortran else "C").tobytes()
    )


@pytest.mark.parametrize(
    "header",
    [
        '{"shape": (2,3), "fortran_order": False, "descr": "<f4"}',  # another writer's order and quotes
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",  # Python 2
        "{'descr':'<f4','fortran_order':False,'shape':(2,3)}",
    ],
)
def test_headers_of_other_writers_are_read(header: str) -> None:
    values = np.arange(6, dtype="<f4")
    np.testing.assert_array_equal(read(npy(header, values.tobytes())), values.reshape(2, 3))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("(" * 400 + ")" * 400, "requires an array header of descr, fortran_order and shape; found \\(\\(\\(\\("),
        (described("(" * 400 + "3," + ")" * 400), "an array header of descr, fortran_order and shape"),
        ("{" * 5000 + "}" * 4000, "an array header of descr"),
        (described("(True, 3)"), "an array header of descr, fortran_order and shape"),
        (described("(-3,)"), "an array header of descr, fortran_order and shape"),
        (described("(3.0,)"), "an array header of descr, fortran_order and shape"),
        (described("(10**9,)"), "an array header of descr, fortran_order and shape"),
        (described("[3]"), "an array header of descr, fortran_order and shape"),
        (described("(3,)", fortran="1"), "an array header of descr, fortran_order and shape"),
        (described("(3,)", descr="'|O'"), "requires arrays of numbers; found Python objects, never unpickled"),
        (described("(3,)", descr="[('a', '<f4')]"), "requires arrays of numbers; found records"),
        (described("(3,)", descr="'<c16'"), "arrays of real numbers of at most 64 bits; found type <c16"),
        (described("(3,)", descr="'<f16'"), "arrays of real numbers of at most 64 bits; found type <f16"),
        (described("(3,)", descr="'<M8[ns]'"), "found type <M8"),
        (described("(3,)", descr="'V1000000'"), "found type V1000000"),
        (described("(3,)", descr="'<U9999999'"), "found type <U9999999"),
        (described("(0, 999999999999999999, 999999999999999999)"), "a shape that memory can hold"),
        (described("(" + "1, " * 33 + ")"), "a shape that memory can hold, of at most 32 axes"),
        (described("(99999999999999999999,)"), "an array header of descr"),
        (described("(999999999999,)"), "a shape that memory can hold|as many bytes as shape"),
        (described("(4,)"), r"requires as many bytes as shape \(4,\) of float32 has, 16; found 12"),
        (described("(2,)"), r"requires as many bytes as shape \(2,\) of float32 has, 8; found 12"),
        ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "an array header of descr"),
        ("{'descr': '<f4', 'shape': (3,)}", "an array header of descr"),
        ("{'descr': __import__('os'), 'fortran_order': False, 'shape': (3,)}", "requires arrays of numbers"),
        ("", "an array header of descr"),
        (b"\xff" * 100, "an array header of descr"),
    ],
)
def test_another_header_is_one_line(header: str | bytes, why: str) -> None:
    with pytest.raises(FileError, match=why) as caught:
        read(npy(header, bytes(12)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_long_and_cut_headers_are_refused() -> None:
    whole = npy(described("(3,)"), bytes(12))
    for data in (whole[:4], whole[:9], whole[:30], b"", b"\x93NUMPY\x09\x00" + whole[8:], b"PK" + whole):
        with pytest.raises(FileError):
            read(data)
    with pytest.raises(FileError, match="array header of at most 10,000 bytes; found 70,001"):
        read(npy(described("(3,)"), bytes(12), (2, 0), pad=70_000))


@settings(max_examples=200, deadline=None)
@given(st.text("{}()'[]:, descrfotan_hpFlseTu<>|=fi0148L-.\n\\", max_size=80))
def test_no_header_is_read_that_numpy_refuses(text: str) -> None:
    data = npy(text)
    stream = io.BytesIO(data)
    try:
        found = read_header(stream, "x", len(data))
    except FileError:
        return
    npy_format: Any = np.lib.format
    stream = io.BytesIO(data[8:])
    shape, fortran, dtype = npy_format.read_array_header_1_0(stream)
    assert (found.shape, found.fortran, found.dtype) == (shape, fortran, dtype)
