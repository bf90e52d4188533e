"""What compiling a network would refuse, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.sheet import Paragraph


def render_check(source: str, target: str, lines: Sequence[str], unseen: Sequence[str]) -> RenderableType:
    """The verdict, then a paragraph for each refusal, then what was not looked at."""
    if not lines:
        return Group(Paragraph(f"{source}: compiles for {target}", style="bold"))
    parts: list[RenderableType] = [Paragraph(f"{source}: {count(len(lines), 'refusal')} for {target}", style="bold")]
    parts += [Paragraph(line) for line in lines]
    if unseen:
        parts.append(Paragraph(f"Not looked at, for it stands behind one of these: {', '.join(unseen)}"))
    return Group(*parts)
