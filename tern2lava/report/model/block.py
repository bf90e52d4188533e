"""What every block of a report is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tern2lava.compiler.shown import brief, shortened

Pair = tuple[int, int]


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def __repr__(self) -> str:
        return shortened(f"{type(self).__name__}({self._shown()})")

    def __str__(self) -> str:
        return repr(self)

    def _shown(self) -> str:
        """What stands between the parentheses of the repr: by default every key, blocks and lists as what they are."""
        return ", ".join(f"{key}={brief(getattr(self, key))}" for key in type(self).model_fields)
