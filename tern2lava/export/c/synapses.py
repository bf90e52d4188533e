"""The C functions of a projection: what one spike adds to the sums of its targets, and all spikes of a step."""

from __future__ import annotations

from dataclasses import dataclass

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, size
from tern2lava.export.c.ctypes import INT32, INT64, CType
from tern2lava.export.c.names import comment
from tern2lava.export.c.spikes import Kept, Source
from tern2lava.export.c.tables import Tables
from tern2lava.export.c.weights import Form, Stored, stored


@dataclass(frozen=True, kw_only=True)
class Synapses:
    """A projection in C: `id`, its weights as stored, its source, and the type of a sum of its codes."""

    projection: Projection
    id: str
    source: Source
    codes: Stored
    sum: CType

    @property
    def value(self) -> CType | None:
        """The type of a spike's value; None where all are 1."""
        if self.source.kept is Kept.BITS:
            return None
        return INT64 if self.sum is INT64 else INT32


def synapses(projection: Projection, name: str, source: Source, kind: CType) -> Synapses:
    """A projection in C, whose sums are of a type."""
    return Synapses(projection=projection, id=name, source=source, codes=stored(projection), sum=kind)


def add_function(made: Synapses, tables: Tables) -> list[str]:
    """add_ID: adds what a spike of source neuron j brings to the sums."""
    projection = made.projection
    codes = tables.add(f"codes_{made.id}", made.codes.data, made.codes.data_type, _said(made))
    starts = ""
    if made.codes.starts is not None:
        starts = tables.add(f"starts_{made.id}", made.codes.starts, made.codes.starts_type)
    given = "" if made.value is None else f", {made.value.name} value"
    body: list[str] = []
    if projection.reads is not None and not projection.reads.is_full:
        body += _within(projection.reads)
    if projection.pooling is not None:
        body += _window(projection.pooling)
    if projection.geometry is None:
        body += [line[4:] for line in _row(made, codes, starts, "j", "0", 1)[1:-1]]
    else:
        body += _taps(made, projection.geometry, codes, starts)
    return [
        f"/* A spike of neuron j of {comment(made.source.name)}, by {comment(projection.name)}. */",
        f"static void add_{made.id}({made.sum.name} *sums, uint32_t j{given})", "{", *_indented(body), "}", "",
    ]  # fmt: skip


def _said(made: Synapses) -> str:
    form = {Form.PACKED: "2 bits a code", Form.LISTS: "places of 1 and -1", Form.BYTES: "a byte a code"}
    return f"{comment(made.projection.name)}: {made.codes.rows} x {made.codes.columns} codes, {form[made.codes.form]}"


def _indented(lines: list[str], by: int = 1) -> list[str]:
    return ["    " * by + line if line else line for line in lines]


def _within(box: Box) -> list[str]:
    """j of the source becomes j within the box that the projection reads; other neurons are left."""
    lines, place, stride = ["uint32_t within = 0;"], [], size(box.shape)
    for length, low, high in zip(box.shape, box.lo, box.hi, strict=True):
        stride //= length
        place += [
            "{", f"    const uint32_t at = j / {stride} % {length};",
            f"    if (at < {low} || at >= {high})" if low else f"    if (at >= {high})", "        return;",
            f"    within = within * {high - low} + (at - {low});", "}",
        ]  # fmt: skip
    return [*lines, *place, "j = within;"]


def _window(pooling: Pooling) -> list[str]:
    """j becomes the number of the window that it lies in; what lies in none is left."""
    _, height, width = pooling.in_shape
    (py, px), (_, rows, columns) = pooling.window, pooling.out_shape
    return [
        "{", f"    const uint32_t y = j / {width} % {height} / {py};", f"    const uint32_t x = j % {width} / {px};",
        f"    if (y >= {rows} || x >= {columns})", "        return;",
        f"    j = (j / {height * width} * {rows} + y) * {columns} + x;", "}",
    ]  # fmt: skip


def _taps(made: Synapses, geometry: ConvGeometry, codes: str, starts: str) -> list[str]:
    """Each tap of the kernel that meets the place of j."""
    _, in_group, kh, kw = made.projection.weight.shape
    _, height, width = geometry.in_shape
    out, rows, columns = geometry.out_shape
    top, _, left, _ = geometry.padding
    of_group = "c" if in_group == 1 else f"c / {in_group}"
    group = f"{of_group} * {out // geometry.groups * rows * columns} + " if geometry.groups > 1 else ""
    row = _row(
        made, codes, starts, f"(c * {kh} + ky) * {kw} + kx", f"{group}(uint32_t)oy * {columns} + (uint32_t)ox",
        rows * columns,
    )[1:-1]  # fmt: skip
    return [
        f"const uint32_t c = j / {height * width};",
        f"const int32_t y = (int32_t)(j / {width} % {height}) + {top};",
        f"const int32_t x = (int32_t)(j % {width}) + {left};",
        "uint32_t ky, kx;",
        f"for (ky = 0; ky < {kh}; ky++) {{",
        *_place("oy", "y", "ky", geometry.dilation[0], geometry.stride[0], rows, 1),
        f"    for (kx = 0; kx < {kw}; kx++) {{",
        *_place("ox", "x", "kx", geometry.dilation[1], geometry.stride[1], columns, 2),
        *_indented(row, 1), "    }", "}",
    ]  # fmt: skip


def _place(out: str, at: str, tap: str, dilation: int, stride: int, length: int, by: int) -> list[str]:
    """The row or column of outputs that a tap at a place adds to; the others are passed over."""
    step = f"{dilation} * (int32_t){tap}" if dilation > 1 else f"(int32_t){tap}"
    if stride == 1:
        lines = [f"const int32_t {out} = {at} - {step};", f"if ({out} < 0 || {out} >= {length})"]
    else:
        lines = [f"const int32_t {out}_at = {at} - {step};", f"const int32_t {out} = {out}_at / {stride};"]
        lines.append(f"if ({out}_at < 0 || {out}_at % {stride} != 0 || {out} >= {length})")
    return _indented([*lines, "    continue;"], by)


def _row(made: Synapses, codes: str, starts: str, row: str, first: str, step: int) -> list[str]:
    """Add row `row` of the codes to the sums from `first` on, `step` apart."""
    value = "1" if made.value is None else "value"
    columns, kind = made.codes.columns, made.sum.name
    target = f"{kind} *to = sums + ({first});" if first != "0" else f"{kind} *to = sums;"
    row = row if row.isidentifier() else f"({row})"
    place = f"[{step} * (uint32_t){{}}]" if step > 1 else "[{}]"

    def added(at: str, what: str) -> str:
        here = "to" + place.format(at)
        return f"{here} = ({kind})({here} {what});"

    match made.codes.form:
        case Form.BYTES:
            times = f"{codes}[n]" if made.value is None else f"{codes}[n] * value"
            return [
                "{", f"    {target}", f"    uint32_t n = {row} * {columns}, o;",
                f"    for (o = 0; o < {columns}; o++, n++)", f"        {added('o', f'+ {times}')}", "}",
            ]  # fmt: skip
        case Form.LISTS:
            return [
                "{", f"    {target}", f"    const uint32_t list = 2 * {row};",
                f"    uint32_t n = {starts}[list];",
                f"    for (; n < {starts}[list + 1]; n++)", f"        {added(f'{codes}[n]', f'+ {value}')}",
                f"    for (; n < {starts}[list + 2]; n++)", f"        {added(f'{codes}[n]', f'- {value}')}", "}",
            ]  # fmt: skip
        case Form.PACKED if columns % 4 == 0:
            four = [
                line
                for k in range(4)
                for line in (
                    f"if (codes & {1 << (2 * k)})",
                    "    " + added(f"(o + {k})", f"+ (codes & {2 << (2 * k)} ? -{value} : {value})"),
                )
            ]
            return [
                "{", f"    {target}", f"    const uint8_t *at = {codes} + {row} * {columns // 4};", "    uint32_t o;",
                f"    for (o = 0; o < {columns}; o += 4) {{", "        const uint32_t codes = *at++;",
                *_indented(four, 2), "    }", "}",
            ]  # fmt: skip
        case Form.PACKED:
            return [
                "{", f"    {target}", f"    uint32_t n = {row} * {columns}, o;",
                f"    for (o = 0; o < {columns}; o++, n++) {{",
                f"        const uint32_t code = ((uint32_t){codes}[n >> 2] >> (2 * (n & 3))) & 3;",
                "        if (code != 0)",
                f"            {added('o', f'+ (code == 1 ? {value} : -{value})')}", "    }", "}",
            ]  # fmt: skip


def receive_function(made: Synapses, target: str, lag: int, state: str) -> list[str]:
    """receive_ID__TARGET: adds all spikes of `lag` calls ago to the sums."""
    return [
        f"static void receive_{made.id}__{target}(const {state} *m, {made.sum.name} *sums)", "{",
        *_indented(made.source.each(lag, f"add_{made.id}")), "}", "",
    ]  # fmt: skip
