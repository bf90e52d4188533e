"""All that tern2lava writes: whole or not at all, whatever ends the run. leftovers.py says what a killed run leaves."""

from __future__ import annotations

from tern2lava.writing.leftovers import is_leftover, recover, settle
from tern2lava.writing.replace import ReadOnlyError, change_files, write_file, write_folder

__all__ = ["ReadOnlyError", "change_files", "is_leftover", "recover", "settle", "write_file", "write_folder"]
