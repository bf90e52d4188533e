"""Where in the user's own code a running forward is: for messages."""

from __future__ import annotations

import sys
from pathlib import Path

_OTHERS = ("torch", "snntorch", "spikingjelly", "norse", "tern2lava", "einops", "contextlib")


def users_line() -> str:
    """(file.py:12), with a space in front, of the innermost frame that is of no framework and not of this package; ""
    where there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _OTHERS and not frame.f_code.co_filename.startswith("<frozen"):
            if frame.f_code.co_name == "forward" or _in_forward(frame):
                return f" ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
            return ""
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def _in_forward(frame: object) -> bool:
    """Whether a frame was called, however deep, by torch's call of a module."""
    back = getattr(frame, "f_back", None)
    while back is not None:
        if back.f_code.co_name == "_call_impl":
            return True
        back = back.f_back
    return False
