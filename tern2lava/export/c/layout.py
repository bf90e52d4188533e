"""The members of the state in C, in an order that needs no padding between them, and the bytes of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tern2lava.export.c.ctypes import CType


@dataclass(frozen=True)
class Member:
    """An array of the state, or a number where it has no extents."""

    name: str
    kind: CType
    extents: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        count = 1
        for extent in self.extents:
            count *= extent
        return count * self.kind.bytes

    @property
    def text(self) -> str:
        return f"{self.kind.name} {self.name}{''.join(f'[{extent}]' for extent in self.extents)};"


def by_width(members: Sequence[Member]) -> list[Member]:
    """Members from the widest element to the narrowest, otherwise as they were."""
    return sorted(members, key=lambda member: -member.kind.bytes)


def struct_bytes(members: Sequence[Member]) -> tuple[int, int]:
    """Bytes and alignment of a struct of members in the order of `by_width`, each element aligned to its size."""
    align = max((member.kind.bytes for member in members), default=1)
    total = sum(member.bytes for member in members)
    return -(-total // align) * align, align


def union_bytes(structs: Sequence[Sequence[Member]]) -> tuple[int, int]:
    """Bytes and alignment of a union of such structs."""
    found = [struct_bytes(by_width(each)) for each in structs]
    align = max((a for _, a in found), default=1)
    most = max((n for n, _ in found), default=0)
    return -(-most // align) * align, align
