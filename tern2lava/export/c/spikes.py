"""How what a source sends is kept, written and read: bits, two planes of bits, or integers; one row for each step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tern2lava.export.c.ctypes import INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, CType, least


class Kept(str, Enum):
    """BITS: spikes of 0 and 1. PLANES: of -1, 0 and 1, a plane of bits for 1 and one for -1. VALUES: graded spikes."""

    BITS = "bits"
    PLANES = "planes"
    VALUES = "values"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an input or a population sends: `size` values from low to high in each step, of which `slots` are kept."""

    name: str
    id: str
    size: int
    low: int
    high: int
    slots: int

    @property
    def kept(self) -> Kept:
        if self.low >= 0 and self.high <= 1:
            return Kept.BITS
        return Kept.PLANES if self.low >= -1 and self.high <= 1 else Kept.VALUES

    @property
    def words(self) -> int:
        """32-bit words of a plane of bits."""
        return -(-self.size // 32)

    @property
    def width(self) -> int:
        """Elements of a row."""
        return {Kept.BITS: self.words, Kept.PLANES: 2 * self.words, Kept.VALUES: self.size}[self.kept]

    @property
    def element(self) -> CType:
        """The type of an element of a row."""
        if self.kept is not Kept.VALUES:
            return UINT32
        return least(self.low, self.high, (UINT8, INT8, UINT16, INT16, INT32, INT64))

    @property
    def given(self) -> CType:
        """The type in which an input is handed over."""
        if self.kept is Kept.VALUES:
            return self.element
        return UINT8 if self.kept is Kept.BITS else INT8

    @property
    def array(self) -> str:
        """The member that holds the rows."""
        return f"sent_{self.id}"

    @property
    def head(self) -> CType:
        """The type of the number of the latest row."""
        return least(0, self.slots)

    def row(self, lag: int = 0) -> str:
        """The row of `lag` calls before this one."""
        if self.slots == 1:
            return f"m->{self.array}[0]"
        if lag == 0:
            return f"m->{self.array}[m->head_{self.id}]"
        return f"m->{self.array}[row_before(m->head_{self.id}, {lag}, {self.slots})]"

    def advance(self) -> list[str]:
        """The next row is the latest."""
        if self.slots == 1:
            return []
        head = f"m->head_{self.id}"
        return [f"{head} = ({self.head.name})({head} + 1 < {self.slots} ? {head} + 1 : 0);"]

    def clear(self) -> list[str]:
        """The row of this call holds no spike."""
        return [f"for (i = 0; i < {self.width}; i++)", f"    {self.row()}[i] = 0;"]

    def write(self, value: str) -> list[str]:
        """Neuron i sends `value` in this call; its row was cleared."""
        row, bit = self.row(), "(uint32_t)1 << (i & 31)"
        if self.kept is Kept.VALUES:
            return [f"{row}[i] = ({self.element.name}){value};"]
        lines = [f"if ({value} > 0)", f"    {row}[i >> 5] |= {bit};"]
        if self.kept is Kept.PLANES:
            lines += [f"else if ({value} < 0)", f"    {row}[{self.words} + (i >> 5)] |= {bit};"]
        return lines

    def read(self, place: str, lag: int = 0) -> str:
        """An expression (int32_t or wider) for what neuron `place` sent."""
        row = self.row(lag)
        if self.kept is Kept.VALUES:
            wide = INT64 if self.element is INT64 else INT32
            return f"({wide.name}){row}[{place}]"
        plus = f"(int32_t)(({row}[{place} >> 5] >> ({place} & 31)) & 1)"
        if self.kept is Kept.BITS:
            return plus
        return f"({plus} - (int32_t)(({row}[{self.words} + ({place} >> 5)] >> ({place} & 31)) & 1))"

    def each(self, lag: int, add: str) -> list[str]:
        """Lines that call `add` for every spike of `lag` calls ago."""
        if self.kept is Kept.VALUES:
            return [
                "uint32_t j;", f"const {self.element.name} *sent = {self.row(lag)};",
                f"for (j = 0; j < {self.size}; j++) {{", "    if (sent[j] != 0)", f"        {add}(sums, j, sent[j]);",
                "}",
            ]  # fmt: skip
        if self.kept is Kept.BITS:
            planes, neuron, more = self.words, "k", ""
        else:
            planes, more = 2 * self.words, f", k < {self.words} ? 1 : -1"
            neuron = f"(k < {self.words} ? k : k - {self.words})"
        return [
            "uint32_t k;", f"const uint32_t *sent = {self.row(lag)};",
            f"for (k = 0; k < {planes}; k++) {{", "    uint32_t word = sent[k];", "    while (word != 0) {",
            f"        {add}(sums, 32 * {neuron} + lowest(word){more});", "        word &= word - 1;", "    }", "}",
        ]  # fmt: skip
